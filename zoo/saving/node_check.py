"""The rules for one node of a graph: its operation, its device, its attributes, and what it calls."""

import contextlib
import contextvars
import math
import re
import time

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2

from zoo.models import checks

CONSTANT_LIMIT = 2**28  # elements: a constant may be one value that the graph says to repeat
_SAVER = re.compile(r"__inference__traced_(save|restore)_\d+")
_DEVICE = re.compile(r"(/job:localhost)?(/replica:0)?(/task:0)?(/device:|/)?((cpu|gpu):[\d*]+)?", re.I)  # fmt: skip
_GRADIENT = re.compile(r"(CustomGradient|PartitionedCall|StatefulPartitionedCall)-\d+")
# Settings of calls and names of character sets, which TensorFlow looks up in the process and on the disk.
_TEXTS = {
    "config": re.compile(r""),
    "executor_type": re.compile(r"(DEFAULT|SINGLE_THREADED_EXECUTOR)?"),
    "input_encoding": re.compile(r"[A-Za-z0-9_-]+"),
}
# Attributes that operations do not declare: what TensorFlow and Keras write.
_MARKS = {
    *("_class", "_collective_manager_ids", "_construction_context", "_disable_call_shape_inference"),
    *("_has_manual_control_dependencies", "_input_shapes", "_lower_using_switch_merge", "_noinline"),
    *("_num_original_outputs", "_output_shapes", "_read_only_resource_inputs", "_stateful_parallelism"),
    *("_tf_data_function", "_user_specified_name", "_XlaMustCompile"),
}  # fmt: skip
# Operation → what to do in place of allowing it.
_INSTEAD = {
    "XlaCallModule": "it runs a program of XLA, as Keras exports it with the JAX backend, which nobody checks here: load the model's "
    ".keras file with KERAS_BACKEND=tensorflow, and export it there",
}  # fmt: skip
_HANDLES = {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}


class Refusal(Exception):
    """Why a graph is refused, in words; the names in them are the model's own, and escaped."""

    def __init__(self, why):
        super().__init__(checks.shown(why))


SECONDS = 10  # that the check of a graph may take
_until = contextvars.ContextVar("until", default=math.inf)


@contextlib.contextmanager
def in_time():
    """Within it a check that takes longer than `SECONDS` is a refusal."""
    token = _until.set(time.monotonic() + SECONDS)
    try:
        yield
    finally:
        _until.reset(token)


def check_time():
    """Refuses a graph whose check takes too long."""
    if time.monotonic() > _until.get():
        raise Refusal(f"its graph takes longer than {SECONDS} seconds to check")


def is_saver(name):
    """Whether a function saves or restores the variables, by its name."""
    return bool(_SAVER.fullmatch(name))


def check_called(name, functions, where, savers=()):
    """Refuses a call of what is not among the model's own `functions`, or the `savers` that it may call; `where` says who calls, in words."""
    if name in functions or name in savers:
        return
    if is_saver(name):
        raise Refusal(f"{where} calls {name}, which reads or writes files, as a saver alone may")
    raise Refusal(f"{where} calls the function {name!r}, which is not the model's own")


def check_gradient_type(name, where):
    """Refuses a gradient that the loading process would look up by its name."""
    if not _GRADIENT.fullmatch(name):
        raise Refusal(f"{where} takes the gradient of {name!r} from the process that loads it")


def check_node(node, where, operations, functions, savers=()):
    """Refuses a node by its operation, its device, or one of its attributes."""
    check_time()
    if node.op not in operations:
        advice = _INSTEAD.get(node.op, f"if you know what it does there, pass allow=[{node.op!r}], or --allow {node.op}")  # fmt: skip
        raise Refusal(
            f"{where} is the operation {node.op!r}, which is not on the list of operations ({advice})"
        )
    check_device(node.device, where)
    for key, value in node.attr.items():
        check_value(key, value, where, functions, savers)


def check_device(device, where):
    """Refuses a device of another machine."""
    if not _DEVICE.fullmatch(device):
        raise Refusal(f"{where} is meant for the device {device!r}, expected one of this machine")


def check_value(key, value, where, functions, savers=()):
    """Refuses an attribute by its name, its text, the functions that it calls or the constant that it holds."""
    check_time()
    kind = value.WhichOneof("value")
    if kind == "placeholder":
        raise Refusal(f"{where} has an attribute {key!r} without a value")
    called = [value.func] if kind == "func" else value.list.func if kind == "list" else ()
    for function in called:
        check_called(function.name, functions, where, savers)
        for inner, nested in function.attr.items():
            if nested.HasField("func") or nested.list.func:
                raise Refusal(f"{where} passes a function to a function in {inner!r}")
            check_value(inner, nested, where, functions, savers)
    tensors = [value.tensor] if kind == "tensor" else value.list.tensor if kind == "list" else ()
    for tensor in tensors:
        check_constant(tensor, where)
    text = value.s.decode(errors="replace")
    if key == "_gradient_op_type":
        check_gradient_type(text, where)
    elif key == "config_proto":
        _check_config(value.s, where)
    elif key in _TEXTS and not _TEXTS[key].fullmatch(text):
        raise Refusal(f"{where} has the attribute {key!r} {text!r}, expected {_TEXTS[key].pattern}")
    elif key.startswith("_") and key not in _MARKS:
        raise Refusal(f"{where} has the attribute {key!r}, which tells TensorFlow how to run it")


def check_constant(tensor, where):
    """Refuses a `TensorProto` that holds a handle, or would take up much memory."""
    if tensor.dtype in _HANDLES or tensor.resource_handle_val or tensor.variant_val:
        raise Refusal(f"{where} holds a handle of the process that loads it as a constant")
    size = 1
    for dim in tensor.tensor_shape.dim:
        size *= dim.size
        if not 0 <= size <= CONSTANT_LIMIT:
            raise Refusal(f"{where} is a constant of more than {CONSTANT_LIMIT:,} elements")


def _check_config(content, where):
    try:
        config = config_pb2.ConfigProto.FromString(content)
    except DecodeError:
        raise Refusal(f"{where} has damaged settings") from None
    optimizers = config.graph_options.rewrite_options
    if optimizers.custom_optimizers or optimizers.optimizers or config.cluster_def.job:
        raise Refusal(f"{where} has settings that change the process that loads it")
