"""Regression: one number for each example, or several, `[N, K]`, each standardised by itself."""

import functools

import keras
import numpy as np
import tensorflow as tf

from zoo.tasks import (
    boosted_baseline,
    linear_baseline,
    losses,
    model_checks,
    pictures,
    scores,
    target_checks,
    targets,
)
from zoo.tasks.row import Task


def _loss(options):
    losses.refuse_of_classes(options, "a regression")
    return keras.losses.MeanSquaredError()


def _predict(model, info, preparation, serving):
    shape = (-1, info.num_outputs) if info.target_names else (-1,)

    def predict(features, raw, in_words=True):
        outputs = tf.cast(model(features, training=False), tf.float32)
        return {"prediction": preparation.restore(tf.reshape(outputs, shape))}

    return predict


def _draw(model, splits, targets, outputs, folder):
    info = splits.info
    outputs = outputs if info.target_names else outputs.reshape(-1)
    names = info.target_names or (info.target or "target",)
    pictures.predicted(targets, outputs, names, folder / "predicted.png")
    return ["predicted.png"]


def _report(splits, targets, outputs, folder):
    if not splits.info.target_names:
        return []
    return [
        "r2 is the mean of the targets' coefficients of determination, so that each counts alike; rmse and mae are in the units of "
        "their target.",
        "",
    ]


def _candidates(kind):
    from sklearn.linear_model import Ridge

    return [Ridge(alpha=alpha) for alpha in (0.1, 1.0, 10.0, 100.0)]


def _predictions(model, features, info):
    return model.predict(features).reshape(-1, info.num_outputs)


def _in_words(number):
    """A number with six digits, or all before its point; of several by their names."""
    if isinstance(number, dict):
        return ", ".join(f"{name} {_in_words(value)}" for name, value in number.items())
    return f"{number:.6g}" if abs(number) < 1e6 else f"{number:.10g}"


def _columns(row):
    """The columns `prediction_NAME` of several numbers."""
    found = row["prediction"]
    return {f"prediction_{name}": v for name, v in found.items()} if isinstance(found, dict) else {}


def _caption(info, target):
    """The number of a training example, or the first few of several."""
    return "\n".join(f"{value:.4g}" for value in np.atleast_1d(target)[:3])


TASK = Task(
    name="regression",
    targets="number",
    convert=targets.of_numbers,
    names="target_names",
    check_targets=target_checks.check_numbers,
    prepare_targets=targets.Standardised,
    check_model=model_checks.check_numbers,
    caption=_caption,
    loss=_loss,
    metrics=lambda: [keras.metrics.MeanAbsoluteError(name="scaled_mae")],
    loss_is_in_nats=False,
    weighs_examples=True,
    score=scores.regression,
    more_scores=scores.by_target,
    interval=scores.regression_interval,
    interval_by=scores.BOOTSTRAP,
    constant=scores.of_training_targets(scores.constant_value),
    constant_is="the mean of the training targets",
    linear=functools.partial(
        linear_baseline.fit,
        candidates=_candidates,
        outputs_of=_predictions,
        score=scores.regression,
        more_scores=scores.by_target,
    ),
    boosted=functools.partial(
        boosted_baseline.fit, score=scores.regression, more_scores=scores.by_target
    ),
    resampled=scores.resampled_error,
    draw=_draw,
    report=_report,
    predict=_predict,
    key="prediction",
    in_words=lambda row: _in_words(row["prediction"]),
    columns=_columns,
)
