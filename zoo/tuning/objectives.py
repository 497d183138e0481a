"""What a search judges by: a value that is logged at each epoch, or a score of the finished model."""

import dataclasses

from zoo.models import checks
from zoo.tasks import of_keras
from zoo.tasks import task as row_of
from zoo.tasks.row import mode_of


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is judged, and which way is better.

    Attributes:
        name: For example `"val_accuracy"`.
        mode: `"max"` or `"min"`.
        is_scored: Whether it is a score of the finished model, not logged at each epoch.
    """

    name: str
    mode: str
    is_scored: bool = False

    @property
    def sign(self):
        """1 where more is better, otherwise -1."""
        return 1 if self.mode == "max" else -1

    def rank(self, row):
        """The better a trial, the higher; of equally good ones that with the lower validation loss."""
        return self.sign * row["score"], -row["loss"]

    def judge(self, model, splits, run, history):
        """What a trained model is worth: `score`, the number of its `best_epoch`, from 0, and the `loss` of that epoch.

        Of epochs that are equally good the one with the lowest validation loss is the best.
        """
        losses = [float(value) for value in history.history["val_loss"]]
        if not self.is_scored:
            values = [float(value) for value in history.history[self.name]]
            best = max(range(len(values)), key=lambda i: (self.sign * values[i], -losses[i]))
            return {"score": values[best], "best_epoch": best, "loss": losses[best]}
        held = {**splits.examples, "test": splits.examples["validation"]}
        judged = dataclasses.replace(splits, examples=held)
        task = row_of(splits.info.task)
        outputs = task.outputs(model, judged, run)
        scores = task.score(judged.targets("test"), outputs)
        best = history.best_epoch
        score = scores[self.name.removeprefix("val_")]
        return {"score": score, "best_epoch": best, "loss": losses[best]}


def choices(task_name):
    """The objectives of a task, the usual one first."""
    task = row_of(task_name)
    names = ["loss", *(metric.name for metric in task.metrics())]
    logged = [Objective(f"val_{name}", mode_of(name)) for name in names]
    logged.sort(key=lambda objective: objective.name != task.monitor)  # what the recipe goes by
    # Scores of the finished model come first: the loss that is logged depends on what is searched, as on label smoothing.
    scored = [Objective(f"val_{name}", "min", True) for name in task.objectives]
    return [*scored, *logged]


def find(name, info):
    """The objective of a name, and the metrics of Keras's, by name, that have to be logged for it.

    Args:
        name: One of `choices`, or `val_` and a metric of Keras's such as `"val_auc"`; `None` for the task's usual one.
        info: The `DataInfo`.

    Raises:
        InputError: The task has none of that name.
    """
    task = row_of(info.task)
    found = {objective.name: objective for objective in choices(info.task)}
    if name is None:
        return next(iter(found.values())), ()
    metric = name.removeprefix("val_")
    fitting = of_keras.fitting_metrics(task)
    if name in found or name == metric or of_keras.snake_case(metric) not in fitting:
        checks.one_of(f"objective of a {info.task}", name, found, [f"val_{m}" for m in fitting if f"val_{m}" not in found], "or val_ and a metric of Keras's")  # fmt: skip
        return found[name], ()
    if metric == "acc":  # as of old, for the task's own
        own = next(one.name for one in task.metrics() if one.name in of_keras.ACCURACIES)
        return found[f"val_{own}"], ()
    return Objective(name, mode_of(metric)), (metric,)
