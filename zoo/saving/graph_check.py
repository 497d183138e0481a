"""The rules that a SavedModel's graph keeps, checked before TensorFlow loads it: an allow-list of operations, and structure.

A SavedModel is a program, and parts of it run while it is loaded. Every node of the graph and of every function of its
library is looked at: those of initializers, destroyers, gradients and signatures that nobody calls, too. `operations.txt`
holds the operations that the zoo's own exports need (`tests/operations.py` writes it), `operations_reviewed.txt` more of the
same kind that people's models need; neither holds one that reads or writes files, opens connections or runs Python.
"""

import functools
import operator
import re
from pathlib import Path

from google.protobuf.message import DecodeError, Message
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2, saved_model_pb2, struct_pb2

LISTS = tuple(Path(__file__).with_name(f"{name}.txt") for name in ("operations", "operations_reviewed"))  # fmt: skip
CONSTANT_LIMIT = 2**28  # elements: a constant may be one value that the graph says to repeat

# What saves and restores the variables, in functions that nothing but a saver calls.
_SAVER_OPERATIONS = {
    *("AssignVariableOp", "Const", "DisableCopyOnRead", "Identity", "MergeV2Checkpoints", "NoOp", "Pack", "ReadVariableOp"),
    *("RestoreV2", "SaveV2", "Select", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"),
    *("LookupTableExportV2", "LookupTableImportV2"),
}  # fmt: skip
_SAVER = re.compile(r"__inference__traced_(save|restore)_\d+")
_NAMING = {"Const", "Identity", "Pack", "Select", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"}  # fmt: skip
_PART = re.compile(rb"_temp(_[0-9a-f]+)?/part|\.part")  # what a saver adds to its file prefix

_DEVICE = re.compile(r"(/job:localhost)?(/replica:0)?(/task:0)?(/device:|/)?((cpu|gpu):[\d*]+)?", re.I)  # fmt: skip
_GRADIENT = re.compile(r"(CustomGradient|PartitionedCall|StatefulPartitionedCall)-\d+")
_OBJECTS = {"_generic_user_object", "signature_map", "trackable_dict_wrapper", "trackable_list_wrapper", "trackable_tuple_wrapper"}  # fmt: skip
_SEQUENCES = {"trackable_list_wrapper", "trackable_tuple_wrapper"}
_SHARED_CLASSES = _OBJECTS - {"_generic_user_object"}  # of the process that loads it
_REGISTERED = {"", "tf.StaticHashTable", "tf.TrackableConstant"}
_KINDS = {"user_object", "function", "bare_concrete_function", "variable", "constant", "resource", "captured_tensor"}  # fmt: skip
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
# Outputs that these operations never write where the attribute is false: nobody may read them.
_UNWRITTEN = {"Eig": ("compute_v", "v"), "SelfAdjointEigV2": ("compute_v", "v"), "Svd": ("compute_uv", "uv")}  # fmt: skip
_HANDLES = {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}


graph_library = operator.attrgetter("library")  # the functions and gradients that a graph brings


class Refusal(Exception):
    """Why a graph is refused, in words."""


@functools.cache
def allowed_operations():
    """The names of the operations that a graph may use."""
    lines = [line for path in LISTS for line in path.read_text(encoding="utf-8").splitlines()]
    return frozenset(line for line in lines if line and not line.startswith("#"))


def check(content, allow=()):
    """Checks the bytes of a `saved_model.pb`.

    Args:
        content: The bytes.
        allow: Names of operations that it may use besides.

    Raises:
        Refusal: The first rule that it breaks.
    """
    try:
        model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError:
        raise Refusal("saved_model.pb is damaged") from None
    check_model(model, allow)


def check_model(model, allow=()):
    """Checks a `SavedModel` message, as `check` does."""
    if len(model.meta_graphs) != 1:
        raise Refusal(f"it holds {len(model.meta_graphs)} graphs, expected one")
    meta = model.meta_graphs[0]
    if list(meta.meta_info_def.tags) != ["serve"]:
        raise Refusal(f"its graph has the tags {list(meta.meta_info_def.tags)}, expected 'serve'")
    if not meta.HasField("object_graph_def"):
        raise Refusal("it has no object graph: TensorFlow 1 wrote it, or somebody took it out")
    if meta.asset_file_def:
        name = meta.asset_file_def[0].filename
        raise Refusal(
            f"it reads the file {name!r} as an asset; a vocabulary belongs into the graph"
        )
    for name in meta.collection_def:
        if name != "saved_model_main_op":
            raise Refusal(f"it holds a collection {name!r}, which TensorFlow 2 does not write")
    operations = allowed_operations().union(allow)
    functions = _functions(graph_library(meta.graph_def), operations)
    _check_graph(meta.graph_def, operations, functions)
    for function in graph_library(meta.graph_def).function:
        _check_function(function, operations, functions)
    _check_objects(meta.object_graph_def, meta.graph_def, functions)


def is_saver(name):
    """Whether a function saves or restores the variables, by its name."""
    return bool(_SAVER.fullmatch(name))


def _functions(library, operations):
    """The names of the functions that nodes and objects may use: all but the saver's."""
    names = [function.signature.name for function in library.function]
    for name in names:
        if name in operations:
            raise Refusal(f"a function has the name of the operation {name}")
    if len(set(names)) < len(names):
        raise Refusal("two functions have the same name")
    functions = {name for name in names if not is_saver(name)}
    for gradient in library.gradient:
        _check_called(gradient.function_name, functions, "a gradient")
        _check_called(gradient.gradient_func, functions, "a gradient")
    for gradient in library.registered_gradients:
        _check_called(gradient.gradient_func, functions, "a gradient")
        _check_gradient_type(gradient.registered_op_type, "the library")
    return functions


def _check_called(name, functions, where):
    if name in functions:
        return
    if is_saver(name):
        raise Refusal(f"{where} calls {name}, which reads or writes files, as a saver alone may")
    raise Refusal(f"{where} calls the function {name!r}, which is not the model's own")


def _check_gradient_type(name, where):
    if not _GRADIENT.fullmatch(name):
        raise Refusal(f"{where} takes the gradient of {name!r} from the process that loads it")


def _check_graph(graph, operations, functions):
    placeholders = {node.name for node in graph.node if node.op == "Placeholder"}
    for node in graph.node:
        where = f"the node {node.name!r} of the graph"
        known = functions
        if node.op.endswith("PartitionedCall") and is_saver(node.attr["f"].func.name):
            if not node.input or node.input[0] not in placeholders:
                raise Refusal(f"{where} reads or writes a file that it names itself")
            known = {*functions, node.attr["f"].func.name}
        _check_node(node, where, operations, known)


def _check_function(function, operations, functions):
    name = function.signature.name
    if function.signature.attr:
        raise Refusal(f"the function {name!r} has attributes of its own")
    saves = is_saver(name)
    if saves:
        operations = _SAVER_OPERATIONS
    for node in function.node_def:
        _check_node(node, f"the node {node.name!r} of the function {name!r}", operations, functions)
    for attributes in (function.attr, *(each.attr for each in function.arg_attr.values())):
        for key, value in attributes.items():
            _check_value(key, value, f"the function {name!r}", functions)
    _check_reads(function)
    if saves:
        _check_file_prefix(function)


def _check_node(node, where, operations, functions):
    if node.op not in operations:
        raise Refusal(
            f"{where} is the operation {node.op!r}, which is not on the list of operations (if you know what it does there, "
            f"pass allow=[{node.op!r}], or --allow {node.op})"
        )
    _check_device(node.device, where)
    for key, value in node.attr.items():
        _check_value(key, value, where, functions)


def _check_reads(function):
    unwritten = set()
    for node in function.node_def:
        key, outputs = _UNWRITTEN.get(node.op, ("", ""))
        if key in node.attr and not node.attr[key].b:
            unwritten |= {f"{node.name}:{output}" for output in outputs}
    reads = [tensor for node in function.node_def for tensor in node.input]
    for tensor in (*reads, *function.ret.values()):
        if tensor.rpartition(":")[0] in unwritten:
            raise Refusal(
                f"the function {function.signature.name!r} reads {tensor!r}, which nobody wrote: memory of the process"
            )


def _check_device(device, where):
    if not _DEVICE.fullmatch(device):
        raise Refusal(f"{where} is meant for the device {device!r}, expected one of this machine")


def _check_value(key, value, where, functions):
    kind = value.WhichOneof("value")
    if kind == "placeholder":
        raise Refusal(f"{where} has an attribute {key!r} without a value")
    called = [value.func] if kind == "func" else value.list.func if kind == "list" else ()
    for function in called:
        _check_called(function.name, functions, where)
        for inner, nested in function.attr.items():
            if nested.HasField("func") or nested.list.func:
                raise Refusal(f"{where} passes a function to a function in {inner!r}")
            _check_value(inner, nested, where, functions)
    tensors = [value.tensor] if kind == "tensor" else value.list.tensor if kind == "list" else ()
    for tensor in tensors:
        _check_constant(tensor, where)
    text = value.s.decode(errors="replace")
    if key == "_gradient_op_type":
        _check_gradient_type(text, where)
    elif key == "config_proto":
        _check_config(value.s, where)
    elif key in _TEXTS and not _TEXTS[key].fullmatch(text):
        raise Refusal(f"{where} has the attribute {key!r} {text!r}, expected {_TEXTS[key].pattern}")
    elif key.startswith("_") and key not in _MARKS:
        raise Refusal(f"{where} has the attribute {key!r}, which tells TensorFlow how to run it")


def _check_constant(tensor, where):
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


def _check_file_prefix(function):
    """A saver reads and writes the files that its first argument names, and those that it derives from it alone."""
    name, arguments = function.signature.name, function.signature.input_arg
    prefix = arguments[0].name if arguments else None
    nodes = {node.name: node for node in function.node_def}
    naming = []  # tensors that name files
    for node in function.node_def:
        inputs = [tensor for tensor in node.input if not tensor.startswith("^")]
        if node.op == "RestoreV2" and inputs[:1] != [prefix]:
            raise Refusal(f"the function {name!r} reads a file that is not its argument")
        if node.op == "MergeV2Checkpoints" and inputs[1:] != [prefix]:
            raise Refusal(f"the function {name!r} writes a file that is not its argument")
        if node.op in ("SaveV2", "ShardedFilename", "MergeV2Checkpoints"):
            naming += inputs[:1]
    seen = {prefix}
    while naming:
        source = naming.pop().partition(":")[0]
        if source in seen:
            continue
        seen.add(source)
        if source not in nodes or nodes[source].op not in _NAMING:
            raise Refusal(f"the function {name!r} names a file by {source!r}, not by its argument")
        text = nodes[source].attr["value"].tensor
        strange = [part for part in text.string_val if not _PART.fullmatch(part)]
        if strange or (text.dtype == types_pb2.DT_STRING and text.tensor_content):
            raise Refusal(f"the function {name!r} names a file by {strange or 'packed text'}")
        naming += [tensor for tensor in nodes[source].input if not tensor.startswith("^")]


def _check_objects(objects, graph, functions):
    constants = {node.name for node in graph.node if node.op == "Const"}
    for name, function in objects.concrete_functions.items():
        _check_called(name, functions, "the object graph")
        _check_ids(function.bound_inputs, objects)
        _check_signature(function)
    _check_signatures(objects.nodes)
    for node in objects.nodes:
        _check_signature(getattr(node, node.WhichOneof("kind") or "user_object"))
        kind = node.WhichOneof("kind")
        if kind not in _KINDS:
            raise Refusal(
                f"an object is of the kind {kind!r}, expected {', '.join(sorted(_KINDS))}"
            )
        if node.registered_name not in _REGISTERED or node.registered_saver:
            raise Refusal(
                f"an object asks for the class {node.registered_name or node.registered_saver!r} of the process that loads it"
            )
        for child in node.children:
            _check_child(child.local_name, node, kind, len(objects.nodes))
        if node.slot_variables:
            raise Refusal("it holds an optimizer's variables: export it for serving")
        _check_ids([child.node_id for child in (*node.children, *node.dependencies)], objects)
        for saver in node.saveable_objects.values():
            _check_ids((saver.save_function, saver.restore_function), objects)
        _check_kind(kind, node, objects, constants)


def _check_kind(kind, node, objects, constants):
    if kind == "user_object":
        identifier = node.user_object.identifier
        if identifier not in _OBJECTS and not identifier.startswith("_tf_keras_"):
            raise Refusal(f"an object is a {identifier!r} of the process that loads it")
    elif kind in ("resource", "variable"):
        _check_device(getattr(node, kind).device, f"a {kind}")
    elif kind == "constant" and node.constant.operation not in constants:
        raise Refusal(f"an object is the constant {node.constant.operation!r}, which is not there")
    names = {
        "function": node.function.concrete_functions,
        "bare_concrete_function": [node.bare_concrete_function.concrete_function_name],
        "captured_tensor": [node.captured_tensor.concrete_function],
    }.get(kind, ())
    for name in names:
        if name not in objects.concrete_functions:
            raise Refusal(
                f"an object is the function {name!r}, which the object graph does not list"
            )


def _check_child(name, node, kind, count):
    """Objects get their parts by `setattr`, lists by index; `__call__` is set in an object's class."""
    identifier = node.user_object.identifier
    has_own_class = kind == "user_object" and identifier not in _SHARED_CLASSES
    if name.startswith("__") and not (name == "__call__" and has_own_class):
        raise Refusal(f"an object sets the attribute {name!r}")
    is_index = name.isascii() and name.isdecimal() and len(name) < 9 and int(name) < count
    is_field = identifier == "trackable_tuple_wrapper" and name.isidentifier()
    if identifier in _SEQUENCES and not (is_index or is_field):
        raise Refusal(f"a list has an element {name!r}, but the model has {count} objects")


def _check_signatures(nodes):
    """A model has a map of signatures, and each is a function."""
    for child in nodes[0].children if nodes else ():
        if child.local_name == "signatures" and 0 <= child.node_id < len(nodes):
            found = nodes[child.node_id]
            break
    else:
        raise Refusal("it has no signatures")
    kinds = {nodes[child.node_id].WhichOneof("kind") for child in found.children if 0 <= child.node_id < len(nodes)}  # fmt: skip
    if found.user_object.identifier != "signature_map" or kinds - {"bare_concrete_function"}:
        raise Refusal("its signatures are not a map of functions")


def _check_signature(message):
    """What describes inputs and outputs: it may name classes of the process, and hold arrays as bounds."""
    if isinstance(message, struct_pb2.TypeSpecProto):
        if message.type_spec_class == struct_pb2.TypeSpecProto.REGISTERED_TYPE_SPEC:
            raise Refusal(
                f"a signature asks for the class {message.type_spec_class_name!r} of the process that loads it"
            )
    elif isinstance(message, struct_pb2.BoundedTensorSpecProto):
        for bound in (message.minimum, message.maximum):
            _check_constant(bound, "a signature")
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        is_map = field.message_type.GetOptions().map_entry
        for part in value.values() if is_map else value if field.is_repeated else [value]:
            if isinstance(part, Message):
                _check_signature(part)


def _check_ids(ids, objects):
    for number in ids:
        if not 0 <= number < len(objects.nodes):
            raise Refusal(f"it names the object {number} of {len(objects.nodes)}")
