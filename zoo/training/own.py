"""What a caller brings to the compilation of a model: an optimizer, a loss and metrics as names or objects, or a compiled model.

Names go into the config. Of an object the config holds `own:<its name>`, so that a run that goes on asks for it again; checkpoints hold
its settings, so that it must be like the first.
"""

import dataclasses
import json
import logging
import weakref
from collections.abc import Sequence

import keras
import numpy as np

from zoo.config.config import OWN
from zoo.keras_fixes.compiled_parts import compiled_parts
from zoo.models import checks
from zoo.tasks import of_keras

log = logging.getLogger("zoo")


@dataclasses.dataclass(frozen=True)
class Own:
    """Objects of the caller's, each `None` where names or the task decide.

    Attributes:
        optimizer: A Keras optimizer.
        loss: A Keras loss, a name, or a function of (y_true, y_pred).
        metrics, weighted_metrics: Keras metrics, names, or functions of (y_true, y_pred).
        named: What was given by name as an argument, and so goes before what a model was compiled with.
        compiled: What the caller's model was compiled with, if it was: the arguments of `compile`.
        scale: Mean and standard deviation of numbers as targets, where they are known.
    """

    optimizer: keras.optimizers.Optimizer | None = None
    loss: object = None
    metrics: Sequence | None = None
    weighted_metrics: Sequence | None = None
    named: frozenset = frozenset()
    compiled: dict = dataclasses.field(default_factory=dict)
    scale: tuple | None = None

    @property
    def is_of_loss(self):
        """Whether the loss or a metric is the caller's own object."""
        return not (self.loss is self.metrics is self.weighted_metrics is None)

    def in_units_of(self, preparation):
        """The same, with what the preparation of the data standardises numbers by, unless float32 cannot hold them."""
        scale = [np.asarray(v).tolist() for v in (preparation.target_mean, preparation.target_std)]
        is_precise = getattr(preparation.targets, "is_precise", False)
        return dataclasses.replace(self, scale=None if is_precise else tuple(scale))

    def described(self):
        """The objects by what they are for, in words that are the same for like objects."""
        parts = {"optimizer": [self.optimizer], "loss": [self.loss]}
        parts |= {"metrics": self.metrics or (), "weighted_metrics": self.weighted_metrics or ()}
        found = {key: [_described(one) for one in several if one is not None] for key, several in parts.items()}  # fmt: skip
        return {key: ", ".join(texts) for key, texts in found.items() if texts}

    def in_words(self):
        """The objects in a line for a report."""
        parts = {"optimizer": [self.optimizer], "loss": [self.loss], "metrics": self.metrics or ()}
        parts |= {"weighted metrics": self.weighted_metrics or ()}
        named = {key: [_name(one) for one in several if one is not None] for key, several in parts.items()}  # fmt: skip
        return ", ".join(f"{key} {' and '.join(names)}" for key, names in named.items() if names)


# Model → (the optimizer that it was compiled with here, the `Own`, its metrics): what the zoo compiled is not the caller's.
_COMPILED = weakref.WeakKeyDictionary()


def of(model):
    """The `Own` that the zoo has compiled a model with."""
    return _COMPILED[model][1] if model in _COMPILED else Own()


def loss_name(model):
    """The name of the loss that the zoo has compiled a model with."""
    loss = of(model).loss
    return _name(model.loss if loss is None else loss)


def metrics_of(model):
    """The caller's metrics that the zoo has compiled a model with."""
    return _COMPILED[model][2] if model in _COMPILED else ()


def note(model, own, metrics):
    """Remembers what the zoo has compiled a model with.

    Args:
        model, own: The model, and the `Own`.
        metrics: The caller's metrics as Keras has them.
    """
    _COMPILED[model] = (model.optimizer, own, metrics)


def _name(part):
    return part if isinstance(part, str) else of_keras.name_of(part)


def _described(part):
    """A part in words: its name, and its settings where it has any."""
    if isinstance(part, str) or not hasattr(part, "get_config"):
        return _name(part)
    try:
        settings = part.get_config()
    # What Keras raises for a class of the caller's that has no settings.
    except NotImplementedError:
        return _name(part)
    if not isinstance(
        part, keras.metrics.Metric
    ):  # Keras numbers them, and nobody sees the names of others
        settings.pop("name", None)
    settings = {
        key: _rounded(value) for key, value in settings.items() if value not in (None, False)
    }
    return f"{_name(part)} {json.dumps(settings, sort_keys=True, default=_name)}"


def _rounded(value):
    """A setting as a person writes it: Keras holds a learning rate of 0.01 as float32."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def taken(options):
    """Takes the objects out of the arguments of `zoo.train`.

    Args:
        options: Fields of the config by name; optimizer, loss and metrics may be objects. What is none of these is left for the
            config to refuse.

    Returns:
        The `Own`, and the options with `own:<name>` in place of objects.

    Raises:
        InputError: An argument is a class in place of its object, or for several outputs.
    """
    own, options = {}, dict(options)
    optimizer, loss = options.get("optimizer"), options.get("loss")
    if isinstance(optimizer, str):
        options["optimizer"] = optimizer.lower()
    elif isinstance(optimizer, keras.optimizers.Optimizer):
        own["optimizer"], options["optimizer"] = optimizer, OWN + type(optimizer).__name__
    elif isinstance(optimizer, type):
        raise checks.InputError(
            "`optimizer` must be a name such as 'adamw', or an object such as keras.optimizers.AdamW(1e-3), and not its class. "
            f"Received: {optimizer!r}"
        )
    if of_keras.are_parts("loss", [loss]):
        options["loss"] = of_keras.name_in_config(loss, "loss")
        own |= {"loss": loss} if options["loss"].startswith(OWN) else {}
    for key in {"metrics", "weighted_metrics"} & options.keys():
        parts = options[key]
        parts = parts if isinstance(parts, (list, tuple)) else [parts]
        if of_keras.are_parts(key, parts):
            options[key] = tuple(of_keras.name_in_config(part, key) for part in parts)
            is_own = any(name.startswith(OWN) for name in options[key])
            own |= {key: tuple(parts)} if is_own else {}
    named = {"optimizer", "loss", "metrics", "weighted_metrics"} & options.keys()
    return Own(named=frozenset(named), **own), options


def check_given(own, config):
    """Raises `InputError` where a config names an object of the caller's that is not there.

    Args:
        own: The `Own`.
        config: The `TrainConfig`.
    """
    options = config.optimizer
    given = {"optimizer": options.name, "loss": options.loss}
    given |= {"metrics": options.metrics, "weighted_metrics": options.weighted_metrics}
    for key, value in given.items():
        names = [value] if isinstance(value, str) else value
        lacking = [name.removeprefix(OWN) for name in names if name.startswith(OWN)]
        if lacking and getattr(own, key) is None:
            raise checks.InputError(
                f"That run was begun from Python with {key}={', '.join(lacking)}, which no config can hold: pass it again, "
                f"zoo.train(model, data, {key}=..., resume=...)."
            )


def with_compiled(own, model, config):
    """Adds what a caller's model was compiled with, where no argument says otherwise, and logs it.

    Args:
        own: The `Own` of the arguments.
        model: The caller's model.
        config: The `TrainConfig`.

    Raises:
        InputError: It was compiled for several outputs, or settings of an optimizer would have no effect.
    """
    found = compiled_parts(model)
    if model in _COMPILED and _COMPILED[model][0] is model.optimizer:
        found = _COMPILED[model][1].compiled  # the zoo has compiled it since
    if not found:
        return own
    if found.get("loss_weights"):
        raise checks.InputError(
            "The model is compiled with loss_weights, which are for several outputs; the zoo trains one: leave them out."
        )
    asked, changes = config.optimizer, {"compiled": found}
    if own.optimizer is None and "optimizer" not in own.named and asked.name == "adam":
        config.check_optimizer_alone(f"the compiled model {model.name!r}")
        changes["optimizer"] = found["optimizer"]
    for key, default in (("loss", "auto"), ("metrics", ()), ("weighted_metrics", ())):
        is_asked = key in own.named or getattr(asked, key) != default
        if found.get(key) is not None and not is_asked:
            parts = found[key]
            if isinstance(parts, (list, tuple)) and len(parts) == 1:
                parts = parts[0] if key == "loss" or isinstance(parts[0], (list, tuple)) else parts
            several = parts if isinstance(parts, (list, tuple)) else [parts]
            of_keras.are_parts(key, several)
            changes[key] = parts if key == "loss" else tuple(several)
    own = dataclasses.replace(own, **changes)
    told = Own(**{key: value for key, value in changes.items() if key != "compiled"}).in_words()
    log.info(
        "the model is compiled: of that %s used; arguments of zoo.train go before it",
        f"{told} are" if told else "nothing is",
    )
    return own


def _check_weights(optimizer):
    """Refuses an optimizer whose training leaves other weights in the model than those that are to be used."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a scaled loss
    if isinstance(inner, keras.optimizers.ScheduleFreeAdamW):
        raise checks.InputError(
            f"{type(inner).__name__} trains at other weights than the average that it is to be judged and used by, and Keras never puts that "
            "into the model: pass optimizer='adamw' with ema=0.99, which does."
        )


def ready_optimizer(optimizer, model, replicas):
    """The caller's optimizer as a model can be compiled with it.

    Args:
        optimizer: The Keras optimizer.
        model: The model.
        replicas: Devices that share a step; its variables must then be made for all of them.

    Raises:
        InputError: It belongs to another model, cannot be made again, or leaves weights that are not to be used.
    """
    _check_weights(optimizer)
    if replicas > 1:
        return copied(optimizer)
    if optimizer.built and getattr(model, "optimizer", None) is not optimizer:
        raise checks.InputError(
            f"The optimizer {type(optimizer).__name__} has trained a model already and holds its state: pass a new object."
        )
    return optimizer


def averages(optimizer):
    """Whether an optimizer keeps an average of the weights that is to be put in their place after an epoch."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a scaled loss
    return optimizer.use_ema and not optimizer.ema_overwrite_frequency


def copied(optimizer, **changes):
    """A new optimizer with the settings of another.

    Args:
        optimizer: A Keras optimizer.
        **changes: Settings that differ.
    """
    _check_weights(optimizer)
    try:
        return type(optimizer).from_config(optimizer.get_config() | changes)
    except (TypeError, NotImplementedError) as error:  # Keras, of a class without `get_config`
        raise checks.InputError(
            f"The optimizer {type(optimizer).__name__} cannot be made again from its get_config(), as is needed here: {error}"
        ) from error
