"""Folders of files by class, as people and programs leave them: with splits, wrapped, with other files beside."""

import collections

import numpy as np

from zoo.data import examples, kinds
from zoo.data.part import Part
from zoo.data.user import csv_files, layouts
from zoo.models import checks
from zoo.tasks import task

MASKS = {"mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations", "gt", "groundtruth"}  # fmt: skip


def read(path, options):
    """Reads files in folders named after classes, of the first kind of input that has such files there.

    Args:
        path: The folder.
        options: The `DataOptions`.

    Returns:
        Dict from each split that has labels to its part.

    Raises:
        InputError: There are no such files, or the folders do not fit together.
    """
    needs_classes = not options.task or task(options.task).targets != "none"
    roots = layouts.roots(path, needs_classes)
    kind = _kind_of_files(path, roots["train"], needs_classes)
    classes = set(map(layouts.likeness, roots["train"].classes))
    if needs_classes and len(classes) == 1 and (hint := _tables(path)):
        raise checks.InputError(
            f"{roots['train'].path} holds one class, {', '.join(classes)}.{hint}"
        )
    if needs_classes:
        _check_masks(roots["train"])
    found = {}
    for split, root in roots.items():
        if needs_classes and split != "train" and _is_unlabelled(root, classes, kind):
            examples.log.info(
                "%s has no labels: it can be predicted (zoo predict), not scored, and is not read", root.path
            )  # fmt: skip
            continue
        found[split] = _pairs(root, classes if needs_classes else None, kind.file_endings)
    if needs_classes:
        _warn_of_classes_without_test(found, roots)
    elif any(
        layouts.likeness(name) not in classes for pairs in found.values() for _, name in pairs
    ):
        found = {split: [(p, path.name) for p, _ in pairs] for split, pairs in found.items()}
    return {split: _part(split, pairs, kind) for split, pairs in found.items()}


def _part(split, pairs, kind):
    paths, names = zip(*pairs)
    inputs, files = kind.of_files(paths), np.array(list(map(str, paths)), object)
    return Part(split, inputs, np.array(names), lambda i: str(paths[i]), names=files)


def files_in(folder, every=True):
    """The user's files in a folder (`every`: and in those below it), without hidden ones and programs' copies."""

    def is_own(path):
        parts = path.relative_to(folder).parts
        is_hidden = any(part.startswith((".", "__")) for part in parts)
        return path.is_file() and not is_hidden and path.name != "Thumbs.db"

    return [p for p in sorted(folder.rglob("*") if every else folder.iterdir()) if is_own(p)]


def held(folder):
    """What a folder holds, by the endings of its files, in words."""
    counts = collections.Counter(p.suffix.lower() or "without ending" for p in files_in(folder))
    return ", ".join(f"{n} {ending}" for ending, n in counts.most_common(5)) or "nothing"


def _tables(path):
    """A hint to the tables that a folder holds."""
    tables = [p for p in files_in(path) if csv_files.is_csv(p)]
    if not tables:
        return ""
    return f"\nWhere {tables[0]} names the files, pass it, with files=... (--files) and target=..."


def _kind_of_files(path, root, needs_classes):
    """The kind of input whose files a folder of classes holds."""
    parts = root.classes.values() if needs_classes else [root.path]
    endings = {p.suffix.lower() for folder in parts for p in files_in(folder)}
    in_files = [kind for kind in reversed(kinds.KINDS.values()) if kind.file_endings]
    for kind in in_files:
        if endings & set(kind.file_endings):
            return kind
    wanted = " or ".join(f"{kind.name}s ({', '.join(kind.file_endings)})" for kind in in_files)
    raise checks.InputError(
        f"{path} holds no {wanted} in folders named after classes. "
        f"Expected for example {root.path / 'cats' / '1.png'}. It holds: {held(path)}{_tables(path)}"
    )


def _is_unlabelled(root, classes, kind):
    """Whether a split's files lie in no folder, or in a single one that is no class."""
    if not root.classes:
        return any(p.suffix.lower() in kind.file_endings for p in files_in(root.path, every=False))
    is_strange = len(root.classes) == 1 and layouts.likeness(*root.classes) not in classes
    return is_strange and len(classes) > 1


def _pairs(root, classes, endings):
    """(file, name of its class) for the files of a split; without `classes` files may lie beside the folders, too."""
    pairs, ignored = [], []
    for name, folder in root.classes.items():
        if classes is not None and layouts.likeness(name) not in classes:
            raise checks.InputError(f"The class {name!r} of {root.path} has no training examples.")
        inside = files_in(folder)
        fitting = [p for p in inside if p.suffix.lower() in endings]
        ignored += [p for p in inside if p.suffix.lower() not in endings]
        if not fitting and classes is not None:
            raise checks.InputError(
                f"The class folder {folder} holds no file ending in {', '.join(endings)}. It holds: {held(folder)}"
            )
        pairs += [(p, name) for p in fitting]
    beside = [] if root.is_shared else files_in(root.path, every=False)
    beside = [p for p in beside if p.suffix.lower() in endings]
    if classes is None:
        pairs += [(p, root.path.name) for p in beside]
    elif beside:
        examples.log.warning("%s: %d files that are in no class are not read, first %s", root.path, len(beside), beside[0].name)  # fmt: skip
    if ignored:
        counts = collections.Counter(p.suffix.lower() for p in ignored).most_common(3)
        told = ", ".join(f"{n} {ending}" for ending, n in counts)
        examples.log.warning("%d files of other kinds ignored (%s), first %s", len(ignored), told, ignored[0])  # fmt: skip
    if not pairs:
        raise checks.InputError(f"{root.path} holds no file ending in {', '.join(endings)}.")
    return pairs


def _check_masks(root):
    """Raises `InputError` for a folder of images beside one of their masks, file by file: they are no two classes."""
    if len(root.classes) != 2 or not MASKS & set(map(str.lower, root.classes)):
        return
    (one, first), (other, second) = root.classes.items()
    names = [{p.stem.lower().removesuffix("_mask") for p in files_in(folder)} for folder in (first, second)]  # fmt: skip
    if names[0] and names[0] == names[1]:
        masks, images = (one, other) if one.lower() in MASKS else (other, one)
        raise checks.InputError(
            f"{root.path}: {masks!r} holds a file for each one of {images!r}, as masks for a segmentation, which is not trained here. "
            "Classes are folders of their own examples; to learn from one folder, lay these into folders named after classes."
        )


def _warn_of_classes_without_test(found, roots):
    """Warns of classes that are in train alone: such a folder may hold examples without labels."""
    if "test" not in found:
        return
    tested = {layouts.likeness(name) for _, name in found["test"]}
    for name in sorted({name for _, name in found["train"]}):
        if layouts.likeness(name) not in tested:
            examples.log.warning(
                "the class %r has no test examples: where its files have no labels, move %s out of the folder",
                name, roots["train"].classes[name],
            )  # fmt: skip
