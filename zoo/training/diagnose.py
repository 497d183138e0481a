"""Diagnosis: short trainings that say what is wrong before a long one does; each leaves the model as it was."""

import contextlib
import dataclasses
import logging

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.models import checks
from zoo.models.layers import all_layers
from zoo.training import callbacks, pictures
from zoo.training import own as own_parts
from zoo.training.compile import compile_model
from zoo.training.fit import training_batches
from zoo.training.step import teacher_of

log = logging.getLogger("zoo")

RATES = (1e-7, 10.0)
RANGE_STEPS = (50, 200)
RATES_TABLE = "learning_rates.csv"
OVERFIT_STEPS = 300
OVERFIT_LOSS = 0.1  # nats; with every example right
ACCURACIES = {"accuracy", "binary_accuracy"}
OVERFIT_SHARE = 0.01  # of the first loss, for a regression
NOT_FINITE = "The loss or a weight is not finite: lower the learning rate (--find-lr suggests one)."

# What is noise on purpose in Keras's layers, and where it is set.
_NOISE = (
    ((keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout), ("rate",)),
    ((keras.layers.GaussianNoise,), ("stddev",)),
    (
        (keras.layers.SimpleRNNCell, keras.layers.GRUCell, keras.layers.LSTMCell),
        ("dropout", "recurrent_dropout"),
    ),
)


def diagnose(model, splits, run):
    """Does what the config's part `diagnose` asks for in place of the training.

    `find_lr` is the learning rate range test (Smith 2017); `overfit_batch` trains on one batch. Pictures and figures
    go into the run's folder, the verdict to the log. Weights, seeds and optimizer are put back.

    Args:
        model: A model from `compile_model`.
        splits: The `Splits`, mapped to what the model takes.
        run: The `Run`.

    Returns:
        Whether the run was for diagnosis only; a recipe then ends: no score and no export.

    Raises:
        InputError: The model cannot fit one batch; the message says what to look at.
        NotFiniteError: The loss or a weight is not finite, even at the lowest learning rate.
    """
    asked = run.config.diagnose
    if not (asked.find_lr or asked.overfit_batch):
        return False
    log.info("run folder: %s", run.folder)
    teacher, own, variables = teacher_of(model), own_parts.of(model), model.variables
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    try:
        (find_learning_rate if asked.find_lr else overfit_batch)(model, splits, run)
    finally:
        for variable, value in zip(variables, before):
            variable.assign(value)
        with run.strategy.scope():
            compile_model(
                model,
                splits.info,
                run.config,
                steps_per_epoch=splits.steps_per_epoch,
                teacher=teacher,
                own=own,
            )
    return True


class _Steps(keras.callbacks.Callback):
    """Notes rate, loss and metrics of each step, and stops when `is_over(steps)` says so.

    It stops, too, at a loss that is not finite, or after a step that made a weight so: the next loss might not tell.
    A step is an epoch here: within an epoch Keras shows the mean of the losses so far.
    """

    def __init__(self, is_over):
        super().__init__()
        self.is_over, self.steps, self.is_finite = is_over, [], True

    def on_epoch_begin(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.steps.append({"learning_rate": float(keras.ops.convert_to_numpy(rate))})

    def on_epoch_end(self, epoch, logs=None):
        self.steps[-1] |= logs
        self.is_finite = np.isfinite(logs["loss"]) and callbacks.bad_weight(self.model) is None
        if not self.is_finite or self.is_over(self.steps):
            self.model.stop_training = True


def _train(model, batches, count, is_over):
    """Trains for up to `count` steps; returns a dict for each, and whether loss and weights are finite at the end."""
    watch = _Steps(is_over)
    model.fit(batches, steps_per_epoch=1, epochs=count, callbacks=[watch], shuffle=False, verbose=0)
    return watch.steps, watch.is_finite


def smoothed(losses):
    """Mean of each loss and its neighbours: 5 in all, or a twentieth of a long list."""
    losses = np.asarray(losses, "float64")
    reach = max(2, len(losses) // 40)
    return np.array([losses[max(0, i - reach) : i + reach + 1].mean() for i in range(len(losses))])


def find_learning_rate(model, splits, run):
    """Raises the learning rate step by step; writes `learning_rates.csv` and `.png`, and logs a suggestion."""
    fewest, most = RANGE_STEPS
    count = min(most, max(fewest, 5 * splits.steps_per_epoch))
    lowest, highest = RATES
    rise = keras.optimizers.schedules.ExponentialDecay(lowest, count - 1, highest / lowest)
    with run.strategy.scope():
        teacher, own = teacher_of(model), own_parts.of(model)
        compile_model(model, splits.info, run.config, learning_rate=rise, teacher=teacher, own=own)

    def is_over(steps):
        values = smoothed([step["loss"] for step in steps])
        return values[-1] > 4 * values.min()

    batches = training_batches(splits, run.config.optimizer.class_weight)
    every, _ = _train(model, batches, count, is_over)
    steps = [step for step in every if np.isfinite(step["loss"])]
    if len(steps) < 5:
        raise callbacks.NotFiniteError(
            f"The loss or a weight is not finite after {len(every)} steps, at a learning rate of about {lowest:g}: "
            "look for odd values in the inputs, and for layers that divide or take a logarithm."
        )
    rates, losses = np.array([[step["learning_rate"], step["loss"]] for step in steps]).T
    smooth, marks = smoothed(losses), suggest(rates, losses)
    rows = [f"{r:.6g},{a:.6g},{b:.6g}" for r, a, b in zip(rates, losses, smooth)]
    text = "\n".join(["learning_rate,loss,smoothed_loss", *rows])
    files.write_atomic(run.folder / RATES_TABLE, text + "\n")
    pictures.learning_rates(rates, losses, smooth, marks, run.folder / "learning_rates.png")
    if not marks:
        log.warning("the loss fell at no learning rate: try --overfit-batch, which says more")
        return
    found = "; ".join(f"--learning-rate {rate:.2g}: {reason}" for reason, rate in marks.items())
    log.info("%s (see %s)", found, run.folder / "learning_rates.png")


def suggest(rates, losses):
    """Suggests learning rates from a range test.

    Args:
        rates: Rising learning rates.
        losses: The loss at each.

    Returns:
        Reason → learning rate; empty where the smoothed loss nowhere falls by a tenth.
    """
    smooth = smoothed(losses)
    lowest = int(np.argmin(smooth))
    if smooth[lowest] > 0.9 * smooth[0]:
        return {}
    steepest = int(np.argmin(np.gradient(smooth, np.log(rates))[: lowest + 1]))
    return {
        "where the loss fell fastest": float(rates[steepest]),
        "a tenth of where it was lowest": float(rates[lowest] / 10),
    }


def overfit_batch(model, splits, run):
    """Trains on one batch only; writes `overfit_batch.png`, logs that it can be fitted, or raises `InputError`."""
    plain = run.config.replace(
        schedule="constant", warmup=0.0, weight_decay=0.0, ema=None,
        label_smoothing=0.0, loss="auto", class_weight="none", teacher=None, metrics=(), weighted_metrics=(),
    )  # fmt: skip
    optimizer = own_parts.of(model).optimizer
    own = own_parts.Own(optimizer=None if optimizer is None else own_parts.copied(optimizer))
    with run.strategy.scope():
        compile_model(model, splits.info, plain, own=own)
    # Without weights of examples, of which the loss that is wanted knows nothing.
    batch = next(iter(dataclasses.replace(splits, policy="none").train_forever()))[:2]
    is_regression = not splits.task.loss_is_in_nats

    def is_fitted(steps):
        first, last = steps[0], steps[-1]
        if is_regression:
            return last["loss"] < OVERFIT_SHARE * first["loss"]
        return last["loss"] < OVERFIT_LOSS and all(last[name] == 1 for name in ACCURACIES & {*last})

    with _without_noise(model):
        steps, is_finite = _train(
            model, tf.data.Dataset.from_tensors(batch).repeat(), OVERFIT_STEPS, is_fitted
        )
    first, last = steps[0]["loss"], steps[-1]["loss"]
    wanted = {"loss": OVERFIT_SHARE * first if is_regression else OVERFIT_LOSS}
    wanted |= dict.fromkeys(ACCURACIES & {*steps[-1]}, 1)
    pictures.steps(steps, wanted, run.folder / "overfit_batch.png")
    ends = ", ".join(f"{name} {steps[0][name]:.3g} → {steps[-1][name]:.3g}" for name in wanted)
    found = f"{len(steps)} steps on one batch of {splits.batch_size}: {ends}"
    if not (is_finite and is_fitted(steps)):
        limits = " and ".join(f"{name} {value:.2g}" for name, value in wanted.items())
        raise checks.InputError(
            f"overfit_batch failed. {found}; wanted {limits} (see {run.folder / 'overfit_batch.png'}).\n"
            f"{_advice(first, last, batch) if is_finite else NOT_FINITE}"
        )
    log.info("overfit_batch passed: model, loss and labels fit together. %s", found)


@contextlib.contextmanager
def _without_noise(model):
    """Switches dropout and other noise off; the next trace of the training step sees it."""
    kept = []
    for layer in all_layers(model):
        for kinds, names in _NOISE:
            if isinstance(layer, kinds):
                kept += [(layer, name, getattr(layer, name)) for name in names]
    for layer, name, _ in kept:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)


def _advice(first, last, batch):
    parts = [np.asarray(part) for part in tf.nest.flatten(batch[:2])]
    *inputs, targets = (part.reshape(len(part), -1) for part in parts)
    inputs = np.hstack(inputs)
    alike = len(np.unique(inputs, axis=0)), len(np.unique(np.hstack([inputs, targets]), axis=0))
    if alike[0] < alike[1]:
        return f"{alike[1] - alike[0]} examples have the inputs of another but not its label: look at the data."
    if last > 0.9 * first:
        return "It hardly learns: look whether the labels belong to the inputs, and try --find-lr."
    return "It learns, but not enough: try --find-lr, or a larger model."
