"""The caller's own files: folders of images or texts by class, CSV, NPZ.

folder/cats/1.png  folder/dogs/2.jpg                     classes are the folders' names
folder/train/cats/1.png  folder/test/dogs/2.jpg          with a level for the splits
folder/train.csv  folder/test.csv  or  table.csv         with target=...
arrays.npz                                               x, y or x_train, y_train, x_test, y_test
"""

import os
from pathlib import Path

import numpy as np

from zoo.data import examples, kinds
from zoo.data.user import csv_files, memory
from zoo.models import checks
from zoo.tasks import task

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
        table, separator = csv_files.read_csv(path, texts=_texts(options))
        return memory.read(table, options, name=path.stem, separator=separator)
    csvs = _tables(path)
    if "train" in csvs:
        train, separator = csv_files.read_csv(csvs.pop("train"), texts=_texts(options))
        others = {split: csv_files.read_csv(p)[0] for split, p in csvs.items()}
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
