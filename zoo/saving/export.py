"""Export: preparation + model + card + golden pair + manifest, as the next version of a SavedModel."""

import contextlib
import dataclasses
import json
import operator
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from zoo import families, files
from zoo.data import images
from zoo.models import checks, lora
from zoo.saving import card as cards
from zoo.saving import manifest
from zoo.training import fused, translation
from zoo.training.callbacks import NotFiniteError

GOLDEN_EXAMPLES = 8


def export_model(model, splits, preparation, run):
    """Exports a trained model as `<run>/export/<version>/`.

    The SavedModel takes raw inputs (uint8 images of any size, unscaled columns by name) and returns named outputs:
    `class_id`, `label`, `probabilities`, or `prediction` for a regression, `forecast` for a series. Its signature `embed`
    returns the features before the last layer.

    Args:
        model: The trained model.
        splits: The `Splits` that it was trained on.
        preparation: The `Preparation` that it was trained with.
        run: The `Run`, after `evaluate_model`.

    Returns:
        The path of the new version.

    Raises:
        NotFiniteError: A weight is NaN or infinite.
        InputError: The run has no score yet.
    """
    if not (run.folder / "score.json").exists():
        raise checks.InputError(
            f"{run.folder} has no score yet: call evaluate_model before export_model."
        )
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))).all():
            raise NotFiniteError(
                f"The weight {weight.path} holds NaN or infinity: this model is not exported."
            )
    info = splits.info
    score = json.loads((run.folder / "score.json").read_text())
    if run.resumed and (before := _exported_before(run.folder, score)):
        return before
    fused.unfuse(model)  # other runtimes know Keras's operations only
    lora.merge_lora(model)  # so that `zoo.build(weights=...)` finds the weights that were trained
    endpoints = _endpoints(model, info, preparation, score.get("temperature", 1.0), run.config)
    with files.new_version(run.folder / "export") as staged:
        folder = staged["folder"]
        concrete = _write_saved_model(folder, (model, preparation.inputs), endpoints)
        (folder / manifest.EXTRA).mkdir()
        examples = splits.pick(
            "test", np.arange(min(GOLDEN_EXAMPLES, len(splits.examples["test"])))
        )
        _write_golden(folder, concrete, endpoints, raw_inputs(examples, info))
        counts = {name: len(data) for name, data in splits.examples.items()}
        signatures = {name: _describe_signature(function) for name, function in concrete.items()}
        card = cards.make(
            info, preparation, _builder(run.config, preparation), run.folder, signatures, counts
        )
        cards.write(folder, card)
        manifest.write(folder)
    return Path(staged["path"])


def _exported_before(run, score):
    """The newest export of a run, if it is whole and has the score; otherwise `None`."""
    base = run / "export"
    for version in reversed(files.versions(base)):
        path = base / str(version)
        with contextlib.suppress(manifest.DamagedModelError):
            manifest.check(path)
            return path if cards.read(path)["runs"] == [score] else None
    return None


def raw_inputs(examples, info):
    """Names the raw inputs of a batch of examples, as the signatures take them."""
    if info.column_kinds:
        return examples
    if info.kind == "table":
        return {column: examples[:, i] for i, column in enumerate(info.columns)}
    return {info.kind: examples}  # image, text, series or features


def _input_specs(info):
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


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A signature: a function from a dict of inputs to a dict of outputs.

    Attributes:
        run: The function.
        specs: Its inputs' names and `tf.TensorSpec`s.
        golden: Inputs to prove it with; `None` for the raw inputs of test examples.
    """

    run: Callable
    specs: dict
    golden: dict | None = None


def _answering(model, preparation, config):
    answer = translation.answerer(model, preparation, config.report.beam_width)

    def serve(raw):
        answers, score = answer(preparation.inputs(raw["text"]))
        return {"answer": answers, "score": score}

    return serve


def _endpoints(model, info, preparation, temperature, config):
    """Returns signature → `Endpoint`."""

    def features(raw):
        if info.column_kinds:
            return preparation.inputs(raw)
        if info.kind == "table":
            return preparation.inputs(tf.stack([raw[column] for column in info.columns], -1))
        if info.kind == "image":
            return preparation.inputs(images.resize(raw["image"], info.input_shape[:2]))
        return preparation.inputs(raw[info.kind])

    def serve(raw):
        outputs = tf.cast(model(features(raw), training=False), tf.float32)
        if info.task == "forecasting":
            return {"forecast": preparation.restore(outputs, raw["series"])}
        if info.task == "regression":
            return {"prediction": preparation.restore(tf.reshape(outputs, (-1,)))}
        if info.task == "multilabel":
            return {"probabilities": tf.sigmoid(outputs)}
        class_id = tf.argmax(outputs, -1)  # undivided: the division could make two logits equal
        return {
            "class_id": class_id,
            "label": tf.gather(tf.constant(info.labels), class_id),
            "probabilities": tf.nn.softmax(outputs / temperature),
        }

    specs = _input_specs(info)
    if info.task == "translation":
        return {"serve": Endpoint(_answering(model, preparation, config), specs)}
    if info.task == "generation":
        return _generating(model, features, specs)
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        return {"serve": Endpoint(serve, specs)}
    trunk = keras.Model(model.inputs, last.input)

    def embed(raw):
        return {"embedding": tf.cast(trunk(features(raw), training=False), tf.float32)}

    return {"serve": Endpoint(serve, specs), "embed": Endpoint(embed, specs)}


def _generating(model, features, specs):
    """The signatures of a variational autoencoder; images come out as float32 in 0..1."""
    decoder, width = model.get_layer("decoder"), model.get_layer("mean").units
    is_bernoulli = model.get_layer("bound").likelihood == "bernoulli"

    def finish(outputs):
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if is_bernoulli else outputs

    def encode(raw):
        outputs = model(features(raw), training=False)
        return {key: tf.cast(outputs[key], tf.float32) for key in ("mean", "log_variance")}

    def reconstruct(raw):
        outputs = model(features(raw), training=False)
        return {"reconstruction": finish(outputs["logits"])}

    def decode(raw):
        return {"image": finish(decoder(raw["latent"], training=False))}

    def sample(raw):
        seed = tf.stack([raw["seed"], 0])
        latent = tf.random.stateless_normal((raw["count"], width), seed)
        return {"image": finish(decoder(latent, training=False)), "latent": latent}

    points = np.random.default_rng(0).standard_normal((GOLDEN_EXAMPLES, width)).astype("float32")
    latents = {"latent": tf.TensorSpec((None, width), tf.float32, name="latent")}
    numbers = {name: tf.TensorSpec((), tf.int32, name=name) for name in ("count", "seed")}
    drawn = {"count": np.int32(GOLDEN_EXAMPLES), "seed": np.int32(0)}
    return {
        "serve": Endpoint(lambda raw: encode(raw) | reconstruct(raw), specs),
        "encode": Endpoint(encode, specs),
        "reconstruct": Endpoint(reconstruct, specs),
        "decode": Endpoint(decode, latents, {"latent": points}),
        "sample": Endpoint(sample, numbers, drawn),
    }


def _write_saved_model(folder, models, endpoints):
    """Writes the SavedModel; returns its signatures' concrete functions."""
    archive = keras.export.ExportArchive()
    for model in models:  # the preparation's too: it owns the tables of words and categories
        archive.track(model)
    functions = {
        name: archive.add_endpoint(name, point.run, [point.specs])
        for name, point in endpoints.items()
    }
    # Keras lists its own wrappers of the variables beside the variables, and TensorFlow would write both.
    # With the bare variables in the list every weight is written once. Seeds are of no use to a served model.
    trackable = archive._tf_trackable
    trackable.variables = [weight.value for model in models for weight in model.weights]
    trackable.trainable_variables, trackable.non_trainable_variables = [], []
    _in_order(archive)
    archive.write_out(str(folder), verbose=False)
    _forget_process(folder / "saved_model.pb")
    concrete = {name: function.get_concrete_function() for name, function in functions.items()}
    return {"serving_default": concrete["serve"], **concrete}


def _in_order(archive):
    """Brings the variables that Keras finds in the signatures, which come in any order, into that of the models."""
    trackable, track = archive._tf_trackable, archive._filter_and_track_resources

    def track_in_order():
        track()
        order = {variable.name: i for i, variable in enumerate(trackable.variables)}
        trackable._all_variables = sorted(
            trackable._all_variables, key=lambda v: (order.get(v.name, len(order)), v.name)
        )

    archive._filter_and_track_resources = track_in_order


def _forget_process(path):
    """Removes what TensorFlow writes beside each call of this process's settings: its devices, and its fellow workers."""
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in content.meta_graphs:
        functions = operator.attrgetter("library.function")(graph.graph_def)
        for node in [*graph.graph_def.node, *(node for f in functions for node in f.node_def)]:
            if "config_proto" in node.attr:
                node.attr["config_proto"].s = b""
    path.write_bytes(content.SerializeToString(deterministic=True))


def _write_golden(folder, concrete, endpoints, raw):
    """Writes inputs and outputs: `inputs/NAME` of most signatures, `inputs:SIGNATURE/NAME` of those with their own."""
    arrays = {f"inputs/{name}": _storable(values) for name, values in raw.items()}
    for signature, function in concrete.items():
        own = endpoints[signature].golden if signature in endpoints else None
        for name, values in (own or {}).items():
            arrays[f"inputs:{signature}/{name}"] = values
        inputs = raw if own is None else own
        outputs = function({name: tf.constant(values) for name, values in inputs.items()})
        for name, values in outputs.items():
            arrays[f"{signature}/{name}"] = _storable(values.numpy())
    with open(folder / manifest.EXTRA / "golden.npz", "wb") as file:
        np.savez_compressed(file, **arrays)


def _storable(values):
    """Texts as fixed-width Unicode, which NumPy stores without pickle."""
    if values.dtype != object:
        return values
    return np.array([v.decode() if isinstance(v, bytes) else v for v in values.tolist()], str)


def _describe_signature(function):
    def describe(specs):
        return {
            name: [spec.dtype.name, spec.shape.as_list()] for name, spec in sorted(specs.items())
        }

    (inputs,), _ = function.structured_input_signature  # one dict
    return {"inputs": describe(inputs), "outputs": describe(function.structured_outputs)}


def _builder(config, preparation):
    """What rebuilds the model; `None` for a model that is not of the table."""
    if not families.is_listed(config.model):
        return None
    family, size = families.split_name(config.model)
    arguments = {
        **preparation.builder_arguments,
        **families.arguments(config.model, config.model_args),
    }
    return {"family": family, "size": size, "arguments": arguments}
