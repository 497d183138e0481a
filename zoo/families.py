"""THE TABLE: one row per family. Tests, the command line, the tuner and the docs iterate it.

To add a family, write `models/<family>.py` and add its row here.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from zoo.models import bag, checks, cnn, dense, recurrent, resnet, seq2seq, transformer, vae, vit

SMALLEST = "dense:tiny"  # a name that stands for a model until one is chosen
TOKENS = (None,)  # the shape of one text: token ids, any number of them


@dataclasses.dataclass(frozen=True)
class Sample:
    """A tiny problem that a family can learn: builder arguments, inputs (a dict of several), targets if any."""

    arguments: Mapping[str, Any]
    inputs: np.ndarray | dict
    targets: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Family:
    """One row of the table.

    Attributes:
        build: The builder function.
        sizes: Name of the size → builder arguments; `tiny` is for tests and `--smoke`.
        search_space: Function from `keras_tuner.HyperParameters` to builder arguments.
        samples: Task → a function that makes tiny `Sample`s of each kind of input; the first task is the default.
        reference: The paper.
        spaces: Size → its own function in place of `search_space`.
        own_task: The one task that it is for; `None` for a family that predicts whatever has an output of a known width.
        adapt: (model, function that returns the training batches) → sets what no gradient finds, before the training; `None` for most.
    """

    build: Callable
    sizes: Mapping[str, Mapping[str, Any]]
    search_space: Callable
    samples: Mapping[str, Callable[[], list[Sample]]]
    reference: str
    own_task: str | None = None
    adapt: Callable | None = None
    spaces: Mapping[str, Callable] = dataclasses.field(default_factory=dict)

    @property
    def reads_texts_only(self):
        """Whether all of its samples are token ids of any length."""
        return all(sample.arguments["input_shape"] == TOKENS for sample in self._samples())

    @property
    def has_classes(self):
        """Whether `num_classes` is the width of its last layer."""
        return all("num_classes" in sample.arguments for sample in self._samples())

    @property
    def inputs(self):
        """What it takes, in words: the kinds of its samples."""
        shapes = [sample.arguments["input_shape"] for sample in self._samples()]
        words = {1: "features", 2: "sequences", 3: "images"}
        found = ["token ids" if shape == TOKENS else words[len(shape)] for shape in shapes]
        return tuple(dict.fromkeys(found))

    def _samples(self):
        return [sample for make in self.samples.values() for sample in make()]


def _classification(*shapes):
    return lambda: [_sample(shape, 3, _classes) for shape in shapes]


def _regression(*shapes):
    return lambda: [_sample(shape, 1, _means) for shape in shapes]


def _sample(shape, num_classes, targets):
    arguments = {"input_shape": shape, "num_classes": num_classes}
    if shape == TOKENS:
        ids = _texts()
        return Sample({**arguments, "vocabulary_size": 20}, ids, targets(ids / 10.0 - 1))
    size = (24, *(9 if n is None else n for n in shape))
    inputs = np.random.default_rng(0).normal(size=size).astype("float32")
    return Sample(arguments, inputs, targets(inputs))


def _texts():
    """Token ids of texts of one to nine tokens, padded with zeros at the end."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 20, size=(24, 9)).astype("int32")
    return np.where(np.arange(9) < rng.integers(1, 10, size=(24, 1)), ids, 0).astype("int32")


def _generation():
    """Grey levels of two patterns, as an image and as features; there are no targets."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 2, size=(2, 16))
    pixels = np.clip(0.9 * patterns[np.arange(24) % 2] + 0.1 * rng.random((24, 16)), 0, 1)
    return [
        Sample({"input_shape": shape}, pixels.reshape(24, *shape).astype("float32"), None)
        for shape in ((4, 4, 1), (16,))
    ]


def _translations():
    """Words of two to five tokens in another alphabet, in reverse order; of two vocabularies, and of a shared one."""
    rng = np.random.default_rng(0)
    length = np.tile(
        [[2], [5], [3], [4]], (6, 1)
    )  # every four examples alike, as two devices share a batch
    steps = np.arange(5)
    source = np.where(steps < length, rng.integers(3, 9, size=(24, 5)), 0).astype("int32")
    target = np.take_along_axis(source, np.maximum(length - 1 - steps, 0), 1) + 2
    pair = seq2seq.teacher_forcing(source, np.where(steps < length, target, 0))
    inputs, targets, _ = keras.tree.map_structure(keras.ops.convert_to_numpy, pair)
    arguments = {"input_shape": TOKENS, "num_classes": 11}
    vocabularies = ({"vocabulary_size": 9}, {})
    return [Sample({**arguments, **vocabulary}, inputs, targets) for vocabulary in vocabularies]


def _classes(inputs):
    return np.digitize(inputs.reshape(len(inputs), -1)[:, 0], [-0.4, 0.4])


def _means(inputs):
    return inputs.reshape(len(inputs), -1).mean(1, keepdims=True)


FAMILIES = {
    "dense": Family(
        build=dense.build_dense,
        sizes=dense.SIZES,
        search_space=dense.search_space,
        samples={
            "classification": _classification((6,), (4, 4, 1)),
            "regression": _regression((6,)),
        },
        reference="Rumelhart, Hinton & Williams 1986; Srivastava et al. 2014; for tables Holzmüller et al. 2024, Gorishniy et al. 2025",
        spaces=dense.SPACES,
    ),
    "cnn": Family(
        build=cnn.build_cnn,
        sizes=cnn.SIZES,
        search_space=cnn.search_space,
        samples={
            "classification": _classification((8, 8, 1), (12, 3), TOKENS),
            "regression": _regression((8, 8, 2)),
        },
        reference="LeCun et al. 1998; Ioffe & Szegedy 2015; Kim 2014",
    ),
    "resnet": Family(
        build=resnet.build_resnet,
        sizes=resnet.SIZES,
        search_space=resnet.search_space,
        samples={
            "classification": _classification((8, 8, 1)),
            "regression": _regression((9, 12, 2)),
        },
        reference="He et al. 2016",
    ),
    "transformer": Family(
        build=transformer.build_transformer,
        sizes=transformer.SIZES,
        search_space=transformer.search_space,
        samples={
            "classification": _classification((12, 3), TOKENS),
            "regression": _regression((10, 2)),
        },
        reference="Vaswani et al. 2017; Devlin et al. 2019; Su et al. 2021",
    ),
    "vae": Family(
        build=vae.build_vae,
        sizes=vae.SIZES,
        search_space=vae.search_space,
        samples={"generation": _generation},
        reference="Kingma & Welling 2014; Burda et al. 2016",
        own_task="generation",
    ),
    "vit": Family(
        build=vit.build_vit,
        sizes=vit.SIZES,
        search_space=vit.search_space,
        samples={
            "classification": _classification((8, 8, 1)),
            "regression": _regression((9, 12, 2)),
        },
        reference="Dosovitskiy et al. 2021; Hassani et al. 2021",
    ),
    "recurrent": Family(
        build=recurrent.build_recurrent,
        sizes=recurrent.SIZES,
        search_space=recurrent.search_space,
        samples={
            "classification": _classification((9, 3), (6, 4, 2), TOKENS),
            "regression": _regression((None, 2)),
        },
        reference="Hochreiter & Schmidhuber 1997; Schuster & Paliwal 1997; Cho et al. 2014",
    ),
    "bag": Family(
        build=bag.build_bag,
        sizes=bag.SIZES,
        search_space=bag.search_space,
        samples={
            "classification": _classification(TOKENS),
            "regression": _regression(TOKENS),
        },
        reference="Wang & Manning 2012; Weinberger et al. 2009",
        adapt=bag.adapt,
    ),
    "seq2seq": Family(
        build=seq2seq.build_seq2seq,
        sizes=seq2seq.SIZES,
        search_space=seq2seq.search_space,
        samples={"translation": _translations},
        reference="Vaswani et al. 2017; Xiong et al. 2020",
        own_task="translation",
    ),
}


def family(name) -> Family:
    """Returns the row of a family; an unknown name raises `InputError` with the nearest names."""
    if name not in FAMILIES:
        checks.one_of("family", name, FAMILIES)
    return FAMILIES[name]


def is_listed(model):
    """Whether a name such as `"cnn:base"` is one of the table's."""
    return model.partition(":")[0] in FAMILIES


def split_name(model):
    """Splits `"cnn:base"` into family and size; without a size it is `"base"`.

    >>> split_name("cnn:small"), split_name("dense")
    (('cnn', 'small'), ('dense', 'base'))
    """
    if not isinstance(model, str):
        raise checks.InputError(
            f"A model's name is a string such as 'cnn:base'. Received: {model!r}"
        )
    name, _, size = model.partition(":")
    sizes, size = family(name).sizes, size or "base"
    if size not in sizes:
        checks.one_of(f"size of {name}", size, sizes)
    return name, size


def check_task(model, task):
    """Raises `InputError` where a family is not for a task; `None` stands for any that predicts."""
    only = only_task(model)
    if only is not None and task != only:
        raise checks.InputError(
            f"{model} is for the task {only}: pass task={only!r} (--task). Received: {task!r}"
        )
    others = [key for key, row in FAMILIES.items() if row.own_task == task]
    if only is None and task is not None and others:
        raise checks.InputError(
            f"For the task {task} a model of the family {' or '.join(others)} is needed. Received: {model!r}"
        )


def only_task(model):
    """Returns the task of a family that has only one of its own, and `None` for families that predict.

    >>> only_task("vae:small"), only_task("cnn")
    ('generation', None)
    """
    return FAMILIES[split_name(model)[0]].own_task


def arguments(model, overrides=()):
    """Returns the keyword arguments that a name such as `"cnn:base"` stands for, with `overrides` on top."""
    name, size = split_name(model)
    known = inspect.signature(FAMILIES[name].build).parameters
    for key in dict(overrides):
        if key == "vocabulary_size" and key not in known:
            raise checks.InputError(
                f"{model} takes numbers, not ids of words: for text pass a family that does, for example 'cnn:text'."
            )
        if key not in known:
            checks.one_of(f"argument of {name}", key, known)
    return {**FAMILIES[name].sizes[size], **dict(overrides)}
