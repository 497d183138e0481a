"""An LSTM layer that is slow on CPUs.

Fault: on a CPU Keras's LSTM runs some twenty operations at each step, in a loop of the graph. TensorFlow has one operation
for all steps, `BlockLSTM`, which Keras never takes. (`BlockLSTMV2` has the gates in Keras's order, but TensorFlow gives it
the gradient of the first version, which is wrong for it.)
Upstream: no issue known.
Seen in: Keras 3.15, TensorFlow 2.21.
Way round: `LSTM.inner_loop` of a layer is replaced. Weights and function stay the same.
"""

import functools

import keras
import tensorflow as tf

# One BlockLSTM takes so many rows of a batch, half of a smaller one, more of a very large one: groups run in parallel.
GROUP, GROUPS = 32, 8


def fuse(layer, *, pads_ends_only):
    """Makes an LSTM layer run as one operation; `unfuse` takes it back.

    A layer stays as it is where the operation has no match for it: dropout on its inputs or state, activations of another
    kind, a mask that need not be padding at the end, batches of unknown size, lower precision.

    Args:
        layer: A `keras.layers.LSTM`.
        pads_ends_only: Whether every mask that reaches it leaves out steps at the end alone.
    """
    if layer.compute_dtype == "float32" and _is_plain(layer):
        layer.inner_loop = functools.partial(_all_steps, layer, pads_ends_only)


def unfuse(layer):
    """Gives a layer Keras's own loop back."""
    vars(layer).pop("inner_loop", None)


def _is_plain(layer):
    return (
        layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.use_bias
        and not (layer.dropout or layer.recurrent_dropout or layer.unroll or layer.stateful)
    )


def _all_steps(layer, pads_ends_only, sequences, initial_state, mask, training=False):
    """What `keras.layers.LSTM.inner_loop` returns: the last output, those of all steps, the last states."""
    (mask,) = keras.tree.flatten(mask) or [None]
    rows = sequences.shape[0]
    if rows is None or (mask is not None and not pads_ends_only):
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
