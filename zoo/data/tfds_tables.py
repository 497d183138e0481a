"""Tables of TFDS that hold more than plain numbers: texts, named classes, gaps; read as a DataFrame is."""

import numpy as np
import tensorflow_datasets as tfds

from zoo.data.user import memory
from zoo.data.user.pairs import Pair


def gap_of(feature):
    """What TFDS stores where an optional feature is missing; `None` where it may not be."""
    info = getattr(feature, "get_tensor_info", dict)()
    return info.default_value if getattr(info, "optional", False) else None


def is_mixed(feature):
    """Whether a feature is a table of single cells, some of which are more than numbers that float32 holds."""
    columns = [feature[key] for key in feature] if hasattr(feature, "keys") else []
    cells = [column.get_tensor_info() for column in columns if hasattr(column, "np_dtype")]
    if (
        not columns
        or len(cells) < len(columns)
        or any(getattr(cell, "shape", None) != () for cell in cells)
    ):
        return False
    return any(
        gap_of(column) is not None
        or isinstance(column, (tfds.features.ClassLabel, tfds.features.Text))
        or np.dtype(cell.np_dtype) in ("int64", "uint64", "object")
        for column, cell in zip(columns, cells)
    )


def read(name, builder, keys, options, task):
    """Reads such a table.

    Args:
        name, builder: Name and builder of the set.
        keys: The keys of its inputs and of its target.
        options: The `DataOptions`.
        task: A key into TASKS.

    Returns:
        The `DataInfo` and a dict from split to `Arrays`.
    """
    import pandas as pd

    inputs, target = (builder.info.features[key] for key in keys)
    labels = tuple(getattr(target, "names", None) or ())
    parts = {}
    for split in ("train", "validation", "test"):
        if split in builder.info.splits:
            rows = list(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)))
            frame = pd.DataFrame(
                {
                    column: [_cell(row[keys[0]][column], inputs[column]) for row in rows]
                    for column in inputs
                }
            )
            y = np.array([_cell(row[keys[1]], target) for row in rows], object)
            if split == "train" or any(value is not None for value in y):
                parts[split] = Pair(frame, y, labels)
            else:
                memory.examples.log.info(
                    "%s: the labels of its %s split are hidden: it is left out", name, split
                )
    options = options.replace(task=options.task or task)
    return memory.read(
        parts["train"],
        options,
        validation=parts.get("validation"),
        test=parts.get("test"),
        name=name,
    )


def _cell(value, feature):
    """A value of TFDS as one of a table; `None` where it is missing."""
    if isinstance(feature, tfds.features.ClassLabel):
        return feature.names[value] if value >= 0 else None
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    gap = gap_of(feature)
    gap = gap.decode() if isinstance(gap, bytes) else gap
    if gap is not None and value == gap:
        return None
    return value.item() if hasattr(value, "item") else value
