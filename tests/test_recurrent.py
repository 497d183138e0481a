"""The recurrent family: PyTorch's numbers, the mask that cuDNN can take, noise, and steps of any number."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import tiny
from tolerances import KERNELS, ORDER, ROUNDING, TORCH, assert_close

import zoo
from zoo.models.recurrent import TokenEmbedding

GATES = {"lstm": "ifgo", "gru": "zrg", "rnn": "h"}  # in Keras's order
TORCH_GATES = {"lstm": "ifgo", "gru": "rzg", "rnn": "h"}


def random_weights(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape) * 0.4)


def torch_layout(values, cell):
    """Keras's columns, gate by gate, as PyTorch's rows."""
    parts = dict(zip(GATES[cell], np.split(values, len(GATES[cell]), axis=-1)))
    return np.concatenate([parts[gate] for gate in TORCH_GATES[cell]], axis=-1).T


def torch_values(model, cell, value_of):
    """Name of the parameter of PyTorch's module → `value_of` the weight (or its gradient), laid out as PyTorch's."""
    found = {}
    for layer in model.layers:
        if not layer.name.startswith(cell):
            continue
        suffixes = {"": getattr(layer, "forward_layer", layer)}
        if hasattr(layer, "backward_layer"):
            suffixes["_reverse"] = layer.backward_layer
        number = int(layer.name.removeprefix(f"{cell}_")) - 1
        for suffix, one in suffixes.items():
            bias = value_of(one.cell.bias)
            bias = bias if bias.ndim == 2 else [bias, np.zeros_like(bias)]
            for name, values in {
                "weight_ih": value_of(one.cell.kernel),
                "weight_hh": value_of(one.cell.recurrent_kernel),
                "bias_ih": bias[0],
                "bias_hh": bias[1],
            }.items():
                found[f"{name}_l{number}{suffix}"] = torch_layout(values, cell)
    return found


def torch_logits(module, x, lengths, pooling, head):
    """PyTorch's stack over packed sequences, then the pooling of the steps that each sequence has."""
    import torch
    from torch.nn.utils import rnn

    packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, states = module(packed)
    states = states[0] if isinstance(states, tuple) else states
    steps, _ = rnn.pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    if pooling == "last":
        steps = torch.cat(list(states[-2:] if module.bidirectional else states[-1:]), -1)
    elif pooling != "none":
        each = [sequence[:length] for sequence, length in zip(steps, lengths)]
        pools = {"mean": lambda s: s.mean(0), "max": lambda s: s.amax(0)}
        steps = torch.stack([pools[pooling](sequence) for sequence in each])
    return steps @ head[0] + head[1]


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"),
    [
        ("lstm", "last", True),
        ("lstm", "none", False),
        ("gru", "mean", True),
        ("gru", "last", False),
        ("rnn", "max", True),
        ("rnn", "none", True),
    ],
)
def test_outputs_and_every_gradient_agree_with_pytorch(cell, pooling, bidirectional):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    plan = {"cell": cell, "pooling": pooling, "bidirectional": bidirectional}
    model, sample = tiny("recurrent", "classification", 2, num_layers=2, **plan)
    random_weights(model)
    ids = np.concatenate([sample.inputs, np.zeros_like(sample.inputs[:1])])  # the last is empty
    lengths = np.maximum((ids != 0).sum(1), 1)
    read = np.arange(ids.shape[1]) < lengths[:, None]
    with tf.GradientTape() as tape:
        logits = model(ids, training=True)
        shares = np.random.default_rng(1).normal(size=logits.shape).astype("float32")
        if pooling == "none":
            shares *= read[..., None]
        loss = tf.reduce_sum(logits * shares)
    ours = {w.path: w for w in model.trainable_weights}
    gradients = tape.gradient(loss, [w.value for w in ours.values()])
    gradients = {path: tf.convert_to_tensor(g).numpy() for path, g in zip(ours, gradients)}

    modules = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
    module = modules[cell](8, 8, num_layers=2, batch_first=True, bidirectional=bidirectional)
    values = torch_values(model, cell, lambda weight: weight.numpy())
    assert set(values) == {name for name, _ in module.named_parameters()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.tensor(values[name]))
    table, *head = (
        torch.tensor(ours[path].numpy(), requires_grad=True)
        for path in ("embedding/embeddings", "logits/kernel", "logits/bias")
    )
    theirs = torch_logits(module, table[torch.tensor(ids)], lengths, pooling, head)
    (theirs * torch.tensor(shares)).sum().backward()

    logits, theirs = np.array(logits), theirs.detach().numpy()
    if pooling == "none":
        logits, theirs = logits[read], theirs[read]
    assert_close(logits, theirs, TORCH)
    pairs = torch_values(model, cell, lambda weight: gradients[weight.path])
    pairs = {name: (pairs[name], p.grad.numpy()) for name, p in module.named_parameters()}
    for path, twin in zip(("embedding/embeddings", "logits/kernel", "logits/bias"), [table, *head]):
        pairs[path] = (gradients[path], twin.grad.numpy())
    for name, (a, b) in pairs.items():
        if name.startswith("bias_hh") and cell != "gru":
            continue  # the second of PyTorch's biases, which Keras has not
        assert_close(a, b, TORCH, err_msg=name)


def test_the_mask_is_one_that_cudnn_takes():
    from keras.src.backend.tensorflow.rnn import _assert_valid_mask

    ids = np.array([[1, 2, 3], [1, 2, 0], [0, 0, 0], [0, 1, 0], [0, 0, 4]])
    mask = TokenEmbedding(9, 2).compute_mask(ids)
    expected = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    np.testing.assert_array_equal(mask, np.array(expected, bool))
    _assert_valid_mask(mask)


def test_small_has_the_parameters_counted_by_hand():
    model = zoo.build("recurrent:small", input_shape=(50,), num_classes=10, vocabulary_size=1000)
    embedding, head = 1000 * 64, 64 * 10 + 10
    gate = 64 * 64 + 64 * 64 + 64  # from the token, from the state, bias
    assert model.count_params() == embedding + 4 * gate + head == 97_674


def test_stacked_is_layers_of_lstm_and_the_last_step():
    model = zoo.build("recurrent:stacked", input_shape=(7, 5), num_classes=4, units=6)
    first, second = model.get_layer("lstm_1"), model.get_layer("lstm_2")
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")
    steps = second(first(x))
    assert first.return_sequences
    assert steps.shape == (3, 6)
    assert_close(model(x), model.get_layer("logits")(steps), KERNELS)
    gate = (5 + 6 + 1) * 6 + (6 + 6 + 1) * 6
    assert model.count_params() == 4 * gate + 6 * 4 + 4


def test_sequences_of_any_length_are_the_same_model():
    x = np.random.default_rng(0).normal(size=(3, 12, 2)).astype("float32")
    models = []
    for steps in (12, None):
        keras.utils.set_random_seed(0)
        models.append(zoo.build_recurrent((steps, 2), 3, bidirectional=True, pooling="max"))
    assert_close(models[0](x), models[1](x), KERNELS)
    assert models[1](x[:, :5]).shape == (3, 3)


def test_images_are_read_row_by_row():
    keras.utils.set_random_seed(0)
    images, sequences = zoo.build_recurrent((6, 4, 2), 3), zoo.build_recurrent((6, 8), 3)
    sequences.set_weights(images.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 2)).astype("float32")
    assert_close(images(x), sequences(x.reshape(2, 6, 8)), KERNELS)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_one_output_per_step_learns_from_the_steps_of_the_text_alone(cell):
    """Targets and outputs of padding count neither in the loss nor in a gradient."""
    trained = []
    for more in (0, 5):
        model, sample = tiny(
            "recurrent", "classification", 2, cell=cell, bidirectional=True, pooling="none"
        )
        random_weights(model)
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        ids = np.pad(sample.inputs, ((0, 0), (0, more)))
        loss = model.train_on_batch(ids, ids % 3)
        trained.append([loss, *model.get_weights()])
    for a, b in zip(*trained):
        assert_close(a, b, ORDER)


@pytest.mark.slow
def test_it_learns_one_output_per_step():
    keras.utils.set_random_seed(0)
    model, sample = tiny("recurrent", "classification", 2, bidirectional=True, pooling="none")
    model.compile(
        keras.optimizers.Adam(0.03),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    follows = np.pad(sample.inputs[:, 1:], ((0, 0), (0, 1))) > 10  # seen by the backward direction
    model.fit(sample.inputs, follows, epochs=40, batch_size=8, verbose=0)
    assert model.evaluate(sample.inputs, follows, verbose=0)[1] > 0.9


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_two_directions_drop_other_parts_of_the_state(cell):
    keras.utils.set_random_seed(0)
    model = zoo.build_recurrent(
        (1, 4), None, cell=cell, units=64, bidirectional=True, recurrent_dropout=0.5
    )
    directions = model.get_layer(f"{cell}_1")
    twins = [directions.forward_layer.cell, directions.backward_layer.cell]
    masks = [np.array(one.get_recurrent_dropout_mask(tf.ones((1, 64)))) for one in twins]
    assert masks[0].any()
    assert not np.array_equal(masks[0], masks[1])


def test_recurrent_dropout_acts_in_training_alone():
    model, sample = tiny("recurrent", "classification", bidirectional=True, recurrent_dropout=0.5)
    x = sample.inputs
    np.testing.assert_array_equal(model(x), model(x))
    first, second = np.array(model(x, training=True)), np.array(model(x, training=True))
    assert np.abs(first - second).max() > 1e-3
    plain, _ = tiny("recurrent", "classification", bidirectional=True)
    plain.set_weights(model.get_weights())
    assert_close(model(x), plain(x), KERNELS)  # products gate by gate


def test_embedding_dropout_takes_the_same_dimensions_from_every_step_in_training_alone():
    arguments = {"vocabulary_size": 20, "embedding_dim": 64, "pooling": "max"}
    model = zoo.build_recurrent((None,), 3, embedding_dropout=0.5, **arguments)
    tokens = np.random.default_rng(0).integers(1, 20, (4, 7))
    dropped = keras.Model(model.inputs, model.get_layer("embedding_dropout").output)
    gone = np.array(dropped(tokens, training=True)) == 0
    assert 0.3 < gone.mean() < 0.7
    np.testing.assert_array_equal(gone, np.repeat(gone[:, :1], 7, axis=1))
    assert not np.array_equal(gone[0], gone[1])

    plain = zoo.build_recurrent((None,), 3, **arguments)
    plain.set_weights(model.get_weights())
    padded = np.pad(tokens, ((0, 0), (0, 3)))  # the mask goes through the dropout
    assert_close(model(padded), plain(tokens), KERNELS)


@pytest.mark.slow
def test_a_model_with_recurrent_dropout_is_served(in_tmp):
    x = np.random.default_rng(0).normal(size=(80, 6, 3)).astype("float32")
    trained = zoo.train(
        "recurrent:tiny",
        (x, x[:, -1, 0] > 0),
        model_args={"bidirectional": True, "recurrent_dropout": 0.3},
        epochs=1,
        batch_size=8,
        quiet=True,
    )
    served = zoo.load(trained.export)
    first = served.predict(x)["probabilities"]
    np.testing.assert_array_equal(first, served.predict(x)["probabilities"])
    assert_close(first.sum(-1), np.ones(len(x)), ROUNDING)


def test_without_tokens_there_is_nothing_to_adapt():
    model, _ = tiny("recurrent", "classification")
    with pytest.raises(zoo.InputError, match="nothing to adapt"):
        zoo.enable_lora(model, 2)
