"""The rules for graphs: which operations, which structure, and that the project's own exports keep them."""

import collections
import inspect
import re
import sys

import harmful_changes
import harmful_programs
import operations
import pytest
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

from zoo.saving import graph_check, node_check, store

SHIPPED = harmful_changes.SHIPPED


def registered():
    """Every operation that TensorFlow has."""
    found = op_def_pb2.OpList()
    found.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {definition.name: definition for definition in found.op}


def test_each_operation_that_is_not_allowed_is_refused(plain):
    model, allowed = harmful_changes.graph_of(plain), graph_check.allowed_operations()
    graph_check.check_model(model)
    graph = model.meta_graphs[0].graph_def
    function = next(
        f
        for f in graph_check.graph_library(graph).function
        if not node_check.is_saver(f.signature.name)
    )
    saver = next(
        f
        for f in graph_check.graph_library(graph).function
        if node_check.is_saver(f.signature.name)
    )
    tried = 0
    for nodes, known in (
        (graph.node, allowed),
        (function.node_def, allowed),
        (saver.node_def, graph_check._SAVER_OPERATIONS),
    ):
        for name in sorted({*registered(), "NotRegistered"} - known):
            nodes.add(name="added", op=name)
            with pytest.raises(
                node_check.Refusal, match=f"'added'.*the operation '{name}', which is not"
            ):
                graph_check.check_model(model)
            nodes.pop()
            tried += 1
    graph_check.check_model(model)
    assert tried > 4000


def test_operations_that_answer_with_memory_of_the_process_are_not_allowed():
    seen = {
        "BlockLSTMV2",
        "Cholesky",
        "MatrixSolveLs",
        "ParallelConcat",
        "RFFT",
        "RFFT2D",
        "IRFFT2D",
    }
    assert not seen & graph_check.allowed_operations()


def test_allowed_operations_exist_and_name_no_file():
    definitions = registered()
    strange = re.compile("file|path|url|address|descriptor|token|region|library|server")
    for name in graph_check.allowed_operations():
        attributes = {attribute.name for attribute in definitions[name].attr}
        assert not {a for a in attributes if strange.search(a)}, name


def _function(model):
    return next(f for f in graph_check.graph_library(model.meta_graphs[0].graph_def).function if "call" in f.signature.name or "lambda" in f.signature.name or "harmless" in f.signature.name)  # fmt: skip


def _node(model, op="Mul"):
    return next(n for f in graph_check.graph_library(model.meta_graphs[0].graph_def).function for n in f.node_def if n.op == op)  # fmt: skip


def _caller(model):
    return next(n for n in model.meta_graphs[0].graph_def.node if n.op == "StatefulPartitionedCall")


def _objects(model):
    return model.meta_graphs[0].object_graph_def


def _text(model, text):
    saver = next(f for f in graph_check.graph_library(model.meta_graphs[0].graph_def).function if "traced_save" in f.signature.name)  # fmt: skip
    part = next(n for n in saver.node_def if b"_temp/part" in n.attr["value"].tensor.string_val)
    part.attr["value"].tensor.string_val[:] = text


STRUCTURE = {
    "calls the function 'outside'": lambda m: setattr(_caller(m).attr["f"].func, "name", "outside"),
    "passes a function to a function": lambda m: setattr(_caller(m).attr["f"].func.attr["g"].func, "name", "outside"),
    "without a value": lambda m: setattr(_node(m).attr["T"], "placeholder", "T"),
    "meant for the device": lambda m: setattr(_node(m), "device", "/job:worker/task:1"),
    "settings that change": lambda m: setattr(_caller(m).attr["config_proto"], "s", _settings()),
    "settings that change the": lambda m: setattr(_caller(m).attr["config_proto"], "s", _optimizers()),
    "attribute 'config' '": lambda m: setattr(_caller(m).attr["config"], "s", b"\x12\x01a"),
    "attribute 'executor_type' 'mine'": lambda m: setattr(_caller(m).attr["executor_type"], "s", b"mine"),
    "attribute 'input_encoding' '../../secret'": lambda m: setattr(_node(m).attr["input_encoding"], "s", b"../../secret"),
    "attribute '_kernel', which": lambda m: setattr(_node(m).attr["_kernel"], "s", b"mine"),
    "attribute '_kernel', which tells": lambda m: setattr(_function(m).attr["_kernel"], "s", b"mine"),
    "damaged settings": lambda m: setattr(_caller(m).attr["config_proto"], "s", b"\xff"),
    "takes the gradient of": lambda m: setattr(_node(m).attr["_gradient_op_type"], "s", b"PyFunc"),
    "two functions have the same name": lambda m: graph_check.graph_library(m.meta_graphs[0].graph_def).function.add().CopyFrom(_function(m)),
    "the name of the operation": lambda m: setattr(graph_check.graph_library(m.meta_graphs[0].graph_def).function.add().signature, "name", "MatMul"),
    "attributes of its own": lambda m: _function(m).signature.attr.add(name="T"),
    "a gradient calls": lambda m: graph_check.graph_library(m.meta_graphs[0].graph_def).gradient.add(function_name="a", gradient_func="b"),
    "has the tags": lambda m: m.meta_graphs[0].meta_info_def.tags.append("train"),
    "holds 0 graphs": lambda m: m.ClearField("meta_graphs"),
    "holds a collection 'queue_runners'": lambda m: m.meta_graphs[0].collection_def["queue_runners"].SetInParent(),
    "a file that it names itself": lambda m: _saver_call(m).input.__setitem__(0, "Const"),
    "names a file by": lambda m: _text(m, [b"/../../../etc/passwd"]),
    "reads a file that is not its argument": lambda m: harmful_changes.fixed_prefix(m, harmful_programs.Bait(SHIPPED)),
    "handle of the process": lambda m: harmful_changes.handle_constant(m, None),
    "more than 268,435,456 elements": lambda m: _node(m, "Const").attr["value"].tensor.tensor_shape.dim.add(size=2**40),
    "is of the kind": lambda m: _objects(m).nodes[0].ClearField("user_object"),
    "is a 'optimizer' of the process": lambda m: setattr(_objects(m).nodes[0].user_object, "identifier", "optimizer"),
    "sets the attribute '__class__'": lambda m: _objects(m).nodes[0].children.add(node_id=0, local_name="__class__"),
    "names the object 99": lambda m: _objects(m).nodes[0].children.add(node_id=99, local_name="a"),
    "a list has an element '99999999'": lambda m: _long_list(m),
    "does not list": lambda m: _objects(m).nodes.add().bare_concrete_function.__setattr__("concrete_function_name", "a"),
    "which is not there": lambda m: _objects(m).nodes.add().constant.__setattr__("operation", "a"),
    "the variables of an optimizer|optimizer's variables": lambda m: _objects(m).nodes[0].slot_variables.add(),
    "sets the attribute '__call__'": lambda m: _object(m, "variable").children.add(node_id=0, local_name="__call__"),
    "a list has an element '99999998'": lambda m: _long_list(m, "tuple", "99999998"),
    "has no signatures": lambda m: _objects(m).nodes[0].ClearField("children"),
    "not a map of functions": lambda m: _signature_map(m).children.add(node_id=0, local_name="a"),
    "asks for the class 'host.Spec'": lambda m: _registered_class(_signature(m).type_spec_value),
    "a signature is a constant of more than": lambda m: _signature(m).bounded_tensor_spec_value.minimum.tensor_shape.dim.add(size=2**40),
    "attribute '_kernel', which tells TensorFlow how": lambda m: setattr(_function(m).arg_attr[0].attr["_kernel"], "s", b"mine"),
    "reads 'svd:u:0', which nobody wrote": lambda m: _singular_values(m, "svd:u:0"),
    "load the model's .keras file with KERAS_BACKEND=tensorflow": lambda m: setattr(_node(m), "op", "XlaCallModule"),
    "written out they have more than 5,000,000 nodes": lambda m: _doubling(m),
    "is meant for the device '/job:elsewhere'": lambda m: _objects(m).nodes.add().resource.__setattr__("device", "/job:elsewhere"),
}  # fmt: skip


def _settings():
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.custom_optimizers.add(name="mine")
    return config.SerializeToString()


def _optimizers():
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers.append("map_fusion")
    return config.SerializeToString()


def _saver_call(model):
    return next(n for n in model.meta_graphs[0].graph_def.node if n.op.endswith("PartitionedCall") and node_check.is_saver(n.attr["f"].func.name))  # fmt: skip


def _long_list(model, kind="list", index="99999999"):
    node = _objects(model).nodes.add()
    node.user_object.identifier = f"trackable_{kind}_wrapper"
    node.children.add(node_id=0, local_name=index)


def _object(model, kind):
    return next(node for node in _objects(model).nodes if node.HasField(kind))


def _signature_map(model):
    return next(n for n in _objects(model).nodes if n.user_object.identifier == "signature_map")


def _signature(model):
    function = next(iter(_objects(model).concrete_functions.values()))
    return function.output_signature.tuple_value.values.add()


def _registered_class(spec):
    spec.type_spec_class, spec.type_spec_class_name = spec.REGISTERED_TYPE_SPEC, "host.Spec"


def _doubling(model):
    """Functions of which each calls the next one twice."""
    library = graph_check.graph_library(model.meta_graphs[0].graph_def)
    for number in range(30):
        function = library.function.add()
        function.signature.name = f"double_{number}"
        for name in ("a", "b") if number else ():
            node = function.node_def.add(name=name, op="PartitionedCall")
            node.attr["f"].func.name = f"double_{number - 1}"


def _singular_values(model, read):
    svd, reader = (_function(model).node_def.add() for _ in range(2))
    svd.name, svd.op, svd.attr["compute_uv"].b = "svd", "Svd", False
    reader.name, reader.op, reader.input[:] = "reader", "Identity", [read]


@pytest.mark.parametrize("words", STRUCTURE)
def test_rules_of_structure(words, plain):
    model = harmful_changes.graph_of(plain)
    STRUCTURE[words](model)
    with pytest.raises(node_check.Refusal, match=words):
        graph_check.check_model(model)


def test_functions_that_call_each_other_a_few_times_are_allowed(plain):
    model = harmful_changes.graph_of(plain)
    _doubling(model)
    library = graph_check.graph_library(model.meta_graphs[0].graph_def)
    del library.function[-15:]
    graph_check.check_model(model)


def test_a_chain_of_functions_of_any_length_is_checked(plain):
    model = harmful_changes.graph_of(plain)
    library = graph_check.graph_library(model.meta_graphs[0].graph_def)
    for number in range(3000):
        function = library.function.add()
        function.signature.name = f"link_{number}"
        node = function.node_def.add(name="next", op="PartitionedCall")
        node.attr["f"].func.name = f"link_{min(number + 1, 2999)}"
    graph_check.check_model(model)


def test_a_check_that_takes_too_long_ends(plain, monkeypatch):
    monkeypatch.setattr(node_check, "SECONDS", 0)
    with pytest.raises(node_check.Refusal, match="takes longer than 0 seconds to check"):
        graph_check.check((plain / "saved_model.pb").read_bytes())


def test_the_time_is_looked_at_wherever_a_graph_may_be_long(monkeypatch):
    """Each of these can be as many as 64 MiB hold."""
    model, looked = harmful_changes.graph_of(store.find("digits_dense")), collections.Counter()
    monkeypatch.setattr(node_check, "check_time", lambda: looked.update([inspect.currentframe().f_back.f_code.co_name]))  # fmt: skip
    graph_check.check_model(model)
    graph, objects = model.meta_graphs[0].graph_def, model.meta_graphs[0].object_graph_def
    functions = graph_check.graph_library(graph).function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    assert looked["check_node"] == len(nodes)
    assert looked["check_value"] >= sum(len(node.attr) for node in nodes)
    assert looked["_check_expansion"] >= 2 * len(functions)
    assert looked["check_objects"] == len(objects.nodes) + len(objects.concrete_functions)
    assert looked["_check_child"] == sum(len(node.children) for node in objects.nodes)


def nodes_of(model):
    graph = model.meta_graphs[0].graph_def
    return len(graph.node) + sum(len(f.node_def) for f in graph_check.graph_library(graph).function)


def calls_of_the_check(model):
    """How many functions, of Python and of C, the check of a model calls: its time, without a clock."""
    counted = collections.Counter()
    sys.setprofile(lambda frame, event, argument: counted.update([event]))
    try:
        graph_check.check_model(model)
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


def test_the_check_of_the_largest_shipped_model_is_bounded_and_grows_as_its_nodes_do():
    largest = max(SHIPPED.glob("*/*/saved_model.pb"), key=lambda path: path.stat().st_size)
    model = harmful_changes.graph_of(largest.parent)
    nodes, calls = nodes_of(model), calls_of_the_check(model)
    assert nodes > 5000
    assert calls < 60 * nodes
    library = graph_check.graph_library(model.meta_graphs[0].graph_def)
    for function in list(library.function):
        for number in range(0 if node_check.is_saver(function.signature.name) else 3):
            copy = library.function.add()
            copy.CopyFrom(function)
            copy.signature.name += f"_{number}"
    assert nodes_of(model) > 3 * nodes
    assert calls_of_the_check(model) / nodes_of(model) < 1.1 * calls / nodes


def test_singular_values_alone_may_be_read(plain):
    model = harmful_changes.graph_of(plain)
    _singular_values(model, "svd:s:0")
    graph_check.check_model(model)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*/saved_model.pb")), ids=lambda p: p.parts[-3])  # fmt: skip
def test_shipped_models_need_only_allowed_operations(path):
    assert (
        operations.operations_of(path.parent) <= graph_check.allowed_operations()
    )  # of earlier versions, too


def listed():
    return set(graph_check.LISTS[0].read_text().splitlines())


@pytest.mark.parametrize("name", ["dense, columns", "files of images", "texts"])
def test_an_export_needs_only_listed_operations(name, tmp_path):
    unlisted = operations.operations_of(operations.EXPORTS[name](tmp_path)) - listed()
    assert not unlisted, f"print the list anew (tests/operations.py), and review: {unlisted}"


@pytest.mark.slow
def test_the_list_is_what_exports_need():
    assert graph_check.LISTS[0].read_text() == operations.render()
