"""What a search may vary: a family's own space, the space of the training, and how the caller narrows them."""

import inspect
import math

import numpy as np
import yaml

from zoo import families
from zoo.config.config import TrainConfig
from zoo.data import kinds
from zoo.models import checks
from zoo.tasks import of_keras, task

RATES = {"sgd": (1e-3, 1.0), "lion": (1e-5, 1e-3)}  # learning rates; of the other optimizers:
USUAL_RATES = (1e-4, 3e-2)
BATCH_SIZES = (16, 32, 64, 128, 256)
TRAINING = ("learning_rate", "schedule", "batch_size", "weight_decay", "label_smoothing", "augment", "augment_share")  # fmt: skip
BATCHES = 8  # a training split has at least so many of the largest batch


class SpaceError(checks.InputError):
    """The space, or what the caller makes of it, cannot be searched."""


class Narrowed:
    """A `keras_tuner.HyperParameters` some of whose dimensions are fixed or narrowed; its methods take what those take.

    Args:
        hp: The `HyperParameters`; what is not a dimension is its own.
        fix: Name → value.
        space: Name → (lowest, highest) or a list of values.
        kept: Name → value that the caller's config already says; taken as it is.
        first: Name → value of the first trial, where it is within what is searched.
    """

    def __init__(self, hp, fix=(), space=(), kept=(), first=()):
        self._hp, self._fix, self._space, self._kept = hp, dict(fix), dict(space), dict(kept)
        self._first = dict(first)
        self.ranges = {}  # name → what the builder allows, in words
        self._conditions = {}  # name → the conditions that it is searched under
        self.taken = ()  # names that may not be declared any more

    def __getattr__(self, name):
        return getattr(self._hp, name)

    def Int(
        self, name, min_value, max_value, step=None, sampling="linear", default=None,
        parent_name=None, parent_values=None,
    ):  # fmt: skip
        """A whole number."""
        options = {"step": step, "sampling": sampling, "default": default, "parent_name": parent_name, "parent_values": parent_values}  # fmt: skip
        return self._number("Int", int, name, min_value, max_value, options)

    def Float(
        self, name, min_value, max_value, step=None, sampling="linear", default=None,
        parent_name=None, parent_values=None,
    ):  # fmt: skip
        """A number."""
        options = {"step": step, "sampling": sampling, "default": default, "parent_name": parent_name, "parent_values": parent_values}  # fmt: skip
        return self._number("Float", (int, float), name, min_value, max_value, options)

    def Choice(
        self, name, values, ordered=None, default=None, parent_name=None, parent_values=None
    ):
        """One of some values."""
        values = list(values)
        options = {"ordered": ordered, "default": default, "parent_name": parent_name, "parent_values": parent_values}  # fmt: skip
        self._declare(name, f"one of {', '.join(map(repr, values))}", options)
        chosen = self._chosen(name, lambda value: value in values)
        if isinstance(chosen, tuple):  # from ... to
            low, high = chosen
            chosen = [value for value in values if low <= value <= high]
        return self._one_of(name, chosen or values, options)

    def Boolean(self, name, default=False, parent_name=None, parent_values=None):
        """True or False."""
        options = {"default": default, "parent_name": parent_name, "parent_values": parent_values}
        self._declare(name, "True or False", options)
        chosen = self._chosen(name, lambda value: isinstance(value, bool))
        if chosen is None:
            if isinstance(self._first.get(name), bool):
                options["default"] = self._first[name]
            return self._hp.Boolean(name, **options)
        return self._one_of(name, chosen, options)

    def Fixed(self, name, *value, **options):
        """What is not searched."""
        self._check_free(name, options)
        return self._hp.Fixed(name, *value, **options)

    def _declare(self, name, words, options):
        self._check_free(name, options)
        self.ranges[name] = words

    def _check_free(self, name, options):
        conditions = [c.get_config() for c in self._hp._conditions]
        conditions += [[options.get("parent_name"), options.get("parent_values")]]
        if self._conditions.setdefault(name, conditions) != conditions:
            raise SpaceError(
                f"The builder declares {name!r} under two conditions, which KerasTuner mixes up: give each its own name, such as "
                f"'{name}_a' and '{name}_b', or declare {name!r} once, outside of them."
            )
        if self._hp._get_name(name) in self.taken:
            raise SpaceError(
                f"The builder declares {name!r}, which is a dimension of the training: use another name."
            )

    def _number(self, method, kinds, name, low, high, options):
        self._declare(
            name, f"{'a whole number' if method == 'Int' else 'a number'} {low}..{high}", options
        )

        def is_number(value):
            return isinstance(value, kinds) and not isinstance(value, bool)

        def fits(value):
            return is_number(value) and low <= value <= high

        chosen = self._chosen(name, fits)
        if isinstance(chosen, list):
            make = int if method == "Int" else float
            return self._one_of(name, [make(value) for value in chosen], options)
        low, high = chosen or (low, high)
        if is_number(self._first.get(name)):
            options["default"] = self._first[name]
        if options["default"] is not None:
            options["default"] = _on_step(min(max(options["default"], low), high), low, options)
        if method == "Float" and options["step"] and options["sampling"] == "linear":
            # KerasTuner counts the values by a floor of quotients, and 0.6 // 0.1 is 5: the highest would never be tried.
            high += 1e-6 * options["step"] if high > low else 0
        return getattr(self._hp, method)(name, low, high, **options)

    def _one_of(self, name, values, options):
        parent = {key: options[key] for key in ("parent_name", "parent_values")}
        if len(values) == 1:
            return self._hp.Fixed(name, values[0], **parent)
        wanted = self._first.get(name, options.get("default"))
        default = {"default": wanted} if wanted in values else {}
        return self._hp.Choice(name, values, options.get("ordered"), **default, **parent)

    def _chosen(self, name, fits):
        """The caller's values as a list, or (lowest, highest) as a tuple; `None` where the builder's range stands."""
        if name in self._kept:
            return [self._kept[name]]
        if name not in self._fix and name not in self._space:
            return None
        chosen = [self._fix[name]] if name in self._fix else self._space[name]
        if not isinstance(chosen, (list, tuple)) or not chosen:
            raise SpaceError(
                f"space of {name} must be (lowest, highest) or a list of values. Received: {chosen!r}"
            )
        for value in chosen:
            if not fits(value):
                raise SpaceError(
                    f"{name} is searched as {self.ranges[name]}; {value!r} is outside of it. Choose a value within."
                )
        if isinstance(chosen, tuple) and not (len(chosen) == 2 and chosen[0] <= chosen[1]):
            raise SpaceError(f"space of {name} must be (lowest, highest), in this order. Received: {chosen!r}")  # fmt: skip
        return chosen

    def check(self):
        """Raises `InputError` for names that are no dimension, or where nothing is left to search."""
        for name in (*self._fix, *self._space):
            checks.one_of("hyperparameter", name, self.ranges)
            if name in self._kept:
                raise SpaceError(
                    f"{name}={self._kept[name]!r} is among the options already: leave it out there, or in fix and space."
                )
        for name in self._fix:
            if name in self._space:
                raise SpaceError(f"{name} is in fix and in space: leave one out.")
        if all(type(dimension).__name__ == "Fixed" for dimension in self._hp.space):
            every = ", ".join(self.ranges) or "none: its builder declares no hyperparameter"
            raise SpaceError(
                f"The space is empty: nothing is left to search ({every}). Fix less, or train with zoo.train (zoo train)."
            )


def declared(dimension):
    """The config of a dimension of KerasTuner without what is added to the end of a range so that it is tried."""
    end = dimension.get("max_value")
    return {**dimension, "max_value": float(f"{end:.5g}")} if isinstance(end, float) else dimension


def _on_step(value, low, options):
    """The step itself where a value is one but for rounding: a grid would try both."""
    if options["step"] is None or options["sampling"] != "linear":
        return value
    nearest = low + round((value - low) / options["step"]) * options["step"]
    return nearest if math.isclose(nearest, value) else value


def training_space(hp, info, config, *, objective, num_train, replicas=1):
    """The space of the training, the same for every family.

    Args:
        hp: A `keras_tuner.HyperParameters`.
        info: The `DataInfo`: label smoothing needs classes, augmentation images.
        config: The `TrainConfig`, for the optimizer.
        objective: The objective's name.
        num_train: Training examples.
        replicas: Devices that share a batch.

    Returns:
        Fields of `TrainConfig` by name.
    """
    low, high = RATES.get(config.optimizer.name, USUAL_RATES)
    found = {
        "learning_rate": hp.Float("learning_rate", low, high, sampling="log"),
        "schedule": hp.Choice("schedule", ["constant", "cosine", "one_cycle"]),
        "batch_size": hp.Choice("batch_size", _batch_sizes(num_train, replicas)),
        "weight_decay": hp.Float("weight_decay", 1e-6, 1e-1, sampling="log"),
    }
    smooths = task(info.task).smooths_labels and of_keras.smooths(config.optimizer.loss)
    if smooths and objective != "val_loss":  # losses with and without smoothing do not compare
        found["label_smoothing"] = hp.Float("label_smoothing", 0.0, 0.2, step=0.05)
    policies_of = kinds.kind(info.kind).policies
    if policies_of and task(info.task).targets != "none":
        policies = policies_of(info.input_shape[-1])
        found["augment"] = hp.Choice("augment", ["none", *policies])
        own = {config.data.augment} - {"none", *policies}
        share = hp.Float(
            "augment_share", 0.25, 1.0, step=0.25, parent_name="augment", parent_values=[*policies, *own]
        )  # fmt: skip
        found["augment_share"] = 1.0 if share is None else share
    return {key: _rounded(value) for key, value in found.items()}


def _batch_sizes(num_train, replicas):
    whole = [size for size in BATCH_SIZES if size % replicas == 0]
    return [size for size in whole if size * BATCHES <= num_train] or whole[:1]


def family_space(hp, name):
    """The builder arguments that a family's, or a size's, own space proposes, as a config holds them."""
    family, size = families.split_name(name)
    row = families.family(family)
    arguments = row.spaces.get(size, row.search_space)(hp)
    return {key: _rounded(value) for key, value in arguments.items()}


def first_values(config, is_named):
    """Name → value with which a search begins: what `config` trains without one, as far as the space can say it.

    A family's widths are one number in its space, so that (256, 128, 64) begins as three layers of 256.

    Args:
        config: The `TrainConfig`.
        is_named: Whether its model is a name; a builder of the caller's own begins at its own defaults.
    """
    flat = config.flat()
    first = {key: flat[key] for key in TRAINING}
    if not is_named:
        return first
    arguments = families.arguments(config.model, config.model_args)
    row = families.family(families.split_name(config.model)[0])
    defaults = inspect.signature(row.build).parameters.values()
    arguments = {p.name: p.default for p in defaults if p.default is not p.empty} | arguments
    for key, value in arguments.items():
        is_list = isinstance(value, (tuple, list)) and len(value)
        first[key] = value[0] if is_list else value
    for key, of in (("num_layers", "units"), ("num_stages", "filters")):
        if isinstance(arguments.get(of), (tuple, list)):
            first[key] = len(arguments[of])
    first["batch_normalization"] = arguments.get("normalization") == "batch"
    if arguments.get("intermediate_dim"):
        first["ratio"] = arguments["intermediate_dim"] // arguments["hidden_dim"]
    return first


def _rounded(value):
    """Four digits are enough, and the same after every way of storing; lists are what YAML gives back."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return list(value) if isinstance(value, tuple) else value


def already_said(config):
    """The dimensions of the training whose config is not the default: the caller has decided."""
    default, now = TrainConfig().flat(), config.flat()
    return {key: now[key] for key in TRAINING if now[key] != default[key]}


def kept_beta(beta, fix, space):
    """The `beta` of a generation's loss, which is not searched where the loss is the objective, unless `fix` has one."""
    if "beta" in space:
        raise SpaceError(
            f"val_loss depends on beta, so that is not searched: choose another objective, or fix={{'beta': {beta}}} "
            f"(--fix beta={beta})."
        )
    return {} if "beta" in fix else {"beta": beta}


def plain(value):
    """Python's own value or list in place of NumPy's or of a range; others as they are."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return list(value) if isinstance(value, range) else value


def parse(pairs, *, ranges=False):
    """Reads `name=value` from a command line: with `ranges` also `name=2..6` and `name=a,b,c`.

    >>> parse(["num_layers=2..6", "cell=lstm,gru"], ranges=True)
    {'num_layers': (2, 6), 'cell': ['lstm', 'gru']}
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not text:
            example = "--space num_layers=2..6 cell=lstm,gru" if ranges else "--fix dropout=0.2"
            raise checks.InputError(f"Expected NAME=VALUE, as in {example}. Received: {pair}")
        if not ranges:
            found[name] = _value(text)
        elif ".." in text:
            found[name] = tuple(_value(part) for part in text.split("..", 1))
        else:
            found[name] = [_value(part) for part in text.split(",")]
    return found


def _value(text):
    """A value as in YAML, and `1e-3` as a number, too."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def build_own(builder, hp, arguments):
    """Calls a builder of the caller's with the `HyperParameters` and what it takes of the data's arguments."""
    parameters = inspect.signature(builder).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = [p.name for p in parameters][1:]
    shapes = [key for key in ("input_shape", "num_classes") if key in arguments]
    if (
        names and names[0] not in arguments and not takes_all
    ):  # by their places, as `zoo.train` passes them
        placed = [arguments[key] for key in shapes][: len(names)]
        more = {k: v for k, v in arguments.items() if k not in shapes and k in names[len(placed) :]}
        return builder(hp, *placed, **more)
    given = {key: value for key, value in arguments.items() if takes_all or key in names}
    return builder(hp, **given)
