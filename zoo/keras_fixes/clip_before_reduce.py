"""Clipping of each replica's gradient.

Fault: under a strategy Keras's optimizers clip before the all-reduce, each replica its own share of the gradient, which
trains differently on two devices than on one.
Upstream: no issue known; other gaps under `tf.distribute` are keras-team/keras#20582.
Seen in: Keras 3.15.
Way round: `Optimizer._clip_gradients` of an optimizer is replaced. Its class stays Keras's own, since a saved model
names the class of its optimizer, and has to be loaded without zoo.
"""

import tensorflow as tf


def replica_context():
    """The context of a replica among several; `None` outside of one."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def reduce_then_clip(optimizer):
    """Makes an optimizer clip the gradient of the global batch; returns the optimizer."""
    clip = optimizer._clip_gradients

    def clip_whole(grads):
        context = replica_context()
        if context is None:
            return clip(grads)
        # Every replica gets the clipped sum; the optimizer will add them up once more.
        clipped = clip(context.all_reduce("SUM", list(grads)))
        return [gradient / context.num_replicas_in_sync for gradient in clipped]

    optimizer._clip_gradients = clip_whole
    return optimizer
