"""Starting workers: several processes on this machine, or one of a cluster's.

Imports no TensorFlow: the workers do.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from zoo.models import checks
from zoo.training import cluster

PORT = 2222  # of every worker of a cluster
GRACE = 30.0  # seconds that workers have to save their state when they are asked to end
AFTER_FAILURE = 3.0  # seconds until the fellows of a worker that failed are ended: they wait for it and save nothing
SAVED = (
    130,
    143,
)  # exit codes of workers that have saved their state because they were asked to end
BAD_INPUT = 2  # a worker's exit code that another start would only repeat


def launch(command, workers, *, max_restarts=0):
    """Runs a command as several workers on this machine, to its end.

    When one of them fails, all are ended, and started again where the last checkpoint is.

    Args:
        command: The command as a list: a recipe, or `zoo train`.
        workers: How many processes.
        max_restarts: How often they may be started again; needs the command's `--out`.

    Returns:
        The exit code: 0, that of the first worker that failed, or 128 and the number of the signal that ended them.

    Raises:
        InputError: There is nothing to run, or `--out` is missing.
    """
    command = checked(command, workers, max_restarts)
    for restart in range(max_restarts + 1):
        code, is_over = _run_once(command, workers)
        if is_over or restart == max_restarts:
            return code
        print(
            f"zoo launch: starting all workers again, from the last checkpoint ({restart + 1} of {max_restarts})",
            file=sys.stderr,
        )
    return code


def launch_tuner(command, workers, *, max_restarts=0):
    """Runs `zoo tune` as a chief, which proposes trials, and workers, which run them, all on this machine.

    A worker that fails is started again and takes its trial up. When the chief fails, all are started again.

    Args:
        command: The command as a list: `zoo tune`, or a script that calls `zoo.tune`.
        workers: How many processes run trials.
        max_restarts: How often processes may be started again, in all.

    Returns:
        The exit code, as `launch` does.

    Raises:
        InputError: There is nothing to run.
    """
    checks.positive_int("workers", workers)
    checks.not_negative("max_restarts", max_restarts)
    if not command:
        raise checks.InputError(
            "There is no command to run: zoo launch --tuner --workers 2 -- zoo tune cnn"
        )
    (port,) = _free_ports(1)
    names = ["chief", *(f"tuner{i}" for i in range(workers))]
    asked, children, left = [], {}, max_restarts
    with _forwarding(asked):
        while True:
            for name in names:
                if name not in children:
                    children[name] = _start_tuner(command, name, port)
            failed = next((name for name in names if children[name].poll()), None)
            if failed is not None and not asked:
                code = children[failed].returncode
                print(f"zoo launch: {failed} {_meaning(code)}", file=sys.stderr)
                if code == BAD_INPUT or not left:
                    _end(list(children.values()))
                    return 128 - code if code < 0 else code
                left -= 1
                ended = names if failed == "chief" else [failed]
                _end([children.pop(name) for name in ended])
                continue
            if asked:
                _end(list(children.values()), asked[0])
                return 128 + asked[0]
            if all(child.poll() == 0 for child in children.values()):
                _end(list(children.values()))
                return 0
            time.sleep(0.05)


def _start_tuner(command, name, port):
    # The channel between them is not protected: on this machine alone.
    variables = {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
    }
    child = _popen(command, variables)
    child.reader = threading.Thread(target=_show, args=(child, name), daemon=True)
    child.reader.start()
    return child


def _end(children, number=signal.SIGTERM):
    """Asks tuners to end, and ends those that have not after the time to save their state; shows all they printed."""
    _send(children, number)
    deadline = time.monotonic() + GRACE
    for child in children:
        try:
            child.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.reader.join(timeout=5.0)


def run_one(command, hosts, index):
    """Becomes one worker of a cluster: replaces this process by the command, with `TF_CONFIG` set.

    Args:
        command: The command as a list.
        hosts: Names of the workers' machines, with or without a port, in the same order everywhere.
        index: Number of this one, from 0.
    """
    command = checked(command, len(hosts), 0)
    value = cluster.tf_config(with_ports(hosts), index)
    cluster.here({cluster.VARIABLE: value})  # refuses an index that is none
    os.environ[cluster.VARIABLE] = value
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise checks.InputError(f"Cannot run {command[0]}: {error.strerror}.") from error


def with_ports(hosts):
    """`host:port` of each host.

    >>> with_ports(["a", "b:99"])
    ['a:2222', 'b:99']
    """
    return [host if ":" in host else f"{host}:{PORT}" for host in hosts]


def checked(command, workers, max_restarts):
    """The command, which goes on where it was wherever it may be started again."""
    checks.positive_int("workers", workers)
    checks.not_negative("max_restarts", max_restarts)
    if not command:
        raise checks.InputError(
            "There is no command to run: zoo launch --workers 2 -- python recipes/classify_images.py"
        )
    named = [part.partition("=")[0] for part in command]
    if not max_restarts or "--resume" in named:
        return list(command)
    if "--out" not in named:
        raise checks.InputError(
            "max_restarts needs the folder of the run, to find it again: add --out FOLDER to the command."
        )
    return [*command, "--resume", "auto"]


def _run_once(command, workers):
    """Starts all workers and waits; returns the exit code, and whether that is final."""
    addresses = [f"localhost:{port}" for port in _free_ports(workers)]
    asked = []
    with tempfile.TemporaryDirectory(prefix="zoo-launch-") as scratch, _forwarding(asked):
        children = [_start(command, addresses, index, scratch) for index in range(workers)]
        readers = [
            threading.Thread(target=_show, args=(child, index), daemon=True)
            for index, child in enumerate(children)
        ]
        for reader in readers:
            reader.start()
        code = _wait(children, asked)
        for reader in readers:
            reader.join(timeout=5.0)
    return code, code in (0, BAD_INPUT) or bool(asked)


def _wait(children, asked):
    """Waits until all have ended, and ends those that are left when one has failed; returns the exit code."""
    failed, deadline, left = None, None, True
    while left:
        left = [child for child in children if child.poll() is None]
        bad = [i for i, child in enumerate(children) if child.returncode]
        if asked and deadline is None:
            _send(left, asked[0])
            deadline = time.monotonic() + GRACE
        if bad and failed is None:
            failed = bad[0]
            code = children[failed].returncode
            if not asked:
                text = f"worker {failed} {_meaning(code)}{'; ending the others' * bool(left)}"
                print(f"zoo launch: {text}", file=sys.stderr)
            # Workers that were asked to end save their state together, but the chief may need longer.
            wait = GRACE if asked or code in SAVED else AFTER_FAILURE
            deadline = min(deadline or float("inf"), time.monotonic() + wait)
        if deadline is not None and time.monotonic() > deadline:
            _send(left, signal.SIGKILL)
        time.sleep(0.05 if left else 0)
    codes = [child.returncode for child in children]
    if BAD_INPUT in codes:
        return BAD_INPUT
    if asked:
        return 128 + asked[0]
    code = 0 if failed is None else codes[failed]
    return 128 - code if code < 0 else code


def _meaning(code):
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def _send(children, number):
    for child in children:
        if child.poll() is None:
            child.send_signal(number)


def _start(command, addresses, index, scratch):
    variables = {cluster.VARIABLE: cluster.tf_config(addresses, index), "TMPDIR": scratch}
    return _popen(command, variables)


def _popen(command, variables):
    """Starts a command with more environment variables."""
    try:
        return subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on once
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    except OSError as error:
        raise checks.InputError(f"Cannot run {command[0]}: {error.strerror}.") from error


def _end_with_parent():
    """Asks Linux to end this process when its parent ends, however that ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _show(child, index):
    """Prints what a worker prints, with its number before each line."""
    for line in child.stdout:
        sys.stdout.write(f"[{index}] {line}")
        sys.stdout.flush()


class _forwarding:
    """Within the block Ctrl-C and SIGTERM are put into a list."""

    def __init__(self, asked):
        self.asked, self.before = asked, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, lambda n, _: self.asked.append(n))

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _free_ports(count):
    """Ports of this machine that nobody listens at."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
