"""What several test files read off the table of families."""

import contextlib

import keras
import numpy as np
import pytest

from zoo import families


def sample_of(name, task, index):
    """One of the samples of the table."""
    return families.FAMILIES[name].samples[task]()[index]


@contextlib.contextmanager
def by_shape():
    """Within the block models are built without their weights' memory, and are only looked at afterwards.

    Keras keeps a list of the weights that have no values yet, and gives all of them some at the next layer that is built
    outside: with a family's largest sizes these were eleven gigabytes.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session(free_memory=False)


NAMES = list(families.FAMILIES)
# Seconds to build; their parameters are counted anyway.
LARGE = ("44", "56", "110", "34", "101", "152", "bert_large", "l_16")
SIZES = [
    pytest.param(name, size, marks=[pytest.mark.slow] * (size in LARGE))
    for name, row in families.FAMILIES.items()
    for size in row.sizes
]
# The first sample of each family, and texts for the two families that read them in most ways; the others, which train the
# same layers, are slow tests.
QUICK = {(name, next(iter(row.samples)), 0) for name, row in families.FAMILIES.items()}
QUICK |= {("transformer", "classification", 1), ("recurrent", "classification", 2)}
SAMPLES = [
    pytest.param(
        name,
        task,
        i,
        id=f"{name}-{task}-{i}",
        marks=[pytest.mark.slow] * ((name, task, i) not in QUICK),
    )
    for name, row in families.FAMILIES.items()
    for task, make in row.samples.items()
    for i in range(len(make()))
]
CLASSIFICATIONS = [param for param in SAMPLES if param.values[1] == "classification"]
IDS = [
    param
    for param in SAMPLES
    if sample_of(*param.values).arguments["input_shape"] == families.TOKENS
]
TOKENS = [param for param in IDS if param in CLASSIFICATIONS]
# One sample of each family, of its first task, and those of token ids.
KINDS = [
    param
    for param in SAMPLES
    if param in IDS
    or param.values[1:] == (next(iter(families.FAMILIES[param.values[0]].samples)), 0)
]


def quick_of(params, *names):
    """The samples, of which only those of the named families are tested by default."""
    return [
        pytest.param(
            *p.values, id=p.id, marks=[*p.marks, *[pytest.mark.slow] * (p.values[0] not in names)]
        )
        for p in params
    ]


# Arguments that give the tiny model every kind of state and layer that its family has.
STATEFUL = {
    "dense": {"normalization": "batch", "embedding": "periodic", "ntk": True, "members": 2},
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
    "vae": {"num_samples": 2},
    "bag": {"ngrams": 2},
    "seq2seq": {"activation": "swiglu"},
}
EXTREME = {
    name: {**({"dropout": 0.3} if name != "vae" else {}), **arguments}
    for name, arguments in STATEFUL.items()
}


def tiny(name, task, index=0, **overrides):
    """The tiny size on a sample of the table; returns model and sample."""
    row, sample = families.FAMILIES[name], sample_of(name, task, index)
    return row.build(**{**row.sizes["tiny"], **sample.arguments, **overrides}), sample


def loss_of(task):
    """The loss of a task, plain Keras's own."""
    if task in ("classification", "translation"):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if task == "generation":
        return None  # the model adds its own
    return keras.losses.MeanSquaredError()


# TensorFlow traces for seconds what a tiny model computes in milliseconds; JAX is slow without compiling.
EAGER = keras.backend.backend() == "tensorflow"


def answer(model, inputs):
    """The outputs as NumPy arrays."""
    if not EAGER:
        return model.predict(inputs, verbose=0)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(inputs, training=False))


def rows(inputs, count):
    """The first examples of an array, or of a dict of them."""
    return keras.tree.map_structure(lambda x: x[:count], inputs)


def logits_of(model):
    """The output tensor of the layer `logits`."""
    return model.output["logits"] if isinstance(model.output, dict) else model.output


def set_ramp(model):
    """Gives every element of every weight another value, so that no two weights can be swapped unnoticed."""
    start = 1
    for weight in model.weights:
        if weight.dtype == "float32":
            count = int(np.prod(weight.shape))
            weight.assign(np.reshape(np.linspace(0.01, 0.5, count) + start * 1e-3, weight.shape))
            start += 1
