"""Paths that callers name: what is one, and which are refused at once. Imports no TensorFlow."""

import os
import re
from pathlib import Path

from zoo.models import checks

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
ARRAYS = ".npz"
_ENDING = re.compile(r"\.[A-Za-z]\w{0,6}$")


def is_path(name):
    """Whether a data set's name is a path: something is there, or it can be meant as nothing else."""
    text = os.fspath(name)
    if text.startswith((".", "/", "~")) or _ENDING.search(text):
        return True
    try:
        return Path(text).exists()
    except OSError:  # a text that is longer than any name
        return False


def check_data(path):
    """Returns the path of a data set's files; `~` is the home folder.

    Raises:
        InputError: Nothing is there, or it is a file of another form than those that are read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise checks.InputError(f"There is no file or folder {path}.")
    if path.is_file() and not path.name.lower().endswith((*TABLES, ".txt", ARRAYS)):
        raise checks.InputError(
            f"{path} is no data set: expected a folder of classes, a .csv (.tsv, .csv.gz) or a .npz file. Other tables (.xlsx, .json, "
            ".parquet): save them as .csv, or pass the DataFrame that pandas reads to zoo.train."
        )
    return path


def check_inputs(given):
    """Raises `InputError` for the first of some inputs of `zoo predict` that is meant as a file, and is none."""
    for text in given:
        if text != "-" and _looks_like_a_path(text) and not exists(text):
            raise checks.InputError(f"There is no file {text}.")


def exists(text):
    """Whether a text is the path of a file or folder."""
    try:
        return os.path.exists(text)
    except ValueError:  # it holds a zero byte
        return False


def _looks_like_a_path(text):
    is_one_word = not any(character.isspace() for character in text)
    return bool(_ENDING.search(text)) or (is_one_word and os.sep in text)
