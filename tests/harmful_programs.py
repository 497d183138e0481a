"""What a SavedModel of plain TensorFlow may do when it is loaded, called or thrown away, and the functions that save it."""

import dataclasses
from pathlib import Path

import tensorflow as tf
from tensorflow.distribute.experimental.rpc.kernels import gen_rpc_ops

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


def with_constant(folder):
    table = tf.constant([1.0, 2.0, 3.0])
    save(folder, lambda x: {"y": x + table[0]}, resource=_Holder(table))


class _Holder(tf.Module):
    def __init__(self, tensor):
        super().__init__()
        self.tensor = tensor
