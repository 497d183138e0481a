"""The caller's own files: folders of images or texts by class, CSV, NPZ.

folder/cats/1.png  folder/dogs/2.jpg                     classes are the folders' names
folder/train/cats/1.png  folder/test/dogs/2.jpg          with a level for the splits
folder/train.csv  folder/test.csv  or  table.csv         with target=...; cells may name files, with files=...
arrays.npz                                               x, y or x_train, y_train, x_test, y_test
"""

import csv
import io
import os
import re
import warnings
from pathlib import Path

import numpy as np

from zoo.data import examples
from zoo.data.kinds import columns as tables
from zoo.data.user import folders, memory
from zoo.models import checks
from zoo.tasks import task

SEPARATORS = (",", ";", "\t", "|")
HEAD = 65536  # characters of a CSV file that tell its form


def is_path(name):
    """Whether a data set's name is a path: something is there, or it can be meant as nothing else."""
    text = os.fspath(name)
    return (
        text.startswith((".", "/", "~")) or text.endswith((".csv", ".npz")) or Path(text).exists()
    )


def read(path, options):
    """Reads the caller's own files.

    Args:
        path: A folder, a `.csv` or a `.npz`, as drawn above.
        options: The `DataOptions`.

    Returns:
        The `DataInfo` and a dict from each split that is there to `Arrays` or `Stream`.

    Raises:
        InputError: Names the file or the row that cannot be used.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise checks.InputError(f"There is no file or folder {path}.")
    if path.suffix.lower() == ".csv" and path.is_file():
        table, separator = read_csv(path)
        options = _with_folder(options, path.parent)
        return memory.read(table, options, name=path.stem, separator=separator)
    csvs = folders.by_split(sorted(path.glob("*.csv")), lambda p: p.stem)
    if "train" in csvs:
        train, separator = read_csv(csvs.pop("train"))
        others = {split: read_csv(p)[0] for split, p in csvs.items()}
        others = {s: t for s, t in others.items() if _has_targets(csvs[s], t, train, options)}
        options = _with_folder(options, path)
        return memory.read(train, options, **others, name=path.stem, separator=separator)
    for key in ("target", "columns", "files", "folder"):
        if getattr(options, key):
            what = f"{path} is a folder of classes." if path.is_dir() else f"Received: {path}"
            raise checks.InputError(f"`{key}` is for tables; {what}")
    if path.suffix.lower() == ".npz":
        return memory.read(**_read_npz(path), options=options, name=path.stem)
    if path.is_file():
        raise checks.InputError(
            f"{path} is no data set: expected a folder of classes, a .csv or a .npz file."
        )
    if options.task and task(options.task).targets not in ("class", "none"):
        raise checks.InputError(
            f"A folder of classes is a classification. Received: task={options.task!r}"
        )
    parts = {_ARGUMENTS[split]: part for split, part in folders.read(path, options).items()}
    return memory.read(**parts, options=options.replace(task=None), name=path.stem)


def _with_folder(options, folder):
    """The options with the folder of the files that a table names: its own, unless they say another."""
    given = Path(options.folder).expanduser() if options.folder else folder
    is_beside = not given.exists() and (folder / given).exists()
    return options.replace(folder=str(folder / given if is_beside else given))


def _has_targets(path, table, train, options):
    """Whether a table beside that of train has the targets, too; where it has not, says that it is not read."""
    target = [options.target] if isinstance(options.target, str) else list(options.target)
    missing = [title for title in target if title in train.columns and title not in table.columns]
    if missing and task(options.task or "classification").targets != "none":
        examples.log.info(
            "%s has no labels (%s): it can be predicted (zoo predict), not scored, and is not read", path, ", ".join(missing)
        )  # fmt: skip
    return not missing


_ARGUMENTS = {"train": "data", "validation": "validation", "test": "test"}


def read_csv(path, content=None):
    """Reads a CSV table with a header as a DataFrame of texts, whose index is the number of the line.

    Cells are separated by commas, semicolons, tabs or bars. What a cell is, all cells of its column tell together: see
    `kinds.readings`.

    Args:
        path: The file; what messages call it where `content` is given.
        content: Its bytes, where they do not come from a file.

    Returns:
        The DataFrame and the separator.

    Raises:
        InputError: It is no CSV table, has no header, or is no UTF-8 text.
    """
    import pandas as pd

    try:
        content = Path(path).read_bytes() if content is None else content
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise checks.InputError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    except OSError as error:
        raise checks.InputError(f"Cannot read {path}: {error.strerror}.") from error
    skipped, separator, titles = _header(path, text)
    try:
        with warnings.catch_warnings():  # of cells that it would leave out
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text), sep=separator, header=None, names=range(len(titles)), skiprows=skipped,
                dtype=str, keep_default_na=False, index_col=False,
            )  # fmt: skip
    except pd.errors.ParserWarning:
        raise checks.InputError(
            f"{path} is no CSV table: lines have more cells than the {len(titles)} titles of its header. A comma in a cell stands "
            "in quotes, or another sign separates the cells."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise checks.InputError(f"{path} is no CSV table: {str(error).strip()}") from error
    frame.index += (
        skipped + 1
    )  # the number of the line in the file, where no value goes over several
    frame = frame[[i for i, title in enumerate(titles) if title is not None]]
    frame.columns = [title for title in titles if title is not None]
    return frame.rename_axis("line"), separator  # messages then say "line 7"


def _header(path, text):
    """Lines to skip, the separator, and the title of each column; `None` for one that is not read."""
    lines = text[:HEAD].splitlines()[: -1 if len(text) > HEAD else None] or [""]
    told = re.fullmatch(r"sep=(.)", lines[0].strip().strip('"'))
    skipped = 1 if told else 0
    rows = {s: [r for r in csv.reader(lines[skipped:], delimiter=s) if r] for s in SEPARATORS}  # fmt: skip
    if not rows[","]:
        raise checks.InputError(f"{path} is no CSV table: No columns to parse from file")

    def evenness(separator):
        first, *others = [len(row) for row in rows[separator]]
        usual = max(set(others), key=others.count) if others else first
        return usual - first in (0, 1) and first > 1, others.count(usual), usual

    separator = told[1] if told and told[1] in SEPARATORS else max(SEPARATORS, key=evenness)
    widest = max((min(map(len, rows[s][1:]), default=1), s) for s in SEPARATORS)[0]
    if len(rows[separator][0]) == 1 and widest > 2:
        raise checks.InputError(
            f"{path} is no CSV table: its first line, {lines[skipped]!r}, has one cell, and those below have {widest}. The first line "
            "must hold the titles of the columns."
        )
    if len(rows[separator][0]) == 1:  # one column, whose cells may hold any of them
        separator = "\x1f"
        rows[separator] = [[line.strip().strip('"')] for line in lines[skipped:] if line.strip()]
    titles, *cells = rows[separator]
    titles = [title.strip() for title in titles]
    if all(map(tables.is_number, titles)) and titles != list(map(str, range(len(titles)))):
        raise checks.InputError(
            f"{path} needs a header line: its first line holds numbers ({', '.join(titles[:3])})."
        )
    is_wider = bool(cells) and all(len(row) == len(titles) + 1 for row in cells)
    if is_wider and all(row[-1] == "" for row in cells):
        examples.log.info("%s: the separator at the ends of lines is not read", path)
        titles.append(None)
    elif is_wider and all(
        line.startswith('"') for line in lines[skipped + 1 :] if line
    ):  # as R writes them
        examples.log.info(
            "%s: the first column has no title; it names the rows and is not read", path
        )
        titles.insert(0, None)
    elif titles[-1] == "" and all(row[-1] == "" for row in cells if len(row) == len(titles)):
        titles[-1] = None
    named = [f"Unnamed: {i}" if title == "" else title for i, title in enumerate(titles)]
    return skipped + 1, separator, _distinct(named)


def _distinct(titles):
    """Titles with a number after those that have occurred before, as pandas gives it."""
    seen, found = {}, []
    for title in titles:
        count = seen[title] = seen.get(title, -1) + 1
        found.append(f"{title}.{count}" if count and title is not None else title)
    return found


def _read_npz(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key.lower(): file[key] for key in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise checks.InputError(
            f"{path} is damaged, no .npz file, or holds Python objects: save arrays of numbers or texts with np.savez."
        ) from error
    pairs = {"data": ("x", "y")} if "x" in arrays else {}
    for key, split in folders.SPLITS.items():
        if f"x_{key}" in arrays:
            pairs[_ARGUMENTS[split]] = (f"x_{key}", f"y_{key}")
    missing = [key for pair in pairs.values() for key in pair if key not in arrays]
    if "data" not in pairs or missing:
        raise checks.InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected x and y, or x_train, y_train, x_test, y_test."
        )
    return {argument: (arrays[x], arrays[y]) for argument, (x, y) in pairs.items()}
