"""Fitting: Keras owns the loop, callbacks own the rest."""

import logging
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.training import callbacks, pictures, tasks

log = logging.getLogger("zoo")

PROFILED = (10, 20)  # steps; the first few compile


def training_batches(splits, class_weight="none"):
    """The training batches without end, as (inputs, targets) or (inputs, targets, weights).

    The weights come with the batches because Keras's `fit(class_weight=...)` gives a mixed label the weight of its
    largest share. A mixed label's weight here is the mean of its classes' weights by their shares.

    Args:
        splits: The `Splits`, mapped to what the model takes.
        class_weight: As in the config.
    """
    weights, batches = tasks.class_weights(class_weight, splits), splits.train_forever()
    if weights is None:
        return batches
    table = tf.constant(weights)

    def weigh(inputs, targets):
        is_mixed = targets.shape.rank > 1
        weight = tf.linalg.matvec(targets, table) if is_mixed else tf.gather(table, targets)
        return inputs, targets, weight

    return batches.map(weigh, num_parallel_calls=2)


def _draw_augmented(splits, path):
    """Draws the first training examples as the model will see them, before they are prepared."""
    images, captions = [], []
    for batch, targets in (
        splits.mapped(None).train_forever().take(-(-pictures.AUGMENTED // splits.batch_size))
    ):
        images += list(batch.numpy())
        captions += [_caption(splits.info, target) for target in targets.numpy()]
    pictures.augmented(images[: pictures.AUGMENTED], captions, splits.policy, path)


def _caption(info, target):
    """The label, or the labels of a mixed example with their shares."""
    if info.task == "regression":
        return f"{target:.4g}"
    if target.ndim == 0:
        return info.labels[target]
    top = [i for i in np.argsort(-target, kind="stable")[:2] if target[i] >= 0.005]
    return "\n".join(f"{info.labels[i]} {target[i]:.0%}" for i in top)


def _tensorboard(run, steps):
    """Keras's TensorBoard callback; with `profile` it records some steps."""
    first, last = (min(step, steps) for step in PROFILED)
    profiled = (first, last) if run.config.diagnose.profile else 0
    return keras.callbacks.TensorBoard(run.folder / "tensorboard", profile_batch=profiled)


def _say_where_the_profile_is(folder):
    if any(folder.rglob("*.xplane.pb")):
        log.info("profile: pip install xprof, then xprof --logdir %s", folder)
    else:
        log.warning("no profile was written into %s: another profiler may be running", folder)


def fit_model(model, splits, run, *, extra_callbacks=()):
    """Trains a compiled model on `splits.train`, keeps the best epoch by the validation score.

    Writes `metrics.csv`, `checkpoints/`, `curves.png` and, where training images are augmented, `augmented.png` into the
    run's folder.

    Args:
        model: A model from `compile_model`.
        splits: The `Splits`, mapped to what the model takes.
        run: The `Run`: settings and folder.
        extra_callbacks: More Keras callbacks.

    Returns:
        Keras's `History`, with two more attributes: `best_epoch`, the number of the epoch kept, from 0, and
        `seconds`, the wall time.

    Raises:
        InputError: A callback watches a value that is not logged.
        NotFiniteError: The loss, a metric or a weight became NaN or infinite; the model has the weights of the best
            epoch before.
    """
    options, task = run.config.run, tasks.task(splits.info.task)
    # Two checkpoints while one replaces the other, the export, and logs and pictures.
    weights = sum(np.prod(v.shape, dtype=int) * v.value.dtype.size for v in model.variables)
    files.check_space(run.folder, 3 * weights + 20 * 2**20)
    callbacks.check_monitors(extra_callbacks, [metric.name for metric in task.metrics()])
    best = callbacks.BestCheckpoint(run.folder / "checkpoints", task.monitor, task.mode)
    watch = callbacks.StopAtNotFinite(best, lambda: next(iter(splits.train_forever()))[0])
    chain = [watch, callbacks.LearningRate()]
    if run.config.optimizer.ema is not None:
        chain.append(
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        )  # before what saves weights
    chain += [best, keras.callbacks.CSVLogger(run.folder / "metrics.csv")]
    if options.patience is not None:
        chain.append(
            keras.callbacks.EarlyStopping(task.monitor, mode=task.mode, patience=options.patience)
        )
    if options.tensorboard or run.config.diagnose.profile:
        chain.append(_tensorboard(run, splits.steps_per_epoch * options.epochs))
    if splits.policy != "none":
        _draw_augmented(splits, run.folder / "augmented.png")
    batches = training_batches(splits, run.config.optimizer.class_weight)
    start = time.monotonic()
    history = model.fit(
        batches,
        steps_per_epoch=splits.steps_per_epoch,
        epochs=options.epochs,
        validation_data=splits.validation_for(run.strategy.num_replicas_in_sync),
        callbacks=[*chain, *extra_callbacks],
        shuffle=False,  # the pipeline shuffles
        verbose=0 if options.quiet else ("auto" if sys.stdout.isatty() else 2),
    )
    history.seconds = time.monotonic() - start
    if run.config.diagnose.profile:
        _say_where_the_profile_is(run.folder / "tensorboard")
    best.restore()
    history.best_epoch = best.best_epoch
    pictures.curves(history.history, best.best_epoch, run.folder / "curves.png")
    return history
