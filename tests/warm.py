"""Processes that start at once: each is forked from one that has imported TensorFlow, and done nothing else.

Importing it takes seconds, which tests of hundreds of processes cannot spend each time. Where a test is about the start
of a process, it uses `subprocess`.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SERVERS = {}  # what they import → process


class Process:
    """A script that runs; like `subprocess.Popen` where tests need it."""

    def __init__(self, folder, server):
        self._folder, self._server = Path(folder), server
        self.returncode = None
        self.pid = int(self._wait_for("pid"))

    def _wait_for(self, name):
        path = self._folder / name
        while not path.exists():
            assert self._server.poll() is None, "the process to fork from has ended"
            time.sleep(0.01)
        return path.read_text()

    def communicate(self):
        """Waits for the end; returns what was printed to standard output and to standard error."""
        self.returncode = int(self._wait_for("code"))
        return tuple((self._folder / name).read_text(errors="replace") for name in ("out", "err"))


def start(script, *arguments, together=False, imports="zoo"):
    """Starts a script in the working directory.

    Args:
        script: Path of a Python file.
        *arguments: Its arguments.
        together: Whether standard error goes where standard output goes.
        imports: What is imported already: `"zoo"`, or `"tensorflow"` alone.

    Returns:
        A `Process`.
    """
    if imports not in _SERVERS:
        command = [sys.executable, __file__, imports]
        _SERVERS[imports] = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        atexit.register(_SERVERS[imports].stdin.close)
    server = _SERVERS[imports]
    request = {
        "folder": tempfile.mkdtemp(),
        "argv": [str(script), *map(str, arguments)],
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "together": together,
    }
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return Process(request["folder"], server)


def run(script, *arguments, imports="zoo"):
    """Runs a script to its end; returns a `subprocess.CompletedProcess`."""
    process = start(script, *arguments, imports=imports)
    printed = process.communicate()
    return subprocess.CompletedProcess((script, *arguments), process.returncode, *printed)


def in_plain_tensorflow(code, *arguments):
    """Runs code in a process that never imports zoo; returns what it prints last, read as JSON.

    `json`, `np`, `sys` and `tf` are imported.
    """
    heads = "import json, sys\nimport numpy as np\nimport tensorflow as tf\n"
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(f"{heads}{code}\nassert 'zoo' not in sys.modules")
        script.flush()
        child = run(script.name, *arguments, imports="tensorflow")
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.strip().splitlines()[-1])


def _serve(imports):
    importlib.import_module(imports)
    if imports == "zoo":
        import zoo

        # Modules alone: a name that `zoo` has looked up once, as zoo.train, could not be replaced in its module any more.
        others = ("zoo.cli", "sklearn.linear_model", "matplotlib.figure", "tensorboard")
        for module in (*zoo._HOMES.values(), *others):
            zoo.import_quietly(module)
    gc.freeze()  # a pass of the collector would write into the memory that all children share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    for line in sys.stdin:
        if os.fork() == 0:
            _follow(json.loads(line))


def _follow(request):
    """Forks once more, and writes down the number of the process and the code that it ends with."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid, folder = os.fork(), Path(request["folder"])
    if pid == 0:
        _become(request)
    _write(folder / "pid", pid)
    _write(folder / "code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _write(path, number):
    path.with_suffix(".part").write_text(str(number))
    path.with_suffix(".part").rename(path)


def _become(request):
    """Turns this process into one that was started with a script."""
    folder = Path(request["folder"])
    out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    err = out if request["together"] else os.open(folder / "err", os.O_WRONLY | os.O_CREAT)
    (folder / "err").touch()
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = request["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
