"""What became of trials: a file in the folder of each, and the values of its epochs."""

import csv
import dataclasses
import json
import logging
from pathlib import Path

from zoo import files

log = logging.getLogger("zoo.tuning")

NAME = "result.json"


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a trial.

    Attributes:
        values: Name → value of every hyperparameter.
        reason: Why it failed; `None` where it did not.
        score: The objective at its best epoch.
        best_epoch: That epoch's number, from 0.
        loss: The validation loss of that epoch, which decides between equal scores.
        epochs: Epochs that were trained.
        pruned: Whether it was ended as one without hope.
        cut: Whether it was ended because time was up; it goes on when there is more.
        seconds: Wall time.
        parameters: Of the model.
        latency_ms: Of a forward pass of one example, where a limit was given.
        trace: The traceback of a failure.
    """

    values: dict
    reason: str | None = None
    score: float | None = None
    best_epoch: int | None = None
    loss: float | None = None
    epochs: int = 0
    pruned: bool = False
    cut: bool = False
    seconds: float = 0.0
    parameters: int | None = None
    latency_ms: float | None = None
    trace: str | None = None


def read(folder):
    """The result of the trial in a folder; `None` where it has none yet, or its file is damaged."""
    try:
        return Result(**json.loads((Path(folder) / NAME).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s cannot be read (%s): the trial is judged again", folder, error)
        return None


def write(folder, result):
    """Writes the result of the trial in a folder."""
    text = json.dumps(dataclasses.asdict(result), indent=2)
    files.write_atomic(Path(folder) / NAME, text + "\n")


def epochs(run):
    """What a run logged: for each epoch, name → value as text."""
    with open(Path(run) / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name != "epoch"} for row in rows]


def curve(folder, name):
    """A logged value of a trial, epoch by epoch."""
    return [float(row[name]) for row in epochs(Path(folder) / "run")]


def curves(search, name):
    """The curves of the trials that have ended without failing, in the order of their folders."""
    ended = [path.parent for path in sorted(Path(search).glob(f"trial_*/{NAME}"))]
    sound = [path for path in ended if (found := read(path)) is not None and found.reason is None]
    return [curve(path, name) for path in sound]
