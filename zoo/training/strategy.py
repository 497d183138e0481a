"""Strategies of `tf.distribute`: made by name, told what does not work with them, and given their batches."""

import functools
import glob
import logging
import os

import tensorflow as tf

from zoo import families
from zoo.models import checks
from zoo.training import cluster, workers

log = logging.getLogger("zoo")


def make_strategy(name="auto", *, replicas=None):
    """Makes the strategy that `model.fit` runs under; the same object for the same arguments.

    Args:
        name: `"one"` device; `"mirrored"`: every GPU of this machine; `"multi_worker"`: every device of the machines
            that the variable `TF_CONFIG` lists; `"tpu"`: all cores of this machine's TPU, or of the one that the variable
            `TPU_NAME` names; `"auto"`: multi_worker where that lists several, mirrored where there
            are two GPUs or more, otherwise one.
        replicas: How many devices `"mirrored"` uses. Without a GPU that many logical CPU devices are made, which
            helps to try a distributed run, not to speed it up.

    Returns:
        A `tf.distribute.Strategy`; for `"one"` TensorFlow's default, which costs nothing.

    Raises:
        InputError: There are fewer devices than `replicas`, or TensorFlow has started with fewer logical devices, or
            too early to join other workers.
    """
    checks.one_of("strategy", name, ("auto", "one", "mirrored", "multi_worker", "tpu"))
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
    if name == "tpu":
        return _tpu()
    gpus = tf.config.list_physical_devices("GPU")
    _let_memory_grow(gpus)
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 or (replicas or 1) > 1 else "one"
    if name == "one":
        return tf.distribute.get_strategy()
    if not gpus:
        return _mirrored(_logical_cpus(replicas or 1))
    if replicas and replicas > len(gpus):
        raise checks.InputError(f"replicas={replicas}, but this machine has {len(gpus)} GPUs.")
    return _mirrored(tuple(f"GPU:{i}" for i in range(replicas or len(gpus))))


def _let_memory_grow(gpus):
    """Lets TensorFlow take a GPU's memory as it needs it, and leave the rest to others."""
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            log.info("%s: TensorFlow has started, so it keeps all of its memory", gpu.name)


def find_precision(name):
    """The dtype policy of a name: for `"auto"` what the devices are fast in.

    bfloat16 on GPUs from compute capability 8.0 (Ampere) on, float16 with loss scaling from 7.0 (Volta) on where there is
    one of them, otherwise float32.
    """
    if name != "auto":
        return name
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    least = min((d.get("compute_capability", (0, 0)) for d in details), default=(0, 0))
    if least >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if least >= (7, 0) and len(gpus) == 1 else "float32"


@functools.cache
def _tpu():
    """TensorFlow's strategy for TPUs. Looks for one first: TensorFlow would wait for minutes where there is none."""
    name = os.environ.get("TPU_NAME")
    if name is None and not (glob.glob("/dev/accel[0-9]*") or glob.glob("/dev/vfio/[0-9]*")):
        raise checks.InputError(
            "strategy='tpu', but this machine has no TPU (no /dev/accel* and no /dev/vfio/*), and the variable TPU_NAME "
            "names none. On a TPU VM install tensorflow-tpu; elsewhere use strategy='auto'."
        )
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name or "local")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


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
    parts, batch = config.optimizer.accumulate, config.data.batch_size
    if parts > 1 and batch % (parts * replicas):
        raise checks.InputError(
            f"accumulate={parts} cuts a batch of {batch} on {replicas} device(s) into unequal parts: use a batch_size "
            f"that divides by {parts * replicas}."
        )
    if workers.place(strategy).count > 1 and (
        config.diagnose.find_lr or config.diagnose.overfit_batch
    ):
        raise checks.InputError("find_lr and overfit_batch are for one worker: run them there.")
    family = families.FAMILIES.get(config.model.partition(":")[0])
    if workers.place(strategy).count > 1 and family is not None and family.adapt is not None:
        raise checks.InputError(
            f"{config.model} is for one worker: its tables are of 8 bits, which TensorFlow does not send from one to another. Train it "
            "on one machine, or choose another family."
        )
    if workers.place(strategy).count > 1 and config.run.steps_per_execution > 1:
        raise checks.InputError(
            f"steps_per_execution={config.run.steps_per_execution} on several workers fails inside TensorFlow (their "
            "all-reduce cannot be in a loop of its graph). Leave it out."
        )
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


def divisor(strategy, batch_size):
    """What the examples of validation and test must divide by: the devices; on a TPU, which needs fixed shapes, the batch."""
    is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    return batch_size if is_tpu else strategy.num_replicas_in_sync


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
    whole = divisor(strategy, splits.batch_size)

    def batches(part):
        if split == "test":
            return part.test_inputs_for(whole)
        return part.validation_for(whole).map(lambda inputs, *_: inputs)

    return model.predict(spread(strategy, splits, batches), verbose=0)


def describe(strategy, batch_size):
    """What a step of several devices is, in words."""
    devices, count = strategy.num_replicas_in_sync, workers.place(strategy).count
    where = f"{count} workers, {devices} devices in all" if count > 1 else f"{devices} devices"
    return (
        f"{where}: each step takes {batch_size} examples, {batch_size // devices} on each device; the learning rate is "
        "that of the whole batch and is not scaled"
    )
