"""Layers on CPUs in one operation of TensorFlow's, where Keras runs many: LSTM layers and batch normalization.

Weights and function stay the same. Keras's LSTM runs some twenty operations at each step; `BlockLSTM` takes all steps.
(`BlockLSTMV2` has the gates in Keras's order, but in TensorFlow 2.21 it is given the gradient of the first version, which
is wrong for it.) Keras's batch normalization reads its input several times; `FusedBatchNormV3` twice.
"""

import functools

import keras
import tensorflow as tf

from zoo.models.recurrent import TokenEmbedding

# One BlockLSTM takes so many rows of a batch, half of a smaller one, more of a very large one: groups run in parallel.
GROUP, GROUPS = 32, 8


def fuse(model):
    """Makes layers of a model run as one operation where CPUs train it; `unfuse` takes it back.

    A layer stays as it is where the operation has no match for it: an LSTM with dropout on its inputs or state,
    activations of another kind, a mask that need not be padding at the end, or batches of unknown size; a normalization
    over several replicas; lower precision.

    Args:
        model: A built Keras model.
    """
    if tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"):
        return  # they have kernels of their own
    layers = model._flatten_layers()
    ends_only = any(isinstance(layer, TokenEmbedding) for layer in layers) and not any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        for layer in layers
    )
    for layer in layers:
        if layer.compute_dtype != "float32":
            continue
        if type(layer) is keras.layers.LSTM and _is_plain_lstm(layer):
            layer.inner_loop = functools.partial(_all_steps, layer, ends_only)
        elif type(layer) is keras.layers.BatchNormalization and not (
            layer.synchronized or layer.renorm
        ):
            layer.call = functools.partial(_normalize, layer)


def unfuse(model):
    """Gives the layers of a model Keras's own operations back, for formats that lack the others."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.LSTM:
            vars(layer).pop("inner_loop", None)
        elif type(layer) is keras.layers.BatchNormalization:
            vars(layer).pop("call", None)


def _normalize(layer, inputs, training=None, mask=None):
    """What `keras.layers.BatchNormalization.call` returns."""
    if (
        not (training and layer.trainable)
        or mask is not None
        or layer.axis not in (-1, inputs.ndim - 1)
    ):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    outputs, mean, variance = tf.raw_ops.FusedBatchNormV3(
        x=inputs if inputs.ndim == 4 else tf.reshape(inputs, [-1, 1, 1, channels]),
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels]),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels]),
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
    )[:3]
    count = tf.cast(tf.size(inputs) // channels, "float32")
    variance *= (count - 1) / count  # the operation divides by count - 1, Keras by count
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
    return outputs if inputs.ndim == 4 else tf.reshape(outputs, tf.shape(inputs))


def _is_plain_lstm(layer):
    return (
        layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.use_bias
        and not (layer.dropout or layer.recurrent_dropout or layer.unroll or layer.stateful)
    )


def _all_steps(layer, ends_only, sequences, initial_state, mask, training=False):
    """What `keras.layers.LSTM.inner_loop` returns: the last output, those of all steps, the last states."""
    (mask,) = keras.tree.flatten(mask) or [None]
    rows = sequences.shape[0]
    if rows is None or (mask is not None and not ends_only):
        return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
    lengths = None if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    if layer.go_backwards:
        sequences = _reverse(sequences, lengths)
    groups = min(max(min(2, rows), rows // GROUP), GROUPS)
    sizes = [rows // groups + (i < rows % groups) for i in range(groups)]
    steps = [
        _block_lstm(layer, *group)
        for group in zip(
            tf.split(tf.transpose(sequences, [1, 0, 2]), sizes, axis=1),
            *(tf.split(state, sizes) for state in initial_state),
            strict=True,
        )
    ]
    hidden_steps, cell_steps = (tf.concat(parts, axis=1) for parts in zip(*steps, strict=True))
    hidden, cell = (_last(parts, lengths) for parts in (hidden_steps, cell_steps))
    if not layer.return_sequences:
        return hidden, hidden[:, None], [hidden, cell]
    outputs = tf.transpose(hidden_steps, [1, 0, 2])
    if mask is not None and layer.go_backwards:
        # Keras reads the padding first, from a state of zeros
        outputs = tf.where(mask[..., None], _reverse(outputs, lengths), 0.0)
        outputs = tf.reverse(outputs, [1])
    elif mask is not None:  # Keras repeats the last output, but not within `Bidirectional`
        filled = 0.0 if layer.zero_output_for_mask else hidden[:, None]
        outputs = tf.where(mask[..., None], outputs, filled)
    return hidden, outputs, [hidden, cell]


def _block_lstm(layer, sequences, hidden, cell):
    """Hidden and cell states `[T, B, units]` of sequences `[T, B, F]`."""
    zeros = tf.zeros([layer.units])
    operation = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(sequences, tf.int64)[0],
        x=sequences,
        cs_prev=cell,
        h_prev=hidden,
        w=_in_order(tf.concat([layer.cell.kernel, layer.cell.recurrent_kernel], axis=0)),
        wci=zeros,
        wcf=zeros,
        wco=zeros,
        b=_in_order(tf.convert_to_tensor(layer.cell.bias)),
        forget_bias=0.0,
        cell_clip=-1.0,  # not at all
        use_peephole=False,
    )
    return operation.h, operation.cs


def _reverse(sequences, lengths):
    if lengths is None:
        return tf.reverse(sequences, [1])
    return tf.reverse_sequence(sequences, lengths, seq_axis=1)


def _last(steps, lengths):
    """The last step of each sequence: [T, B, F] → [B, F]."""
    if lengths is None:
        return steps[-1]
    return tf.gather_nd(steps, tf.stack([lengths - 1, tf.range(tf.size(lengths))], axis=1))


def _in_order(weights):
    """The gates i, f, c, o of Keras in the order i, c, f, o of the operation."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)
