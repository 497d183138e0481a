"""TASKS: how a result is judged. The only home of losses and metrics."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from zoo.models import checks


@keras.saving.register_keras_serializable(package="zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits with integer labels and label smoothing (Szegedy et al. 2016).

    Keras's sparse loss has no smoothing, and its dense one wants one-hot labels.
    """

    def __init__(self, label_smoothing, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        labels = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        one_hot = keras.ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@dataclasses.dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        loss: Label smoothing → the loss; it takes logits.
        metrics: Makes the metrics shown in training.
        monitor: The logged value that picks the best epoch.
        mode: `"max"` or `"min"`: which monitor is better.
        score: (targets, outputs) as NumPy arrays → the test scores, the headline first.
    """

    loss: Callable
    metrics: Callable
    monitor: str
    mode: str
    score: Callable


def _cross_entropy(label_smoothing):
    if label_smoothing:
        return SmoothedCrossentropy(label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _squared_error(label_smoothing):
    if label_smoothing:
        raise checks.InputError("label_smoothing is for classification; this task is a regression.")
    return keras.losses.MeanSquaredError()


def softmax(logits):
    """Probabilities of logits, in float64."""
    shifted = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def example_losses(targets, logits):
    """Cross-entropy of each example, in nats."""
    picked = np.take_along_axis(softmax(logits), targets[:, None].astype("int64"), -1)[:, 0]
    return -np.log(np.maximum(picked, 1e-30))


def _classification_score(targets, logits):
    return {
        "accuracy": float(np.mean(logits.argmax(-1) == targets)),
        "cross_entropy": float(example_losses(targets, logits).mean()),
    }


def _regression_score(targets, outputs):
    errors = outputs.reshape(-1).astype("float64") - targets
    spread = np.mean(np.square(targets - targets.mean()))
    scores = {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
    if spread:  # targets that are all alike leave nothing to explain
        scores["r2"] = float(1 - np.mean(errors**2) / spread)
    return scores


TASKS = {
    "classification": Task(
        loss=_cross_entropy,
        metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        monitor="val_accuracy",
        mode="max",
        score=_classification_score,
    ),
    "regression": Task(
        loss=_squared_error,
        metrics=lambda: [keras.metrics.MeanAbsoluteError(name="scaled_mae")],
        monitor="val_loss",
        mode="min",
        score=_regression_score,
    ),
}


def task(name) -> Task:
    """Returns a row of the table; an unknown name raises `InputError`."""
    checks.one_of("task", name, TASKS)
    return TASKS[name]


def check_output(model, info):
    """Raises `InputError` unless the model's output fits the data: a wrong width would broadcast or give NaN."""
    task(info.task)
    if not getattr(model, "outputs", None):
        raise checks.InputError(
            f"The model {model.name!r} is not built: give it a keras.Input, so that its shapes are known."
        )
    shapes = [tuple(output.shape[1:]) for output in keras.tree.flatten(model.outputs)]
    if shapes != [(info.num_outputs,)]:
        wanted = f"one output of shape (batch, {info.num_outputs}) for the {info.task} {info.name}"
        raise checks.InputError(
            f"The model {model.name!r} gives outputs of shape {[(None, *s) for s in shapes]}; expected {wanted}. "
            f"Build it with num_classes={info.num_outputs}."
        )
    last = model.layers[-1]
    applied = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    if applied in ("softmax", "sigmoid"):
        raise checks.InputError(
            f"The last layer of {model.name!r} applies {applied}; the losses here take logits: remove it."
        )
