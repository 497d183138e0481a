"""The caller's own files: folders of images or texts by class, CSV, NPZ.

folder/cats/1.png  folder/dogs/2.jpg                     classes are the folders' names
folder/train/cats/1.png  folder/test/dogs/2.jpg          with a level for the splits
folder/train.csv  folder/test.csv  or  table.csv         with target=...
arrays.npz                                               x, y or x_train, y_train, x_test, y_test
"""

import codecs
import csv
import io
import os
import re
import warnings
from pathlib import Path

import numpy as np

from zoo.data import examples, kinds
from zoo.data.kinds import columns as tables
from zoo.data.user import memory
from zoo.models import checks
from zoo.tasks import task

SEPARATORS = (",", ";", "\t", "|")
HEAD = 65536  # bytes of a CSV file that tell its form
SPLITS = {
    **dict.fromkeys(("train", "training", "train_set", "training_set"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "dev", "validation_set", "val_set", "dev_set"), "validation"),
    **dict.fromkeys(("test", "testing", "test_set", "testing_set"), "test"),
}  # fmt: skip


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
        table, separator = read_csv(path, texts=_texts(options))
        return memory.read(table, options, name=path.stem, separator=separator)
    csvs = _tables(path)
    if "train" in csvs:
        train, separator = read_csv(csvs.pop("train"), texts=_texts(options))
        others = {split: read_csv(p)[0] for split, p in csvs.items()}
        return memory.read(train, options, **others, name=path.stem, separator=separator)
    for key in ("target", "columns"):
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
    return _read_folder(path, options)


def _tables(path):
    """Split → the CSV file of a folder that is named after it."""
    found = sorted(path.glob("*.csv"))
    return {SPLITS[p.stem.lower()]: p for p in found if p.stem.lower() in SPLITS}


def is_table(path):
    """Whether a path is read as a table."""
    path = Path(path).expanduser()
    return path.suffix.lower() == ".csv" or "train" in _tables(path)


def _texts(options):
    """The titles of columns that the caller calls no numbers; `None` for all, where numbers have a sign of the caller's."""
    if options.decimal == ",":
        return None
    return [title for title, kind in options.kinds.items() if kind != "number"]


def _read_folder(path, options):
    """Reads files in folders named after classes, of the first kind of input that has such files there."""
    kind, files, labels = _by_class(path)
    found = kind.of_folder(path, files, labels, options)
    if not isinstance(found, dict):
        return found
    parts = {_ARGUMENTS[split]: part for split, part in found.items()}
    return memory.read(**parts, options=options.replace(task=None), name=path.stem)


_ARGUMENTS = {"train": "data", "validation": "validation", "test": "test"}


def read_csv(path, content=None, *, texts=None):
    """Reads a CSV table with a header as a DataFrame whose index is the number of the line.

    Cells are separated by commas, semicolons, tabs or bars. What a cell is, all cells of its column tell together: see
    `kinds.readings`.

    Args:
        path: The file; what messages call it where `content` is given.
        content: Its bytes, where they do not come from a file.
        texts: Titles of columns that are texts whatever they look like; by default all. Of the others those are numbers
            that are nothing but numbers, however they are read.

    Returns:
        The DataFrame and the separator.

    Raises:
        InputError: It is no CSV table, has no header, or is no UTF-8 text.
    """
    import pandas as pd

    try:
        content = Path(path).read_bytes() if content is None else content
        content = content.removeprefix(codecs.BOM_UTF8)
        skipped, separator, titles = _header(path, _head(content))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", pd.errors.ParserWarning
            )  # of cells that it would leave out
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # such columns are read again
            frame = _cells(content, separator, skipped, titles, texts)
    except UnicodeDecodeError:
        raise checks.InputError(
            f"{path} is not UTF-8 text (byte {_first_bad_byte(content)}): save it as UTF-8."
        ) from None
    except OSError as error:
        raise checks.InputError(f"Cannot read {path}: {error.strerror}.") from error
    except pd.errors.ParserWarning:
        raise checks.InputError(
            f"{path} is no CSV table: lines have more cells than the {len(titles)} titles of its header. A comma in a cell stands "
            "in quotes, or another sign separates the cells."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise checks.InputError(f"{path} is no CSV table: {str(error).strip()}") from error
    frame.index = _lines(content, separator, skipped, len(frame))
    frame = frame[[i for i, title in enumerate(titles) if title is not None]]
    frame.columns = [title for title in titles if title is not None]
    return frame.rename_axis("line"), separator  # messages then say "line 7"


def _first_bad_byte(content):
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _is_text(column):
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype)


def _head(content):
    """The first lines of a file as a text, and whole lines only."""
    is_cut = len(content) > HEAD
    head = content[:HEAD].rpartition(b"\n")[0] if is_cut else content
    return (head if head or not is_cut else content).decode("utf-8")


# A number that is more than its value: 007. Where a file has any, or +49, all of its numbers may be such.
_CODE = re.compile(rb"0(?<=[,;\t|\"\n\r ]0)[0-9]")
_LONG = 1e15  # whole numbers from here on are not exact as float64, or are no numbers


def _cells(content, separator, skipped, titles, texts):
    """The cells of a CSV file as a DataFrame whose columns are numbered: all as texts where `texts` is `None`."""
    import pandas as pd

    form = {
        "sep": separator, "header": None, "names": range(len(titles)), "skiprows": skipped, "keep_default_na": False,
        "index_col": False,
    }  # fmt: skip
    if texts is None:
        return pd.read_csv(io.BytesIO(content), dtype=str, **form)
    told = {i: str for i, title in enumerate(titles) if title in texts}
    frame = pd.read_csv(io.BytesIO(content), dtype=told, na_values=[""], **form)
    is_spelled = b"+" in content or _CODE.search(content) is not None
    if not is_spelled:  # beside decimal commas 1.100 may be 1100
        is_spelled = any(frame[i].str.contains(r"\d,\d").any() for i in frame if _is_text(frame[i]))
    again = []
    for i in frame.columns:
        column = frame[i]
        is_number = column.dtype.kind in "iuf"
        if is_number and column.notna().any() and not (is_spelled or (column.abs() >= _LONG).any()):
            continue
        # Besides numbers: True in any spelling, and numbers that have texts below them.
        if is_number or column.dtype.kind == "b" or (column.dtype == object and i not in told):
            again.append(i)
    if again:
        frame[again] = pd.read_csv(io.BytesIO(content), dtype=str, usecols=again, **form)
    return frame


def _lines(content, separator, skipped, count):
    """The line of the file that each of `count` rows begins in: values may go over several lines, and empty ones are no rows."""
    if content.rstrip(b"\r\n").count(b"\n") + 1 - skipped == count:
        return range(skipped + 1, skipped + 1 + count)
    lines = io.StringIO(content.decode("utf-8"), newline="")
    for _ in range(skipped):
        next(lines)
    rows, found, first = csv.reader(lines, delimiter=separator), [], skipped + 1
    for row in rows:
        if row and (len(row) > 1 or row[0].strip()):
            found.append(first)
        first = skipped + rows.line_num + 1
    return found if len(found) == count else range(skipped + 1, skipped + 1 + count)


def _header(path, text):
    """Lines to skip, the separator, and the title of each column; `None` for one that is not read."""
    lines = text.splitlines() or [""]
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
    for key, split in SPLITS.items():
        if f"x_{key}" in arrays:
            pairs[_ARGUMENTS[split]] = (f"x_{key}", f"y_{key}")
    missing = [key for pair in pairs.values() for key in pair if key not in arrays]
    if "data" not in pairs or missing:
        raise checks.InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected x and y, or x_train, y_train, x_test, y_test."
        )
    return {argument: (arrays[x], arrays[y]) for argument, (x, y) in pairs.items()}


def _by_class(path):
    """Returns the kind of the files, split → list of (file, class id), and the classes' names."""
    folders = _visible_folders(path)
    levels = {SPLITS[f.name.lower()]: f for f in folders if f.name.lower() in SPLITS}
    if levels and len(levels) < len(folders):
        others = [f.name for f in folders if f.name.lower() not in SPLITS]
        raise checks.InputError(
            f"{path} mixes splits and other folders ({', '.join(others[:5])}): put all classes below train/, test/."
        )
    if levels and "train" not in levels:
        raise checks.InputError(f"{path} has {', '.join(levels)} but no train folder.")
    roots = levels or {"train": path}
    kind = _kind_of_files(path, roots["train"])
    labels = tuple(f.name for f in _visible_folders(roots["train"]))
    found = {split: _files(root, labels, kind.file_endings) for split, root in roots.items()}
    return kind, found, labels


def _visible_folders(path):
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _kind_of_files(path, root):
    """The kind of input whose files a folder of classes holds."""
    endings = {p.suffix.lower() for folder in _visible_folders(root) for p in folder.rglob("*")}
    in_files = [kind for kind in reversed(kinds.KINDS.values()) if kind.file_endings]
    for kind in in_files:
        if endings & set(kind.file_endings):
            return kind
    found = ", ".join(sorted({p.name for p in root.iterdir()})[:5]) or "nothing"
    wanted = " or ".join(f"{kind.name}s ({', '.join(kind.file_endings)})" for kind in in_files)
    raise checks.InputError(
        f"{path} holds no {wanted} in folders named after classes. "
        f"Expected for example {root / 'cats' / '1.png'}. It holds: {found}"
    )


def _is_own(path, folder):
    """Whether a file is the user's, and not one of a hidden folder or of a program's copies."""
    parts = path.relative_to(folder).parts
    return not any(part.startswith((".", "__")) for part in parts) and path.name != "Thumbs.db"


def _files(root, labels, endings):
    pairs, ignored = [], []
    for folder in _visible_folders(root):
        if folder.name not in labels:
            raise checks.InputError(
                f"The class {folder.name!r} of {root} has no training examples."
            )
        inside = [p for p in sorted(folder.rglob("*")) if p.is_file() and _is_own(p, folder)]
        fitting = [p for p in inside if p.suffix.lower() in endings]
        ignored += [p for p in inside if p.suffix.lower() not in endings]
        if not fitting:
            raise checks.InputError(
                f"The class folder {folder} holds no file ending in {', '.join(endings)}."
            )
        pairs += [(p, labels.index(folder.name)) for p in fitting]
    if ignored:
        examples.log.warning("%d files of other kinds ignored, first %s", len(ignored), ignored[0])
    return pairs
