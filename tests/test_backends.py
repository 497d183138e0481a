"""The builders know nothing of a backend: JAX and PyTorch compute what TensorFlow computes, and train."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from table import KINDS, STATEFUL, set_ramp, tiny
from tolerances import COMPILERS, assert_close

OTHERS = """
import sys
import keras
import numpy as np
from table import KINDS, STATEFUL, loss_of, set_ramp, tiny

assert keras.backend.backend() == sys.argv[1]
outputs = {}
for name, task, index in (param.values for param in KINDS):
    model, sample = tiny(name, task, index, **STATEFUL[name])
    set_ramp(model)
    outputs[f"{name}-{task}-{index}"] = keras.tree.flatten(model.predict(sample.inputs, verbose=0))[0]
    model.compile("sgd", loss_of(task))
    assert np.isfinite(model.fit(sample.inputs, sample.targets, verbose=0).history["loss"]).all()
np.savez(sys.argv[2], **outputs)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same_outputs(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    child = subprocess.run(
        [sys.executable, "-c", OTHERS, backend, str(tmp_path / "outputs.npz")],
        cwd=Path(__file__).parent,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    theirs = np.load(tmp_path / "outputs.npz")
    for name, task, index in (param.values for param in KINDS):
        model, sample = tiny(name, task, index, **STATEFUL[name])
        set_ramp(model)
        ours = keras.tree.flatten(model.predict(sample.inputs, verbose=0))[0]
        assert_close(theirs[f"{name}-{task}-{index}"], ours, COMPILERS, err_msg=name)


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
