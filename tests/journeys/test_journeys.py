"""A newcomer's first hour, as people type it: a shell file and a notebook, each from the first line to the last."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = pytest.mark.slow


def environment(tmp_path):
    """Variables with which `zoo` and `python` are those of the tests."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, arguments in {"zoo": "-m zoo.cli ", "python": ""}.items():
        (place / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (place / name).chmod(0o755)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def test_the_first_hour_on_the_command_line(tmp_path):
    (tmp_path / "desk").mkdir()
    child = subprocess.run(
        ["bash", HERE / "first_hour.sh"],
        cwd=tmp_path / "desk",
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stdout[-3000:] + child.stderr[-3000:]
    assert "Traceback" not in child.stdout + child.stderr


def test_the_first_hour_in_a_notebook(tmp_path):
    cells = json.loads((HERE / "first_hour.ipynb").read_text())["cells"]
    code = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    (tmp_path / "cells.py").write_text(code)
    child = subprocess.run(
        [sys.executable, "cells.py"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stdout[-2000:] + child.stderr[-3000:]
