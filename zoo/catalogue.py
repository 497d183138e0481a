"""What families and sizes there are, from the facts in `sizes.csv`, which `python -m zoo.summary` measures and tests prove.

Imports neither TensorFlow nor Keras, so that `zoo models` answers at once.
"""

import csv
import dataclasses
import fnmatch
import functools
from pathlib import Path

from zoo.models import checks

PATH = Path(__file__).with_name("sizes.csv")


@dataclasses.dataclass(frozen=True)
class Size:
    """A size of a family, and what it costs for one example of the shape `example`, with 10 classes.

    Attributes:
        model: `"cnn:base"`.
        tasks: The tasks that its family has samples of, joined by commas.
        inputs: What its family takes, joined by commas.
        example: The shape of the example.
        parameters: How many the model has.
        operations: Floating-point operations of one prediction; a multiplication with addition is two.
        activations: KiB of the outputs of all operations, as if all were kept.
    """

    model: str
    tasks: str
    inputs: str
    example: str
    parameters: int
    operations: int
    activations: int


@functools.cache
def sizes():
    """Every `Size`, in the order of the table of families."""
    numbers = ("parameters", "operations", "activations")
    with open(PATH, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return tuple(Size(**{**row, **{key: int(row[key]) for key in numbers}}) for row in rows)


def families():
    """The names of the families, in the order of their table."""
    return list(dict.fromkeys(size.model.partition(":")[0] for size in sizes()))


def matching(pattern="*", *, task=None, family=None):
    """The `Size`s that match, as `list_models` describes."""
    found = {size: size.model.partition(":")[0] for size in sizes()}
    if family is not None:
        checks.one_of("family", family, dict.fromkeys(found.values()))
    if task is not None:
        known = dict.fromkeys(one for size in found for one in size.tasks.split(", "))
        checks.one_of("task", task, known)
    return [
        size
        for size, name in found.items()
        if (fnmatch.fnmatch(size.model, pattern) or fnmatch.fnmatch(name, pattern))
        and family in (None, name)
        and (task is None or task in size.tasks.split(", "))
    ]


def list_models(pattern="*", *, task=None, family=None):
    """Lists the names `family:size` that match.

    Each is an architecture that starts from random weights; `zoo models` lists the trained models, too.

    Args:
        pattern: Shell-style pattern over the whole name or the family, for example `"cnn*"` or `"*:tiny"`.
        task: Keep families that have a sample of this task.
        family: Keep this family only.

    >>> list_models("dense:*")
    ['dense:tiny', 'dense:small', 'dense:base', 'dense:large', 'dense:tabular', 'dense:ensemble']
    """
    return [size.model for size in matching(pattern, task=task, family=family)]


def table(titles, rows):
    """Rows side by side, as wide as they need; a row of less cells is as long as it is."""
    rows = [titles, *rows]
    whole = [row for row in rows if len(row) == len(titles)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )
