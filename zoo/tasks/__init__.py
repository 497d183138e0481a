"""THE TABLE of tasks: what targets are, and how results are made and judged. The only home of losses and metrics.

To add a task, write `tasks/<name>.py` with its row and add that here.
"""

from zoo.config.config import OPTIONS
from zoo.config.options import TASK_NAMES
from zoo.models import checks
from zoo.tasks import (
    classification,
    forecasting,
    image_generation,
    multilabel,
    regression,
    text_to_text,
)
from zoo.tasks.row import Task

TASKS = {
    "classification": classification.TASK,
    "regression": regression.TASK,
    "multilabel": multilabel.TASK,
    "forecasting": forecasting.TASK,
    "generation": image_generation.TASK,
    "translation": text_to_text.TASK,
}


def add(row):
    """Adds a task of your own to the table, so that `task=NAME` means it.

    Args:
        row: The `Task`.

    Raises:
        InputError: The table has a task of that name.
    """
    if row.name in TASKS:
        raise checks.InputError(f"There is a task {row.name!r} already: give yours another name.")
    TASKS[row.name] = row
    TASK_NAMES.append(row.name)


def check_options(info, config):
    """Raises `InputError` for an option that is set and that only other tasks look at.

    Args:
        info: The `DataInfo`.
        config: The `TrainConfig`.
    """
    read, flat = task(info.task).options, config.flat()
    for other in TASKS.values():
        for name in other.options:
            if name not in read and flat[name] != OPTIONS[name].default:
                raise checks.InputError(
                    f"{name}={flat[name]!r} is for a {other.name}, and {info.name} is a {info.task}: leave it out."
                )


def task(name) -> Task:
    """Returns a row of the table; an unknown name raises `InputError`."""
    if name not in TASKS:
        checks.one_of("task", name, TASKS)
    return TASKS[name]
