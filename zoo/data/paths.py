"""The caller's own files: folders of images or texts by class, CSV, NPZ.

folder/cats/1.png  folder/dogs/2.jpg                     classes are the folders' names
folder/train/cats/1.png  folder/test/dogs/2.jpg          with a level for the splits
folder/train.csv  folder/test.csv  or  table.csv         with target=...
arrays.npz                                               x, y or x_train, y_train, x_test, y_test
"""

import io
import os
from pathlib import Path

import numpy as np

from zoo.data import checking, images, sources, tables, user
from zoo.models import checks

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}  # fmt: skip
TEXTS = (".txt",)


def is_path(name):
    """Whether a data set's name is a path: something is there, or it can be meant as nothing else."""
    text = os.fspath(name)
    return (
        text.startswith((".", "/", "~")) or text.endswith((".csv", ".npz")) or Path(text).exists()
    )


def read(
    path,
    *,
    target=None,
    columns=None,
    task=None,
    skip_bad=False,
    image_size=None,
    text_size=None,
    text_unit=None,
    series=None,
    cache_mb=256,
):
    """Reads the caller's own files.

    Args:
        path: A folder, a `.csv` or a `.npz`, as drawn above.
        target, columns, task, skip_bad, text_size, text_unit, series: As in `from_user`.
        image_size: (height, width) in pixels to bring images to; told from the files where it is `None`.
        cache_mb: Images up to this size, in MiB when decoded, are held in memory; more are read at each epoch.

    Returns:
        The `DataInfo` and a dict from split to `Arrays` or `Stream`.

    Raises:
        InputError: Names the file or the row that cannot be used.
    """  # fmt: skip
    path = Path(path).expanduser()
    options = {
        "task": task, "skip_bad": skip_bad, "text_size": text_size, "text_unit": text_unit, "name": path.stem,
    }  # fmt: skip
    tabular = {**options, "target": target, "columns": columns, "series": series}
    if not path.exists():
        raise checks.InputError(f"There is no file or folder {path}.")
    if path.is_file():
        return _read_file(path, options, tabular)
    csvs = {SPLITS[p.stem]: p for p in sorted(path.glob("*.csv")) if p.stem in SPLITS}
    if "train" in csvs:
        train = read_csv(csvs.pop("train"))
        texts = [
            sources.column_name(title) for title in train if not tables.is_numeric(train[title])
        ]
        others = {split: read_csv(p, texts=texts) for split, p in csvs.items()}
        return user.from_user(train, **others, **tabular)
    for key, value in (("target", target), ("columns", columns)):
        if value:
            raise checks.InputError(f"`{key}` is for tables; {path} is a folder of classes.")
    if task not in (None, "classification"):
        raise checks.InputError(f"A folder of classes is a classification. Received: task={task!r}")
    files, labels = _by_class(path)
    if files["train"][0][0].suffix.lower() in TEXTS:
        parts = {_ARGUMENTS[s]: _read_texts(s, pairs, labels) for s, pairs in files.items()}
        return user.from_user(**parts, **options)
    return _read_images(path, files, labels, skip_bad, image_size, cache_mb)


_ARGUMENTS = {"train": "data", "validation": "validation", "test": "test"}


def _read_file(path, options, tabular):
    if path.suffix.lower() == ".csv":
        return user.from_user(read_csv(path), **tabular)
    if path.suffix.lower() == ".npz":
        if tabular["target"] or tabular["columns"]:
            raise checks.InputError(f"`target` and `columns` are for tables. Received: {path}")
        return user.from_user(**_read_npz(path), **options)
    raise checks.InputError(
        f"{path} is no data set: expected a folder of classes, a .csv or a .npz file."
    )


def read_csv(path, content=None, texts=()):
    """Reads a CSV table with a header as a DataFrame, whose index is the number of the line.

    Args:
        path: The file; what messages call it where `content` is given.
        content: Its bytes, where they do not come from a file.
        texts: Columns, as `sources.column_name` calls them, that hold texts whatever they look like: 007 is no 7.

    Raises:
        InputError: It is no CSV table, or no UTF-8 text.
    """
    import pandas as pd

    def parsed(**options):
        source = path if content is None else io.BytesIO(content)
        return pd.read_csv(source, encoding="utf-8", **options)

    try:
        titles = parsed(nrows=0).columns if texts else ()
        frame = parsed(
            dtype={title: str for title in titles if sources.column_name(title) in texts}
        )
    except UnicodeDecodeError as error:
        raise checks.InputError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise checks.InputError(f"{path} is no CSV table: {str(error).strip()}") from error
    except OSError as error:
        raise checks.InputError(f"Cannot read {path}: {error.strerror}.") from error
    frame.index += 2  # the number of the line in the file, where no value goes over several
    return frame.rename(columns=str).rename_axis("line")  # messages then say "line 7"


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
    """Returns split → list of (file, class id), and the classes' names."""
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
    ending = _ending(path, roots["train"])
    labels = tuple(f.name for f in _visible_folders(roots["train"]))
    return {split: _files(root, labels, ending) for split, root in roots.items()}, labels


def _visible_folders(path):
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _ending(path, root):
    """The endings of the kind of files, images or texts, that a folder of classes holds."""
    endings = [p.suffix.lower() for folder in _visible_folders(root) for p in folder.rglob("*")]
    for kind in (images.ENDINGS, TEXTS):
        if any(ending in kind for ending in endings):
            return kind
    found = ", ".join(sorted({p.name for p in root.iterdir()})[:5]) or "nothing"
    raise checks.InputError(
        f"{path} holds no images ({', '.join(images.ENDINGS)}) or texts (.txt) in folders named after classes. "
        f"Expected for example {root / 'cats' / '1.png'}. It holds: {found}"
    )


def _files(root, labels, endings):
    pairs, ignored = [], []
    for folder in _visible_folders(root):
        if folder.name not in labels:
            raise checks.InputError(
                f"The class {folder.name!r} of {root} has no training examples."
            )
        inside = [
            p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")
        ]
        fitting = [p for p in inside if p.suffix.lower() in endings]
        ignored += [p for p in inside if p.suffix.lower() not in endings]
        if not fitting:
            raise checks.InputError(
                f"The class folder {folder} holds no file ending in {', '.join(endings)}."
            )
        pairs += [(p, labels.index(folder.name)) for p in fitting]
    if ignored:
        sources.log.warning("%d files of other kinds ignored, first %s", len(ignored), ignored[0])
    return pairs


def _read_texts(split, pairs, labels):
    """Texts as bytes, so that what is no UTF-8 is found and counted with the other checks."""
    texts = np.array([path.read_bytes() for path, _ in pairs], object)
    names = np.array([labels[c] for _, c in pairs])
    return user.Part(split, texts, names, lambda i: str(pairs[i][0]))


def _read_images(path, files, labels, skip_bad, image_size, cache_mb):
    seen = images.scan([p for pairs in files.values() for p, _ in pairs], skip_bad=skip_bad)
    files = {split: [pair for pair in pairs if pair[0] in seen] for split, pairs in files.items()}
    files = _split_and_dedupe(path, files, seen, skip_bad)
    channels = 1 if all(shape[-1] <= 2 for shape, _ in seen.values()) else 3
    size = tuple(image_size or images.common_size([shape for shape, _ in seen.values()]))
    info = sources.DataInfo(
        name=path.stem, kind="image", task="classification",
        input_shape=(*size, channels), input_dtype="uint8", labels=labels,
    )  # fmt: skip
    splits = {}
    for split, pairs in files.items():
        if not pairs:
            raise checks.InputError(f"No {split} image of {path} is left.")
        # A stream is shuffled within a buffer only: files sorted by class would come class by class.
        order = np.random.default_rng(0).permutation(len(pairs))
        paths, ids = zip(*(pairs[i] for i in order))
        stream = images.stream_of(paths, ids, size, channels)
        splits[split] = sources.in_memory(stream, cache_mb)
    return info, splits


def _split_and_dedupe(path, files, seen, skip_bad):
    """Makes a test split where there is none, and lets no image be in train and in another split."""
    given = "test" in files
    if not given:
        rows = sources.Arrays(
            np.arange(len(files["train"])), np.array([c for _, c in files["train"]])
        )
        info = sources.DataInfo(path.stem, "image", "classification", (), "uint8")
        kept, test = sources.carve(rows, 0.2, info)
        files["test"] = [files["train"][i] for i in test.inputs]
        files["train"] = [files["train"][i] for i in kept.inputs]
        sources.log.info("no test folder: a fixed 20 %% (%d images) is the test split", len(test))
    keyed = {
        split: sources.Arrays(
            np.array([seen[p][1] for p, _ in pairs], object), np.arange(len(pairs))
        )
        for split, pairs in files.items()
    }
    kept = checking.without_repeats(
        keyed, name=path.stem, given=given, skip_bad=skip_bad, row=lambda i: files["train"][i][0]
    )
    return {**files, "train": [files["train"][i] for i in kept["train"].targets]}
