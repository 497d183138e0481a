"""What made a run: versions, platform, device, date, command and commit."""

import datetime
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import tensorflow as tf


def found():
    """What made a run: versions, platform, device, date and, in a checkout, the commit."""
    gpus = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **packages(),
        "device": ", ".join(gpu.get("device_name", "GPU") for gpu in gpus)
        or f"{platform.machine()} CPU, {cores()} core{'s' * (cores() != 1)}",
        "commit": _commit(),
        "command": _command(),
    }


def packages():
    """The versions of the packages that decide what a run computes."""
    packages = ("keras-zoo", "keras", "tensorflow", "tensorflow-datasets", "numpy")
    return {package: _version(package) for package in packages}


def cores():
    """How many CPU cores this process may use."""
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
            ["git", "--no-optional-locks", "-C", root, *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or no commit yet
