"""`tf.distribute` under Keras 3: the only home of strategies, replicas and what does not work with them.

Keras 3.15 has gaps here (keras-team/keras#20582, #20585); each way round is a function below, and a test shows
that it is still needed.
"""

import functools
import logging
import types

import keras
import tensorflow as tf

from zoo.models import checks
from zoo.training import accumulate, cluster, workers

log = logging.getLogger("zoo")


def make_strategy(name="auto", *, replicas=None):
    """Makes the strategy that `model.fit` runs under; the same object for the same arguments.

    Args:
        name: `"one"` device; `"mirrored"`: every GPU of this machine; `"multi_worker"`: every device of the machines
            that the variable `TF_CONFIG` lists; `"auto"`: multi_worker where that lists several, mirrored where there
            are two GPUs or more, otherwise one.
        replicas: How many devices `"mirrored"` uses. Without a GPU that many logical CPU devices are made, which
            helps to try a distributed run, not to speed it up.

    Returns:
        A `tf.distribute.Strategy`; for `"one"` TensorFlow's default, which costs nothing.

    Raises:
        InputError: There are fewer devices than `replicas`, or TensorFlow has started with fewer logical devices, or
            too early to join other workers.
    """
    checks.one_of("strategy", name, ("auto", "one", "mirrored", "multi_worker"))
    if replicas is not None:
        checks.positive_int("replicas", replicas)
    if name == "one" and replicas not in (None, 1):
        raise checks.InputError(
            f"strategy='one' has one device. Received: replicas={replicas}. Use 'mirrored'."
        )
    if name == "multi_worker" or (name == "auto" and cluster.here().count > 1):
        if replicas is not None:
            raise checks.InputError(
                f"replicas={replicas} is for strategy='mirrored'; several workers use all their devices: leave it out."
            )
        return workers.make_strategy()
    gpus = tf.config.list_physical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 or (replicas or 1) > 1 else "one"
    if name == "one":
        return tf.distribute.get_strategy()
    if not gpus:
        return _mirrored(_logical_cpus(replicas or 1))
    if replicas and replicas > len(gpus):
        raise checks.InputError(f"replicas={replicas}, but this machine has {len(gpus)} GPUs.")
    return _mirrored(tuple(f"GPU:{i}" for i in range(replicas or len(gpus))))


def _logical_cpus(replicas):
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        if replicas > 1 and len(tf.config.get_logical_device_configuration(cpu) or []) < replicas:
            configuration = [tf.config.LogicalDeviceConfiguration()] * replicas
            tf.config.set_logical_device_configuration(cpu, configuration)
    except RuntimeError:
        raise checks.InputError(
            f"TensorFlow has started in this process, so {replicas} logical CPU devices can no longer be made. "
            "Call zoo.make_strategy('mirrored', replicas=...) first thing in the process."
        ) from None
    return tuple(f"CPU:{i}" for i in range(replicas))


@functools.cache  # two MirroredStrategy objects in one process collide
def _mirrored(devices):
    # The default all-reduce of CPU devices fails inside a tf.while or tf.cond; one device can always add up.
    on_cpu = tf.distribute.ReductionToOneDevice() if devices[0].startswith("CPU") else None
    return tf.distribute.MirroredStrategy(list(devices), cross_device_ops=on_cpu)


def check_together(strategy, config):
    """Refuses what is known not to work together, with the reason, before anything is built.

    Args:
        strategy: From `make_strategy`.
        config: The `TrainConfig`.

    Raises:
        InputError: The combination would fail, or train to something else without an error.
    """
    replicas = strategy.num_replicas_in_sync
    if config.optimizer.accumulate > 1:
        accumulate.check(config, replicas)
    if workers.place(strategy).count > 1 and (
        config.diagnose.find_lr or config.diagnose.overfit_batch
    ):
        raise checks.InputError("find_lr and overfit_batch are for one worker: run them there.")
    if replicas == 1:
        return
    if config.run.jit == "on":
        raise checks.InputError(
            f"jit='on' with {replicas} replicas fails inside TensorFlow (resources of two devices in one cluster). "
            "Use jit='auto', or strategy='one'."
        )
    if config.run.precision == "mixed_float16":
        raise checks.InputError(
            f"mixed_float16 with {replicas} replicas: Keras looks for overflow on the first device only, and an "
            "overflow on another makes every weight NaN. Use precision='mixed_bfloat16', or strategy='one'."
        )
    if config.data.batch_size % replicas:
        raise checks.InputError(
            f"batch_size={config.data.batch_size} does not divide by {replicas} replicas: the examples of a step "
            f"would count unequally. Use a multiple, for example {replicas * max(1, config.data.batch_size // replicas)}."
        )


def spread(strategy, splits, batches):
    """The batches that Keras reads under a strategy; each of several workers makes its own part of every batch.

    Args:
        strategy: The strategy.
        splits: The `Splits`.
        batches: Function of `Splits` → their batches.
    """
    count = workers.place(strategy).count
    if count == 1:
        return batches(splits)  # Keras spreads them over the devices
    devices = strategy.num_replicas_in_sync // count

    def of_devices(*batch):
        def cut(values):
            return tf.reshape(values, tf.concat([[devices, -1], tf.shape(values)[1:]], 0))

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(cut, batch))

    def of_worker(context):
        part = batches(splits.part(context.input_pipeline_id, context.num_input_pipelines))
        return part if devices == 1 else part.flat_map(of_devices)

    return strategy.distribute_datasets_from_function(of_worker)


def predict(model, splits, split):
    """The outputs of a model for `validation` or `test`, in order, on every worker.

    They are those of whole steps of all devices: a few less of validation, a few more of test than there are examples.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync

    def batches(part):
        if split == "test":
            return part.test_inputs_for(replicas)
        return part.validation_for(replicas).map(lambda inputs, *_: inputs)

    return model.predict(spread(strategy, splits, batches), verbose=0)


def describe(strategy, batch_size):
    """What a step of several devices is, in words."""
    devices, count = strategy.num_replicas_in_sync, workers.place(strategy).count
    where = f"{count} workers, {devices} devices in all" if count > 1 else f"{devices} devices"
    return (
        f"{where}: each step takes {batch_size} examples, {batch_size // devices} on each device; the learning rate is "
        "that of the whole batch and is not scaled"
    )


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
