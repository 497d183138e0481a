"""The rules that a SavedModel's graph keeps, checked before TensorFlow loads it: an allow-list of operations, and structure.

A SavedModel is a program, and parts of it run while it is loaded. Every node of the graph and of every function of its
library is looked at: those of initializers, destroyers, gradients and signatures that nobody calls, too. `operations.txt`
holds the operations that the zoo's own exports need (`tests/operations.py` writes it), `operations_reviewed.txt` more of the
same kind that people's models need; neither holds one that reads or writes files, opens connections or runs Python.
"""

import collections
import functools
import operator
import re
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from zoo.saving import node_check, object_check

LISTS = tuple(Path(__file__).with_name(f"{name}.txt") for name in ("operations", "operations_reviewed"))  # fmt: skip

# What saves and restores the variables, in functions that nothing but a saver calls.
_SAVER_OPERATIONS = {
    *("AssignVariableOp", "Const", "DisableCopyOnRead", "Identity", "MergeV2Checkpoints", "NoOp", "Pack", "ReadVariableOp"),
    *("RestoreV2", "SaveV2", "Select", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"),
    *("LookupTableExportV2", "LookupTableImportV2"),
}  # fmt: skip
_NAMING = {"Const", "Identity", "Pack", "Select", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"}  # fmt: skip
EXPANSION_LIMIT = 5_000_000  # nodes, where each call is replaced by what it calls
_PART = re.compile(rb"_temp(_[0-9a-f]+)?/part|\.part")  # what a saver adds to its file prefix

# Outputs that these operations never write where the attribute is false: nobody may read them.
_UNWRITTEN = {"Eig": ("compute_v", "v"), "SelfAdjointEigV2": ("compute_v", "v"), "Svd": ("compute_uv", "uv")}  # fmt: skip


graph_library = operator.attrgetter("library")  # the functions and gradients that a graph brings


@functools.cache
def allowed_operations():
    """The names of the operations that a graph may use."""
    lines = [line for path in LISTS for line in path.read_text(encoding="utf-8").splitlines()]
    return frozenset(line for line in lines if line and not line.startswith("#"))


def unknown_operations(graph):
    """The names of the operations of a `GraphDef` that are not allowed."""
    library = graph_library(graph).function
    used = {node.op for node in graph.node} | {n.op for f in library for n in f.node_def}
    return used - allowed_operations() - {function.signature.name for function in library}


def check(content, allow=()):
    """Checks the bytes of a `saved_model.pb`.

    Args:
        content: The bytes.
        allow: Names of operations that it may use besides.

    Raises:
        node_check.Refusal: The first rule that it breaks.
    """
    try:
        model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError:
        raise node_check.Refusal("saved_model.pb is damaged") from None
    with node_check.in_time():
        check_model(model, allow)


def check_model(model, allow=()):
    """Checks a `SavedModel` message, as `check` does."""
    if len(model.meta_graphs) != 1:
        raise node_check.Refusal(f"it holds {len(model.meta_graphs)} graphs, expected one")
    meta = model.meta_graphs[0]
    if list(meta.meta_info_def.tags) != ["serve"]:
        raise node_check.Refusal(
            f"its graph has the tags {list(meta.meta_info_def.tags)}, expected 'serve'"
        )
    if not meta.HasField("object_graph_def"):
        raise node_check.Refusal(
            "it has no object graph: TensorFlow 1 wrote it, or somebody took it out"
        )
    if meta.asset_file_def:
        name = meta.asset_file_def[0].filename
        raise node_check.Refusal(
            f"it reads the file {name!r} as an asset; a vocabulary belongs into the graph"
        )
    for name in meta.collection_def:
        if name != "saved_model_main_op":
            raise node_check.Refusal(
                f"it holds a collection {name!r}, which TensorFlow 2 does not write"
            )
    operations = allowed_operations().union(allow)
    functions = _functions(graph_library(meta.graph_def), operations)
    _check_expansion(graph_library(meta.graph_def))
    _check_graph(meta.graph_def, operations, functions)
    for function in graph_library(meta.graph_def).function:
        _check_function(function, operations, functions)
    object_check.check_objects(meta.object_graph_def, meta.graph_def, functions)


def _functions(library, operations):
    """The names of the functions that nodes and objects may use: all but the saver's."""
    names = [function.signature.name for function in library.function]
    for name in names:
        if name in operations:
            raise node_check.Refusal(f"a function has the name of the operation {name}")
    if len(set(names)) < len(names):
        raise node_check.Refusal("two functions have the same name")
    functions = {name for name in names if not node_check.is_saver(name)}
    for gradient in library.gradient:
        node_check.check_called(gradient.function_name, functions, "a gradient")
        node_check.check_called(gradient.gradient_func, functions, "a gradient")
    for gradient in library.registered_gradients:
        node_check.check_called(gradient.gradient_func, functions, "a gradient")
        node_check.check_gradient_type(gradient.registered_op_type, "the library")
    return functions


def _called(values):
    """The names of the functions that some attributes call."""
    for value in values:
        functions = [value.func] if value.HasField("func") else value.list.func
        for function in functions:
            yield function.name
            yield from _called(function.attr.values())


def _check_expansion(library):
    """Refuses functions that call each other so often that to write them out, as TensorFlow does, would take for ever."""
    calls = {}
    for function in library.function:
        node_check.check_time()
        calls[function.signature.name] = collections.Counter(
            name for node in function.node_def for name in _called(node.attr.values())
        )
    own = {function.signature.name: len(function.node_def) for function in library.function}
    sizes, waiting, open_ones = {}, list(own), set()
    while (
        waiting
    ):  # from those that call none upwards; not by recursion, which a long chain would exhaust
        node_check.check_time()
        name = waiting[-1]
        missing = [n for n in calls[name] if n in own and n not in sizes]
        if name in sizes or not missing or name in open_ones:
            waiting.pop()
            called = (sizes.get(n, 0) * times for n, times in calls[name].items())
            sizes.setdefault(name, min(own[name] + sum(called), 2 * EXPANSION_LIMIT))
            continue
        open_ones.add(name)  # a function that calls itself, as a gradient's loop may, counts once
        waiting += missing
    if max(sizes.values(), default=0) > EXPANSION_LIMIT:
        raise node_check.Refusal(
            f"its functions call each other: written out they have more than {EXPANSION_LIMIT:,} nodes"
        )


def _check_graph(graph, operations, functions):
    placeholders = {node.name for node in graph.node if node.op == "Placeholder"}
    for node in graph.node:
        where = f"the node {node.name!r} of the graph"
        savers = ()
        if node.op.endswith("PartitionedCall") and node_check.is_saver(node.attr["f"].func.name):
            if not node.input or node.input[0] not in placeholders:
                raise node_check.Refusal(f"{where} reads or writes a file that it names itself")
            savers = (node.attr["f"].func.name,)
        node_check.check_node(node, where, operations, functions, savers)


def _check_function(function, operations, functions):
    name = function.signature.name
    if function.signature.attr:
        raise node_check.Refusal(f"the function {name!r} has attributes of its own")
    saves = node_check.is_saver(name)
    if saves:
        operations = _SAVER_OPERATIONS
    for node in function.node_def:
        node_check.check_node(
            node, f"the node {node.name!r} of the function {name!r}", operations, functions
        )
    for attributes in (function.attr, *(each.attr for each in function.arg_attr.values())):
        for key, value in attributes.items():
            node_check.check_value(key, value, f"the function {name!r}", functions)
    _check_reads(function)
    if saves:
        _check_file_prefix(function)


def _check_reads(function):
    unwritten = set()
    for node in function.node_def:
        key, outputs = _UNWRITTEN.get(node.op, ("", ""))
        if key in node.attr and not node.attr[key].b:
            unwritten |= {f"{node.name}:{output}" for output in outputs}
    reads = [tensor for node in function.node_def for tensor in node.input]
    for tensor in (*reads, *function.ret.values()):
        if tensor.rpartition(":")[0] in unwritten:
            raise node_check.Refusal(
                f"the function {function.signature.name!r} reads {tensor!r}, which nobody wrote: memory of the process"
            )


def _check_file_prefix(function):
    """A saver reads and writes the files that its first argument names, and those that it derives from it alone."""
    name, arguments = function.signature.name, function.signature.input_arg
    prefix = arguments[0].name if arguments else None
    nodes = {node.name: node for node in function.node_def}
    naming = []  # tensors that name files
    for node in function.node_def:
        inputs = [tensor for tensor in node.input if not tensor.startswith("^")]
        if node.op == "RestoreV2" and inputs[:1] != [prefix]:
            raise node_check.Refusal(f"the function {name!r} reads a file that is not its argument")
        if node.op == "MergeV2Checkpoints" and inputs[1:] != [prefix]:
            raise node_check.Refusal(
                f"the function {name!r} writes a file that is not its argument"
            )
        if node.op in ("SaveV2", "ShardedFilename", "MergeV2Checkpoints"):
            naming += inputs[:1]
    seen = {prefix}
    while naming:
        source = naming.pop().partition(":")[0]
        if source in seen:
            continue
        seen.add(source)
        if source not in nodes or nodes[source].op not in _NAMING:
            raise node_check.Refusal(
                f"the function {name!r} names a file by {source!r}, not by its argument"
            )
        text = nodes[source].attr["value"].tensor
        strange = [part for part in text.string_val if not _PART.fullmatch(part)]
        if strange or (text.dtype == types_pb2.DT_STRING and text.tensor_content):
            raise node_check.Refusal(
                f"the function {name!r} names a file by {strange or 'packed text'}"
            )
        naming += [tensor for tensor in nodes[source].input if not tensor.startswith("^")]
