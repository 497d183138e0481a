"""Export: preparation + model + card + golden pair + manifest, as the next version of a SavedModel."""

import contextlib
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo import families, files
from zoo.data import images
from zoo.models import checks, lora
from zoo.saving import card as cards
from zoo.saving import manifest
from zoo.training.callbacks import NotFiniteError

GOLDEN_EXAMPLES = 8


def export_model(model, splits, preparation, run):
    """Exports a trained model as `<run>/export/<version>/`.

    The SavedModel takes raw inputs (uint8 images of any size, unscaled columns by name) and returns named outputs:
    `class_id`, `label`, `probabilities`, or `prediction` for a regression. Its signature `embed` returns the
    features before the last layer.

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
    lora.merge_lora(model)  # so that `zoo.build(weights=...)` finds the weights that were trained
    endpoints = _endpoints(model, info, preparation, score.get("temperature", 1.0))
    with files.new_version(run.folder / "export") as staged:
        folder, specs = staged["folder"], _input_specs(info)
        concrete = _write_saved_model(folder, (model, preparation.inputs), endpoints, specs)
        (folder / manifest.EXTRA).mkdir()
        examples = splits.pick(
            "test", np.arange(min(GOLDEN_EXAMPLES, len(splits.examples["test"])))
        )
        _write_golden(folder, concrete, raw_inputs(examples, info))
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
    return {info.kind: examples}  # image, text or features


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
    }
    return {info.kind: tf.TensorSpec((None, *shapes[info.kind]), info.input_dtype, name=info.kind)}


def _endpoints(model, info, preparation, temperature):
    """Returns signature → function from the dict of raw inputs to the dict of outputs."""

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

    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        return {"serve": serve}
    trunk = keras.Model(model.inputs, last.input)
    return {
        "serve": serve,
        "embed": lambda raw: {
            "embedding": tf.cast(trunk(features(raw), training=False), tf.float32)
        },
    }


def _write_saved_model(folder, models, endpoints, specs):
    """Writes the SavedModel; returns its signatures' concrete functions."""
    archive = keras.export.ExportArchive()
    for model in models:  # the preparation's too: it owns the tables of words and categories
        archive.track(model)
    functions = {
        name: archive.add_endpoint(name, function, [specs]) for name, function in endpoints.items()
    }
    # Keras lists its own wrappers of the variables beside the variables, and TensorFlow would write both.
    # With the bare variables in the list every weight is written once. Seeds are of no use to a served model.
    trackable = archive._tf_trackable
    trackable.variables = [weight.value for model in models for weight in model.weights]
    trackable.trainable_variables, trackable.non_trainable_variables = [], []
    archive.write_out(str(folder), verbose=False)
    concrete = {name: function.get_concrete_function() for name, function in functions.items()}
    return {"serving_default": concrete["serve"], **concrete}


def _write_golden(folder, concrete, raw):
    arrays = {f"inputs/{name}": _storable(values) for name, values in raw.items()}
    for signature, function in concrete.items():
        for name, values in function(
            {name: tf.constant(values) for name, values in raw.items()}
        ).items():
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
