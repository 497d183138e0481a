"""Scripts in fresh processes, which import neither zoo nor what the caller has imported."""

import os
import subprocess
import sys


def run(script, *arguments):
    """Runs a Python script in a fresh process; returns a `subprocess.CompletedProcess`."""
    return subprocess.run(  # -P: the current folder cannot slip another module in
        [sys.executable, "-P", *map(str, (script, *arguments))],
        capture_output=True,
        text=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        check=False,
    )
