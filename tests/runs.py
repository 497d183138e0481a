"""Short runs, one of each kind of data, that many tests read and none changes."""

import contextlib
import fcntl
import os

import numpy as np
import pandas as pd

import zoo

_RNG = np.random.default_rng(0)
_WORDS = np.array(["good", "fine", "great", "bad", "poor", "awful", "film", "plot", "a", "b"])
TEXTS = [" ".join(_RNG.choice(_WORDS, n)) for n in _RNG.integers(1, 30, 120)]
MIXED = pd.DataFrame(
    {
        "size": np.where(_RNG.random(120) < 0.1, np.nan, _RNG.normal(size=120)),
        "colour": _RNG.choice(["red", "green", "blue"], 120),
        "day": pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d"),
        "kind": _RNG.choice(["x", "y"], 120),
    }
)
_LETTERS = ["".join(_RNG.choice(list("abcdef"), n)) for n in _RNG.integers(1, 6, 400)]
PAIRS = (_LETTERS, [" ".join(word.upper()) for word in _LETTERS])  # words, and the same spelled
LIMITED = {"epochs": 1, "limit": 120}
RUNS = {
    "image": ("cnn:tiny", "digits", LIMITED),
    "generation": ("vae:tiny", "digits", {**LIMITED, "task": "generation"}),
    "table": ("dense:tiny", "wine", {"epochs": 2}),
    "mixed table": ("dense:tiny", MIXED, {**LIMITED, "target": "kind"}),
    "text": ("recurrent:tiny", (np.array(TEXTS), np.arange(120) % 2), LIMITED),
    "translation": (
        "seq2seq:tiny",
        PAIRS,
        {**LIMITED, "model_args": {"num_layers": 1}, "text_unit": "characters"},
    ),
    "series": ("dense:tiny", "co2", LIMITED),
}


@contextlib.contextmanager
def made_once(factory, name):
    """A folder that all processes of a test session share, while no other process is in here; whether it is made already.

    Args:
        factory: pytest's `tmp_path_factory`.
        name: Of the folder.

    Yields:
        The folder, and whether another test has filled it.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / f"shared-{name}", base / f"shared-{name}.done"
    with open(base / f"shared-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, done.exists()
        done.touch()


def train(kind, folder):
    """Trains the run of a kind into a folder."""
    model, data, options = RUNS[kind]
    zoo.train(model, data, **{"batch_size": 16, "quiet": True, "out": str(folder), **options})
