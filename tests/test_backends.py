"""The architectures on Keras's other backends: the same promises, in processes of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_promises_of_any_backend_hold(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (pip install 'keras-zoo[parity]')")
    promises = Path(__file__).parent / "test_families.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", promises],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
