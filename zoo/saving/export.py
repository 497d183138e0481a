"""Export: preparation + model + card + golden pair + manifest, as the next version of a SavedModel."""

import contextlib
import dataclasses
import json
import logging
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from zoo import families, files
from zoo.data.examples import as_unicode
from zoo.data.prepare import takes_splits_alone
from zoo.keras_fixes import export_trace, export_variables
from zoo.models import checks, lora
from zoo.saving import card as cards
from zoo.saving import endpoints, graph_check, manifest, novelty, whole
from zoo.tasks import model_checks
from zoo.tasks.target_vocabulary import TargetVocabulary
from zoo.training import fused
from zoo.training.callbacks import check_weights

log = logging.getLogger("zoo")
REPEATING = {
    "tensors",
    "embed",
}  # signatures that ask the model and its preparation nothing that others do not


@takes_splits_alone
def export_model(model, splits, run):
    """Exports a trained model as `<run>/export/<version>/`.

    The SavedModel takes raw inputs (uint8 images of any size, unscaled columns by name) and returns named outputs:
    `class_id`, `label`, `probabilities`, or `prediction` for a regression, `forecast` for a series. `zoo.saving.endpoints`
    lists its signatures.

    Args:
        model: The trained model.
        splits: The `Splits` that it was trained on, with their `Preparation`.
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
    check_weights(model, "this model is not exported")
    info, preparation = splits.info, splits.preparation
    score = json.loads((run.folder / "score.json").read_text())
    if run.resumed and (before := _exported_before(run.folder, score)):
        return before
    fused.unfuse(model)  # other runtimes know Keras's operations only
    lora.merge_lora(model)  # so that `zoo.build(weights=...)` finds the weights that were trained
    count = min(endpoints.GOLDEN_EXAMPLES, len(splits.examples["test"]))
    examples = splits.kind.golden(splits.pick("test", np.arange(count)), info)
    serving = endpoints.Serving(score.get("temperature", 1.0), run.config.report.beam_width)
    points = endpoints.make(model, splits, examples, serving)
    with files.new_version(run.folder / "export") as staged:
        folder = staged["folder"]
        concrete = _write_saved_model(folder, (model, preparation.inputs), points)
        (folder / manifest.EXTRA).mkdir()
        _write_golden(folder, concrete, points, splits.kind.named(examples, info))
        _write_vocabulary(folder, splits)
        signatures = {name: _describe_signature(function) for name, function in concrete.items()}
        builder = _builder(run.config, preparation, score.get("shrunk", {}).get("quantize"))
        told = novelty.write(folder, concrete.get("embed"), splits, run)
        card = dataclasses.replace(cards.make(splits, builder, run, signatures), novelty=told)
        cards.write(folder, card)
        manifest.write(folder)
    whole.write(model, splits, run, card)
    return Path(staged["path"])


def rehearse(model, splits, run):
    """Traces what an export will be asked, so that a model that cannot be exported fails before it is trained.

    Args:
        model: The model, trained or not.
        splits: The `Splits` that it takes, with their `Preparation`.
        run: The `Run`.

    Raises:
        InputError: A signature cannot be traced; the message has the reason.
    """
    spec = splits.test.element_spec[0]
    if splits.info.parts or not isinstance(spec, dict):  # of a decoder its task looks at the inputs
        shapes = tf.nest.map_structure(lambda one: tuple(one.shape[1:]), spec)
        model_checks.check_inputs(model, shapes)
    serving = endpoints.Serving(beam_width=run.config.report.beam_width)
    points = endpoints.make(model, splits, splits.pick("test", np.arange(1)), serving)
    novelty.check_asked(run, points)
    for name in points.keys() - REPEATING:
        try:
            traced = tf.function(points[name].run, autograph=False)
            concrete = traced.get_concrete_function(points[name].specs)
        # What Keras, TensorFlow and a caller's own layers raise while a function is traced.
        except (TypeError, ValueError, NotImplementedError, tf.errors.OpError) as error:
            plain = re.sub(r"\x1b\[\d*m", "", str(error))
            reason = " ".join(plain.split()[:30])  # Keras names the layer first
            raise checks.InputError(
                f"{model.name} would train, but cannot be exported as a SavedModel: its signature {name!r} fails "
                f"({type(error).__name__}: {reason}).\nA layer may use only `keras.ops` or TensorFlow's operations in `call`."
            ) from error
        unknown = graph_check.unknown_operations(concrete.graph.as_graph_def())
        if unknown:
            log.warning(
                "%s uses operations that `zoo.load` does not know to be harmless: its export is loaded with allow=%r (--allow) only",
                model.name, sorted(unknown),
            )  # fmt: skip
            return


def _exported_before(run, score):
    """The newest export of a run, if it is whole and has the score; otherwise `None`."""
    base = run / "export"
    for version in reversed(files.versions(base)):
        path = base / str(version)
        with contextlib.suppress(manifest.DamagedModelError):
            manifest.check(path)
            return path if cards.read(path).runs == (cards.RunScores.from_json(score),) else None
    return None


def _write_saved_model(folder, models, points):
    """Writes the SavedModel; returns its signatures' concrete functions."""
    archive = keras.export.ExportArchive()
    for model in models:  # the preparation's too: it owns the tables of words and categories
        archive.track(model)
    functions = {
        name: archive.add_endpoint(name, point.run, [point.specs]) for name, point in points.items()
    }
    export_variables.list_once(archive, models)
    archive.write_out(str(folder), verbose=False)
    _forget_process(folder / "saved_model.pb")
    with export_trace.as_saved():
        concrete = {name: function.get_concrete_function() for name, function in functions.items()}
    return {"serving_default": concrete["serve"], **concrete}


def _forget_process(path):
    """Removes what TensorFlow writes beside each call of this process's settings: its devices, and its fellow workers."""
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in content.meta_graphs:
        functions = graph_check.graph_library(graph.graph_def).function
        for node in [*graph.graph_def.node, *(node for f in functions for node in f.node_def)]:
            if "config_proto" in node.attr:
                node.attr["config_proto"].s = b""
    path.write_bytes(content.SerializeToString(deterministic=True))


def _write_golden(folder, concrete, points, raw):
    """Writes inputs and outputs: `inputs/NAME` of most signatures, `inputs:SIGNATURE/NAME` of those with their own."""
    arrays = {f"inputs/{name}": values for name, values in raw.items()}
    for signature, function in concrete.items():
        own = points[signature].golden if signature in points else None
        for name, values in (own or {}).items():
            arrays[f"inputs:{signature}/{name}"] = values
        inputs = raw if own is None else own
        outputs = function({name: tf.constant(values) for name, values in inputs.items()})
        for name, values in outputs.items():
            arrays[f"{signature}/{name}"] = values.numpy()
    with open(folder / manifest.EXTRA / "golden.npz", "wb") as file:
        np.savez_compressed(file, **as_unicode(arrays))


def _write_vocabulary(folder, splits):
    """Writes the unit of each id, for runtimes that know no texts: of inputs that are texts, and of a translation's answers."""
    preparation = splits.preparation
    parts = [splits.of_input(name) for name in splits.info.parts] or [splits]
    found = [one.kind.vocabulary(one.preparation.inputs) for one in parts if one.kind.vocabulary]
    if not found:
        return
    units = {"inputs": found[0]}
    if isinstance(preparation.targets, TargetVocabulary):
        units["answers"] = list(preparation.targets.tokens)
    text = json.dumps(units, ensure_ascii=False) + "\n"
    files.write_atomic(folder / manifest.EXTRA / "vocabulary.json", text)


def _describe_signature(function):
    def describe(specs):
        return {
            name: [spec.dtype.name, spec.shape.as_list()] for name, spec in sorted(specs.items())
        }

    (inputs,), _ = function.structured_input_signature  # one dict
    return {"inputs": describe(inputs), "outputs": describe(function.structured_outputs)}


def _builder(config, preparation, mode):
    """What rebuilds the model; `None` for a model that is not of the table."""
    if not families.is_listed(config.model):
        return None
    family, size = families.split_name(config.model)
    arguments = {
        **preparation.arguments_of(config.model, config.model_args),
        **families.arguments(config.model, config.model_args),
    }
    return cards.Builder(family=family, size=size, arguments=arguments, quantize=mode)
