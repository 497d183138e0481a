"""Models on several replicas: what a step of one device has to become.

Keras 3.15 has gaps here (keras-team/keras#20582, #20585); each way round is a function below, and a test shows
that it is still needed.
"""

import types

import keras
import tensorflow as tf


class _ReplicaSeeds(keras.random.SeedGenerator):
    """Folds the replica's number into each seed: the generator's state is mirrored, so the seeds are all alike."""

    def next(self, ordered=True):
        seed = super().next(ordered)
        context = tf.distribute.get_replica_context()
        if context is None:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, context.replica_id_in_sync_group)


def prepare_model(model, strategy):
    """Makes a plain model right for several replicas, before its first training step.

    Dropout and other noise differ between replicas, batch normalization sees the global batch, and Keras builds
    from the data set's description instead of reading (and mixing up) a real batch.

    Args:
        model: An uncompiled Keras model.
        strategy: The strategy in whose scope it was built.

    Returns:
        The model.
    """
    if strategy.num_replicas_in_sync == 1:
        return model
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
            layer._moments = types.MethodType(_moments_of_all_replicas, layer)
        for value in list(vars(layer).values()):
            if type(value) is keras.random.SeedGenerator:
                value.__class__ = _ReplicaSeeds
    model._maybe_symbolic_build = types.MethodType(_build_from_iterator, model)
    return model


def _moments_of_all_replicas(layer, inputs, mask):
    """Batch normalization's `_moments`; with a mask, Keras's own are those of one replica, synchronized or not."""
    context = tf.distribute.get_replica_context()
    if mask is None or context is None:
        return type(layer)._moments(layer, inputs, mask)
    mask = tf.cast(mask, "bool")[..., None]

    def total(values):
        return context.all_reduce("SUM", tf.reduce_sum(values, layer._reduction_axes))

    count = total(tf.cast(mask, inputs.dtype)) + keras.backend.epsilon()
    mean = total(tf.where(mask, inputs, 0)) / count
    return mean, total(tf.where(mask, tf.square(inputs - mean), 0)) / count


def _build_from_iterator(model, iterator=None, data_batch=None):
    """Keras's `_maybe_symbolic_build`, but from the element spec: keras-team/keras#20585."""
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


def prepare_loss(loss, strategy):
    """Makes a loss's mean over the steps that a mask leaves that of the global batch.

    Keras takes each replica's own mean, in which the steps of a replica with less padding count less.

    Args:
        loss: A Keras loss, or `None`.
        strategy: The strategy.

    Returns:
        The loss.
    """
    if strategy.num_replicas_in_sync > 1 and isinstance(loss, keras.losses.Loss):
        loss.__class__ = type(type(loss).__name__, (_MeanOfAllReplicas, type(loss)), {})
    return loss


class _MeanOfAllReplicas:
    def __call__(self, y_true, y_pred, sample_weight=None):
        loss, context = super().__call__(y_true, y_pred, sample_weight), _replica_context()
        mask = getattr(y_pred, "_keras_mask", None)
        if mask is None or context is None:
            return loss
        steps = tf.reduce_sum(tf.cast(mask, loss.dtype))
        of_all = context.all_reduce("SUM", steps)
        return loss * steps * context.num_replicas_in_sync / tf.maximum(of_all, 1)


def _replica_context():
    """The context of a replica among several; `None` outside of one."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


class ReduceThenClip:
    """Mixin for an optimizer that clips the gradient of the global batch, not of each replica's share of it.

    Keras clips before the all-reduce, which trains differently on two devices than on one.
    """

    def _clip_gradients(self, grads):
        context = _replica_context()
        if context is None:
            return super()._clip_gradients(grads)
        # Every replica gets the clipped sum; the optimizer will add them up once more.
        clipped = super()._clip_gradients(context.all_reduce("SUM", list(grads)))
        return [gradient / context.num_replicas_in_sync for gradient in clipped]
