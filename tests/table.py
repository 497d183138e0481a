"""What several test files read off the table of families."""

import keras
import numpy as np
import pytest

from zoo import families


def sample_of(name, task, index):
    """One of the samples of the table."""
    return families.FAMILIES[name].samples[task]()[index]


NAMES = list(families.FAMILIES)
# Seconds to build; their parameters are counted anyway.
LARGE = ("44", "56", "110", "34", "101", "152", "bert_large", "l_16")
SIZES = [
    pytest.param(name, size, marks=[pytest.mark.slow] * (size in LARGE))
    for name, row in families.FAMILIES.items()
    for size in row.sizes
]
SLOW = {("resnet", "regression")}  # the same layers as for classification
SAMPLES = [
    pytest.param(
        name,
        task,
        i,
        id=f"{name}-{task}-{i}",
        marks=[pytest.mark.slow] * ((name, task) in SLOW),
    )
    for name, row in families.FAMILIES.items()
    for task, make in row.samples.items()
    for i in range(len(make()))
]
CLASSIFICATIONS = [param for param in SAMPLES if param.values[1] == "classification"]
TOKENS = [param for param in SAMPLES if "vocabulary_size" in sample_of(*param.values).arguments]
# One sample of each family, and those of token ids.
KINDS = [param for param in CLASSIFICATIONS if param.values[2] == 0 or param in TOKENS]
# Arguments that give the tiny model every kind of state and layer that its family has.
STATEFUL = {
    "dense": {"normalization": "batch"},
    "cnn": {"normalization": "batch"},
    "resnet": {"stem": "7x7", "bottleneck": True},
    "transformer": {
        "normalization": "rms",
        "activation": "swiglu",
        "pooling": "cls",
        "positions": 16,
    },
    "vit": {"filters": (8, 16), "pooling": "attention", "qkv_bias": False},
    "recurrent": {"bidirectional": True, "normalization": "batch"},
}
EXTREME = {name: {"dropout": 0.3, **arguments} for name, arguments in STATEFUL.items()}


def tiny(name, task="classification", index=0, **overrides):
    """The tiny size on a sample of the table; returns model and sample."""
    row, sample = families.FAMILIES[name], sample_of(name, task, index)
    return row.build(**{**row.sizes["tiny"], **sample.arguments, **overrides}), sample


def loss_of(task):
    """The loss of a task, plain Keras's own."""
    if task == "classification":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.losses.MeanSquaredError()


def set_ramp(model):
    """Gives every element of every weight another value, so that no two weights can be swapped unnoticed."""
    start = 1
    for weight in model.weights:
        if weight.dtype == "float32":
            count = int(np.prod(weight.shape))
            weight.assign(np.reshape(np.linspace(0.01, 0.5, count) + start * 1e-3, weight.shape))
            start += 1
