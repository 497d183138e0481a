"""TASKS: how a result is judged. The only home of losses and metrics."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from zoo.keras_fixes.tensor_mask import mask_of
from zoo.models import checks
from zoo.training import forecasting, generation, scores, translation

FOCAL_GAMMA = 2.0  # the best of Lin et al. 2017


@keras.saving.register_keras_serializable(package="zoo")
class Crossentropy(keras.losses.Loss):
    """Cross-entropy of logits `[B, K]` with class ids `[B]` or with shares of the classes `[B, K]`; `[B, T, K]` likewise.

    Keras's sparse loss knows no smoothing, its dense one no class ids, and its focal one no gradient where the
    probability of the right class is below 1e-7, which it clips: the hardest examples would count nothing.

    Args:
        label_smoothing: Share of each target that is spread over all classes (Szegedy et al. 2016).
        gamma: Each class's term counts `(1 - p) ** gamma` times (Lin et al. 2017); their alpha is `class_weight` here.
    """

    def __init__(self, label_smoothing=0.0, gamma=0.0, name="crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing, self.gamma = label_smoothing, gamma

    def call(self, y_true, y_pred):
        ids = _class_ids(y_true, y_pred)
        if ids is not None and not self.label_smoothing and not self.gamma:
            return keras.losses.sparse_categorical_crossentropy(ids, y_pred, from_logits=True)
        classes = y_pred.shape[-1]
        shares = y_true if ids is None else keras.ops.one_hot(ids, classes, dtype=y_pred.dtype)
        if not self.gamma:
            return keras.losses.categorical_crossentropy(
                shares, y_pred, from_logits=True, label_smoothing=self.label_smoothing
            )
        shares = shares * (1 - self.label_smoothing) + self.label_smoothing / classes
        log_p = keras.ops.log_softmax(y_pred)
        return -keras.ops.sum(shares * (-keras.ops.expm1(log_p)) ** self.gamma * log_p, axis=-1)

    def get_config(self):
        return super().get_config() | {
            "label_smoothing": self.label_smoothing,
            "gamma": self.gamma,
        }


def _class_ids(targets, outputs):
    """Class ids as int32 `[B]` or `[B, T]`, or `None` where the targets are shares of the classes."""
    if len(targets.shape) == len(outputs.shape):
        if targets.shape[-1] != 1:
            return None
        targets = keras.ops.squeeze(targets, -1)
    return keras.ops.cast(targets, "int32")


@keras.saving.register_keras_serializable(package="zoo")
def matches(y_true, y_pred):
    """1 where the likeliest class is the class id, or the one with the largest share; otherwise 0."""
    ids = _class_ids(y_true, y_pred)
    ids = keras.ops.argmax(y_true, axis=-1) if ids is None else ids
    guesses = keras.ops.argmax(y_pred, axis=-1)
    return keras.ops.cast(keras.ops.equal(keras.ops.cast(ids, guesses.dtype), guesses), "float32")


@keras.saving.register_keras_serializable(package="zoo")
def label_matches(y_true, y_pred):
    """Share of an example's labels that are guessed right; a mixed label counts as there from one half on."""
    # A logit above 0 is a probability above 0.5.
    return keras.ops.mean(
        keras.ops.equal(keras.ops.cast(y_true, y_pred.dtype) > 0.5, y_pred > 0), axis=-1
    )


@keras.saving.register_keras_serializable(package="zoo")
class TokenAccuracy(keras.metrics.Mean):
    """Share of the tokens, padding left out, that are guessed right.

    Keras's own weighs a batch by the inverse of its width, so that the padding of other texts counts.
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        right = matches(y_true, y_pred)
        weights = keras.ops.ones_like(right) if sample_weight is None else sample_weight
        mask = mask_of(y_pred)
        if mask is not None:
            weights = keras.ops.where(mask, weights, 0.0)
        super().update_state(keras.ops.reshape(right, (-1,)), keras.ops.reshape(weights, (-1,)))


@dataclasses.dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        loss: `OptimizerConfig` → the loss, which takes logits; refuses settings that the task has not.
        metrics: Makes the metrics shown in training.
        monitor: The logged value that picks the best epoch.
        mode: `"max"` or `"min"`: which monitor is better.
        score: (targets, outputs) as NumPy arrays → the test scores, the headline first.
        interval: (targets, outputs) → low and high end of the headline's 95 % interval.
        interval_by: How the interval is made.
        constant: (splits, model) → outputs of one example or of each: the best that no input has a part in.
        constant_is: What they are.
        constant_name: What the report calls them.
        outputs: (model, splits, preparation, run) → what `score` takes, where that is not the model's own output.
    """

    loss: Callable
    metrics: Callable
    monitor: str
    mode: str
    score: Callable
    interval: Callable
    interval_by: str
    constant: Callable
    constant_is: str
    outputs: Callable | None = None
    constant_name: str = "constant guess"


def _of_targets(constant):
    """A constant guess that is told from the training targets alone."""
    return lambda splits, model: constant(splits.targets("train"), splits.info.num_outputs)


def _own_loss(options):
    """The model adds its own."""
    _refuse_of_classes(options, "a generation, whose loss is the model's own")


def _cross_entropy(options):
    return Crossentropy(options.label_smoothing, FOCAL_GAMMA if options.loss == "focal" else 0.0)


def _token_cross_entropy(options):
    _refuse("class_weight", options.class_weight, "none", "a translation")
    return _cross_entropy(options)


def _squared_error(options):
    _refuse_of_classes(options, "a regression")
    return keras.losses.MeanSquaredError()


def _absolute_error(options):
    _refuse_of_classes(options, "a forecast")
    return keras.losses.MeanAbsoluteError()


def _refuse_of_classes(options, task):
    for key, default in (("label_smoothing", 0.0), ("loss", "auto"), ("class_weight", "none")):
        _refuse(key, getattr(options, key), default, task)


def _refuse(key, value, default, task):
    if value != default:
        raise checks.InputError(
            f"{key}={value!r} is for classification; this task is {task}. Leave it out."
        )


def _binary_cross_entropy(options):
    smoothing = {"from_logits": True, "label_smoothing": options.label_smoothing}
    if options.loss == "focal":
        return keras.losses.BinaryFocalCrossentropy(gamma=FOCAL_GAMMA, **smoothing)
    return keras.losses.BinaryCrossentropy(**smoothing)


BOOTSTRAP = f"percentile bootstrap over test examples, {scores.RESAMPLES:,} resamples, fixed seed"

TASKS = {
    "classification": Task(
        loss=_cross_entropy,
        metrics=lambda: [keras.metrics.MeanMetricWrapper(matches, name="accuracy")],
        monitor="val_accuracy",
        mode="max",
        score=scores.classification,
        interval=scores.classification_interval,
        interval_by="Wilson's score interval",
        constant=_of_targets(scores.constant_class),
        constant_is="the classes' shares of the training split, so always its most frequent class",
    ),
    "regression": Task(
        loss=_squared_error,
        metrics=lambda: [keras.metrics.MeanAbsoluteError(name="scaled_mae")],
        monitor="val_loss",
        mode="min",
        score=scores.regression,
        interval=scores.regression_interval,
        interval_by=BOOTSTRAP,
        constant=_of_targets(scores.constant_value),
        constant_is="the mean of the training targets",
    ),
    # Targets of 0 and 1, [N, K]; one logit per label.
    "multilabel": Task(
        loss=_binary_cross_entropy,
        # Keras's AUC would say more and takes several times the step of a small model.
        metrics=lambda: [keras.metrics.MeanMetricWrapper(label_matches, name="binary_accuracy")],
        monitor="val_loss",  # the accuracy of rare labels hardly moves
        mode="min",
        score=scores.multilabel,
        interval=scores.multilabel_interval,
        interval_by=BOOTSTRAP,
        constant=_of_targets(scores.constant_labels),
        constant_is="the labels' shares of the training split",
    ),
    # Targets are the next values of a series, [N, horizon].
    "forecasting": Task(
        loss=_absolute_error,  # what is judged
        metrics=list,
        monitor="val_loss",
        mode="min",
        score=forecasting.score,
        interval=forecasting.interval,
        interval_by=f"percentile bootstrap over blocks of one horizon, {scores.RESAMPLES:,} resamples, fixed seed",
        constant=forecasting.constant,
        constant_is="the newest values known, one season or more before each step",
        outputs=forecasting.outputs,
        constant_name="seasonal naive",
    ),
    # Targets are not learned from; where there are classes, pictures show them.
    "generation": Task(
        loss=_own_loss,
        metrics=list,
        monitor="val_loss",
        mode="min",
        score=generation.score,
        interval=generation.interval,
        interval_by=BOOTSTRAP,
        constant=generation.constant,
        constant_is="each pixel by its mean in the training split, independently of the others",
        outputs=generation.outputs,
    ),
    # Targets are texts; the model answers token by token.
    "translation": Task(
        loss=_token_cross_entropy,
        metrics=lambda: [TokenAccuracy()],
        monitor="val_loss",
        mode="min",
        score=translation.score,
        interval=translation.interval,
        interval_by="Wilson's score interval",
        constant=translation.constant,
        constant_is="empty answers",
        outputs=translation.outputs,
    ),
}


def task(name) -> Task:
    """Returns a row of the table; an unknown name raises `InputError`."""
    checks.one_of("task", name, TASKS)
    return TASKS[name]


def check_class_weight(asked, info):
    """Raises `InputError` unless the weights asked for fit the classes; Keras would take 1 for a missing one.

    Args:
        asked: `"none"`, `"balanced"`, or a dict from label to weight.
        info: The `DataInfo`.
    """
    if asked == "none":
        return
    if info.task != "classification":
        raise checks.InputError(
            f"class_weight={asked!r} is for classification; {info.name} is a {info.task}. Leave it out."
        )
    if asked == "balanced":
        return
    given = [str(label) for label in asked]
    for label in given:
        checks.one_of("label in class_weight", label, info.labels)
    missing = [label for label in info.labels if label not in given]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise checks.InputError(
            f"class_weight lacks a weight for {', '.join(map(repr, missing[:5]))}{more}: give every label one."
        )


def class_weights(asked, splits):
    """What an example of each class counts in the training loss.

    Args:
        asked: `"none"`, `"balanced"`, or a dict from label to weight.
        splits: The `Splits`; only the labels of `train` are read, and those for `"balanced"` alone.

    Returns:
        float32 `[K]`, or `None` where all count the same.
    """
    info = splits.info
    check_class_weight(asked, info)
    if asked == "none":
        return None
    if isinstance(asked, dict):
        given = {str(label): weight for label, weight in asked.items()}
        return np.array([given[label] for label in info.labels], "float32")
    counts = np.bincount(splits.targets("train"), minlength=len(info.labels))
    # A class without examples needs no weight; the mean over the training examples is 1 either way.
    even = counts.sum() / np.count_nonzero(counts)
    return np.where(counts > 0, even / np.maximum(counts, 1), 0.0).astype("float32")
