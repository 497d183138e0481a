"""Export: preparation + model + card + golden pair + manifest, as the next version of a SavedModel."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo import families, files
from zoo.data import datasets
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import manifest

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
        ValueError: A weight is NaN or infinite.
        InputError: The run has no score yet.
    """
    if not (run.folder / "score.json").exists():
        raise checks.InputError(
            f"{run.folder} has no score yet: call evaluate_model before export_model."
        )
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))).all():
            raise ValueError(
                f"The weight {weight.path} holds NaN or infinity: this model is not exported."
            )
    info = splits.info
    endpoints = _endpoints(model, info, preparation)
    with files.new_version(run.folder / "export") as staged:
        folder = staged["folder"]
        concrete = _write_saved_model(folder, model, endpoints, _input_specs(info))
        (folder / manifest.EXTRA).mkdir()
        examples = splits.pick(
            "test", np.arange(min(GOLDEN_EXAMPLES, len(splits.examples["test"])))
        )
        _write_golden(folder, concrete, raw_inputs(examples, info))
        counts = {name: len(data) for name, data in splits.examples.items()}
        signatures = {name: _describe_signature(function) for name, function in concrete.items()}
        card = cards.make(
            info, preparation, _builder(run.config, info), run.folder, signatures, counts
        )
        cards.write(folder, card)
        manifest.write(folder)
    return Path(staged["path"])


def raw_inputs(examples, info):
    """Names the raw inputs of a batch of examples, as the signatures take them."""
    if info.kind == "table":
        return {column: examples[:, i] for i, column in enumerate(info.columns)}
    return {"image" if info.kind == "image" else "features": examples}


def _input_specs(info):
    if info.kind == "table":
        return {column: tf.TensorSpec((None,), tf.float32, name=column) for column in info.columns}
    if info.kind == "image":
        return {
            "image": tf.TensorSpec((None, None, None, info.input_shape[-1]), tf.uint8, name="image")
        }
    return {"features": tf.TensorSpec((None, *info.input_shape), tf.float32, name="features")}


def _endpoints(model, info, preparation):
    """Returns signature → function from the dict of raw inputs to the dict of outputs."""

    def features(raw):
        if info.kind == "table":
            x = tf.stack([raw[column] for column in info.columns], -1)
        elif info.kind == "image":
            x = datasets.resize(raw["image"], info.input_shape[:2])
        else:
            x = raw["features"]
        return preparation.inputs(x)

    def serve(raw):
        outputs = tf.cast(model(features(raw), training=False), tf.float32)
        if info.task == "regression":
            return {"prediction": preparation.restore(tf.reshape(outputs, (-1,)))}
        class_id = tf.argmax(outputs, -1)
        return {
            "class_id": class_id,
            "label": tf.gather(tf.constant(info.labels), class_id),
            "probabilities": tf.nn.softmax(outputs),
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


def _write_saved_model(folder, model, endpoints, specs):
    """Writes the SavedModel; returns its signatures' concrete functions."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    functions = {
        name: archive.add_endpoint(name, function, [specs]) for name, function in endpoints.items()
    }
    # Keras lists its own wrappers of the variables beside the variables, and TensorFlow would write both.
    # With the bare variables in the list every weight is written once. Seeds are of no use to a served model.
    trackable = archive._tf_trackable
    trackable.variables = [weight.value for weight in model.weights]
    trackable.trainable_variables, trackable.non_trainable_variables = [], []
    archive.write_out(str(folder), verbose=False)
    concrete = {name: function.get_concrete_function() for name, function in functions.items()}
    return {"serving_default": concrete["serve"], **concrete}


def _write_golden(folder, concrete, raw):
    arrays = {f"inputs/{name}": values for name, values in raw.items()}
    for signature, function in concrete.items():
        for name, values in function(
            {name: tf.constant(values) for name, values in raw.items()}
        ).items():
            values = values.numpy()
            arrays[f"{signature}/{name}"] = values.astype(str) if values.dtype == object else values
    with open(folder / manifest.EXTRA / "golden.npz", "wb") as file:
        np.savez_compressed(file, **arrays)


def _describe_signature(function):
    def describe(specs):
        return {
            name: [spec.dtype.name, spec.shape.as_list()] for name, spec in sorted(specs.items())
        }

    (inputs,), _ = function.structured_input_signature  # one dict
    return {"inputs": describe(inputs), "outputs": describe(function.structured_outputs)}


def _builder(config, info):
    """What rebuilds the model; `None` for a model that is not of the table."""
    if not families.is_listed(config.model):
        return None
    family, size = families.split_name(config.model)
    arguments = {
        "input_shape": list(info.input_shape),
        "num_classes": info.num_outputs,
        **families.arguments(config.model, config.model_args),
    }
    return {"family": family, "size": size, "arguments": arguments}
