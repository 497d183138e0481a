"""Sentinels: each shows that a fault of Keras or TensorFlow which the zoo steps round is still there.

A sentinel that fails means that the fault has been mended, and that what steps round it can go: the docstring begins with
the file where that is.
"""

import ast
import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import KERNELS, ORDER, assert_close

import zoo
from zoo.config.config import OptimizerConfig
from zoo.keras_fixes import compiled_parts, kept_vocabulary, masked_loss, scalar_reduction
from zoo.models import attention, recurrent
from zoo.training import compile as compiling

FOLDER = Path(zoo.__file__).parent / "keras_fixes"
FILES = [path for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"]
RNG = np.random.default_rng(0)


def sentinels():
    """The names of the files that the sentinels of this file are about."""
    functions = [node for node in ast.parse(Path(__file__).read_text()).body if isinstance(node, ast.FunctionDef)]  # fmt: skip
    docstrings = [ast.get_docstring(node) or "" for node in functions]
    return {text.partition(":")[0] for text in docstrings if re.match(r"\w+/\w+\.py: ", text)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_fault_is_described_and_watched(path):
    words = ast.get_docstring(ast.parse(path.read_text()))
    found = re.findall(r"^(Fault|Upstream|Seen in|Way round): \S", words, re.MULTILINE)
    assert found == ["Fault", "Upstream", "Seen in", "Way round"]
    assert re.search(r"Seen in: .*\b(Keras|TensorFlow) \d+\.\d+", words)
    assert re.search(r"Upstream: .*(keras-team/keras#\d+|no issue known)", words)
    assert f"keras_fixes/{path.name}" in sentinels()


def two_devices():
    return zoo.make_strategy("mirrored", replicas=2)


def operations(function, *inputs):
    """Names of the operations of a traced function, those of the functions that it calls too."""
    graph = tf.function(function).get_concrete_function(*inputs).graph.as_graph_def()
    return set(re.findall(r'\bop: "(\w+)"', str(graph)))


# Several devices.


def test_keras_still_makes_the_same_noise_on_all_replicas():
    """keras_fixes/alike_seeds.py: `make_unlike`."""
    strategy = two_devices()
    with strategy.scope():
        dropout = keras.layers.Dropout(0.5, seed=1)
    run = tf.function(lambda: strategy.run(lambda: dropout(tf.ones((1, 64)), training=True)))
    first, second = strategy.experimental_local_results(run())
    np.testing.assert_array_equal(first, second)


def test_keras_still_clips_before_the_all_reduce():
    """keras_fixes/clip_before_reduce.py: `reduce_then_clip`."""
    strategy = two_devices()

    def run(count):
        config = OptimizerConfig(name="sgd", learning_rate=0.1, clip_norm=0.05)
        with strategy.scope():
            keras.utils.set_random_seed(3)
            model = zoo.build_dense((4,), 2)
            model.compile(compiling.make_optimizer(config, 1, replicas=count), "mse")
        x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        model.fit(tf.data.Dataset.from_tensors((x, x[:, :2] * 9)), verbose=0, shuffle=False)
        return model.get_weights()

    ours, plain = run(2), run(1)
    assert max(np.abs(a - b).max() for a, b in zip(ours, plain)) > 1e-4


def test_keras_still_normalizes_masked_steps_of_one_replica_alone():
    """keras_fixes/masked_moments.py: `synchronize`."""
    strategy = two_devices()
    x = tf.constant(RNG.normal(size=(2, 3, 4)), tf.float32)
    mask = tf.constant([[True] * 3, [True, False, False]])

    def means(masked):
        with strategy.scope():
            layer = keras.layers.BatchNormalization(synchronized=True, momentum=0.0)
            layer.build(x.shape)

        def step():
            i = tf.distribute.get_replica_context().replica_id_in_sync_group
            layer(x[i : i + 1], training=True, mask=mask[i : i + 1] if masked else None)
            return tf.identity(layer.moving_mean.value)

        return strategy.experimental_local_results(tf.function(lambda: strategy.run(step))())

    whole = tf.reduce_mean(x, (0, 1))
    for mean in means(masked=False):
        assert_close(mean, whole, ORDER)
    real = tf.reduce_mean(tf.boolean_mask(x, mask), 0)
    assert all(np.abs(mean - real).max() > 1e-3 for mean in means(masked=True))


def test_keras_still_takes_the_mean_of_each_replicas_own_mean():
    """keras_fixes/masked_loss.py: `MeanOfAllReplicas`."""
    strategy, values = two_devices(), tf.constant([[1.0, 2.0, 6.0], [100.0, 0.0, 0.0]])
    mask = tf.constant([[True] * 3, [True, False, False]])

    def total(loss):
        def step():
            i = tf.distribute.get_replica_context().replica_id_in_sync_group
            outputs = keras.layers.Masking()(values[i : i + 1, :, None])
            outputs._keras_mask = mask[i : i + 1]
            return loss(tf.zeros_like(outputs), outputs)

        return float(strategy.reduce("SUM", tf.function(lambda: strategy.run(step))(), axis=None))

    with strategy.scope():
        plain = keras.losses.MeanAbsoluteError()
        ours = masked_loss.MeanOfAllReplicas(plain)
    assert_close(total(ours), (1 + 2 + 6 + 100) / 4, ORDER)
    assert_close(total(plain), ((1 + 2 + 6) / 3 + 100) / 2, ORDER)


def test_keras_still_reads_a_batch_to_build_a_model_of_several_devices():
    """keras_fixes/symbolic_build.py: `build_from_description` (keras-team/keras#20585)."""

    class Read(Exception):
        pass

    class Batches:
        def __iter__(self):
            raise Read

    with two_devices().scope():
        model = zoo.build_dense((4,), 2)
        model.compile("sgd", "mse")
    with pytest.raises(Read):
        model._maybe_symbolic_build(iterator=Batches())


def test_keras_still_cannot_reduce_what_workers_computed():
    """keras_fixes/scalar_reduction.py: `repair` (keras-team/keras#20585)."""
    value = tf.constant(1.0)  # what a metric is within a step

    class Fake:
        def reduce(self, op, value, axis=None):
            if axis is not None:
                tf.reduce_sum(value, axis=axis)  # as TensorFlow's own
            return value

    source = scalar_reduction._reduce_of_keras
    with pytest.MonkeyPatch.context() as patch:
        trainer = scalar_reduction.trainer
        patch.setattr(trainer, "_collective_all_reduce_multi_worker", lambda _: True)
        with pytest.raises(tf.errors.InvalidArgumentError, match="reduction dimension"):
            source(value, Fake(), "mean")
        assert float(scalar_reduction._reduce(value, Fake(), "mean")) == 1.0


def test_another_keras_is_not_mended(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.16.0")
    with pytest.raises(zoo.InputError, match="Keras 3.16.0 is installed"):
        scalar_reduction.repair()


def test_keras_still_accumulates_no_gradients_on_several_devices():
    """training/step.py: its parts (keras-team/keras#20582)."""
    with two_devices().scope():
        model = zoo.build_dense((4,), 2)
        model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2), "mse")
    x = np.ones((8, 4), "float32")
    with pytest.raises(Exception, match="merge_call|replica"):
        model.fit(x, x[:, :2], batch_size=4, verbose=0)


# Training and its state.


@pytest.mark.parametrize("options", [{"name": "adam"}, {"name": "sgd", "clip_norm": 0.05}])
def test_keras_still_takes_each_occurrence_of_a_token_for_itself(options):
    """keras_fixes/sparse_gradients.py: `add_up`."""
    ids, targets = np.array([[1, 1, 1, 1, 1, 2, 3, 3]]), np.ones((1, 1))

    def train(optimizer):
        inputs = keras.Input((8,), dtype="int32")
        x = keras.layers.Flatten()(keras.layers.Embedding(5, 4)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(1)(x))
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
        model.compile(optimizer, "mse", run_eagerly=True)
        for _ in range(3):
            model.train_on_batch(ids, targets)
        return model.get_weights()[0]

    config = OptimizerConfig(learning_rate=0.1, **options)
    ours = compiling.make_optimizer(config, 3)
    plain = type(ours).from_config(ours.get_config())
    assert np.abs(train(plain) - train(ours)).max() > 1e-4


def test_keras_still_begins_with_a_whole_epoch():
    """keras_fixes/start_within_epoch.py: `pass_over`."""
    names = inspect.signature(keras.Model.fit).parameters
    assert [name for name in names if "initial" in name] == ["initial_epoch"]


def test_keras_callbacks_still_find_their_direction_late():
    """keras_fixes/monitor_op.py: `find_direction`."""
    model = zoo.build_dense((4,), 2)
    model.compile("sgd", "mse")
    for callback in (keras.callbacks.EarlyStopping(), keras.callbacks.ReduceLROnPlateau()):
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_begin(0)
        assert callback.monitor_op is None


def test_keras_focal_loss_still_has_no_gradient_where_it_is_needed_most():
    """training/tasks.py: `Crossentropy`."""
    logits, loss = tf.constant([[30.0, 0.0]]), keras.losses.CategoricalFocalCrossentropy
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(alpha=1.0, from_logits=True)(np.array([[0.0, 1.0]]), logits)
    np.testing.assert_array_equal(tape.gradient(value, logits), [[0, 0]])


# What Keras keeps to itself.


def test_keras_still_has_no_public_way_to_a_mask():
    """keras_fixes/tensor_mask.py: `mask_of`."""
    modules = (keras, keras.ops, keras.utils, keras.backend, keras.layers)
    assert not [name for module in modules for name in dir(module) if "keras_mask" in name]
    outputs = keras.layers.Embedding(3, 2, mask_zero=True)(np.ones((1, 2)))
    assert not [name for name in dir(outputs) if "mask" in name and name != "_keras_mask"]


def test_keras_still_has_no_hooks_on_calls_of_layers():
    """keras_fixes/layer_calls.py: `watching`."""
    public = [name for name in dir(keras.layers.Layer) if not name.startswith("_")]
    assert not [name for name in public if "hook" in name]


def test_keras_still_has_no_public_way_from_a_tensor_to_its_layer():
    """keras_fixes/tensor_origin.py: `origin` (keras-team/keras#20267)."""
    tensor = keras.layers.Dense(2)(keras.Input((3,)))
    public = [getattr(tensor, name) for name in dir(tensor) if not name.startswith("_")]
    assert not [value for value in public if isinstance(value, keras.Operation)]


# Layers.


def test_keras_lstm_still_loops_on_cpus():
    """keras_fixes/block_lstm.py: `fuse`."""
    names = operations(keras.layers.LSTM(3), tf.TensorSpec((2, 5, 4)))
    assert "While" in names
    assert "BlockLSTM" not in names


def test_the_second_block_lstm_still_has_the_gradient_of_the_first():
    """keras_fixes/block_lstm.py: `_in_order`."""
    rng = np.random.default_rng(0)
    x, h = tf.constant(rng.normal(size=(5, 2, 3)), tf.float32), tf.zeros((2, 4))
    w, zeros = tf.Variable(rng.normal(size=(7, 16)).astype("float32")), tf.zeros(4)
    layer = keras.layers.LSTM(4)
    layer.build((2, 5, 3))
    layer.set_weights([w[:3], w[3:], np.zeros(16)])
    with tf.GradientTape(persistent=True) as tape:
        out = tf.raw_ops.BlockLSTMV2(
            seq_len_max=5, x=x, cs_prev=h, h_prev=h, w=w, wci=zeros, wcf=zeros, wco=zeros,
            b=tf.zeros(16), cell_clip=0.0, use_peephole=False,
        )  # fmt: skip
        ours, theirs = tf.reduce_sum(out.h[-1]), tf.reduce_sum(layer(tf.transpose(x, [1, 0, 2])))
    assert_close(ours, theirs, KERNELS)
    right = tape.gradient(theirs, layer.cell.kernel.value)
    assert np.abs(tape.gradient(ours, w)[:3] - right).max() > 0.01


def test_keras_still_normalizes_by_many_operations():
    """keras_fixes/fused_normalization.py: `fuse`."""
    layer = keras.layers.BatchNormalization()
    names = operations(lambda x: layer(x, training=True), tf.TensorSpec((2, 5, 5, 4)))
    assert "FusedBatchNormV3" not in names


def test_keras_still_forgets_the_mask_after_rms_normalization():
    """models/attention.py: `RMSNorm`."""
    assert not keras.layers.RMSNormalization().supports_masking
    assert attention.RMSNorm().supports_masking


@pytest.mark.parametrize("ids", [[0, 0, 0], [0, 1, 0], [0, 0, 4]], ids=str)
def test_keras_masks_are_still_none_that_cudnn_takes(ids):
    """models/recurrent.py: `TokenEmbedding`."""
    from keras.src.backend.tensorflow.rnn import _assert_valid_mask

    ids = np.array([ids])
    _assert_valid_mask(recurrent.TokenEmbedding(9, 2).compute_mask(ids))
    with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded"):
        _assert_valid_mask(keras.layers.Embedding(9, 2, mask_zero=True).compute_mask(ids))


# Augmentation.


def seeded(layer, images, seed=0):
    return layer.get_random_transformation(images, seed=keras.random.SeedGenerator(seed))


def pixels(count):
    """Images that are not symmetric, as floats."""
    return tf.constant(RNG.integers(0, 256, (count, 8, 8, 1)), tf.float32)


def test_keras_randaugment_still_ignores_seeds_and_picks_for_the_whole_batch():
    """data/augment.py: the policy `randaugment`."""
    images, layer = pixels(4), keras.layers.RandAugment(dtype="float32")
    picks = [tuple(np.asarray(seeded(layer, images)["layer_idxes"])) for _ in range(8)]
    assert len(set(picks)) > 1
    assert len(picks[0]) == layer.num_ops  # not one for each image


def test_keras_still_equalizes_all_images_by_one_histogram():
    """data/augment.py: the policy `randaugment`."""
    dark, bright = (tf.random.uniform((1, 8, 8, 1), 0, 40, seed=1) + low for low in (0, 200))
    layer = keras.layers.Equalization(dtype="float32")
    alone = layer.transform_images(dark, None)
    together = layer.transform_images(tf.concat([dark, bright], 0), None)[:1]
    assert np.abs(alone - together).max() > 1


def test_keras_randaugment_still_posterizes_most_where_it_should_least():
    """data/augment.py: the policy `randaugment`."""
    weak, strong = (keras.layers.RandAugment(factor=factor) for factor in (0.1, 0.9))
    assert weak.random_posterization.factor[1] < strong.random_posterization.factor[1]  # bits left


def test_keras_cutmix_still_mixes_labels_by_the_area_before_rounding():
    """data/augment.py: the policy `cutmix`."""
    images = tf.zeros((64, 8, 8, 1))
    noise = seeded(keras.layers.CutMix((1.0, 1.0), dtype="float32"), images)
    cut = np.mean(noise["batch_masks"], axis=(1, 2, 3))
    assert np.abs(1 - cut - noise["mix_weight"]).max() > 1 / 64  # more than a pixel


def test_keras_random_crop_still_crops_the_whole_batch_at_one_place():
    """data/augment.py: the crops of its policies."""
    images, layer = tf.repeat(pixels(1), 8, 0), keras.layers.RandomCrop(4, 4, dtype="float32")
    crops = layer.transform_images(images, seeded(layer, images)).numpy()
    assert len(np.unique(crops.reshape(8, -1), axis=0)) == 1


# Exports.


def test_keras_still_traces_twice_what_it_exports(tmp_path):
    """keras_fixes/export_trace.py: `as_saved`."""
    traced, archive, model = [], keras.export.ExportArchive(), zoo.build_dense((4,), 2)
    archive.track(model)
    spec = keras.InputSpec(shape=(None, 4), dtype="float32")
    archive.add_endpoint("serve", lambda x: traced.append(1) or model(x), [spec])
    archive.write_out(str(tmp_path / "model"), verbose=False)
    assert len(traced) == 2


def test_keras_still_lists_variables_twice_in_an_export(tmp_path):
    """keras_fixes/export_variables.py: `list_once` (keras-team/keras#23553)."""
    model = zoo.build_dense((64,), 64, units=(256,))
    model.export(tmp_path / "plain", verbose=False)
    written = (tmp_path / "plain/variables/variables.data-00000-of-00001").stat().st_size
    assert written > 1.8 * 4 * model.count_params()


def test_keras_still_gives_no_loss_that_a_model_was_compiled_with_but_its_name():
    """keras_fixes/compiled_parts.py: `compiled_parts`."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    def off(y_true, y_pred):
        return keras.ops.abs(y_true - y_pred)

    metric = keras.metrics.MeanAbsoluteError()
    model.compile("sgd", off, metrics=[metric])
    assert compiled_parts.compiled_parts(model)["loss"] is off
    assert compiled_parts.compiled_parts(model)["metrics"] == [metric]
    public = model.get_compile_config()
    with pytest.raises(TypeError, match="off"):
        keras.saving.deserialize_keras_object(public["loss"])
    assert keras.saving.deserialize_keras_object(public["metrics"][0]) is not metric


def test_keras_still_loses_an_empty_text_that_is_the_last_word(tmp_path):
    """keras_fixes/kept_vocabulary.py: `keep`."""
    words, found = np.array(["no", "no", "no", "yes", "yes", ""]), []
    for way_round in (lambda lookup: None, kept_vocabulary.keep):
        lookup = keras.layers.StringLookup()
        lookup.adapt(words)
        way_round(lookup)
        inputs = keras.Input((), dtype="string")
        keras.Model(inputs, lookup(inputs)).save(tmp_path / "m.keras")
        loaded = keras.saving.load_model(tmp_path / "m.keras")
        found.append(keras.ops.convert_to_numpy(loaded(tf.constant(words))).tolist())
    assert found == [[1, 1, 1, 2, 2, 0], [1, 1, 1, 2, 2, 3]]
