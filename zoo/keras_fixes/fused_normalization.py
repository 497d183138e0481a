"""Batch normalization that is slow on CPUs.

Fault: on a CPU Keras's batch normalization reads its input several times in training; TensorFlow's operation
`FusedBatchNormV3` reads it twice, and Keras never takes it.
Upstream: no issue known.
Seen in: Keras 3.15, TensorFlow 2.21.
Way round: `BatchNormalization.call` of a layer is replaced. Weights and function stay the same.
"""

import functools

import tensorflow as tf


def fuse(layer):
    """Makes a batch normalization run as one operation; `unfuse` takes it back.

    A layer stays as it is where the operation has no match for it: over several replicas, or in lower precision.

    Args:
        layer: A `keras.layers.BatchNormalization`.
    """
    if layer.compute_dtype == "float32" and not (layer.synchronized or layer.renorm):
        layer.call = functools.partial(_normalize, layer)


def unfuse(layer):
    """Gives a layer Keras's own operations back."""
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
