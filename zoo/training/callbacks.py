"""Callbacks that Keras lacks: a stop at numbers that are none, and the learning rate in the logs."""

import logging

import keras
import numpy as np
import tensorflow as tf

from zoo.keras_fixes import layer_calls, monitor_op
from zoo.models import checks
from zoo.models.layers import all_layers

log = logging.getLogger("zoo")

ADVICE = "Try a lower learning rate, clip_norm=1.0, or look for odd values in the inputs."


class NotFiniteError(checks.InputError):
    """A loss, a weight, an output or a score became NaN or infinite."""


class StopAtNotFinite(keras.callbacks.Callback):
    """Raises `NotFiniteError` at a NaN or an infinity: in the loss at the next step, in all else at the epoch's end.

    All else is the logs, the weights and the optimizer's variables. Before that the model gets the weights of the
    best epoch so far back. Keras's `TerminateOnNaN` looks at the loss alone, and leaves the model as it is. The loss can
    stay finite when weights are NaN: oneDNN's fused ReLU, which TensorFlow takes on some processors, makes 0 of NaN.

    Args:
        best: The run's `Checkpoints`.
        batch: Function without arguments → the inputs of a training batch, to look for the layer at fault.
    """

    # Keras may call `on_train_batch_end` in a thread while training goes on, which saves waiting for each step's
    # logs; so that method takes a note only, and `on_train_batch_begin`, which is never in a thread, acts on it.
    async_safe = True

    def __init__(self, best=None, batch=None):
        super().__init__()
        self.best, self.batch = best, batch
        self.epoch, self.steps_before, self.bad = 0, 0, {}

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.steps_before, self.bad = epoch, self._steps(), {}

    def on_train_batch_end(self, batch, logs=None):
        loss = logs.get("loss", 0.0)  # a training step of the caller's may log other names
        if not np.isfinite(loss):
            self.bad[batch] = loss

    def on_train_batch_begin(self, batch, logs=None):
        if self.bad:
            self._stop_at_step()

    def on_epoch_end(self, epoch, logs=None):
        if self.bad:
            self._stop_at_step()
        layer_and_weight = bad_weight(self.model)
        steps = f"after epoch {epoch + 1} (step {self._steps()})"
        for name, value in logs.items():
            if not np.all(np.isfinite(value)):
                self._stop(f"{name} is {value} {steps}", layer_and_weight)
        if layer_and_weight is not None:
            self._stop(f"A weight holds NaN or infinity {steps}", layer_and_weight)
        for variable in self.model.optimizer.variables:
            if not _is_finite(variable):
                self._stop(f"The optimizer's {variable.path} holds NaN or infinity {steps}", None)

    def _steps(self):
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _stop_at_step(self):
        step, value = min(self.bad.items())
        where = f"step {self.steps_before + step + 1} (epoch {self.epoch + 1})"
        self._stop(f"The loss is {value} at {where}", bad_weight(self.model))

    def _stop(self, what, layer_and_weight):
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if layer_and_weight is not None:
            first = "first layer with a weight of NaN or infinity: {!r}, {}".format(
                *layer_and_weight
            )
        elif self.batch is not None:
            first = f"all weights are finite; {bad_output(self.model, self.batch())}"
        else:
            first = "all weights are finite"
        raise NotFiniteError(
            f"{what}, at a learning rate of {rate:.3g}; {first}.\n{self._restore()}\n{ADVICE}"
        )

    def _restore(self):
        if self.best is None or self.best.best_epoch is None:
            return "No epoch before it was good, so the model's weights are of no use."
        self.best.restore_best()
        return f"The weights of epoch {self.best.best_epoch + 1} are restored, from {self.best.folder}."


def bad_weight(model):
    """The first layer, in the model's order, with a weight that is not finite, and that weight; `None` without one.

    A weight of no layer counts as the model's own.
    """
    for layer in [*model.layers, model]:
        for weight in layer.weights:
            if not _is_finite(weight):
                return layer.name, weight.path
    return None


def check_weights(model, what):
    """Raises `NotFiniteError` where a weight is not finite: on some processors the outputs do not tell.

    Args:
        model: The model.
        what: What does not happen to it then, for the message.
    """
    found = bad_weight(model)
    if found is not None:
        raise NotFiniteError(f"The weight {found[1]} holds NaN or infinity: {what}.")


def _is_finite(variable):
    return not keras.backend.is_float_dtype(variable.dtype) or _all_finite(variable.value)


def bad_output(model, inputs):
    """Says which layer is the first with an output that is not finite on a batch."""
    if not _all_finite(inputs):
        return "the inputs of a training batch are not"
    found = []

    def note(layer, arguments, options, outputs):
        if not _all_finite(outputs):
            found.append(layer.name)

    with layer_calls.watching(all_layers(model, include_self=False), note):
        model(inputs, training=False)
    if found:
        return (
            f"the first layer with an output of NaN or infinity on a training batch: {found[0]!r}"
        )
    return "so are all layers' outputs on a training batch: look at the targets, loss and metrics"


def _all_finite(tensors):
    return all(
        bool(tf.reduce_all(tf.math.is_finite(tensor)))
        for tensor in map(tf.convert_to_tensor, keras.tree.flatten(tensors))
        if tensor.dtype.is_floating
    )


def check_monitors(callbacks, names, metrics=()):
    """Raises `InputError` for what is no callback, or watches a value which no epoch will log; Keras would only warn.

    Args:
        callbacks: The caller's callbacks. What comes after one of a class of his own is not checked: that one may log.
        names: What is logged for the training split, without the `val_` names.
        metrics: Metrics of the caller's: of some nobody knows whether more is better.
    """
    unknown = {metric.name for metric in metrics if not monitor_op.is_known(metric)}
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise checks.InputError(
                "`callbacks` must be Keras callbacks, for example [keras.callbacks.EarlyStopping()], an object and not "
                f"its class. Received: {callback!r}"
            )
    known = ["loss", *names]
    known += [f"val_{name}" for name in known] + ["learning_rate"]
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str):
            checks.one_of(f"monitor of {type(callback).__name__}", monitor, known)
            if monitor.removeprefix("val_") in unknown and getattr(callback, "mode", "") == "auto":
                raise checks.InputError(
                    f"{type(callback).__name__} watches {monitor!r}, and nothing says whether more of it is better: pass mode='max' or "
                    "mode='min'."
                )
        of_keras = type(callback).__module__.startswith("keras.")
        if not of_keras or isinstance(callback, keras.callbacks.LambdaCallback):
            return


class LearningRate(keras.callbacks.Callback):
    """Adds the learning rate to the logs of each epoch; goes before the loggers."""

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = float(
            keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        )
