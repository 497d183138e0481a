"""Signatures: what a SavedModel can be asked, each a function from named tensors to named tensors.

serving_default, embed, encode, reconstruct    raw inputs: images, texts, columns, series
serving_bytes                                  encoded images
tensors                                        numbers alone, for runtimes that know no texts
decode, sample, generate                       what a model makes, with settings as further inputs
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from zoo.data import images
from zoo.training import translation

GOLDEN_EXAMPLES = 8


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


def make(model, info, preparation, examples, *, temperature=1.0, beam_width=4):
    """Makes all endpoints of a model.

    Args:
        model: The trained model.
        info: The `DataInfo` of its data.
        preparation: Its `Preparation`.
        examples: Some raw test examples, to prove the endpoints with.
        temperature: What logits are divided by.
        beam_width: Beams of a translation.

    Returns:
        A dict from signature to `Endpoint`; `"serve"` is the default.
    """
    features = _features(info, preparation)
    answers = _answers(model, info, preparation, temperature, beam_width)
    specs, raw = _raw_specs(info), raw_inputs(examples, info)
    endpoints = {
        "serve": Endpoint(lambda given: answers(features(given), given), specs),
        **_tensors(info, preparation, answers, examples),
    }
    if info.kind == "image" and info.input_shape[-1] in images.CHANNELS:
        endpoints["serving_bytes"] = _of_bytes(info, endpoints["serve"], examples)
    if info.task == "translation":
        return endpoints | _generating_texts(model, preparation, specs, raw)
    if info.task == "generation":
        return endpoints | _generating_images(model, features, answers, specs)
    last = model.layers[-1]
    if isinstance(last, keras.layers.Dense):
        trunk = keras.Model(model.inputs, last.input)

        def embed(given):
            return {"embedding": tf.cast(trunk(features(given), training=False), tf.float32)}

        endpoints["embed"] = Endpoint(embed, specs)
    return endpoints


def raw_inputs(examples, info):
    """Names the raw inputs of a batch of examples, as the signatures take them."""
    if info.column_kinds:
        return examples
    if info.kind == "table":
        return {column: examples[:, i] for i, column in enumerate(info.columns)}
    return {info.kind: examples}  # image, text, series or features


def _raw_specs(info):
    if info.kind == "table":
        kinds = info.column_kinds or ("number",) * len(info.columns)
        dtypes = {"number": tf.float32, "category": tf.string, "date": tf.string}
        return {
            column: tf.TensorSpec((None,), dtypes[kind], name=column)
            for column, kind in zip(info.columns, kinds, strict=True)
        }
    shapes = {
        "image": (None, None, *info.input_shape[-1:]),  # any height and width
        "text": (),
        "features": info.input_shape,
        "series": info.input_shape,
    }
    return {info.kind: tf.TensorSpec((None, *shapes[info.kind]), info.input_dtype, name=info.kind)}


def _features(info, preparation):
    """Returns a function from named raw inputs to what the model takes."""

    def features(raw):
        if info.column_kinds:
            return preparation.inputs(raw)
        if info.kind == "table":
            return preparation.inputs(tf.stack([raw[column] for column in info.columns], -1))
        if info.kind == "image":
            return preparation.inputs(images.resize(raw["image"], info.input_shape[:2]))
        return preparation.inputs(raw[info.kind])

    return features


def _answers(model, info, preparation, temperature, beam_width):
    """Returns a function from what the model takes, and named raw inputs, to outputs by name; `in_words` with texts."""
    if info.task == "translation":
        answer = translation.answerer(model, preparation)

        def translate(features, raw, in_words=True):
            ids, score = answer(features, beam_width)
            written = {"answer": preparation.answers.texts(ids)} if in_words else {"ids": ids}
            return written | {"score": score}

        return translate
    if info.task == "generation":
        finish, decoder = _pixels_of(model), model.get_layer("decoder")
        layers = {name: model.get_layer(name).output for name in ("mean", "log_variance")}
        encoder = keras.Model(model.inputs, layers)  # without the layer that draws samples

        def encode(features, raw, in_words=True):
            moments = encoder(features, training=False)
            decoded = finish(decoder(moments["mean"], training=False))
            moments = {name: tf.cast(values, tf.float32) for name, values in moments.items()}
            return {"reconstruction": decoded, **moments}

        return encode

    def predict(features, raw, in_words=True):
        outputs = tf.cast(model(features, training=False), tf.float32)
        if info.task == "forecasting":
            return {"forecast": preparation.restore(outputs, raw["series"])}
        if info.task == "regression":
            return {"prediction": preparation.restore(tf.reshape(outputs, (-1,)))}
        if info.task == "multilabel":
            return {"probabilities": tf.sigmoid(outputs)}
        class_id = tf.argmax(outputs, -1)  # undivided: the division could make two logits equal
        label = {"label": tf.gather(tf.constant(info.labels), class_id)} if in_words else {}
        return {
            "class_id": class_id,
            **label,
            "probabilities": tf.nn.softmax(outputs / temperature),
        }

    return predict


def as_numbers(examples, info, preparation):
    """Raw examples as the endpoint `tensors` takes them, by name: numbers as they come, otherwise what the model takes."""
    if info.kind == "text":
        return {"ids": preparation.inputs(examples).numpy().astype("int32")}
    if info.column_kinds:
        return {"features": preparation.inputs(examples).numpy()}
    return {"features" if info.kind == "table" else info.kind: examples.astype("float32")}


def _tensors(info, preparation, answers, examples):
    """The endpoint without texts."""
    ((name, values),) = as_numbers(examples, info, preparation).items()
    is_prepared = info.kind == "text" or info.column_kinds
    shape = (None,) if info.kind == "text" else values.shape[1:]

    def run(given):
        features = given[name] if is_prepared else preparation.inputs(given[name])
        return answers(features, given, in_words=False)

    spec = tf.TensorSpec((None, *shape), values.dtype, name=name)
    return {"tensors": Endpoint(run, {name: spec}, {name: values})}


def _of_bytes(info, serve, examples):
    """The default endpoint for images as files hold them."""

    def run(given):
        pixels = images.decode_all(given["image_bytes"], info.input_shape[:2], info.input_shape[-1])
        return serve.run({"image": pixels})

    spec = tf.TensorSpec((None,), tf.string, name="image_bytes")
    encoded = np.array([tf.io.encode_png(pixels).numpy() for pixels in examples])
    return Endpoint(run, {"image_bytes": spec}, {"image_bytes": encoded})


def _generating_texts(model, preparation, specs, raw):
    """Translation with its settings as inputs."""
    answer = translation.answerer(model, preparation)
    names = ("beam_width", "max_length")

    def generate(given):
        checks = [
            tf.debugging.assert_positive(given[name], f"{name} must be positive") for name in names
        ]
        with tf.control_dependencies(checks):
            source = preparation.inputs(given["text"])
        ids, score = answer(source, given["beam_width"], given["max_length"])
        return {"answer": preparation.answers.texts(ids), "score": score}

    numbers = {name: tf.TensorSpec((), tf.int32, name=name) for name in names}
    golden = {"beam_width": np.int32(2), "max_length": np.int32(preparation.answers.max_length)}
    return {"generate": Endpoint(generate, specs | numbers, raw | golden)}


def _pixels_of(model):
    """Returns a function from a decoder's outputs to pixels, float32 in 0..1."""
    is_bernoulli = model.get_layer("bound").likelihood == "bernoulli"

    def finish(outputs):
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if is_bernoulli else outputs

    return finish


def _generating_images(model, features, answers, specs):
    """The parts of a variational autoencoder."""
    decoder, width = model.get_layer("decoder"), model.get_layer("mean").units
    finish = _pixels_of(model)

    def part(*names):
        def run(given):
            outputs = answers(features(given), given)
            return {name: outputs[name] for name in names}

        return Endpoint(run, specs)

    def decode(given):
        return {"image": finish(decoder(given["latent"], training=False))}

    def sample(given):
        seed = tf.stack([given["seed"], 0])
        latent = tf.random.stateless_normal((given["count"], width), seed)
        return {"image": finish(decoder(latent, training=False)), "latent": latent}

    points = np.random.default_rng(0).standard_normal((GOLDEN_EXAMPLES, width)).astype("float32")
    latents = {"latent": tf.TensorSpec((None, width), tf.float32, name="latent")}
    numbers = {name: tf.TensorSpec((), tf.int32, name=name) for name in ("count", "seed")}
    drawn = {"count": np.int32(GOLDEN_EXAMPLES), "seed": np.int32(0)}
    return {
        "encode": part("mean", "log_variance"),
        "reconstruct": part("reconstruction"),
        "decode": Endpoint(decode, latents, {"latent": points}),
        "sample": Endpoint(sample, numbers, drawn),
    }
