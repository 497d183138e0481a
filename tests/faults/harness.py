"""Running recipes in processes of their own and in this one, and comparing what runs leave behind."""

import contextlib
import hashlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import keras
import pytest
import tensorflow as tf
import warm

import zoo
from zoo.training import checkpoints

ROOT = Path(zoo.__file__).parents[1]
DRIVER = Path(__file__).with_name("driver.py")
TABLE, IMAGES = (str(ROOT / "recipes" / f"classify_{kind}.py") for kind in ("table", "images"))


def start(faults, *arguments, script=TABLE):
    """Starts a recipe in a process of its own, in the working directory, with faults for `driver.py`."""
    return warm.start(DRIVER, json.dumps(faults), script, *arguments, together=True)


def child(faults, *arguments, script=TABLE):
    """Runs a recipe so, to its end; returns the exit code and what it printed."""
    process = start(faults, *arguments, script=script)
    printed, _ = process.communicate()
    return process.returncode, printed


def here(*arguments, script=TABLE):
    """The same in this process, which has TensorFlow already; without faults."""
    printed, code = io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", [script, *map(str, arguments)]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            code = end.code
    keras.backend.clear_session()
    return code, printed.getvalue()


def newest(run):
    """The number of steps in a run's newest checkpoint; 0 without one."""
    found = checkpoints.paths(Path(run) / "checkpoints")
    return int(found[0].stem.partition("-")[2]) if found else 0


def outcome(run):
    """What a finished run leaves, to be compared bit by bit."""
    run = Path(run)
    state, arrays = checkpoints.read(checkpoints.paths(run / "checkpoints")[0])
    score = json.loads((run / "score.json").read_text())
    score.pop("fit_seconds")
    left = [p.name for p in run.rglob(".*") if p.name != ".lock"]
    return {
        "steps": state["number"],
        "every variable after the last step": digest(arrays),
        "weights of the export": digest(exported(run)),
        "metrics.csv": (run / "metrics.csv").read_text(),
        "score": score,
        "pictures": sorted(path.name for path in run.glob("*.png")),
        "leftovers": left,
    }


_LEFT = set()  # what was seen to go on, by this process of tests


def is_left_anew(run):
    """Whether no run before left the same: what goes on from the same bits need be seen once.

    Compared are the names of all files, and the contents of all but the log; of checkpoints what they hold, without the
    seconds that the training took.
    """
    content = hashlib.sha256()
    for path in sorted(Path(run).rglob("*")):
        content.update(str(path.relative_to(run)).encode())
        if path.is_file() and path.name not in ("log.txt", ".lock"):
            content.update(repr(_held(path)).encode())
    known = content.digest() in _LEFT
    _LEFT.add(content.digest())
    return not known


def _held(path):
    if path.suffix == ".npz":
        with contextlib.suppress(zoo.InputError, ValueError, OSError):  # a damaged one: its bytes
            state, arrays = checkpoints.read(path)
            return {**state, "seconds": None}, digest(arrays)
    return hashlib.sha256(path.read_bytes()).digest()


def digest(arrays):
    """SHA-256 of arrays: dtypes, shapes and bytes."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return content.hexdigest()


def exported(run):
    """The arrays of a run's newest export."""
    reader = tf.train.load_checkpoint(str(zoo_path(run) / "variables" / "variables"))
    names = sorted(reader.get_variable_to_shape_map())
    return [reader.get_tensor(name) for name in names if "VARIABLE_VALUE" in name]


def zoo_path(run):
    from zoo.saving import store

    return store.find(run)


def says(pattern, printed):
    """Whether a text was printed; `…` stands for anything."""
    return re.search(".*?".join(map(re.escape, pattern.split("…"))), printed, re.S) is not None


@contextlib.contextmanager
def small_disk(folder, megabytes, inodes=10_000):
    """Mounts a memory disk on a folder."""
    size = f"size={megabytes}m,nr_inodes={inodes}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs root, to mount a small disk (tmpfs)")
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        subprocess.run(["umount", "--lazy", folder], check=True)
