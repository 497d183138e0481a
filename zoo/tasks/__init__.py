"""THE TABLE of tasks: what targets are, and how results are made and judged. The only home of losses and metrics.

To add a task, write `tasks/<name>.py` with its row and add that here.
"""

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


def task(name) -> Task:
    """Returns a row of the table; an unknown name raises `InputError`."""
    if name not in TASKS:
        checks.one_of("task", name, TASKS)
    return TASKS[name]
