"""Gradients of an embedding, one slice for each occurrence of a token.

Fault: Keras on TensorFlow clips and squares each slice by itself where a batch holds a token several times: Adam's second
moment becomes a sum of squares in place of the square of a sum.
Upstream: no issue known.
Seen in: Keras 3.15.
Way round: `Optimizer.apply` of an optimizer is replaced. Its class stays Keras's own, since a saved model names the class
of its optimizer, and has to be loaded without zoo.
"""

import tensorflow as tf


def add_up(optimizer):
    """Makes an optimizer add up the slices of each gradient before it uses them; returns the optimizer."""
    apply = optimizer.apply

    def apply_whole(grads, trainable_variables=None):
        grads = [grad if grad is None else tf.convert_to_tensor(grad) for grad in grads]
        return apply(grads, trainable_variables)

    optimizer.apply = apply_whole
    return optimizer
