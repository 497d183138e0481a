"""The row of a task: everything that depends on what a model is to answer, and on how its answers are judged."""

import dataclasses
from collections.abc import Callable

import numpy as np

from zoo.config.config import TASK
from zoo.models import checks
from zoo.tasks import model_checks, targets


def caption(info, target):
    """The label of an example, or the labels of a mixed one with their shares, as a picture shows it."""
    if not info.labels:
        return ""
    if target.ndim == 0:
        return info.labels[target]
    top = [i for i in np.argsort(-target, kind="stable")[:2] if target[i] >= 0.005]
    return "\n".join(f"{info.labels[i]} {target[i]:.0%}" for i in top)


def _none(*_, **__):
    return ()


@dataclasses.dataclass(frozen=True)
class Task:
    """One row of the table TASKS.

    Nobody else asks for a task's name: code asks for these properties, or calls these functions. In them `info` is a
    `DataInfo`, `splits` are `Splits` with their preparation, `targets` and `outputs` NumPy arrays of a whole split.

    Attributes:
        name: What users write: `task="classification"`.
        targets: What a target is: `"class"` (an id), `"labels"` (0 or 1 for each), `"number"`, `"steps"` (the next values of
            a series), `"answer"` (a text) or `"none"`.

        convert: (training targets, titles) → names, and a function from a part of the caller's data to its targets; see
            `zoo.tasks.targets`.
        names: The field of `DataInfo` that those names are for: `"labels"` or `"target_names"`.
        check_targets: (dict from split to `Arrays`, info) → raises `InputError` for targets that would train to nonsense.
        prepare_targets: `Splits` → what turns targets into what a model learns, and its outputs back into their units; see
            `zoo.tasks.targets.Unchanged`.
        check_model: (model, info) → raises `InputError` unless the model's output fits.
        caption: (info, target) → what a picture says of a training example.

        loss: `OptimizerConfig` → the loss, which takes logits; refuses settings that the task has not.
        metrics: Makes the metrics shown in training.
        monitor: The logged value that a search goes by first, where it has no `objectives`; runs with `monitor="task"` go by it, too.
        mode: `"max"` or `"min"`: which of its values is better.
        mixes_labels: Whether targets can be blended, as mixup does.
        smooths_labels: Whether `label_smoothing` can be searched.
        weighs_classes: Whether `class_weight` can be given.
        weighs_examples: Whether `sample_weight` can be given.
        options: Names of options of a run that are for this task alone: for others they are refused.
        distils: Whether a teacher's probabilities can be learned.
        loss_is_in_nats: Whether a loss near 0 means a perfect fit; otherwise only its fall says something.

        outputs: (model, splits, run) → what `score` takes; `None` for the model's predictions in the units of the targets.
        score: (targets, outputs) → the test scores, the headline first.
        more_scores: (info, targets, outputs) → further test scores, by names that the data say.
        interval: (targets, outputs) → low and high end of the headline's 95 % interval.
        interval_by: How the interval is made.
        constant: (splits, model) → outputs of one example or of each: the best that no input has a part in.
        constant_is: What they are.
        constant_name: What the report calls them.
        linear: (splits, limit) → the `Baseline` of the strongest simple model; `None` where there is none.
        boosted: Splits → the `Baseline` of boosted trees, for inputs that are rows of columns; `None` where there is none.
        resampled: (targets, outputs) → the headline of resamples of the test examples, for intervals of a difference.
        calibrate: (model, splits) → the temperature to divide logits by; `None` where outputs are no logits of classes.
        objectives: Scores of the finished model that a search may go by, the usual one first; the monitor where empty.
        draw: (model, splits, targets, outputs, folder) → names of the pictures that it wrote.
        report: (splits, targets, outputs, folder) → lines of Markdown.
        protocol: `TrainConfig` → how the scores were measured, as parts of a sentence of the card.

        predict: (model, info, preparation, `Serving`) → function of (prepared features, named raw inputs, in_words) →
            outputs by name; without `in_words` as numbers alone.
        signatures: (model, preparation, `Serving`, features, answers, specs, raw) → further signatures by name.
        answer: (outputs `[N, K]`, temperature) → the answers as numbers, by name, where nothing but the outputs is needed;
            otherwise `None`.
        key: The name of an output that answers of this task alone have, or that no earlier task of the table has.
        is_looped: Whether answers are made in a loop of changing shapes, which no converter takes.
        in_words: A row of `zoo predict` → its answer for a person.
        columns: A row of `zoo predict` → the columns of a CSV file.
    """

    name: str
    targets: str
    loss: Callable
    metrics: Callable
    score: Callable
    interval: Callable
    interval_by: str
    constant: Callable
    constant_is: str
    predict: Callable
    key: str
    in_words: Callable
    columns: Callable
    convert: Callable
    names: str = "labels"
    check_targets: Callable = _none
    prepare_targets: Callable = targets.Unchanged
    check_model: Callable = model_checks.check_logits
    caption: Callable = caption
    monitor: str = "val_loss"
    mode: str = "min"
    mixes_labels: bool = False
    smooths_labels: bool = False
    weighs_classes: bool = False
    distils: bool = False
    loss_is_in_nats: bool = True
    outputs: Callable | None = None
    more_scores: Callable = _none
    constant_name: str = "constant guess"
    linear: Callable | None = None
    boosted: Callable | None = None
    resampled: Callable | None = None
    calibrate: Callable | None = None
    objectives: tuple[str, ...] = ()
    draw: Callable = _none
    report: Callable = _none
    protocol: Callable = _none
    weighs_examples: bool = False
    options: tuple[str, ...] = ()
    signatures: Callable | None = None
    answer: Callable | None = None
    is_looped: bool = False

    def watched(self, monitor, metrics=None):
        """The logged value that a run goes by, and whether more (`"max"`) or less (`"min"`) of it is better.

        Args:
            monitor: As in the config: `"loss"`, a metric's name, or `"task"`.
            metrics: The metrics that a training logs besides the task's; `None` where the name is known to be one.

        Raises:
            InputError: No such value is logged.
        """
        if monitor == TASK:
            return self.monitor, self.mode
        if metrics is not None:
            known = ["loss", *(metric.name for metric in (*self.metrics(), *metrics))]
            checks.one_of(f"monitor of a {self.name}", monitor, known)
        return f"val_{monitor}", mode_of(monitor)


# Parts of a metric's name, with `_` around each, that say which way is better. The first list counts before the second.
_RISING = (
    "accuracy", "acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou", "similarity", "specificity", "sensitivity",
    "true", "dice", "bleu", "map",
)  # fmt: skip
_FALLING = (
    "loss", "error", "mae", "mse", "rmse", "mape", "msle", "nll", "entropy", "crossentropy", "divergence", "hinge", "poisson", "logcosh",
    "bound", "kl", "reconstruction", "perplexity", "false",
)  # fmt: skip


def mode_of(metric):
    """Whether more (`"max"`) or less (`"min"`) of a logged value is better, by its name.

    Raises:
        InputError: The name does not say it.
    """
    words = metric.lower()
    parts = set(words.split("_"))
    for mode, known in (("max", _RISING), ("min", _FALLING)):
        if parts & set(known) or any(len(word) > 4 and word in words for word in known):
            return mode
    raise checks.InputError(
        f"Whether more or less of {metric!r} is better its name does not say: call the metric ..._accuracy, ..._score_auc or the like, or "
        "..._error; or choose another monitor."
    )


def monitor_in_words(monitor):
    """A logged value of the validation split: `the validation loss`."""
    return f"the validation {monitor.removeprefix('val_').replace('_', ' ')}"
