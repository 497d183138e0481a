"""Cells of tables that stand for more than a value: names of files, and lists of numbers."""

import re
from pathlib import Path

import numpy as np

from zoo.data import examples, once
from zoo.data.kinds import categories
from zoo.models import checks

LEAST = 8  # numbers that make a list
_PROBE = 50  # cells by which folder and ending of names, or lists are told


def are_file_names(column, endings):
    """Whether nearly all texts of a DataFrame's column are names of files with one of these endings."""
    if column.dtype != object and column.dtype.kind not in "OUST":
        return False
    different = once.texts_of(column) or once.texts_of(column.dropna().astype(str))
    names = [text.strip().lower() for text in different.texts]
    fits = np.array([name.endswith(tuple(endings)) for name in names], bool)
    share = different.counts[fits].sum() / max(1, different.counts.sum())
    return bool(share > 0.9) and len(set(names)) > 1


def resolve(title, names, folders, endings):
    """Finds the files that a column names, some of which may be missing.

    Args:
        title: Of the column.
        names: Its cells: paths within one of the folders, with or without their ending.
        folders: Where to look; the first in which most are found is taken.
        endings: Groups of endings that the names may lack, of one kind of file each.

    Returns:
        The paths, and whether each is there, bool `[N]`.

    Raises:
        InputError: Two files of one kind have a name that lacks its ending.
    """
    names = [str(name).strip().replace("\\", "/") for name in names]
    every = tuple(ending for group in endings for ending in group)
    has_endings = any(name.lower().endswith(every) for name in names)
    groups = [("",), *(() if has_endings else endings)]
    listed = {}  # folder → its files by their names without ending

    def paths(place, some):
        folder, group = place
        return [_named(Path(folder, name), group, listed) for name in some]

    def count(place):
        return sum(bool(found) for found in paths(place, names[:_PROBE]))

    best = max([(folder, group) for group in groups for folder in folders], key=count)
    found = paths(best, names)
    if double := next((several for several in found if len(several) > 1), None):
        raise checks.InputError(
            f"{title!r} names {Path(double[0]).stem!r} without an ending, and there are {double[0]} and {double[1]}: write the ending "
            "into the table, or keep one of them there."
        )
    is_there = np.array(list(map(bool, found)))
    if is_there.any() and best != (folders[0], ("",)):
        used = sorted({several[0].suffix for several in found if several})
        told = f", the names with the ending {', '.join(used)}" if best[1] != ("",) else ""
        examples.log.info("%s: files in %s%s", title, best[0], told)
    missing = [Path(best[0], name) for name in names]
    return [several[0] if several else gone for several, gone in zip(found, missing)], is_there


def beside(folder, words):
    """The folders in a folder in whose names one of some words is, or that are called `images`."""
    if not folder.is_dir():
        return []
    inside = sorted(p for p in folder.iterdir() if p.is_dir())
    return [p for p in inside if any(word in p.name.lower() for word in words) or p.name.lower() == "images"]  # fmt: skip


def _named(path, endings, listed):
    """The files that a path means, which lacks one of the endings unless they are `("",)`."""
    if endings == ("",):
        return [path] if path.is_file() else []
    if path.parent not in listed:
        by_stem = listed[path.parent] = {}
        for file in sorted(path.parent.iterdir()) if path.parent.is_dir() else ():
            by_stem.setdefault(file.name[: -len(file.suffix) or None], []).append(file)
    return [f for f in listed[path.parent].get(path.name, ()) if f.suffix.lower() in endings]


def files_of(title, column, path, endings):
    """The files that a column of a table that is to be predicted names, beside the table or from the working folder.

    Args:
        title, column: The DataFrame's column.
        path: The table's file; another text where it comes from none.
        endings: That the names may lack.

    Raises:
        InputError: A file is missing.
    """
    table = Path(path)
    word = table.name.partition(".")[0].lower()  # test_images holds the files of test.csv
    folders = [table.parent, *beside(table.parent, [word] if len(word) > 2 else []), Path(".")]
    names = categories.as_texts(column)
    found, is_there = resolve(title, names, folders, [tuple(endings)])
    if not is_there.all():
        row = column.index[~is_there][0]
        if not names[int(np.argmin(is_there))].strip():
            raise checks.InputError(
                f"{title!r} names no file in {column.index.name or 'row'} {row}."
            )
        raise checks.InputError(
            f"{(~is_there).sum()} of the {len(found)} files that {title!r} names are missing, first {found[int(np.argmin(is_there))]} "
            f"in {column.index.name or 'row'} {row}: names are read beside the table."
        )
    return found


def numbers_in(cell):
    """The numbers of a list that a cell holds, as a text with spaces, commas or brackets or as a list; `None` for no list."""
    if isinstance(cell, (list, tuple, np.ndarray)):
        parts = np.asarray(cell, object).reshape(-1).tolist()
    else:
        parts = re.sub(r"[\[\](),;|]", " ", str(cell)).split()
    if len(parts) < LEAST:
        return None
    try:
        return np.array(parts, "float64")
    except (ValueError, TypeError):
        return None


def are_no_values(column, endings):
    """Whether the first cells of a DataFrame's column are lists of numbers, or names of files with one of these endings."""
    first = column.iloc[:_PROBE]
    return are_lists(first) or are_file_names(first, endings)


def are_lists(column):
    """Whether most cells of a DataFrame's column are lists of numbers."""
    if column.dtype.kind in "iufbmMc" or column.dtype == "category":
        return False
    present = column.dropna()
    if len(present) == 0:
        return False
    return np.mean([numbers_in(cell) is not None for cell in present.iloc[:_PROBE]]) > 0.5


def pixels(title, column, shape=None):
    """The images that a column of lists of numbers holds.

    Args:
        title: Of the column.
        column: A DataFrame's column.
        shape: Height, width and channels; `None` tells them from the numbers.

    Returns:
        uint8 `[N, H, W, C]`, and which cells hold no such image, bool `[N]`.

    Raises:
        InputError: The lists are no square images with pixels 0..255.
    """
    lists = [numbers_in(cell) for cell in column]
    counts = [0 if numbers is None else len(numbers) for numbers in lists]
    usual = max(set(counts), key=counts.count)
    shape = shape or next(
        ((side, side, c) for c in (1, 3) if (side := round((usual / c) ** 0.5)) ** 2 * c == usual), None
    )  # fmt: skip
    whole = [numbers is not None and np.isin(numbers, range(256)).all() for numbers in lists]
    if shape is None or not any(whole):
        what = (
            "of which no square image has"
            if shape is None
            else "not all of them whole ones from 0 to 255"
        )
        raise checks.InputError(
            f"The cells of {title!r} hold lists of {usual} numbers, {what}. Write each number into a column of its own, or pass "
            f"arrays (x, y); kinds={{{title!r}: 'text'}} (--kinds {title}=text) reads the numbers as words."
        )
    size = int(np.prod(shape))
    bad = np.array([n != size or not is_whole for n, is_whole in zip(counts, whole, strict=True)])
    found = [np.zeros(size) if is_bad else numbers for numbers, is_bad in zip(lists, bad)]
    return np.array(found).astype("uint8").reshape(-1, *shape), bad
