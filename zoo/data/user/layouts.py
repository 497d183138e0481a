"""Which folders in a folder are splits and which are classes: splits of classes, classes of splits, or classes alone."""

import dataclasses
import re
from pathlib import Path

from zoo.data import examples, labels
from zoo.models import checks

SPLITS = {
    **dict.fromkeys(("train", "training", "train_set", "training_set"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "dev", "validation_set", "val_set", "dev_set"), "validation"),
    **dict.fromkeys(("test", "testing", "test_set", "testing_set"), "test"),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Root:
    """Where a split's files are.

    Attributes:
        path: Its folder; that of all splits where the classes are above them.
        classes: Name → folder of that class.
        is_shared: Whether `path` is that of all splits.
    """

    path: Path
    classes: dict
    is_shared: bool = False


def by_split(paths, name=lambda path: path.name):
    """Split → path, of paths that are named after splits; raises `InputError` for two of one split."""
    found = {}
    for path in paths:
        split = SPLITS.get(name(path).lower())
        if split in found:
            raise checks.InputError(
                f"{found[split]} and {path} are both named after the {split} split: keep one of them there."
            )
        if split:
            found[split] = path
    return found


def by_affix(paths, name=lambda path: path.name):
    """Dicts from split to path, of paths whose names differ by the split alone, such as seg_train and seg_test; the largest first."""
    alike = {}
    for path in paths:
        for word, split in SPLITS.items():
            for match in re.finditer(word, name(path).lower()):
                rest = name(path)[: match.start()], name(path)[match.end() :]
                alike.setdefault(rest, {}).setdefault(split, path)
    found = [f for f in alike.values() if "train" in f and len(set(f.values())) > 1]
    return sorted(found, key=len, reverse=True)


def roots(path, needs_classes):
    """Split → its `Root`, for a folder; only `train` where it holds no splits.

    Args:
        path: The folder; those that others hold nothing but are read in their place.
        needs_classes: Whether files have to be in a folder that is named after their class.

    Raises:
        InputError: Some folders are splits and others are not, or none of them is that of train.
    """
    path = _inner(path, keep_splits=True)
    folders = visible_folders(path)
    found = _splits(path, folders)
    others = [folder for folder in folders if folder not in found.values()]
    if found and others and not _are_to_predict(path, found, others, needs_classes):
        found = {}
    elif found and "train" not in found:
        raise checks.InputError(f"{path} has {', '.join(found)} but no train folder.")
    if not found and (by_class := _below_classes(path, folders)):
        return by_class
    inner = {split: _inner(folder) for split, folder in (found or {"train": path}).items()}
    return {
        split: Root(root, {folder.name: folder for folder in visible_folders(root)})
        for split, root in inner.items()
    }


def visible_folders(path):
    """The folders in a folder that are no program's own."""
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def likeness(name):
    """What names of folders of one class have in common: they may differ in capitals, spaces and the code of accents."""
    return labels.seen(name).lower()


def _inner(path, keep_splits=False):
    """The folder that holds the classes or splits, where others hold nothing but it, as archives unpack."""
    folder = _wrapped(path)
    if folder is None or (keep_splits and folder.name.lower() in SPLITS):
        return path
    examples.log.info("%s holds nothing but the folder %s: that is read", path, folder.name)
    return _inner(folder, keep_splits)


def _wrapped(path):
    """The only folder in a folder, where it holds folders itself; otherwise `None`."""
    folders = visible_folders(path)
    return folders[0] if len(folders) == 1 and visible_folders(folders[0]) else None


def _classes_in(path):
    """What the names of a folder's classes have in common with others."""
    while folder := _wrapped(path):
        path = folder
    return {likeness(folder.name) for folder in visible_folders(path)}


def _is_flat(path):
    """Whether a folder holds no classes: no folders, or one in the other with files in the innermost."""
    folders = visible_folders(path)
    return not folders or (len(folders) == 1 and _is_flat(folders[0]))


def _splits(path, folders):
    """Split → folder, of folders that are named after splits: `train`, or `seg_train` beside `seg_test`."""
    if found := by_split(folders):
        return found
    for found in by_affix(folders):
        classes = _classes_in(found["train"])
        others = map(_classes_in, found.values())
        if all(not classes or len(other) < 2 or classes & other for other in others):
            told = ", ".join(f"{folder.name} is {split}" for split, folder in found.items())
            examples.log.info("%s holds splits: %s", path, told)
            return found
    return {}


def _are_to_predict(path, found, others, needs_classes):
    """Whether folders beside the splits are left to predict; not so where all are classes, one of which has a split's name.

    Raises:
        InputError: They may be either.
    """
    has_flat_others = all(map(_is_flat, others))
    is_one_flat = len(found) == 1 and not visible_folders(*found.values())
    if has_flat_others and is_one_flat and needs_classes:
        name = next(iter(found.values())).name
        examples.log.info("%s: %s holds no classes: it is a class as %s is", path, name, others[0].name)  # fmt: skip
        return False
    has_train = "train" in found and (not needs_classes or not _is_flat(found["train"]))
    if has_flat_others and has_train and (len(found) > 1 or len(others) == 1):
        examples.log.warning(
            "%s holds no classes beside %s: it is not read, and can be predicted (zoo predict)",
            ", ".join(map(str, others)), ", ".join(folder.name for folder in found.values()),
        )  # fmt: skip
        return True
    raise checks.InputError(
        f"{path} mixes splits and other folders ({', '.join(f.name for f in others[:5])}): put all classes below train/, test/."
    )


def _below_classes(path, folders):
    """Split → its `Root` where each class holds the splits; `None` where none does."""
    inside = {folder: _splits(folder, visible_folders(folder)) for folder in folders}
    split = [folder for folder, found in inside.items() if "train" in found and len(found) > 1]
    if not split:
        return None
    if whole := [folder.name for folder, found in inside.items() if "train" not in found]:
        raise checks.InputError(
            f"{split[0]} holds splits ({', '.join(p.name for p in inside[split[0]].values())}), and {', '.join(whole[:5])} "
            f"beside it none: pass {split[0]}, or give each class the same splits."
        )
    sets = [folder for folder in split if len(visible_folders(inside[folder]["train"])) > 1]
    if sets:
        raise checks.InputError(
            f"{path} holds several data sets, each with splits of classes ({', '.join(f.name for f in folders[:5])}): pass one of "
            f"them, such as {sets[0]}."
        )
    examples.log.info("%s: each class holds its splits, which are kept", path)
    unread = {p.name for f in folders for p in visible_folders(f)} - {
        p.name for found in inside.values() for p in found.values()
    }
    if unread:
        examples.log.warning("%s: folders beside the splits are not read: %s", path, ", ".join(sorted(unread)))  # fmt: skip
    found = {}
    for folder in folders:
        for name, below in inside[folder].items():
            found.setdefault(name, {})[folder.name] = below
    return {name: Root(path, classes, is_shared=True) for name, classes in found.items()}
