"""Converters to other runtimes, run as a script in a process of its own, which a converter may crash.

    python -m zoo.saving.converters SAVEDMODEL OUT '{"to": "litert", "quantize": null, "batch": null, ...}'

Writes the converted model and its description into OUT, and prints how far its golden outputs are from those of the SavedModel.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from zoo.data import kinds
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import golden_check, graph_check, manifest, runtimes, trained
from zoo.tasks import task

OPSET = 18  # of ONNX, the newest that tf2onnx writes
# Largest difference from a golden output, as a share of it: a float's rounding, and what a quantized model may lose.
TOLERANCES = {None: 1e-4, "float16": 5e-3, "dynamic": 0.1, "int8": 0.1}


def main(saved_model, out, options):
    options = json.loads(options)
    golden = np.load(Path(saved_model) / manifest.EXTRA / "golden.npz", allow_pickle=False)
    inputs, wanted = (
        {key.removeprefix(group): golden[key] for key in golden if key.startswith(group)}
        for group in ("inputs:tensors/", "tensors/")
    )
    loaded = tf.saved_model.load(saved_model)  # kept: its variables die with it
    function = _function(loaded.signatures["tensors"], saved_model, options)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    examples = dict(np.load(options["examples"])) if options.get("examples") else None
    _CONVERTERS[options["to"]](function, frozen, Path(out), options["quantize"], examples)
    (Path(out) / runtimes.DESCRIPTION).write_text(json.dumps(options))
    found = runtimes.open_converted(out)(inputs)
    print(json.dumps(compare(found, wanted, options["quantize"])))


def compare(found, wanted, quantize):
    """The largest difference of float outputs and the share of examples with the same answers; raises if it is too far."""
    if set(found) != set(wanted):
        raise checks.InputError(f"It returns {sorted(found)}, and the model {sorted(wanted)}.")
    tolerance, largest, same = TOLERANCES[quantize], 0.0, 1.0
    for name, values in wanted.items():
        if values.dtype.kind != "f":
            same = min(same, float(np.mean(found[name] == values)))
            continue
        difference = golden_check.difference(found[name].astype("float32"), values)
        largest = max(largest, difference)
        if not difference <= tolerance:
            raise checks.InputError(
                f"Its golden output {name} differs by {difference:.2g}, more than {tolerance:g}."
            )
    if same < 1 and quantize is None:
        raise checks.InputError(
            f"It answers only {same:.0%} of the golden examples as the model does."
        )
    return {"largest_difference": largest, "same_answers": same}


def _function(signature, saved_model, options):
    """The signature `tensors` as a concrete function; `batch` 1 fixes the number of examples."""
    if options["batch"] is None:
        return signature
    specs = {
        name: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=name)
        for name, spec in signature.structured_input_signature[1].items()
    }
    run = _retraced(saved_model) if options["retrace"] else lambda **given: signature(**given)
    return tf.function(run).get_concrete_function(**specs)


def _retraced(saved_model):
    """The same function from the rebuilt model: the loop of a recurrent layer keeps the shapes that it was traced with."""
    card, model = cards.read(saved_model), trained.build_trained(None, None, saved_model, {})
    temperature = card.temperature
    answer = task(card.task).answer

    def run(**given):
        (values,) = given.values()
        features = values / 255 if kinds.kind(card.input_kind).is_drawn else values
        return answer(tf.cast(model(features, training=False), tf.float32), temperature)

    return run


def _saved_alone(function, frozen, folder):
    """Writes a SavedModel that holds nothing but a frozen function, as its signature `tensors`."""
    names = sorted(function.structured_outputs)
    specs = {
        tensor.name.partition(":")[0]: tf.TensorSpec(tensor.shape, tensor.dtype)
        for tensor in frozen.inputs
    }

    def run(**given):
        return dict(zip(names, frozen(*given.values()), strict=True))

    concrete = tf.function(run).get_concrete_function(**specs)
    tf.saved_model.save(tf.Module(), folder, signatures={"tensors": concrete})


def _to_litert(function, frozen, out, quantize, examples):
    with tempfile.TemporaryDirectory() as folder:
        _saved_alone(function, frozen, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["tensors"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8":
            count = len(next(iter(examples.values())))
            converter.representative_dataset = lambda: (
                {name: values[i : i + 1] for name, values in examples.items()} for i in range(count)
            )
        (out / runtimes.FILES["litert"]).write_bytes(converter.convert())


def _to_onnx(function, frozen, out, quantize, examples):
    import tf2onnx

    graph = frozen.graph.as_graph_def()
    _without_erfc(graph)
    names = {tensor.name: tensor.name.partition(":")[0] for tensor in frozen.inputs}
    outputs = sorted(function.structured_outputs)
    names |= {tensor.name: name for tensor, name in zip(frozen.outputs, outputs, strict=True)}
    path = str(out / runtimes.FILES["onnx"])
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        opset=OPSET,
        tensors_to_rename=names,
        output_path=path,
    )
    if quantize:
        _quantize_onnx(path, quantize, examples)


def _quantize_onnx(path, quantize, examples):
    import onnx
    from onnxruntime import quantization
    from onnxruntime.transformers import float16

    if quantize == "float16":
        onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
        return
    if quantize == "dynamic":
        quantization.quantize_dynamic(path, path)
        return
    count = len(next(iter(examples.values())))
    batches = ({k: v[i : i + 1] for k, v in examples.items()} for i in range(count))

    class Reader(quantization.CalibrationDataReader):
        def get_next(self):
            return next(batches, None)

    quantization.quantize_static(path, path, Reader())


def _without_erfc(graph):
    """Writes Erfc(x), which ONNX lacks, as 1 - Erf(x)."""
    for body in [graph, *graph_check.graph_library(graph).function]:
        nodes = body.node if body is graph else body.node_def
        for node in [node for node in nodes if node.op == "Erfc"]:
            dtype, name, given = node.attr["T"].type, node.name, list(node.input)
            one, erf = nodes.add(), nodes.add()
            one.op, one.name = "Const", f"{name}/one"
            one.attr["dtype"].type = dtype
            value = tf.make_tensor_proto(1.0, tf.as_dtype(dtype))
            one.attr["value"].CopyFrom(attr_value_pb2.AttrValue(tensor=value))
            erf.op, erf.name = "Erf", f"{name}/erf"
            erf.attr["T"].type = dtype
            erf.input.extend(given)
            node.op, node.input[:] = "Sub", []
            port = "" if body is graph else ":output:0"
            node.input.extend([f"{name}/one{port}", f"{name}/erf{port and ':y:0'}"])


def _to_openvino(function, frozen, out, quantize, examples):
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        _saved_alone(function, frozen, folder)
        model = openvino.convert_model(folder)
    for port in model.outputs:
        name = next(n for n in function.structured_outputs if any(n in x for x in port.get_names()))
        port.get_tensor().set_names({name})
    path = out / runtimes.FILES["openvino"]
    openvino.save_model(model, path, compress_to_fp16=quantize == "float16")


_CONVERTERS = {"litert": _to_litert, "onnx": _to_onnx, "openvino": _to_openvino}


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except checks.InputError as error:
        sys.exit(f"error: {error}")
