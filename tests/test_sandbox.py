"""A sandbox keeps harm in, answers as the model does, and ends what takes too much."""

import json
import subprocess
import sys
from pathlib import Path

import harmful_programs
import malicious
import numpy as np
import plain_load
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo import cli
from zoo.saving import sandbox, sandboxed


def sandbox_or_skip():
    if missing := sandboxed_limits():
        pytest.skip(f"this machine does not offer: {missing}")


def sandboxed_limits():
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import sandboxed\n"
        "print(json.dumps(sandboxed.limit({'memory': 2**32, 'seconds': 9, 'readable': [], 'listable': []})))"
    )
    where = str(Path(sandboxed.__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", code, where], capture_output=True, text=True, check=True
    )
    return json.loads(child.stdout)


HARM = {
    "serving_default writes a file": "Permission denied|PermissionDenied",
    "an initializer writes a file": "Permission denied|PermissionDenied",
    "serving_default answers with a file": "Permission denied|PermissionDenied",
    "serving_default calls another machine": "Unavailable|unavailable|failed to connect|DEADLINE|Deadline",
    "serving_default ends the process": "ended early \\(signal 6\\)",
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.slow] * (i > 0)) for i, what in enumerate(HARM)]
)
def test_a_sandbox_keeps_harm_in(what, tmp_path):
    sandbox_or_skip()
    with plain_load.listening() as listener:
        bait = harmful_programs.Bait(tmp_path / "bait", listener.port).lay()
        malicious.made(malicious.named(what), bait, tmp_path / "model")
        np.savez(tmp_path / "x.npz", x=np.ones(2, "float32"))
        watch = plain_load.Watch(bait.folder)
        with pytest.raises(zoo.InputError, match=HARM[what]):
            zoo.predict_sandboxed(
                tmp_path / "model", [tmp_path / "x.npz"], foreign=True, unsafe=True
            )
        assert watch.effects() - {"read"} == set()
        assert not listener.connected


@pytest.mark.slow
def test_a_sandbox_answers_as_the_model_does(tmp_path, capsys):
    sandbox_or_skip()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype("uint8")
    np.save(tmp_path / "x.npy", pixels)
    rows = zoo.predict_sandboxed("digits_cnn", [tmp_path / "x.npy"])
    expected = zoo.load("digits_cnn").predict(pixels)["probabilities"]
    assert_close([row["probabilities"] for row in rows], expected, KERNELS, scale=1)
    cli.main(["predict", "--sandbox", "digits_cnn", str(tmp_path / "x.npy")])
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bomb", "limits", "words"),
    [
        (lambda x: tf.while_loop(lambda z: tf.reduce_sum(z) > -1, lambda z: [z], [x])[0], {"seconds": 20}, "was stopped: it ran for 20 seconds|ended early"),
        (lambda x: tf.reduce_sum(tf.random.uniform([2**30 + tf.size(x)])), {"memory_mb": 2048}, "allocat|ended early|OOM|ResourceExhausted"),
    ],
    ids=["time", "memory"],
)  # fmt: skip
def test_a_sandbox_ends_a_bomb(bomb, limits, words, tmp_path):
    sandbox_or_skip()
    harmful_programs.save(tmp_path / "model", lambda x: {"y": bomb(x)})
    np.savez(tmp_path / "x.npz", x=np.ones(2, "float32"))
    with pytest.raises(zoo.InputError, match=words):
        zoo.predict_sandboxed(tmp_path / "model", [tmp_path / "x.npz"], foreign=True, **limits)


def test_a_machine_without_a_limit_says_so(caplog):
    request = {"shown": "m", "partial": False, "memory": 2**32}
    said = json.dumps({"missing": ["no network (unshare: Operation not permitted)"]}).encode()
    with pytest.raises(sandbox.SandboxError, match="no network .* is missing.*--partial"):
        sandbox._read(request, said, 0)
    rows = said + b'\nnoise\n{"row": {"input": "x", "y": [1]}}\n'
    with caplog.at_level("WARNING", "zoo"):
        assert sandbox._read({**request, "partial": True}, rows, 0) == [{"input": "x", "y": [1]}]
    assert "no network" in caplog.text
