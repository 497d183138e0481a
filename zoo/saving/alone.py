"""Scripts in fresh processes, which import neither zoo nor what the caller has imported."""

import os
import subprocess
import sys

SECONDS = 600  # that TensorFlow may take to load a model and answer its golden inputs


def run(script, *arguments):
    """Runs a Python script in a fresh process, for `SECONDS` at most; returns a `subprocess.CompletedProcess`."""
    # -P: the current folder cannot slip another module in
    command = [sys.executable, "-P", *map(str, (script, *arguments))]
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, env=env, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"it took more than {SECONDS} seconds")
