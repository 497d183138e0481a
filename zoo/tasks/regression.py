"""Regression: one number for each example."""

import functools

import keras
import tensorflow as tf

from zoo.tasks import linear_baseline, losses, model_checks, pictures, scores, targets
from zoo.tasks.row import Task


def _loss(options):
    losses.refuse_of_classes(options, "a regression")
    return keras.losses.MeanSquaredError()


def _predict(model, info, preparation, serving):
    def predict(features, raw, in_words=True):
        outputs = tf.cast(model(features, training=False), tf.float32)
        return {"prediction": preparation.restore(tf.reshape(outputs, (-1,)))}

    return predict


def _draw(model, splits, targets, outputs, folder):
    called = splits.info.target or "target"
    pictures.predicted(targets, outputs.reshape(-1), called, folder / "predicted.png")
    return ["predicted.png"]


def _candidates(kind):
    from sklearn.linear_model import Ridge

    return [Ridge(alpha=alpha) for alpha in (0.1, 1.0, 10.0, 100.0)]


def _predictions(model, features, info):
    return model.predict(features).reshape(-1, 1)


def _in_words(number):
    """A number with six digits, or all before its point."""
    return f"{number:.6g}" if abs(number) < 1e6 else f"{number:.10g}"


TASK = Task(
    name="regression",
    targets="number",
    convert=targets.of_numbers,
    check_targets=targets.check_numbers,
    prepare_targets=targets.Standardised,
    check_model=model_checks.check_numbers,
    caption=lambda info, target: f"{target:.4g}",
    loss=_loss,
    metrics=lambda: [keras.metrics.MeanAbsoluteError(name="scaled_mae")],
    loss_is_in_nats=False,
    score=scores.regression,
    interval=scores.regression_interval,
    interval_by=scores.BOOTSTRAP,
    constant=scores.of_training_targets(scores.constant_value),
    constant_is="the mean of the training targets",
    linear=functools.partial(
        linear_baseline.fit,
        candidates=_candidates,
        outputs_of=_predictions,
        score=scores.regression,
        best=min,
    ),
    draw=_draw,
    predict=_predict,
    key="prediction",
    in_words=lambda row: _in_words(row["prediction"]),
    columns=lambda row: {},
)
