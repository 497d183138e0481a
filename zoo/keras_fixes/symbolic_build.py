"""Building a model from the first batch of a distributed data set.

Fault: before the first step Keras reads a batch to learn its shapes. Under a strategy the batch is spread over devices,
and with several workers reading it fails or mixes up whose turn it is.
Upstream: keras-team/keras#20585.
Seen in: Keras 3.15.
Way round: `Model._maybe_symbolic_build` of a model is replaced by one that reads the data set's description.
"""

import types

import keras
import tensorflow as tf


def build_from_description(model):
    """Makes Keras build a model from the description of its data, without reading any."""
    model._maybe_symbolic_build = types.MethodType(_build_from_iterator, model)


def _build_from_iterator(model, iterator=None, data_batch=None):
    """What `keras.Model._maybe_symbolic_build` does."""
    if data_batch is not None:
        with model.distribute_strategy.scope():
            model._symbolic_build(data_batch=data_batch)
        return
    spec = iterator._distributed_dataset.element_spec
    build_from_spec(
        model,
        tf.nest.map_structure(
            lambda s: s._value_specs[0] if hasattr(s, "_value_specs") else s, spec
        ),
    )


def build_from_spec(model, spec):
    """Makes all variables of a compiled model, those of optimizer and metrics too, without reading a batch.

    Args:
        model: A compiled model.
        spec: The `element_spec` of its batches of (inputs, targets) or (inputs, targets, weights).
    """
    batch = keras.tree.map_structure(lambda s: keras.KerasTensor(s.shape, s.dtype.name), spec)
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=batch)
