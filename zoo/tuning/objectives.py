"""What a search judges by: a value that is logged at each epoch, or a score of the finished model."""

import dataclasses

from zoo.models import checks
from zoo.training import tasks

# Scores of the finished model on the validation split, as the report has them of the test split.
SCORES = {
    "generation": ("nll", "negative_elbo"),
    "translation": ("sequence_error", "token_error"),
}


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

    def judge(self, model, splits, preparation, run, history):
        """The score of a trained model, and the number of its best epoch, from 0; of equal ones the later."""
        if not self.is_scored:
            values = [float(value) for value in history.history[self.name]]
            best = max(range(len(values)), key=lambda epoch: (self.sign * values[epoch], epoch))
            return values[best], best
        held = {**splits.examples, "test": splits.examples["validation"]}
        judged = dataclasses.replace(splits, examples=held)
        task = tasks.task(splits.info.task)
        outputs = task.outputs(model, judged, preparation, run)
        scores = task.score(judged.targets("test"), outputs)
        return scores[self.name.removeprefix("val_")], history.best_epoch


def choices(task_name):
    """The objectives of a task, the usual one first."""
    task = tasks.task(task_name)
    names = ["loss", *(metric.name for metric in task.metrics())]
    logged = [Objective(f"val_{name}", _mode(name)) for name in names]
    logged.sort(key=lambda objective: objective.name != task.monitor)
    scored = [Objective(f"val_{name}", "min", True) for name in SCORES.get(task_name, ())]
    return [*logged, *scored]


def _mode(name):
    return "max" if "accuracy" in name else "min"


def find(name, task_name):
    """The objective of a name; that which the recipe keeps the best epoch by where it is `None`.

    Raises:
        InputError: The task has none of that name.
    """
    found = {objective.name: objective for objective in choices(task_name)}
    if name is None:
        return next(iter(found.values()))
    checks.one_of(f"objective of a {task_name}", name, found)
    return found[name]
