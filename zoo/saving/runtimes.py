"""Other runtimes behind one call: LiteRT, ONNX Runtime and OpenVINO as functions from named arrays to named arrays."""

import importlib
import json
from pathlib import Path

import numpy as np

from zoo.models import checks

FILES = {"litert": "model.tflite", "onnx": "model.onnx", "openvino": "model.xml"}
PACKAGES = {
    "litert": ("ai_edge_litert",),
    "onnx": ("tf2onnx", "onnxruntime"),
    "openvino": ("openvino",),
}
DESCRIPTION = "conversion.json"


def need(to):
    """Raises `InputError` unless what converts to a runtime, and runs there, is installed."""
    for package in PACKAGES[to]:
        if importlib.util.find_spec(package) is None:
            raise checks.InputError(
                f"{to} needs the package {package}: pip install keras-zoo[convert]."
            )


def describe(folder):
    """What `zoo convert` wrote about a converted model, a dict.

    Raises:
        InputError: The folder is none that it wrote.
    """
    path = Path(folder) / DESCRIPTION
    if not path.exists():
        raise checks.InputError(f"{folder} is no converted model: it has no {DESCRIPTION}.")
    return json.loads(path.read_text(encoding="utf-8"))


def open_converted(folder, *, threads=None):
    """Opens a model that `zoo convert` wrote.

    Args:
        folder: Its folder.
        threads: Threads to compute with; default: what the runtime takes.

    Returns:
        A function from a dict of arrays, the inputs of the signature `tensors`, to a dict of arrays, its outputs. One
        that was converted for one example at a time is called for each.

    Raises:
        InputError: The folder holds no converted model, or its runtime is not installed.
    """
    description = describe(folder)
    need(description["to"])
    path = Path(folder) / FILES[description["to"]]
    call = _OPENERS[description["to"]](str(path), threads)
    return _one_by_one(call) if description["batch"] == 1 else call


def _one_by_one(call):
    def run(inputs):
        count = len(next(iter(inputs.values())))
        parts = [call({k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return run


def _open_litert(path, threads):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path, num_threads=threads).get_signature_runner("tensors")
    return lambda inputs: runner(**inputs)


def _open_onnx(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _open_openvino(path, threads):
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": "f32",  # its own choice differs in the third digit
        "CPU_RUNTIME_CACHE_CAPACITY": 16,  # its own 5,000 takes gigabytes where texts have many lengths
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", options)

    def run(inputs):
        outputs = compiled(inputs)
        return {port.get_any_name(): outputs[port] for port in compiled.outputs}

    return run


_OPENERS = {"litert": _open_litert, "onnx": _open_onnx, "openvino": _open_openvino}
