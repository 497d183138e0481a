"""The caller's own files: folders of images or texts by class, CSV, NPZ.

folder/cats/1.png  folder/dogs/2.jpg                     classes are the folders' names
folder/train/cats/1.png  folder/test/dogs/2.jpg          with a level for the splits
folder/train.csv  folder/test.csv  or  table.csv         with target=...; cells may name files, with files=...
                                                         also .tsv, .csv.gz, and a .txt that is such a table
arrays.npz                                               x, y or x_train, y_train, x_test, y_test
"""

from pathlib import Path

from zoo import files
from zoo.config.options import OF_TABLES
from zoo.data import examples, naming
from zoo.data.user import csv_files, folders, layouts, memory, paths
from zoo.models import checks
from zoo.tasks import task


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
    path = paths.check_data(path)
    if _is_table_file(path):
        table, separator = csv_files.read_csv(path, texts=_texts(options), named=_named(options))
        options = _with_folder(options, path.parent)
        return memory.read(table, options, name=csv_files.stem(path), separator=separator)
    csvs = _tables(path)
    if "train" in csvs:
        named = _named(options)
        train, separator = csv_files.read_csv(csvs.pop("train"), texts=_texts(options), named=named)
        others = {split: csv_files.read_csv(p, named=named)[0] for split, p in csvs.items()}
        others = {s: t for s, t in others.items() if _has_targets(csvs[s], t, train, options)}
        options = _with_folder(options, path)
        return memory.read(train, options, **others, name=path.stem, separator=separator)
    for key in OF_TABLES:
        if getattr(options, key):
            what = f"{path} is a folder of classes." if path.is_dir() else f"Received: {path}"
            raise checks.InputError(f"`{key}` is for tables; {what}")
    if path.suffix.lower() == ".npz":
        return memory.read(**_read_npz(path), options=options, name=path.stem)
    if options.task and task(options.task).targets not in ("class", "none"):
        raise checks.InputError(
            f"A folder of classes is a classification. Received: task={options.task!r}"
        )
    parts = {_ARGUMENTS[split]: part for split, part in folders.read(path, options).items()}
    return memory.read(**parts, options=options.replace(task=None), name=path.stem)


def _is_table_file(path):
    return path.is_file() and (csv_files.is_csv(path) or path.suffix.lower() == ".txt")


def _tables(path):
    """Split → the CSV file of a folder that is named after it: train.csv, or titanic_train.csv beside titanic_test.csv."""
    found = {}  # of two forms of one table the first is read
    files = [file for file in path.iterdir() if csv_files.is_csv(file)] if path.is_dir() else []
    for ending in csv_files.ENDINGS:
        for file in files:
            if file.name.lower() == csv_files.stem(file).lower() + ending:
                found.setdefault(csv_files.stem(file), file)
    tables = sorted(found.values())
    if by_split := layouts.by_split(tables, csv_files.stem):
        return by_split
    by_affix = next(iter(layouts.by_affix(tables, csv_files.stem)), {})
    if by_affix:
        told = ", ".join(f"{file.name} is {split}" for split, file in by_affix.items())
        examples.log.info("%s holds splits: %s", path, told)
    return by_affix


def is_table(path):
    """Whether a path is read as a table."""
    path = Path(path).expanduser()
    return csv_files.is_csv(path) or _is_table_file(path) or bool(_tables(path))


def _named(options):
    """The titles of columns that the caller named."""
    single = (options.files, options.split_by, options.sample_weight)
    return {*options.target, *options.columns, *options.kinds, *single}


def _texts(options):
    """The titles of columns that the caller calls no numbers; `None` for all, where numbers have a sign of the caller's."""
    if options.decimal == ",":
        return None
    named = [options.files] if options.files else []
    return [*named, *(title for title, kind in options.kinds.items() if kind != "number")]


def _with_folder(options, folder):
    """The options with the folder of the files that a table names: its own, unless they say another."""
    given = Path(options.folder).expanduser() if options.folder else folder
    is_beside = not given.exists() and (folder / given).exists()
    return options.replace(folder=str(folder / given if is_beside else given))


def _has_targets(path, table, train, options):
    """Whether a table beside that of train has the targets, too; where it has not, says that it is not read.

    Raises:
        InputError: It has no column of train at all.
    """
    if not naming.by_name(list(table.columns), naming.column_names(train.columns)):
        raise checks.InputError(
            f"{path} needs a header line: its first line ({', '.join(table.columns[:3])}) has none of the titles of the train table "
            f"({', '.join(train.columns[:3])})."
        )
    target = [options.target] if isinstance(options.target, str) else list(options.target)
    known = naming.by_name(list(table.columns), naming.column_names(target))
    missing = [
        title
        for title in target
        if title in train.columns and naming.column_name(title) not in known
    ]
    if missing and task(options.task or "classification").targets != "none":
        examples.log.info(
            "%s has no labels (%s): it can be predicted (zoo predict), not scored, and is not read", path, ", ".join(missing)
        )  # fmt: skip
    return not missing


_ARGUMENTS = {"train": "data", "validation": "validation", "test": "test"}


def _read_npz(path):
    try:
        arrays = {key.lower(): array for key, array in files.read_arrays(path).items()}
    except (ValueError, AttributeError) as error:  # the last of one array, which has no names
        raise checks.InputError(
            f"{path} is damaged, no .npz file, or holds Python objects: save arrays of numbers or texts with np.savez."
        ) from error
    pairs = {"data": ("x", "y")} if "x" in arrays else {}
    for key, split in layouts.SPLITS.items():
        if f"x_{key}" in arrays:
            pairs[_ARGUMENTS[split]] = (f"x_{key}", f"y_{key}")
    missing = [key for pair in pairs.values() for key in pair if key not in arrays]
    if "data" not in pairs or missing:
        raise checks.InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected x and y, or x_train, y_train, x_test, y_test."
        )
    return {argument: (arrays[x], arrays[y]) for argument, (x, y) in pairs.items()}
