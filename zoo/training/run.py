"""One run: its folder, its log, its seed, its precision and its strategy."""

import contextlib
import dataclasses
import datetime
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import keras
import tensorflow as tf
import yaml

from zoo import families, files
from zoo.models import checks
from zoo.training import strategy as strategies
from zoo.training.compile import OPTIMIZERS
from zoo.training.config import OWN, TrainConfig

log = logging.getLogger("zoo")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a running recipe passes from step to step.

    Attributes:
        config: The settings that are really used (`--smoke` applied).
        folder: This run's own folder.
        strategy: The `tf.distribute` strategy; models are built inside `run.strategy.scope()`.
    """

    config: TrainConfig
    folder: Path
    strategy: tf.distribute.Strategy


@contextlib.contextmanager
def start_run(config):
    """Claims the run's folder and sets seed, precision and strategy; restores the precision at the end.

    Args:
        config: The `TrainConfig`.

    Yields:
        A `Run`.

    Raises:
        InputError: The folder exists or cannot be written, or settings exclude each other.
    """
    asked, config = config.check(), config.smoked()
    checks.one_of("optimizer", config.optimizer.name, OPTIMIZERS)
    if not config.model.startswith(OWN):
        families.arguments(
            config.model, config.model_args
        )  # names only: the sizes come with the data
    strategy = strategies.make_strategy(config.run.strategy, replicas=config.run.replicas)
    strategies.check_together(strategy, config)
    folder = _claim(config)
    precision_before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.run.precision)
    keras.utils.set_random_seed(config.run.seed)
    if config.run.deterministic:
        tf.config.experimental.enable_op_determinism()
    record = yaml.safe_load(asked.replace(out=None).to_yaml()) | {"made_by": versions()}
    files.write_atomic(folder / "config.yaml", yaml.safe_dump(record, sort_keys=False))
    try:
        with _logging_to(folder / "log.txt", quiet=config.run.quiet):
            log.info("run folder: %s", folder)
            yield Run(config, folder, strategy)
    except checks.InputError:
        if {path.name for path in folder.iterdir()} <= {"config.yaml", "log.txt"}:
            shutil.rmtree(folder)  # refused before it did anything
        raise
    finally:
        keras.config.set_dtype_policy(precision_before)


def _claim(config):
    if config.run.out is not None:
        return files.claim_folder(config.run.out)
    stem = f"{Path(config.data.dataset).stem}-{config.model.removeprefix(OWN)}".replace(":", "_")
    return files.claim_numbered_folder("runs", stem)


@contextlib.contextmanager
def _logging_to(path, *, quiet):
    """Messages of the zoo go to the run's log and, unless it is quiet, to the terminal."""
    handlers = [logging.FileHandler(path)]
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if not quiet and not log.handlers:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[1].setFormatter(logging.Formatter("%(message)s"))
    before = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False  # absl, which TensorFlow brings, would print every message once more
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        log.level, log.propagate = before
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def versions():
    """What made a run: versions, platform, device, date and, in a checkout, the commit."""
    packages = ("keras-zoo", "keras", "tensorflow", "tensorflow-datasets", "numpy")
    gpus = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **{package: _version(package) for package in packages},
        "device": ", ".join(gpu.get("device_name", "GPU") for gpu in gpus)
        or f"{platform.machine()} CPU, {_cores()} cores",
        "commit": _commit(),
        "command": _command(),
    }


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _command():
    """The command of this process, as a user of a checkout would write it; without where files lie."""
    script, arguments = Path(sys.argv[0]), list(sys.argv[1:])
    for option in ("--out", "--data-dir"):
        if option in arguments:
            at = arguments.index(option)
            del arguments[at : at + 2]
    if script.name == "zoo":
        return shlex.join(["zoo", *arguments])
    if script.parent.name in ("recipes", "benchmarks"):
        return shlex.join(["python", f"{script.parent.name}/{script.name}", *arguments])
    return "zoo.train(...)"


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return _version("tensorflow-cpu") if package == "tensorflow" else "not installed"


def _commit():
    """The checkout's commit, with `+` where files differ from it; `None` outside of a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or no commit yet
