"""Batch normalization with a mask, over several replicas.

Fault: `BatchNormalization(synchronized=True)` takes the moments of one replica alone where there is a mask.
Upstream: no issue known; keras-team/keras#18671 brought `synchronized`, keras-team/keras#18921 the mask.
Seen in: Keras 3.15.
Way round: `BatchNormalization._moments` of a layer is replaced.
"""

import types

import keras
import tensorflow as tf


def synchronize(layer):
    """Makes a batch normalization see the global batch, with a mask and without."""
    layer.synchronized = True
    layer._moments = types.MethodType(_moments_of_all_replicas, layer)


def _moments_of_all_replicas(layer, inputs, mask):
    """What `keras.layers.BatchNormalization._moments` returns: mean and variance."""
    context = tf.distribute.get_replica_context()
    if mask is None or context is None:
        return type(layer)._moments(layer, inputs, mask)
    mask = tf.cast(mask, "bool")[..., None]

    def total(values):
        return context.all_reduce("SUM", tf.reduce_sum(values, layer._reduction_axes))

    count = total(tf.cast(mask, inputs.dtype)) + keras.backend.epsilon()
    mean = total(tf.where(mask, inputs, 0)) / count
    return mean, total(tf.where(mask, tf.square(inputs - mean), 0)) / count
