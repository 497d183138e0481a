"""What may be done to a SavedModel after it was saved: to its graph, its files, its card."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from harmful_programs import Bait, harmless, save, write
from tensorflow.core.protobuf import saved_model_pb2

from zoo.saving import graph_check, manifest, store

SHIPPED = Path(__file__).parents[1] / "saved_models"


# Changes to what was saved.


def graph_of(folder):
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def edited(change, base=None):
    """A model whose graph was changed after it was saved."""

    def make(folder, bait):
        (base or (lambda f, _: save(f, harmless)))(folder, bait)
        model = graph_of(folder)
        change(model, bait)
        (folder / "saved_model.pb").write_bytes(model.SerializeToString(deterministic=True))

    return make


def _writer(folder):
    """The nodes of a graph that writes: of a model of TensorFlow 1, whose `main_op` runs while it is loaded."""
    with tf.Graph().as_default() as graph:
        write(Bait(folder))
        return graph.as_graph_def(), graph.get_operations()[-1].name


def main_op(model, bait):
    graph, name = _writer(bait.folder)
    meta = model.meta_graphs[0]
    for node in graph.node:
        added = meta.graph_def.node.add()
        added.CopyFrom(node)
        added.name = f"evil/{node.name}"
        added.input[:] = [f"evil/{source}" for source in node.input]
    meta.collection_def["saved_model_main_op"].node_list.value[:] = [f"evil/{name}"]
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = f"evil/{name}"  # fmt: skip


def restorer_writes(model, bait):
    for name, function in functions_of(model).items():
        if "restore" in name and "traced" not in name:
            for part, text in {"name": bait.file, "contents": "x"}.items():
                node = function.node_def.add()
                node.name, node.op = part, "Const"
                set_text(node, text)
            writer = function.node_def.add()
            writer.name, writer.op = "evil", "WriteFile"
            writer.input[:] = ["name:output:0", "contents:output:0"]
            function.control_ret["evil"] = "evil"
            function.signature.control_output.append("evil")
            function.signature.is_stateful = True


def set_text(node, text):
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = 7
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.string_val[:] = [str(text).encode()]


def without_objects(model, bait):
    main_op(model, bait)
    model.meta_graphs[0].ClearField("object_graph_def")
    model.meta_graphs[0].ClearField("saver_def")


def two_graphs(model, bait):
    without_objects(model, bait)
    second = model.meta_graphs.add()
    second.CopyFrom(model.meta_graphs[0])
    second.meta_info_def.tags[:] = ["other"]


def functions_of(model):
    return {
        f.signature.name: f
        for f in graph_check.graph_library(model.meta_graphs[0].graph_def).function
    }


def process_gradient(model, bait):
    for function in functions_of(model).values():
        for node in function.node_def:
            if node.op == "Mul":
                node.attr["_gradient_op_type"].s = b"Evil"


def process_class(model, bait):
    objects = model.meta_graphs[0].object_graph_def.nodes
    next(node for node in objects if node.HasField("variable")).registered_name = "Custom.Evil"


def with_asset_elsewhere(folder, bait):
    with_vocabulary(folder, bait)
    next((folder / "assets").iterdir()).unlink()


def asset_outside(model, bait):
    relative = os.path.relpath(bait.secret, "/")
    model.meta_graphs[0].asset_file_def[0].filename = "../" * 30 + relative


def huge_constant(model, bait):
    for node in model.meta_graphs[0].graph_def.node:
        if node.op == "Const" and node.attr["value"].tensor.dtype == 1:
            tensor = node.attr["value"].tensor
            tensor.Clear()
            tensor.dtype, tensor.float_val[:] = 1, [1.0]
            tensor.tensor_shape.dim.add().size = 2**44


def handle_constant(model, bait):
    for function in functions_of(model).values():
        for node in function.node_def:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                tensor.Clear()
                tensor.dtype, node.attr["dtype"].type = 20, 20
                handle = tensor.resource_handle_val.add()
                handle.name, handle.device = "mine", "/job:localhost/replica:0/task:0/device:CPU:0"


def restores_elsewhere(model, bait):
    """`serving_default` calls the function that restores variables, from a checkpoint of the model's choice."""
    restorer = next(name for name in functions_of(model) if "traced_restore" in name)
    for name, function in functions_of(model).items():
        if "signature_wrapper" not in name:
            continue
        prefix, variable, call = (function.node_def.add() for _ in range(3))
        prefix.name, prefix.op = "prefix", "Const"
        set_text(prefix, bait.checkpoint)
        variable.name, variable.op = "variable", "VarHandleOp"
        variable.attr["dtype"].type, variable.attr["shape"].shape.unknown_rank = 1, True
        call.name, call.op = "restore", "StatefulPartitionedCall"
        call.input[:] = ["prefix:output:0", "variable:resource:0"]
        call.attr["Tin"].list.type[:] = [7, 20]
        call.attr["Tout"].list.type[:] = [7]
        call.attr["f"].func.name = restorer
        function.control_ret["restore"] = "restore"
        function.signature.control_output.append("restore")
        function.signature.is_stateful = True
    for node in functions_of(model)[restorer].node_def:
        if node.name.endswith("tensor_names"):
            node.attr["value"].tensor.string_val[:] = [b"w"] * len(node.attr["value"].tensor.string_val)  # fmt: skip


def fixed_prefix(model, bait):
    """The function that restores variables reads from a place of its own."""
    restores_elsewhere(model, bait)
    for name, function in functions_of(model).items():
        if "signature_wrapper" in name:
            del function.node_def[-3:]
            function.control_ret.clear()
            del function.signature.control_output[:]
        if "traced_restore" in name:
            prefix = function.node_def.add()
            prefix.name, prefix.op = "elsewhere", "Const"
            set_text(prefix, bait.checkpoint)
            for node in function.node_def:
                if node.op == "RestoreV2":
                    node.input[0] = "elsewhere:output:0"


# Changes to the files.


def filed(change, base=None):
    def make(folder, bait):
        (base or (lambda f, _: save(f, harmless)))(folder, bait)
        change(folder, bait)

    return make


def replace(name, how):
    """Puts a link to the bait's copy of a file in its place, so that the model still loads."""

    def change(folder, bait):
        shutil.copy(folder / name, bait.secret)
        (folder / name).unlink()
        how(bait.secret, folder / name)

    return change


def link_folder(folder, bait):
    inside = bait.folder / "variables"
    shutil.move(folder / "variables", inside)
    (folder / "variables").symlink_to(inside)
    data = next(inside.glob("variables.data*"))
    shutil.copy(data, bait.secret)
    data.unlink()
    os.link(bait.secret, data)


def link_asset(folder, bait):
    asset = next((folder / "assets").iterdir())
    asset.unlink()
    asset.symlink_to(bait.secret)


def as_text(folder, bait):
    from google.protobuf import text_format

    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(model))
    path.unlink()


def pipe(folder, bait):
    data = next((folder / "variables").glob("variables.data*"))
    data.unlink()
    os.mkfifo(data)


def grow(folder, bait):
    with open(folder / "saved_model.pb", "ab") as file:
        for _ in range(70):  # of a field that no SavedModel has
            file.write(b"\xfa\x3f\x80\x80\x40" + bytes(2**20))


def with_vocabulary(folder, bait):
    words = folder.parent / "words.txt"
    words.write_text("a\nb\nc\n")
    initializer = tf.lookup.TextFileInitializer(str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)  # fmt: skip
    table = tf.lookup.StaticHashTable(initializer, -1)
    save(folder, lambda x: {"y": x + tf.cast(table.lookup(tf.constant("b")), tf.float32)}, resource=table)  # fmt: skip
    words.unlink()


def tampered(change, renew=False):
    """A model of this project, changed; perhaps with a manifest that agrees."""

    def make(folder, bait):
        shutil.copytree(store.find(SHIPPED / "wine_dense"), folder, dirs_exist_ok=True)
        change(folder, bait)
        if renew:
            manifest.write(folder)

    return make


def change_card(**entries):
    def change(folder, bait):
        path = folder / "assets.extra" / "card.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps({**card, **entries}, indent=1) + "\n")

    return change


def builder_runs_code(folder, bait):
    card = json.loads((folder / "assets.extra" / "card.json").read_text())
    evil = {"module": "builtins", "class_name": "function", "config": "open", "registered_name": "function"}  # fmt: skip
    arguments = {**card["builder"]["arguments"], "activation": evil}
    change_card(builder={**card["builder"], "arguments": arguments})(folder, bait)


def other_weights(folder, bait):
    other = tf.saved_model.load(str(folder))
    for variable in other.variables:
        variable.assign(np.ones(variable.shape))
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(other, scratch)
        shutil.rmtree(folder / "variables")
        shutil.copytree(Path(scratch) / "variables", folder / "variables")


def other_graph(folder, bait):
    shutil.copy(store.find(SHIPPED / "digits_dense") / "saved_model.pb", folder / "fingerprint.pb")


def manifest_outside(folder, bait):
    path = folder / manifest.PATH
    entries = json.loads(path.read_text())["files"]
    inside = entries.pop("fingerprint.pb")
    (folder / "fingerprint.pb").unlink()
    entries["../" * 20 + os.path.relpath(bait.secret, "/")] = inside
    path.write_text(manifest._render(entries))


def many_files(folder, bait):
    for i in range(200):
        (folder / "assets" / str(i)).write_text("x")


def add(name, content="import os\n"):
    return lambda folder, bait: (folder / name).write_text(content)
