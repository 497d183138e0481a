"""A step without an update, before any training: a caller's model, loss and metrics on one batch of the data."""

import keras
import numpy as np
import tensorflow as tf

from zoo.models import checks
from zoo.training import own, own_models
from zoo.training.fit import build_variables, training_batches

# What Keras, TensorFlow and a caller's own functions raise on targets and outputs that do not fit.
_FAILURES = (TypeError, ValueError, AttributeError, KeyError, IndexError, NotImplementedError, tf.errors.OpError)  # fmt: skip


def rehearse_step(model, splits, run):
    """Calls a caller's model, loss and metrics on one training batch.

    Args:
        model: The compiled model.
        splits: The `Splits`, mapped to what the model takes.
        run: The `Run`.

    Raises:
        InputError: One of them fails, gives something else than a number, or the loss has no gradient.
    """
    has_step = own_models.has_own_step(model)
    is_own = has_step or own.of(model).is_of_loss or not getattr(model, "outputs", None)
    if not is_own or run.strategy.num_replicas_in_sync > 1:
        return
    batches = training_batches(splits, run.config.optimizer.class_weight)
    batch = next(iter(batches))
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    with tf.GradientTape() as tape:
        outputs = _tried("model", model.name, None, lambda: model(x, training=False))
        loss = None
        if has_step:
            _trace_steps(model, batches.element_spec, splits, run)
        else:
            name = own.loss_name(model)
            loss = _tried("loss", name, (y, outputs), lambda: own_models.loss_of(model, x, y, outputs, weights, False))  # fmt: skip
    if loss is not None:
        _check_loss(loss, tape.gradient(loss, [v.value for v in model.trainable_variables]), name)
    if not getattr(model, "outputs", None):
        _check_logits(model, outputs, splits)
    for metric in own.metrics_of(model):
        _check_metric(metric, y, outputs)


def _trace_steps(model, spec, splits, run):
    """Traces a model's own `train_step` and `test_step`, which changes nothing."""
    build_variables(model, run.strategy, spec)
    for name, given in (("train_step", spec), ("test_step", splits.validation.element_spec)):
        step = tf.function(getattr(model, name), autograph=False)
        what = f"a batch of {len(given)} parts, {keras.tree.map_structure(lambda s: s.dtype.name, given)}"
        logs = _tried(f"{name} of", model.name, what, lambda: step.get_concrete_function(given))  # noqa: B023 - called at once
        if not isinstance(logs.structured_outputs, dict):
            raise checks.InputError(
                f"The {name} of {model.name} must return a dict of what is logged. It returns: {logs.structured_outputs}"
            )


def _tried(what, name, parts, function):
    """What a function returns; an `InputError` with what it was given where it fails."""
    try:
        return function()
    except _FAILURES as error:
        given = parts or "prepared inputs"
        if isinstance(parts, tuple):
            y, outputs = (f"{part.dtype.name} {list(part.shape)}" for part in parts)
            given = f"targets {y} and outputs {outputs}"
        raise checks.InputError(
            f"The {what} {name} fails on {given}: {checks.plainly(error)}"
        ) from error


def _check_loss(loss, gradients, name):
    if np.ndim(loss) != 0:
        raise checks.InputError(
            f"The loss {name} is of shape {np.shape(loss)}: a loss is one number for a batch, or one for each example."
        )
    if gradients and all(gradient is None for gradient in gradients):
        raise checks.InputError(
            f"The loss {name} has no gradient, so nothing would be learned: it may use only differentiable operations of keras.ops "
            "or TensorFlow on y_pred, and neither NumPy, argmax nor round."
        )


def _check_logits(model, outputs, splits):
    """Refuses probabilities, which a model of a class of the caller's does not show before it is called."""
    found = np.asarray(outputs, "float64")
    is_share = found.ndim == 2 and found.shape[1] > 1 and (found >= 0).all()
    if is_share and splits.info.labels and np.allclose(found.sum(1), 1.0, atol=1e-3):
        raise checks.InputError(
            f"The outputs of {model.name!r} are probabilities, which add up to 1; the losses here take logits: leave the softmax out of "
            "its call()."
        )


def _check_metric(metric, y, outputs):
    def result():
        metric.update_state(y, outputs)
        return metric.result()

    found = _tried("metric", metric.name, (y, outputs), result)
    metric.reset_state()
    for value in keras.tree.flatten(found):
        if np.ndim(value) != 0:
            raise checks.InputError(
                f"The metric {metric.name!r} gives an array of shape {np.shape(value)}: a metric is one number. Take its mean."
            )
