"""A model in a process of its own that may read the model and its inputs, compute, and answer: nothing else.

For models of people one does not know. What it does not protect from: faults of the kernel and of Landlock; answers that are
wrong on purpose; a model that reads what it may (its own files, the inputs, Python's and TensorFlow's files) and puts it
into its answers; and, within the limits, the use of time and memory.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

import zoo
from zoo.models import checks
from zoo.saving import gate, store

log = logging.getLogger("zoo")

MEMORY_MB = 4096  # data alone, of which TensorFlow takes less than 512; its address space is many times as large
ANSWER_LIMIT = 256 * 2**20  # bytes
# What Python and TensorFlow read when they start. No home folders, no /etc but the linker's, no /tmp.
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/self", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom")  # fmt: skip


class SandboxError(checks.InputError):
    """The process of its own ended early, or cannot be limited on this machine; the message says why."""


def predict_sandboxed(
    name_or_path,
    inputs,
    *,
    foreign=False,
    unsafe=False,
    allow=(),
    seconds=120,
    memory_mb=MEMORY_MB,
    partial=False,
    with_rows=False,
):
    """Predicts files with a model that runs in a limited process of its own.

    The process has no network, writes no file, starts no program, reads the model, the inputs and what TensorFlow consists
    of, and ends with its time or memory. The checks of `load` come first.

    Args:
        name_or_path: As in `load`.
        inputs: Files, as for `zoo predict`; `.npz` files of named arrays for a model without a card.
        foreign: As in `load`.
        unsafe: As in `load`: leaves it to the limits alone.
        allow: As in `load`.
        seconds: Of wall time, and of time on each processor.
        memory_mb: What it may use, TensorFlow's part included.
        partial: Goes on where this machine does not offer a limit.
        with_rows: Whether an example that is a row of a table also gets `row`, its cells as they are in the file.

    Returns:
        A list of dicts, one per example: `input`, then the outputs.

    Raises:
        SandboxError: It took too long, too much memory, or the machine offers no such limits.
        InputError: The model is refused, or an input cannot be used.
    """
    checks.positive_int("seconds", seconds)
    checks.positive_int("memory_mb", memory_mb)
    inputs = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise checks.InputError(
            f"The inputs of a model in a process of its own are a list of files. Received: {inputs!r}"
        )
    paths = [_existing(path) for path in inputs]
    path = store.find(name_or_path)
    with (
        gate.checked(path, foreign=foreign, unsafe=unsafe, allow=allow) as folder,
        tempfile.TemporaryDirectory(prefix="zoo-") as empty,
    ):
        folder = folder.resolve()
        modules = [
            entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")
        ]
        python = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *modules]
        own = Path(zoo.__file__).parent
        request = {
            "folder": str(folder),
            "shown": str(path),
            "inputs": paths,
            "path": [str(own.parent), *modules],
            "readable": [*_SYSTEM, *python, str(own), str(folder), *paths],
            "listable": [str(own.parent)],  # Python looks for modules there
            "seconds": seconds,
            "memory": memory_mb * 2**20,
            "partial": partial,
            "with_rows": with_rows,
        }
        return _run(request, empty)


def _existing(path):
    is_path = isinstance(path, (str, os.PathLike))
    if not is_path or path == "-" or not os.path.exists(path):
        raise checks.InputError(
            f"There is no file {path!s:.100}; a model in a process of its own reads no standard input."
        )
    return os.path.realpath(path)


def _run(request, empty):
    script = Path(__file__).with_name("sandboxed.py")
    kept = {
        key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "LANG") if key in os.environ
    }
    home = {"HOME": empty, "TMPDIR": empty, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-P", "-B", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=empty,
        env={**kept, **home},
        start_new_session=True,
    )
    stop = threading.Timer(request["seconds"], os.killpg, (child.pid, signal.SIGKILL))
    stop.start()
    try:
        with child:
            with contextlib.suppress(BrokenPipeError):  # it has ended already; its code says why
                child.stdin.write(json.dumps(request).encode())
                child.stdin.close()
            said = child.stdout.read(ANSWER_LIMIT)
            is_whole = not child.stdout.read(1)
            if not is_whole:
                os.killpg(child.pid, signal.SIGKILL)
    finally:
        was_stopped = not stop.is_alive()
        stop.cancel()
    if was_stopped or not is_whole:
        raise SandboxError(
            f"{request['shown']} was stopped: it ran for {request['seconds']} seconds (pass seconds=..., --seconds)"
            + ("." if is_whole else ", or answered with too much.")
        )
    return _read(request, said, child.returncode)


def _read(request, said, code):
    """The rows that the process printed; none of it is trusted but the first line, which comes before the model."""
    messages = []
    for line in said.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            message = json.loads(line)
            messages += [message] if isinstance(message, dict) else []
    missing = messages[0].get("missing", ()) if messages else ()
    if missing and not request["partial"]:
        raise SandboxError(
            f"This machine cannot keep a process from everything: {'; '.join(missing)} is missing. Use one that can, or pass "
            "partial=True (--partial) to go on with the other limits."
        )
    if missing:
        log.warning("the process of %s runs without: %s", request["shown"], "; ".join(missing))
    for message in messages:
        if "error" in message:
            raise checks.InputError(
                f"{request['shown']}: {checks.shown(str(message['error'])[:2000])}"
            )
    if code != 0:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise SandboxError(
            f"The process of {request['shown']} ended early ({how}): it lacked memory ({request['memory'] >> 20} MiB: pass "
            "memory_mb=..., --memory-mb), or did what is not allowed."
        )
    rows = [message["row"] for message in messages if "row" in message]
    if not all(isinstance(row, dict) and isinstance(row.get("input"), str) for row in rows):
        raise SandboxError(f"The process of {request['shown']} answered with what is no answer.")
    return rows
