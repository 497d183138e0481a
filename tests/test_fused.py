"""Layers as one operation: the same function and gradients as Keras's own, where it applies, and nowhere else."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import KERNELS, ROUNDING, assert_close

import zoo
from zoo.keras_fixes import block_lstm
from zoo.models.recurrent import TokenEmbedding
from zoo.training import fused

LENGTHS = [9, 4, 1, 0, 7, 9]
IDS = np.random.default_rng(0).integers(1, 20, (6, 9)) * (np.arange(9) < np.array(LENGTHS)[:, None])
SEQUENCES = np.random.default_rng(1).normal(size=(6, 9, 4)).astype("float32")


def traced(model, inputs):
    """Outputs, gradients and the names of the operations that they are computed by."""

    @tf.function
    def run(inputs):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(inputs, training=True))
            loss = tf.add_n([tf.reduce_sum(tf.sin(x)) for x in outputs])
        slopes = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        return outputs, [tf.convert_to_tensor(slope) for slope in slopes]

    return run(inputs), operations(run.get_concrete_function(inputs))


def operations(function):
    """Names of all operations of a traced function, those of the functions that it calls too."""
    return set(re.findall(r'\bop: "(\w+)"', str(function.graph.as_graph_def())))


def assert_fused_alike(model, inputs):
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) / 2)
    loop, names = traced(model, inputs)
    assert "BlockLSTM" not in names
    fused.fuse(model)
    one, names = traced(model, inputs)
    assert {"BlockLSTM", "BlockLSTMGrad"} <= names
    assert "While" not in names
    for a, b in zip(tf.nest.flatten(loop), tf.nest.flatten(one), strict=True):
        assert_close(b, a, KERNELS)
    fused.unfuse(model)
    assert "BlockLSTM" not in operations(tf.function(model).get_concrete_function(inputs))


@pytest.mark.parametrize(  # each pair of two settings once
    ("kind", "pooling", "bidirectional"),
    [("tokens", "last", True), ("tokens", "none", False), ("sequences", "last", False), ("sequences", "none", True)],
)  # fmt: skip
def test_the_operation_is_keras_loop(kind, pooling, bidirectional):
    options = {"units": 5, "num_layers": 2, "pooling": pooling, "bidirectional": bidirectional}
    if kind == "tokens":
        model = zoo.build_recurrent((None,), 3, vocabulary_size=20, embedding_dim=4, **options)
    else:
        model = zoo.build_recurrent((None, 4), 3, **options)
    assert_fused_alike(model, tf.constant(IDS if kind == "tokens" else SEQUENCES))


def test_groups_of_a_large_batch_are_the_batch():
    model = zoo.build_recurrent((None, 4), 3, units=5, bidirectional=True)
    rows = 2 * block_lstm.GROUP + 3
    assert_fused_alike(model, tf.constant(np.resize(SEQUENCES, (rows, 9, 4))))


def test_groups_do_not_grow_in_number_with_the_batch():
    model = zoo.build_recurrent((None, 4), 3, units=5)
    fused.fuse(model)
    call = tf.function(model).get_concrete_function(tf.TensorSpec((4096, 9, 4)))
    assert str(call.graph.as_graph_def()).count('op: "BlockLSTM"') == block_lstm.GROUPS


def test_batches_of_unknown_size_stay_with_keras():
    model = zoo.build_recurrent((None, 4), 3, units=5)
    fused.fuse(model)
    call = tf.function(model).get_concrete_function(tf.TensorSpec((None, 9, 4)))
    assert "BlockLSTM" not in operations(call)
    assert_close(call(tf.constant(SEQUENCES)), model(SEQUENCES), KERNELS)


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
def test_outputs_at_padding_and_states_are_those_of_keras(go_backwards, zeros):
    inputs = keras.Input((None,), dtype="int32")
    layer = keras.layers.LSTM(
        3,
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
        zero_output_for_mask=zeros,
    )
    assert_fused_alike(keras.Model(inputs, layer(TokenEmbedding(20, 4)(inputs))), tf.constant(IDS))


@pytest.mark.parametrize("shape", [(7, 5, 3), (8,), (6, 3)])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "momentum": 0.9}])
def test_batch_normalization_is_that_of_keras(shape, options):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(3, 2, (5, *shape)).astype("float32"))
    weight = tf.constant(rng.normal(size=x.shape).astype("float32"))

    def train():
        model = keras.Sequential([keras.Input(shape), keras.layers.BatchNormalization(**options)])
        model.set_weights([np.linspace(0.5, 2, v.shape[0]) for v in model.weights])
        yield model

        @tf.function
        def step(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.sin(model(x, training=True)) * weight)
            return tape.gradient(loss, [x, *(w.value for w in model.trainable_weights)])

        operations = {n.op for n in step.get_concrete_function(x).graph.as_graph_def().node}
        slopes = step(x)
        yield [*slopes, *model.weights, model(x, training=True), model(x)], operations

    alone, together = train(), train()
    next(alone)
    fused.fuse(next(together))
    (expected, before), (got, operations) = next(alone), next(together)
    assert ("FusedBatchNormV3" in before, "FusedBatchNormV3" in operations) == (False, True)
    for a, b in zip(expected, got, strict=True):
        assert_close(b, a, KERNELS)


def test_frozen_normalization_and_that_of_several_replicas_stay_with_keras():
    frozen = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
    frozen.layers[0].trainable = False
    fused.fuse(frozen)
    before = frozen.get_weights()
    expected = np.full((4, 3), 9 / np.sqrt(1 + frozen.layers[0].epsilon))
    assert_close(frozen(np.full((4, 3), 9.0), training=True), expected, ROUNDING)
    for a, b in zip(before, frozen.get_weights()):
        np.testing.assert_array_equal(a, b)
    several = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization(synchronized=True)]
    )
    fused.fuse(several)
    assert "call" not in vars(several.layers[0])


def test_what_the_operation_cannot_do_stays_with_keras():
    inputs = keras.Input((None, 4))
    masked = keras.layers.Masking(0.0)(inputs)  # may leave out any step
    for x, options in [
        (masked, {}),
        (inputs, {"dropout": 0.1}),
        (inputs, {"recurrent_dropout": 0.1}),
        (inputs, {"activation": "relu"}),
        (inputs, {"use_bias": False}),
        (inputs, {"dtype": "mixed_bfloat16"}),
    ]:
        model = keras.Model(inputs, keras.layers.LSTM(3, **options)(x))
        fused.fuse(model)
        assert "BlockLSTM" not in traced(model, tf.constant(SEQUENCES))[1], options


def test_a_run_trains_with_the_operation_and_exports_without(in_tmp, monkeypatch):
    traced_rows, real = [], block_lstm._block_lstm

    def spy(layer, sequences, *states):
        traced_rows.append(sequences.shape[1])
        return real(layer, sequences, *states)

    monkeypatch.setattr(block_lstm, "_block_lstm", spy)
    trained = zoo.train("recurrent:tiny", (SEQUENCES.repeat(6, 0) + np.arange(36)[:, None, None] / 100, np.arange(36) % 2),
                        epochs=1, batch_size=4, quiet=True)  # fmt: skip
    assert 2 in traced_rows  # half of a training batch
    graph = (Path(trained.export) / "saved_model.pb").read_bytes()
    assert b"BlockLSTM" not in graph
    assert b"While" in graph


def test_xla_compiles_keras_loop():
    info = zoo.load_dataset("digits").info
    for jit, expected in [("auto", True), ("on", False)]:
        model = zoo.build("recurrent:tiny", input_shape=info.input_shape, num_classes=10)
        zoo.compile_model(model, info, zoo.TrainConfig().replace(jit=jit))
        assert ("inner_loop" in vars(model.get_layer("lstm_1"))) == expected
