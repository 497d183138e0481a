"""The runs in a folder, side by side. Imports no TensorFlow, so that `zoo runs` answers at once."""

import csv
import json
from pathlib import Path

from zoo.config.config import TrainConfig
from zoo.models import checks

# What comes of a file of a run that is cut, emptied, of something else, or no file.
DAMAGE = (checks.InputError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error)  # fmt: skip
COLUMNS = ("run", "state", "model", "data", "seed", "epochs", "score", "value", "low", "high", "seconds")  # fmt: skip


def runs(folder="runs"):
    """Lists the runs in a folder, as a table to compare them by.

    Args:
        folder: Where runs lie, each in a folder of its own; also the folder of one run.

    Returns:
        A `pandas.DataFrame` with a row a run, the last one that began at the end: its folder (`run`), whether it is
        `"finished"`, has ended without an export (`"evaluated"`), was `"stopped"`, or has files that cannot be read (`"damaged"`), its model, data and seed, the epochs that it
        trained for, the name of its headline score, the score's `value` on the test split and the `low` and `high` end of its 95 %
        interval, and the `seconds` of training. What is not known is missing.

    Raises:
        InputError: There is no such folder.
    """
    import pandas as pd

    if not isinstance(folder, (str, Path)):
        raise checks.InputError(
            f"Runs lie in a folder: pass its path. Received: {type(folder).__name__}"
        )
    folder = Path(folder)
    if not folder.is_dir():
        raise checks.InputError(
            f"There is no folder {folder}: runs are written into ./runs unless --out says otherwise."
        )
    found = [folder] if (folder / "config.yaml").exists() else list(folder.iterdir())
    found = [path for path in found if (path / "config.yaml").exists()]
    found.sort(key=lambda path: (path / "config.yaml").stat().st_mtime)
    return pd.DataFrame([_row_or_damage(path) for path in found], columns=list(COLUMNS))


def _row_or_damage(folder):
    """The row of a run; of one whose files cannot be read what is known."""
    try:
        return _row(folder)
    except (*DAMAGE, StopIteration):
        return {"run": str(folder), "state": "damaged"}


def _row(folder):
    config = TrainConfig.of_run(folder)
    row = {
        "run": str(folder),
        "state": "stopped",
        "model": config.model,
        "data": config.data.dataset,
    }
    row |= {"seed": config.run.seed, "epochs": _epochs(folder)}
    if (folder / "score.json").exists():
        score = json.loads((folder / "score.json").read_text())
        name, value = next(iter(score["scores"].items()))
        low, high = score.get("interval") or (None, None)
        has_export = any((folder / "export").glob("*/saved_model.pb"))
        row |= {"state": "finished" if has_export else "evaluated", "score": name, "value": value}
        row |= {"low": low, "high": high, "seconds": score.get("fit_seconds")}
    return row


def _epochs(folder):
    try:
        with open(folder / "metrics.csv", newline="") as file:
            return max(0, sum(1 for _ in csv.reader(file)) - 1)
    except OSError:
        return 0
