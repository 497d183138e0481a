"""Keras's losses and metrics for targets and outputs as the tasks have them: class ids, standardised numbers, logits.

A loss of Keras's is given logits, and one-hot rows where it takes such. A metric of Keras's is given probabilities, unless it
is made for logits, and numbers in the units of the targets. A loss or metric of the caller's own gets what `fit` has: the targets as the
model learns them, and the model's outputs.
"""

import dataclasses
import inspect
import re

import keras

from zoo.config import constraints
from zoo.config.options import LOSSES as LOSS_NAMES
from zoo.models import checks
from zoo.tasks.adapted import Adapted, AdaptedMetric

_OF_CLASSES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "crossentropy")
_K = keras.losses
_OF_NUMBERS = {
    "mean_squared_error": _K.MeanSquaredError,
    "mean_absolute_error": _K.MeanAbsoluteError,
    "huber": _K.Huber,
    "log_cosh": _K.LogCosh,
}
# What targets are (`targets` of a task's row) → name → Keras's loss that fits them and outputs without bounds.
LOSSES = {
    "class": {
        "sparse_categorical_crossentropy": _K.SparseCategoricalCrossentropy,
        "categorical_crossentropy": _K.CategoricalCrossentropy,
        "categorical_focal_crossentropy": _K.CategoricalFocalCrossentropy,
        "categorical_hinge": _K.CategoricalHinge,
    },
    "labels": {
        "binary_crossentropy": _K.BinaryCrossentropy,
        "binary_focal_crossentropy": _K.BinaryFocalCrossentropy,
        "hinge": _K.Hinge,
        "squared_hinge": _K.SquaredHinge,
    },
    "number": _OF_NUMBERS,
    "steps": _OF_NUMBERS,
}
_M = keras.metrics
_CONFUSION = {
    "auc": _M.AUC, "precision": _M.Precision, "recall": _M.Recall,
    "true_positives": _M.TruePositives, "true_negatives": _M.TrueNegatives,
    "false_positives": _M.FalsePositives, "false_negatives": _M.FalseNegatives,
    "precision_at_recall": _M.PrecisionAtRecall, "recall_at_precision": _M.RecallAtPrecision,
    "sensitivity_at_specificity": _M.SensitivityAtSpecificity,
    "specificity_at_sensitivity": _M.SpecificityAtSensitivity,
}  # fmt: skip
_F_SCORES = {"f1_score": _M.F1Score, "fbeta_score": _M.FBetaScore}
_SPARSE = {
    "sparse_categorical_accuracy": _M.SparseCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": _M.SparseTopKCategoricalAccuracy,
    "sparse_categorical_crossentropy": _M.SparseCategoricalCrossentropy,
}
# What targets are → name → Keras's metric that can be made of them and of probabilities, or of numbers.
METRICS = {
    "class": {
        **_SPARSE,
        "categorical_accuracy": _M.CategoricalAccuracy,
        "top_k_categorical_accuracy": _M.TopKCategoricalAccuracy,
        "categorical_crossentropy": _M.CategoricalCrossentropy,
        "mean_squared_error": _M.MeanSquaredError,  # the Brier score
        **_CONFUSION,
        **_F_SCORES,
    },
    "labels": {
        "binary_accuracy": _M.BinaryAccuracy,
        "binary_crossentropy": _M.BinaryCrossentropy,
        "mean_squared_error": _M.MeanSquaredError,
        **_CONFUSION,
        **_F_SCORES,
    },
    "number": {
        "mean_absolute_error": _M.MeanAbsoluteError,
        "mean_squared_error": _M.MeanSquaredError,
        "root_mean_squared_error": _M.RootMeanSquaredError,
        "mean_absolute_percentage_error": _M.MeanAbsolutePercentageError,
        "mean_squared_logarithmic_error": _M.MeanSquaredLogarithmicError,
        "log_cosh_error": _M.LogCoshError,
        "r2_score": _M.R2Score,
    },
}
_SHORT = {
    "mae": "mean_absolute_error", "mse": "mean_squared_error", "rmse": "root_mean_squared_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "logcosh": "log_cosh", "bce": "binary_crossentropy", "f1": "f1_score",
}  # fmt: skip
ACCURACIES = {"accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"}  # fmt: skip
_GENERIC = (_M.Metric, _M.Mean, _M.Sum, _M.MeanMetricWrapper)  # what they measure is the caller's


def name_of(part):
    """The name of a loss, a metric or an optimizer as a person reads it: that of its class or function."""
    return getattr(part, "__name__", type(part).__name__)


def fitting_metrics(row):
    """The names that metrics of Keras's for a task may have, but for those that need arguments."""
    table = METRICS.get(row.targets, {})
    short = [name for name, whole in _SHORT.items() if whole in table]
    own = ACCURACIES if {metric.name for metric in row.metrics()} & ACCURACIES else ()
    return [
        name for name in (*table, *short, *own) if name not in table or not _needed(table[name])
    ]


def _is_of_keras(part):
    home = getattr(part, "__module__", None) or type(part).__module__
    return home.startswith("keras.") and type(part) not in _GENERIC


def snake_case(name):
    """`"MeanAbsoluteError"` and `"mae"` as `"mean_absolute_error"`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _SHORT.get(words, words)


def _key(part, table):
    """The key of a table that a name, a function or an object of Keras's stands for; `None` without one."""
    if isinstance(part, str):
        name = snake_case(part)
        return name if name in table else None
    if callable(part) and hasattr(part, "__name__"):  # a function of Keras's
        return _key(part.__name__, table)
    return next((name for name, kind in table.items() if type(part) is kind), None)


_KINDS = (str, keras.losses.Loss, keras.metrics.Metric)


def are_parts(argument, parts):
    """Whether all are names, Keras's objects or functions.

    Args:
        argument: `"loss"` or `"metrics"`, for messages.
        parts: What a caller passed.

    Raises:
        InputError: One is a class in place of its object, or a collection, as for several outputs.
    """
    for part in parts:
        inside = part.values() if isinstance(part, dict) else part
        several = isinstance(part, (dict, list, tuple))
        if several and any(isinstance(one, _KINDS[1:]) or callable(one) for one in inside):
            raise checks.InputError(
                f"`{argument}` holds a {type(part).__name__}, as for a model of several outputs; the zoo trains one output: pass one "
                "loss, and metrics as a flat list."
            )
        if isinstance(part, type):
            raise checks.InputError(
                f"`{argument}` needs an object and not its class: {part.__name__}(). Received: {part!r}"
            )
    return all(isinstance(part, _KINDS) or callable(part) for part in parts)


def name_in_config(part, argument):
    """What a config holds of a loss or a metric: the name of Keras's by which it can be made again, or `own:<its name>`."""
    if isinstance(part, str):
        if argument != "loss" or part in LOSS_NAMES:
            return part  # which the metric is called by
        name = {"crossentropy": "categorical_crossentropy"}.get(part, snake_case(part))
        return name if name in LOSS_NAMES else part
    is_function = _is_of_keras(part) and hasattr(part, "__name__")
    return part.__name__ if is_function else constraints.OWN + name_of(part)


def _refuse(argument, part, row, table):
    shown = part if isinstance(part, str) else name_of(part)
    if not table:
        raise checks.InputError(
            f"{argument}={shown!r}: a {row.name} has no choice of it. Leave it out."
        )
    raise checks.InputError(
        f"{argument}={shown!r} does not fit a {row.name} here, whose models give {_GIVEN[row.targets]}.{checks.did_you_mean(shown, table, 0.8)} Choose "
        f"{', '.join(name for name, kind in table.items() if not _needed(kind))}, or pass a function of (y_true, y_pred)."
    )


_GIVEN = {
    "class": "one logit for each class",
    "labels": "one logit for each label",
    "number": "standardised numbers",
    "steps": "standardised numbers",
}


def smooths(name):
    """Whether a loss of the config takes `label_smoothing`."""
    return name in ("auto", "focal", *_OF_CLASSES)


def loss_of(part, row, options):
    """The loss that a model is trained with.

    Args:
        part: The caller's: a name, an object or a function of Keras's, or of the caller's own; `None`: what `options` say.
        row: The row of the task.
        options: The `OptimizerConfig`.

    Returns:
        A Keras loss for the targets and outputs of the task; `None` where the model has its own.

    Raises:
        InputError: It does not fit them, or is made for probabilities.
    """
    part = options.loss if part is None else part
    by_task = dataclasses.replace(options, loss="auto")
    if part in ("auto", "focal"):
        return row.loss(options)
    if row.targets == "class" and isinstance(part, str) and snake_case(part) in _OF_CLASSES:
        return row.loss(by_task)  # which takes ids and logits, and smooths labels
    table = LOSSES.get(row.targets, {})
    if not table:
        _refuse("loss", part, row, table)
    if row.loss(by_task) is not None and options.label_smoothing:
        raise checks.InputError(
            f"label_smoothing={options.label_smoothing} is for the losses 'auto', 'focal' and 'categorical_crossentropy'; "
            "a loss of your own has its own. Leave it out."
        )
    if not isinstance(part, str) and not _is_of_keras(part):
        if row.targets == "number" and isinstance(part, keras.losses.Loss):
            return Adapted(part)
        return part
    key = _key(part, table)
    if key is None:
        _refuse("loss", part, row, table)
    if not isinstance(part, keras.losses.Loss):
        takes = inspect.signature(table[key]).parameters
        part = table[key](**({"from_logits": True} if "from_logits" in takes else {}))
    elif getattr(part, "from_logits", True) is False:
        raise checks.InputError(
            f"The loss {name_of(part)} is made for probabilities (from_logits=False), but models here give logits: pass "
            f"{name_of(part)}(from_logits=True)."
        )
    is_one_hot = row.targets == "class" and key != "sparse_categorical_crossentropy"
    return Adapted(part, one_hot=True) if is_one_hot else part


def metrics_of(parts, row, info, scale=None, taken=(), *, weighted=False):
    """The caller's metrics, for the targets and outputs of a task.

    Args:
        parts: Names, objects and functions, of Keras's or of the caller's own.
        row: The row of the task.
        info: The `DataInfo`.
        scale: Mean and standard deviation that numbers were standardised by; `None` where nobody knows them.
        taken: Names that other metrics have.
        weighted: Whether examples count by their weights, in which the task's own do not.

    Returns:
        A list of Keras metrics, without those that the task has itself.

    Raises:
        InputError: One does not fit, or has the name of another.
    """
    own = {metric.name for metric in row.metrics()}
    found, table = [], METRICS.get(row.targets, {})
    for part in parts:
        if not table:
            _refuse("metrics", part, row, table)
        name = snake_case(part) if isinstance(part, str) else getattr(part, "name", name_of(part))
        is_accuracy = isinstance(part, str) or _is_of_keras(part)
        metric = None
        if is_accuracy and name in own | {"acc"} & ACCURACIES and own & ACCURACIES:
            if not weighted:
                continue  # the task's own says the same
            same = next(one for one in row.metrics() if one.name in ACCURACIES)
            named = same.get_config() | {"name": f"weighted_{same.name}"}  # as Keras calls it
            metric = type(same).from_config(named)
        metric = metric or _metric(part, row, info, table, scale)
        others = own | {"loss", "learning_rate", "epoch", *taken} | {one.name for one in found}
        if metric.name in others or metric.name.startswith("val_"):
            raise checks.InputError(
                f"The metric {name_of(part) if not isinstance(part, str) else part!r} is called {metric.name!r}, as something else "
                "that is logged: give it another name=..., or pass it once."
            )
        found.append(metric)
    return found


def _metric(part, row, info, table, scale):
    if not isinstance(part, str) and not _is_of_keras(part):
        if not isinstance(part, keras.metrics.Metric):
            part = keras.metrics.MeanMetricWrapper(part, name=name_of(part).strip("<>"))
        return AdaptedMetric(part, scale=scale) if row.targets == "number" else part
    key = _key(part, table)
    if key is None:
        _refuse("metrics", part, row, table)
    if not isinstance(part, keras.metrics.Metric):
        more = {"average": "macro"} if key in _F_SCORES else {}
        more |= {"threshold": 0.5} if more and row.targets == "labels" else {}
        short = part if isinstance(part, str) else part.__name__
        if len(missing := _needed(table[key])):
            raise checks.InputError(
                f"The metric {short!r} needs {', '.join(missing)}: pass keras.metrics.{table[key].__name__}(...)."
            )
        part = table[key](name=short, **more)
    if key in _F_SCORES and part.average is None:
        raise checks.InputError(
            f"The metric {name_of(part)} gives one number for each class, but a log holds one in all: pass average='macro'."
        )
    if row.targets == "number":
        return AdaptedMetric(part, scale=scale, prefix="" if scale else "scaled_")
    is_for_logits = part.get_config().get("from_logits", False)
    squash = {"class": "softmax", "labels": "sigmoid"}[row.targets]
    is_of_one = row.targets == "class" and key in _CONFUSION and info.num_outputs == 2
    form = "labels"
    if row.targets == "class":
        form = "ids" if key in _SPARSE else "positive" if is_of_one else "one_hot"
    return AdaptedMetric(part, form=form, squash=None if is_for_logits else squash)


def _needed(kind):
    parameters = inspect.signature(kind).parameters.values()
    return [p.name for p in parameters if p.default is p.empty]
