"""How a model of raw inputs is compiled: with the optimizer, the loss and the metrics of its training, as far as they are known."""

import dataclasses
import logging
import types

import keras
import numpy as np

from zoo.config.config import OWN, TrainConfig
from zoo.keras_fixes import sparse_gradients
from zoo.tasks import of_keras, task
from zoo.training import own as own_parts
from zoo.training.compile import make_optimizer

log = logging.getLogger("zoo")


def as_lists(values):
    """Numbers as a config of Keras's holds them: of an array the lists; also of one that Keras wrote down as an array."""
    values = values["config"]["value"] if isinstance(values, dict) else values
    return np.asarray(values).tolist()


@keras.saving.register_keras_serializable(package="zoo")
class InUnits(keras.losses.Loss):
    """A loss of numbers in the units of their targets, as large as that of the standardised ones it was trained by.

    Args:
        loss: A Keras loss, or a function of (y_true, y_pred); it gets standardised numbers in the shape of the outputs.
        std: The standard deviation that targets are divided by.
        mean: The mean that is subtracted before.
    """

    def __init__(self, loss, std, mean=0.0, name="in_units", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss, self.std, self.mean = loss, as_lists(std), as_lists(mean)

    def call(self, y_true, y_pred):
        y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
        mean, std = (
            keras.ops.convert_to_tensor(values, y_pred.dtype) for values in (self.mean, self.std)
        )
        scaled = [keras.ops.cast((values - mean) / std, "float32") for values in (y_true, y_pred)]
        is_loss = isinstance(self.loss, keras.losses.Loss)
        return self.loss.call(*scaled) if is_loss else self.loss(*scaled)

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return super().get_config() | {"loss": loss, "std": self.std, "mean": self.mean}

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def compiled(model, given=None):
    """Compiles a `RawModel` as its training was; the rate of an optimizer by name is the constant `learning_rate`.

    Args:
        model: The `RawModel`.
        given: The `zoo.training.own.Own` of its training; `None` where nobody has it any more, as of a run that is loaded. Keras's Adam and
            the loss of the task then take the place of what only Python could pass, and the log says so.

    Returns:
        The model.
    """
    card, answer = model.card, model.layers[-1]
    options = TrainConfig.from_mapping(dict(card.config), card.name).optimizer
    given = given or own_parts.Own()
    options = _without_unknown(options, given)
    row = task(card.task)
    loss, metrics = of_keras.loss_of(given.loss, row, options), row.metrics()
    more, weighted = _metrics(model, row, options, given)
    if row.targets in ("number", "steps"):
        metrics = [keras.metrics.MeanAbsoluteError(name="mae")]
        reduction = getattr(loss, "reduction", "sum_over_batch_size")
        scale = (answer.std, answer.mean)
        loss = InUnits(loss, *scale, reduction=reduction, dtype=model.output.dtype)
    taken = {metric.name for metric in (*more, *weighted)}
    metrics = [metric for metric in metrics if metric.name not in taken]
    with model.distribute_strategy.scope():
        optimizer = _optimizer(options, given)
        # XLA compiles neither texts nor images of any size.
        model.compile(
            optimizer,
            loss,
            metrics=[*metrics, *more],
            weighted_metrics=weighted or None,
            jit_compile=False,
        )
        optimizer.build(model.trainable_variables)
    return model


def _without_unknown(options, given):
    """The `OptimizerConfig` without names of the caller's objects that are not there, which the log names."""
    changes, lacking = {}, []
    for field, argument in (("name", "optimizer"), ("loss", "loss")):
        value = getattr(options, field)
        if value.startswith(OWN) and getattr(given, argument) is None:
            changes[field] = getattr(type(options)(), field)
            lacking.append(f"{argument} {value.removeprefix(OWN)}")
    for field in ("metrics", "weighted_metrics"):
        names = getattr(options, field)
        unknown = [name for name in names if name.startswith(OWN)]
        if unknown and getattr(given, field) is None:
            changes[field] = tuple(name for name in names if name not in unknown)
            lacking += [f"metric {name.removeprefix(OWN)}" for name in unknown]
    if lacking:
        log.warning(
            "the training had what only Python can pass: %s. The model is compiled without; model.compile takes it again",
            ", ".join(lacking),
        )
    return dataclasses.replace(options, **changes)


def _optimizer(options, given):
    """A new optimizer like that of the training."""
    if given.optimizer is None:
        return make_optimizer(options, 1, learning_rate=float(options.learning_rate))
    return sparse_gradients.add_up(own_parts.copied(given.optimizer))


def _metrics(model, row, options, given):
    """The caller's metrics, and those of them that weigh examples, for targets and outputs in their own units."""
    parts = [
        getattr(options if getattr(given, key) is None else given, key)
        for key in ("metrics", "weighted_metrics")
    ]
    if not any(parts):
        return [], []
    info = types.SimpleNamespace(num_outputs=model.output.shape[-1])
    found, names = [], []
    for several in parts:
        several = [_copied(part) for part in several]
        found.append(of_keras.metrics_of(several, row, info, (0.0, 1.0), taken=names))
        names = [metric.name for metric in found[-1]]
    return found


def _copied(part):
    """A metric like another, with values of its own; what Keras cannot make again is shared."""
    if not isinstance(part, keras.metrics.Metric):
        return part
    try:
        return type(part).from_config(part.get_config())
    # A class of the caller's without a `get_config` that makes it again, for which Keras raises the last; the metric then counts for
    # both models, and `evaluate` sets it to 0 before it begins.
    except (TypeError, ValueError, NotImplementedError):
        return part


def loads_again(settings):
    """Whether Keras can make again what a file would hold of `compile`, also in another process.

    Args:
        settings: What `get_compile_config()` gives; `None` for a model that is not compiled.
    """
    if settings is None:
        return True
    found = [settings]
    for one in found:  # which grows
        inside = one.values() if isinstance(one, dict) else one
        found += [value for value in inside if isinstance(value, (dict, list, tuple))]
        is_here = isinstance(one, dict) and one.get("module") == "__main__"
        if is_here and ">" not in (one.get("registered_name") or ""):
            return False
    try:
        keras.saving.deserialize_keras_object(settings)
    # What Keras and a caller's class raise where it cannot be found, or be made of its settings: that is the answer, and whoever asked
    # says in the log what is left out.
    except (TypeError, ValueError, KeyError, AttributeError, NotImplementedError, ImportError):
        return False
    return True
