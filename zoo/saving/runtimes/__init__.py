"""THE TABLE of runtimes: where a trained model can go besides TensorFlow, one row each.

    convert.py      the public `zoo.convert`: asks the row, starts the process, keeps what it wrote
    beside.py       what stands beside the model, for people without zoo
    child.py        that process: traces the model, calls the row's converter, compares the golden outputs
    litert.py ...   what one runtime needs; importing them, or this table, imports neither TensorFlow nor a runtime

A converted model is opened as a function from named arrays to named arrays.
"""

import dataclasses
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

from zoo.models import checks
from zoo.saving.runtimes import litert, onnx, openvino

DESCRIPTION = "conversion.json"
# Largest difference of a golden output from the SavedModel's, as a share of it: what weights of so many bits may lose.
FLOAT32, FLOAT16, INT8 = 1e-4, 5e-3, 0.1


def _nothing(card, quantize=None):
    """What a runtime answers that takes every model as it is."""


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One row of the table: a runtime that takes trained models.

    Attributes:
        title: What help and pages call it.
        packages: The modules that convert to it and run it; the extra `convert` brings all.
        file: The file of a converted model's folder that is opened.
        tolerances: Quantization → largest difference of a golden output, as a share of it; `None` stands for the weights as
            they are.
        convert: Function of a `child.Traced`, the path to write, a quantization or `None`, and, for int8, a dict of arrays
            with examples to calibrate on. It writes the converted model. It is called in a process of its own.
        open: Function of a path and a number of threads or `None`; returns a function from a dict of arrays to a dict of
            arrays.
        refusal: Function of a card and a quantization or `None`; returns why such a model is known not to convert, or `None`.
        one_by_one: Function of a card; returns whether the model must be converted for one example at a time.
        pip: What is installed to run a converted model alone.
        example: Lines of Python that define `run`, a function from a dict of arrays to a dict of arrays; `{file}` is the model's. Empty
            where no example is written.
        npm: The package that runs it in Node.js; `None` where there is none.
        rebuilt: Function of a card; returns whether the model is to be traced anew, for that one example, because its loop
            keeps the shapes that it was traced with.
    """

    title: str
    packages: tuple[str, ...]
    file: str
    tolerances: dict
    convert: Callable
    open: Callable
    refusal: Callable = _nothing
    pip: tuple[str, ...] = ()
    example: str = ""
    npm: str | None = None
    one_by_one: Callable = _nothing
    rebuilt: Callable = _nothing

    @property
    def quantizations(self):
        """The ways to quantize a model for it."""
        return tuple(how for how in self.tolerances if how is not None)


RUNTIMES = {
    "litert": Runtime(
        title="LiteRT",
        packages=("ai_edge_litert",),
        pip=("ai-edge-litert",),
        example=litert.EXAMPLE,
        file="model.tflite",
        tolerances={None: FLOAT32, "dynamic": INT8, "int8": INT8, "float16": FLOAT16},
        convert=litert.convert,
        open=litert.open_model,
        refusal=litert.refusal,
        one_by_one=litert.one_by_one,
        rebuilt=litert.has_loop,
    ),
    "onnx": Runtime(
        title="ONNX Runtime",
        packages=("tf2onnx", "onnxruntime"),
        pip=("onnxruntime",),
        npm="onnxruntime-node",
        example=onnx.EXAMPLE,
        file="model.onnx",
        tolerances={None: FLOAT32, "dynamic": INT8, "int8": INT8, "float16": FLOAT16},
        convert=onnx.convert,
        open=onnx.open_model,
    ),
    "openvino": Runtime(
        title="OpenVINO",
        packages=("openvino",),
        pip=("openvino",),
        example=openvino.EXAMPLE,
        file="model.xml",
        tolerances={None: FLOAT32, "float16": FLOAT16},
        convert=openvino.convert,
        open=openvino.open_model,
    ),
}


def need(to):
    """Raises `InputError` unless what converts to a runtime, and runs there, is installed."""
    for package in RUNTIMES[to].packages:
        if importlib.util.find_spec(package) is None:
            raise checks.InputError(
                f"{to} needs the package {package}: pip install keras-zoo[convert]."
            )


def quantizations():
    """All ways to quantize a model, whatever the runtime."""
    return list(dict.fromkeys(how for row in RUNTIMES.values() for how in row.quantizations))


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
        InputError: The folder holds no converted model, or its runtime is not known or not installed.
    """
    description = describe(folder)
    checks.one_of("runtime", description["to"], RUNTIMES)
    need(description["to"])
    row = RUNTIMES[description["to"]]
    call = row.open(str(Path(folder) / row.file), threads)
    return _one_by_one(call) if description["batch"] == 1 else call


def _one_by_one(call):
    import numpy as np  # `zoo --help` reads this table, too

    def run(inputs):
        count = len(next(iter(inputs.values())))
        parts = [call({k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return run
