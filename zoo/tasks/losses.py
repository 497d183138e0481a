"""Losses and metrics that Keras lacks, and the settings of a loss."""

import keras

from zoo.keras_fixes import monitor_op
from zoo.keras_fixes.tensor_mask import mask_of
from zoo.models import checks

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
        monitor_op.rising(self)

    def update_state(self, y_true, y_pred, sample_weight=None):
        right = matches(y_true, y_pred)
        weights = keras.ops.ones_like(right) if sample_weight is None else sample_weight
        mask = mask_of(y_pred)
        if mask is not None:
            weights = keras.ops.where(mask, weights, 0.0)
        super().update_state(keras.ops.reshape(right, (-1,)), keras.ops.reshape(weights, (-1,)))


def of_classes(options):
    """Cross-entropy, for class ids or shares of the classes; focal where that is asked for."""
    return Crossentropy(options.label_smoothing, FOCAL_GAMMA if options.loss == "focal" else 0.0)


def of_labels(options):
    """Binary cross-entropy of several labels; focal where that is asked for."""
    smoothing = {"from_logits": True, "label_smoothing": options.label_smoothing}
    if options.loss == "focal":
        return keras.losses.BinaryFocalCrossentropy(gamma=FOCAL_GAMMA, **smoothing)
    return keras.losses.BinaryCrossentropy(**smoothing)


def refuse_of_classes(options, task):
    """Raises `InputError` for settings of the loss that only classes have.

    Args:
        options: The `OptimizerConfig`.
        task: What the task is, in words.
    """
    for key, default in (("label_smoothing", 0.0), ("loss", "auto"), ("class_weight", "none")):
        refuse(key, getattr(options, key), default, task)


def refuse(key, value, default, task):
    """Raises `InputError` where a setting for classes is not at its default."""
    if value != default:
        raise checks.InputError(
            f"{key}={value!r} is for classification; this task is {task}. Leave it out."
        )
