"""The rules for the object graph: what Python objects a SavedModel asks for, and the signatures that it offers."""

from google.protobuf.message import Message
from tensorflow.core.protobuf import struct_pb2

from zoo.saving import node_check

_OBJECTS = {"_generic_user_object", "signature_map", "trackable_dict_wrapper", "trackable_list_wrapper", "trackable_tuple_wrapper"}  # fmt: skip
_SEQUENCES = {"trackable_list_wrapper", "trackable_tuple_wrapper"}
_SHARED_CLASSES = _OBJECTS - {"_generic_user_object"}  # of the process that loads it
_REGISTERED = {"", "tf.StaticHashTable", "tf.TrackableConstant"}
_KINDS = {"user_object", "function", "bare_concrete_function", "variable", "constant", "resource", "captured_tensor"}  # fmt: skip


def check_objects(objects, graph, functions):
    """Refuses an object graph by its classes, the parts that it sets, its signatures, or numbers of objects that are not there."""
    constants = {node.name for node in graph.node if node.op == "Const"}
    for name, function in objects.concrete_functions.items():
        node_check.check_time()
        node_check.check_called(name, functions, "the object graph")
        _check_ids(function.bound_inputs, objects)
        _check_signature(function)
    _check_signatures(objects.nodes)
    for node in objects.nodes:
        node_check.check_time()
        _check_signature(getattr(node, node.WhichOneof("kind") or "user_object"))
        kind = node.WhichOneof("kind")
        if kind not in _KINDS:
            raise node_check.Refusal(
                f"an object is of the kind {kind!r}, expected {', '.join(sorted(_KINDS))}"
            )
        if node.registered_name not in _REGISTERED or node.registered_saver:
            raise node_check.Refusal(
                f"an object asks for the class {node.registered_name or node.registered_saver!r} of the process that loads it"
            )
        for child in node.children:
            _check_child(child.local_name, node, kind, len(objects.nodes))
        if node.slot_variables:
            raise node_check.Refusal("it holds an optimizer's variables: export it for serving")
        _check_ids([child.node_id for child in (*node.children, *node.dependencies)], objects)
        for saver in node.saveable_objects.values():
            _check_ids((saver.save_function, saver.restore_function), objects)
        _check_kind(kind, node, objects, constants)


def _check_kind(kind, node, objects, constants):
    if kind == "user_object":
        identifier = node.user_object.identifier
        if identifier not in _OBJECTS and not identifier.startswith("_tf_keras_"):
            raise node_check.Refusal(f"an object is a {identifier!r} of the process that loads it")
    elif kind in ("resource", "variable"):
        node_check.check_device(getattr(node, kind).device, f"a {kind}")
    elif kind == "constant" and node.constant.operation not in constants:
        raise node_check.Refusal(
            f"an object is the constant {node.constant.operation!r}, which is not there"
        )
    names = {
        "function": node.function.concrete_functions,
        "bare_concrete_function": [node.bare_concrete_function.concrete_function_name],
        "captured_tensor": [node.captured_tensor.concrete_function],
    }.get(kind, ())
    for name in names:
        if name not in objects.concrete_functions:
            raise node_check.Refusal(
                f"an object is the function {name!r}, which the object graph does not list"
            )


def _check_child(name, node, kind, count):
    """Objects get their parts by `setattr`, lists by index; `__call__` is set in an object's class."""
    node_check.check_time()
    identifier = node.user_object.identifier
    has_own_class = kind == "user_object" and identifier not in _SHARED_CLASSES
    if name.startswith("__") and not (name == "__call__" and has_own_class):
        raise node_check.Refusal(f"an object sets the attribute {name!r}")
    is_index = name.isascii() and name.isdecimal() and len(name) < 9 and int(name) < count
    is_field = identifier == "trackable_tuple_wrapper" and name.isidentifier()
    if identifier in _SEQUENCES and not (is_index or is_field):
        raise node_check.Refusal(
            f"a list has an element {name!r}, but the model has {count} objects"
        )


def _check_signatures(nodes):
    """A model has a map of signatures, and each is a function."""
    for child in nodes[0].children if nodes else ():
        if child.local_name == "signatures" and 0 <= child.node_id < len(nodes):
            found = nodes[child.node_id]
            break
    else:
        raise node_check.Refusal("it has no signatures")
    kinds = {nodes[child.node_id].WhichOneof("kind") for child in found.children if 0 <= child.node_id < len(nodes)}  # fmt: skip
    if found.user_object.identifier != "signature_map" or kinds - {"bare_concrete_function"}:
        raise node_check.Refusal("its signatures are not a map of functions")


def _check_signature(message):
    """What describes inputs and outputs: it may name classes of the process, and hold arrays as bounds."""
    if isinstance(message, struct_pb2.TypeSpecProto):
        if message.type_spec_class == struct_pb2.TypeSpecProto.REGISTERED_TYPE_SPEC:
            raise node_check.Refusal(
                f"a signature asks for the class {message.type_spec_class_name!r} of the process that loads it"
            )
    elif isinstance(message, struct_pb2.BoundedTensorSpecProto):
        for bound in (message.minimum, message.maximum):
            node_check.check_constant(bound, "a signature")
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
            raise node_check.Refusal(f"it names the object {number} of {len(objects.nodes)}")
