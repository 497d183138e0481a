"""Fitting: Keras owns the loop, callbacks own the rest."""

import logging
import sys

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.keras_fixes import symbolic_build
from zoo.models import checks
from zoo.tasks import model_checks, pictures
from zoo.training import callbacks, checkpoints, own, own_models, progress, resume, signals
from zoo.training import strategy as strategies
from zoo.training.compile import class_weights

log = logging.getLogger("zoo")

PROFILED = (10, 20)  # steps; the first few compile


def training_batches(splits, class_weight="none", first_epoch=0, first_step=0):
    """The training batches without end, as (inputs, targets) or (inputs, targets, weights).

    The weights of examples are multiplied by those of their classes. These come with the batches because Keras's `fit(class_weight=...)` gives a mixed label the weight of its
    largest share. A mixed label's weight here is the mean of its classes' weights by their shares.

    Args:
        splits: The `Splits`, mapped to what the model takes.
        class_weight: As in the config.
        first_epoch, first_step: Where to begin, as in `Splits.train_forever`.
    """
    weights = None if class_weight == "none" else class_weights(class_weight, splits)
    batches = splits.train_forever(first_epoch, first_step)
    if weights is None:
        return batches
    table = tf.constant(weights)

    def weigh(inputs, targets, *own):
        is_mixed = targets.shape.rank > 1
        weight = tf.linalg.matvec(targets, table) if is_mixed else tf.gather(table, targets)
        return inputs, targets, weight * own[0] if own else weight

    return batches.map(weigh, num_parallel_calls=2)


def _draw_augmented(splits, path):
    """Draws the first training examples as the model will see them, before they are prepared."""
    images, captions = [], []
    for batch, targets, *_ in (
        splits.mapped(None).train_forever().take(-(-pictures.AUGMENTED // splits.batch_size))
    ):
        images += list(batch.numpy())
        caption = splits.task.caption
        captions += [caption(splits.info, target) for target in targets.numpy()]
    pictures.augmented(images[: pictures.AUGMENTED], captions, splits.policy, path)


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


def fit_model(model, splits, run, *, extra_callbacks=(), draw=True, keeps_best=False, goes_on=True):
    """Trains a compiled model on `splits.train`, keeps the best epoch by the run's `monitor` on the validation split.

    A run that is resumed goes on where its newest checkpoint is, bit for bit on CPUs. Ctrl-C and SIGTERM save the
    state at the end of the step and end the process with 130 or 143.

    Writes `metrics.csv`, `checkpoints/`, `curves.png` and, where training images are augmented, `augmented.png` into the
    run's folder.

    Args:
        model: A model from `compile_model`.
        splits: The `Splits`, mapped to what the model takes.
        run: The `Run`: settings and folder.
        extra_callbacks: More Keras callbacks.
        draw: Whether to draw the pictures.
        keeps_best: Whether Ctrl-C ends the training alone, once an epoch has ended, in place of the process.
        goes_on: Whether a run that was stopped is trained further; otherwise its best epoch so far is taken.

    Returns:
        Keras's `History`, with two more attributes: `best_epoch`, the number of the epoch kept, from 0, and
        `seconds`, the wall time.

    Raises:
        InputError: The monitor is no value that the task logs; a callback watches a value that is not logged; a resumed run has other data, another model or
            other callbacks than before.
        NotFiniteError: The loss, a metric or a weight became NaN or infinite; the model has the weights of the best
            epoch before.
    """
    options, watched = run.config.run, _checked(model, splits, run, extra_callbacks)
    with signals.deferring() as asked:
        chain = _callbacks(splits, run, watched, model, extra_callbacks)
        kept = resume.Checkpoints(
            run.folder,
            watched,
            run.config.checkpoints,
            splits=splits,
            others=chain,
            asked=asked,
            keep_last=run.config.data.use_validation,
            compiled=own.of(model).described(),
            settings=run.config,
            strategy=run.strategy,
        )
        chain[0].best = kept
        strategy, replicas = run.strategy, run.strategy.num_replicas_in_sync
        whole = strategies.divisor(strategy, splits.batch_size)

        def weighted(part, *first):
            return training_batches(part, run.config.optimizer.class_weight, *first)

        spec = weighted(splits.part(0, replicas)).element_spec
        epoch, step, is_over = kept.take_up(model, spec) if goes_on else kept.take_best(model, spec)
        if is_over or epoch >= options.epochs:
            kept.set_state()
        else:
            drawn = run.folder / "augmented.png"
            if draw and splits.policy != "none" and not drawn.exists():
                _draw_augmented(splits, drawn)
            build_variables(model, strategy, spec)
            log.info("run folder: %s", run.folder)
            has_bar = _has_bar(run)
            with kept.stopping(keeps_best=keeps_best):
                model.fit(
                    strategies.spread(strategy, splits, lambda part: weighted(part, epoch, step)),
                    steps_per_epoch=splits.steps_per_epoch,
                    initial_epoch=epoch,
                    epochs=options.epochs,
                    validation_data=strategies.spread(
                        strategy, splits, lambda part: part.validation_for(whole)
                    ),
                    callbacks=[*chain, progress.Progress(options.epochs, has_bar), kept],
                    shuffle=False,  # the pipeline shuffles
                    verbose=int(has_bar),
                )
        kept.restore_best()
    if run.config.diagnose.profile:
        _say_where_the_profile_is(run.folder / "tensorboard")
    history = kept.history()
    history.seconds, history.best_epoch = kept.seconds, kept.best_epoch
    if draw:
        pictures.curves(history.history, kept.best_epoch, run.folder / "curves.png")
    return history


def _checked(model, splits, run, extra_callbacks):
    """The logged value that decides which epoch is kept, and its direction, after the checks that come before any training."""
    options, task = run.config.run, splits.task
    metrics = own.metrics_of(model)
    names = [metric.name for metric in (*task.metrics(), *metrics)]
    callbacks.check_monitors(extra_callbacks, names, metrics)
    watched = task.watched(options.monitor, metrics)
    spec = splits.test.element_spec[0]
    if splits.info.parts or not isinstance(spec, dict):  # of a decoder its task looks at the inputs
        shapes = tf.nest.map_structure(lambda one: tuple(one.shape[1:]), spec)
        model_checks.check_inputs(model, shapes)
    count, size = splits.examples["train"].count, splits.batch_size
    if 10 * (count % size) >= count:
        log.info(
            "an epoch has %d steps of %d examples; the other %d of %d training examples are left over, others each time",
            splits.steps_per_epoch, size, count % size, count,
        )  # fmt: skip
    _check_space(model, run)
    _check_execution(options.steps_per_execution, splits.steps_per_epoch)
    return watched


def _has_bar(run):
    """Whether Keras draws a progress bar: on a terminal alone, and for one of several workers."""
    return not run.config.run.quiet and run.is_chief and sys.stdout.isatty()


def build_variables(model, strategy, spec):
    """Makes the optimizer's variables, for which the first step would be traced twice, and metrics that a model's own step may not use.

    Those of a scaled loss come in another order then than in the first step, which checkpoints go by.
    """
    if not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        with strategy.scope():
            model.optimizer.build(model.trainable_variables)
    if own_models.has_own_step(model):  # Keras asks them for their results all the same
        symbolic_build.build_from_spec(model, spec)


def _check_execution(steps, steps_per_epoch):
    if steps_per_epoch % steps:
        fitting = [n for n in range(1, steps_per_epoch + 1) if steps_per_epoch % n == 0]
        raise checks.InputError(
            f"steps_per_execution={steps} does not divide the {steps_per_epoch} steps of an epoch. Use one of "
            f"{', '.join(map(str, fitting))}, or another batch_size."
        )


def _check_space(model, run):
    """Looks for room for the checkpoints (one more while it is written, and the best), the export, logs and pictures."""
    weights = sum(np.prod(v.shape, dtype=int) * v.value.dtype.size for v in model.variables)
    whole = 3 * weights  # with the optimizer's two slots for each
    count = run.config.checkpoints.keep_checkpoints + 2
    held = sum(p.stat().st_size for p in checkpoints.paths(run.folder / "checkpoints"))
    files.check_space(run.folder, count * whole + weights + 20 * 2**20 - held)


def _callbacks(splits, run, watched, model, others):
    """The recipe's own callbacks, in order: what judges an epoch, what changes weights, what stops; then the caller's."""
    options, (monitor, mode) = run.config.run, watched
    swaps = any(isinstance(one, keras.callbacks.SwapEMAWeights) for one in others)
    chain = [callbacks.StopAtNotFinite(batch=lambda: next(iter(splits.train_forever()))[0])]
    chain.append(callbacks.LearningRate())
    if own.averages(model.optimizer) and not swaps:
        chain.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    if run.config.optimizer.schedule == "plateau":
        chain.append(keras.callbacks.ReduceLROnPlateau(monitor, mode=mode, factor=0.5, patience=3))
    if options.patience is not None:
        chain.append(keras.callbacks.EarlyStopping(monitor, mode=mode, patience=options.patience))
    if options.tensorboard or run.config.diagnose.profile:
        chain.append(_tensorboard(run, splits.steps_per_epoch * options.epochs))
    return [*chain, *others]
