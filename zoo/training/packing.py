"""The plain values of a callback, in a form that a checkpoint holds."""

import numpy as np


def plain(callback, held):
    """A callback's attributes that are plain values, as JSON can hold them; arrays go into the list `held`, or nowhere."""
    values = {}
    for key, value in vars(callback).items():
        packed = _packed(value, held)
        if packed is not None:
            values[key] = packed
    values.pop("params", None)
    return values


def _packed(value, held):
    """A plain value in a form that `unpacked` turns back; `None` for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        if held is not None:
            held.append(value)
        return {"array": None if held is None else len(held) - 1}
    if isinstance(value, (list, tuple)):
        items = [_packed(item, held) for item in value]
        return None if None in items else {"list": items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        items = {key: _packed(item, held) for key, item in value.items()}
        return None if None in items.values() else {"dict": items}
    return None


def unpacked(packed, held):
    ((kind, value),) = packed.items()
    if kind == "array":
        return held[value]
    if kind == "list":
        return [unpacked(item, held) for item in value]
    if kind == "dict":
        return {key: unpacked(item, held) for key, item in value.items()}
    return value
