"""Checkpoints: the whole state of a training run, each in one file that is never half-written.

A checkpoint is an `.npz`: the variables of model, optimizer and metrics in order, and a JSON text with everything else.
Its parts have check sums, so that a damaged file is noticed when it is read.
"""

import csv
import io
import json
import logging
from pathlib import Path

import numpy as np

from zoo import files
from zoo.models import checks

log = logging.getLogger("zoo")

FORMAT = 1


class DamagedCheckpointError(checks.InputError):
    """A checkpoint is not what was written."""


def path_of(folder, number):
    """The path of a run's checkpoint after so many steps."""
    return Path(folder) / f"step-{number:09}.npz"


def write(folder, state, arrays):
    """Writes a checkpoint.

    Args:
        folder: Where it goes.
        state: Dict that JSON can hold; `state["number"]` is the number of steps done in the whole run.
        arrays: NumPy arrays.
    """
    text = json.dumps({"format": FORMAT, "num_arrays": len(arrays), **state})
    content = {f"array_{i}": array for i, array in enumerate(arrays)}
    content["state"] = np.frombuffer(text.encode(), "uint8")
    path = path_of(folder, state["number"])
    path.parent.mkdir(exist_ok=True)  # somebody may have cleaned up; not the run's folder itself
    files.write_atomic(path, lambda file: np.savez(file, **content))


def read(path):
    """Reads a checkpoint: the state and the arrays.

    Raises:
        DamagedCheckpointError: The file is missing, cut or changed.
        InputError: A later version of the project wrote it.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            state = json.loads(content["state"].tobytes())
            arrays = [content[f"array_{i}"] for i in range(state["num_arrays"])]
    except Exception as error:  # zip, NumPy and JSON have many names for it
        raise DamagedCheckpointError(f"{path} cannot be read: {error or type(error)}") from error
    if state["format"] != FORMAT:
        raise checks.InputError(
            f"{path} has format {state['format']}; this version of the project reads {FORMAT}."
        )
    return state, arrays


def paths(folder):
    """The checkpoints in a folder, the newest first."""
    return sorted(Path(folder).glob("step-*.npz"), reverse=True)


def keep(folder, number, *, newest, best):
    """Removes the checkpoints of a run but for the newest and the best.

    Args:
        folder: Where they are.
        number: Steps of the newest one.
        newest: How many are kept.
        best: Steps of the best epoch's, or `None`.
    """
    last = path_of(folder, number)
    kept = [path for path in paths(folder) if path <= last][:newest]
    for path in paths(folder):
        if path not in kept and (best is None or path != path_of(folder, best)):
            path.unlink()


def newest(folder):
    """The newest checkpoint that can be read, with its best epoch's: state and arrays; `None` before the first one.

    Damaged ones are named, passed over and, where one can be used, put aside.

    Raises:
        DamagedCheckpointError: None of those that are there can be used.
    """
    found, whole, damaged = paths(folder), [], []
    for path in found:
        try:
            state, arrays = read(path)
        except DamagedCheckpointError as error:
            log.warning("%s", error)
            damaged.append(path)
            continue
        best = state["best"]
        if best is None or _is_readable(path_of(folder, best["number"])):
            break
        log.warning("%s knows a best epoch whose own checkpoint is lost", path)
        whole.append((state, arrays))
    else:
        if not found:
            return None
        if not whole:
            raise DamagedCheckpointError(
                f"No checkpoint in {folder} can be read. Remove that folder, and --resume begins the run anew."
            )
        state, arrays = whole[0]
        log.warning(
            "epoch %d, the best so far, is lost: the best of later ones is kept",
            state["best"]["epoch"] + 1,
        )
        state = {**state, "best": None}
    for path in damaged:
        path.rename(path.with_suffix(".damaged"))
    return state, arrays


def _is_readable(path):
    try:
        read(path)
    except DamagedCheckpointError as error:
        log.warning("%s", error)
        return False
    return True


def write_metrics(run, rows):
    """Writes `metrics.csv` into a run's folder: a row for each epoch."""
    names = sorted({name for row in rows for name in row} - {"epoch"})
    text = io.StringIO()
    writer = csv.DictWriter(text, ["epoch", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_atomic(run / "metrics.csv", text.getvalue())
