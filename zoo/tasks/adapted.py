"""A loss or a metric of Keras's around one that takes targets and outputs in another form than the tasks have them."""

import keras

from zoo.keras_fixes import monitor_op


def _as_ids(y_true, y_pred):
    """Class ids, of ids or of shares of the classes."""
    is_mixed = len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] != 1
    return keras.ops.argmax(y_true, -1) if is_mixed else keras.ops.reshape(y_true, (-1,))


def _as_one_hot(y_true, y_pred):
    """One-hot rows, of class ids; shares of the classes stay as they are."""
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] != 1:
        return y_true
    ids = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
    return keras.ops.one_hot(ids, y_pred.shape[-1], dtype=y_pred.dtype)


def _aligned(y_true, y_pred):
    """Numbers `[B]` in the shape of the outputs, `[B, 1]`: their difference would otherwise be `[B, B]` without an error."""
    if len(y_pred.shape) == len(y_true.shape) + 1 and y_pred.shape[-1] == 1:
        return keras.ops.expand_dims(y_true, -1)
    return y_true


@keras.saving.register_keras_serializable(package="zoo")
class Adapted(keras.losses.Loss):
    """A loss that gets targets in the form that it takes.

    Args:
        loss: The Keras loss.
        one_hot: Give it one-hot rows in place of class ids; otherwise numbers `[B, 1]` in place of `[B]`.
    """

    def __init__(self, loss, one_hot=False):
        super().__init__(name=loss.name, reduction=loss.reduction, dtype=loss.dtype)
        self.loss, self.one_hot = loss, one_hot

    def call(self, y_true, y_pred):
        return self.loss.call((_as_one_hot if self.one_hot else _aligned)(y_true, y_pred), y_pred)

    def get_config(self):
        return {"loss": keras.saving.serialize_keras_object(self.loss), "one_hot": self.one_hot}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["loss"]), config["one_hot"])


@keras.saving.register_keras_serializable(package="zoo")
class AdaptedMetric(keras.metrics.Metric):
    """A metric that gets targets and outputs in the form that it takes.

    Args:
        metric: The Keras metric.
        form: What it gets of targets: `"ids"`, `"one_hot"`, `"positive"` (1 for the second of two classes, and its probability
            alone), `"labels"` (rows, as they are), or `"numbers"`.
        squash: What turns logits into probabilities: `"softmax"`, `"sigmoid"` or `None`.
        scale: Mean and standard deviation, to give it numbers in their units; `None` for standardised ones.
        prefix: What its name begins with.
    """

    def __init__(self, metric, form="numbers", squash=None, scale=None, prefix=""):
        super().__init__(name=prefix + metric.name, dtype=metric.dtype)
        self.metric, self.form, self.squash, self.scale, self.prefix = metric, form, squash, scale, prefix  # fmt: skip
        monitor_op.as_in(self, metric)

    def _brought(self, y_true, y_pred):
        if self.form == "numbers":
            y_true = _aligned(y_true, y_pred)
            mean, std = (keras.ops.cast(value, "float32") for value in self.scale or (0.0, 1.0))
            return [keras.ops.cast(values, "float32") * std + mean for values in (y_true, y_pred)]
        y_pred = keras.ops.cast(y_pred, "float32")
        if self.squash:
            y_pred = getattr(keras.ops, self.squash)(y_pred)
        if self.form in ("ids", "positive"):
            y_true = _as_ids(y_true, y_pred)
        elif self.form == "one_hot":
            y_true = _as_one_hot(y_true, y_pred)
        return (y_true, y_pred[:, 1]) if self.form == "positive" else (y_true, y_pred)

    def update_state(self, y_true, y_pred, sample_weight=None):
        return self.metric.update_state(*self._brought(y_true, y_pred), sample_weight)

    def result(self):
        return self.metric.result()

    def reset_state(self):
        self.metric.reset_state()

    def get_config(self):
        metric = keras.saving.serialize_keras_object(self.metric)
        rest = {name: getattr(self, name) for name in ("form", "squash", "scale", "prefix")}
        return {"metric": metric, **rest}

    @classmethod
    def from_config(cls, config):
        metric = keras.saving.deserialize_keras_object(config["metric"])
        return cls(**{**config, "metric": metric})
