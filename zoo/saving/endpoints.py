"""Signatures: what a SavedModel can be asked, each a function from named tensors to named tensors.

serving_default, embed, encode, reconstruct    raw inputs: images, texts, columns, series
serving_bytes                                  encoded images
tensors                                        numbers alone, for runtimes that know no texts
decode, sample, generate                       what a model makes, with settings as further inputs
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from zoo.data import kinds

GOLDEN_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Serving:
    """Settings of an export that its answers depend on: what logits are divided by, and the beams of a decoder."""

    temperature: float = 1.0
    beam_width: int = 4


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A signature: a function from a dict of inputs to a dict of outputs.

    Attributes:
        run: The function.
        specs: Its inputs' names and `tf.TensorSpec`s.
        golden: Inputs to prove it with, by name; `None` for the raw inputs of test examples.
    """

    run: Callable
    specs: dict
    golden: dict | None = None


def make(model, splits, examples, serving=Serving()):  # noqa: B008 - it is frozen
    """Makes all endpoints of a model.

    Args:
        model: The trained model.
        splits: The `Splits` that it was trained on, with their preparation.
        examples: Some raw test examples, to prove the endpoints with.
        serving: The `Serving`.

    Returns:
        A dict from signature to `Endpoint`; `"serve"` is the default.
    """
    info, preparation, kind, task = splits.info, splits.preparation, splits.kind, splits.task
    answers = task.predict(model, info, preparation, serving)
    specs, raw = kind.specs(info), kind.named(examples, info)

    def features(given):
        return kind.to_model(given, info, preparation.inputs)

    def serve(given):
        return answers(features(given), given)

    endpoints = {"serve": Endpoint(serve, specs)}
    if not info.parts:  # of several inputs no other runtime takes a model
        endpoints["tensors"] = _tensors(kind, splits, answers, examples)
    more = kind.signatures(info, serve, examples)
    if task.signatures is not None:
        more |= task.signatures(model, preparation, serving, features, answers, specs, raw)
    endpoints |= {name: Endpoint(*parts) for name, parts in more.items()}
    # A model of a class of the caller's has layers, but no tensors between them.
    last = model.layers[-1] if getattr(model, "outputs", None) else None
    if task.signatures is None and isinstance(last, keras.layers.Dense):
        trunk = keras.Model(model.input if info.parts else model.inputs, last.input)

        def embed(given):
            return {"embedding": tf.cast(trunk(features(given), training=False), tf.float32)}

        endpoints["embed"] = Endpoint(embed, specs)
    return endpoints


def as_numbers(examples, info, preparation):
    """Raw examples as the endpoint `tensors` takes them, by name: numbers as they come, otherwise what the model takes."""
    name, values, _ = kinds.kind(info.kind).as_numbers(examples, info, preparation.inputs)
    return {name: values}


def _tensors(kind, splits, answers, examples):
    """The endpoint without texts."""
    inputs = splits.preparation.inputs
    name, values, is_prepared = kind.as_numbers(examples, splits.info, inputs)
    # Batches of tokens are as long as their longest example.
    shape = values.shape[1:] if kind.vocabulary is None else (None,)

    def run(given):
        features = given[name] if is_prepared else inputs(given[name])
        return answers(features, given, in_words=False)

    spec = tf.TensorSpec((None, *shape), values.dtype, name=name)
    return Endpoint(run, {name: spec}, {name: values})
