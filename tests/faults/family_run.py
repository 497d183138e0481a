"""Trains a family's tiny size on a sample of the table: python family_run.py FAMILY SAMPLE FOLDER; goes on if FOLDER is there.

Run by `driver.py`, which kills it.
"""

import inspect
import sys
from pathlib import Path

import numpy as np

import zoo

EPOCHS, BATCH, EXAMPLES = 12, 16, 200
STEPS = 9  # of an epoch: a fifth of the examples is for testing, a tenth of the rest for validation


def texts(rows, word):
    """Token ids as texts, each with a word that no other has."""
    spelled = [" ".join(f"{word}{token}" for token in row if token) for row in rows]
    return [f"{text} number{i}" for i, text in enumerate(spelled)]


def data(family, index):
    """A sample's inputs and targets, repeated with noise, so that no two examples are alike."""
    sample = next(iter(zoo.FAMILIES[family].samples.values()))()[index]
    rng = np.random.default_rng(0)
    if isinstance(sample.inputs, dict):
        picked = rng.integers(0, len(sample.targets), EXAMPLES)
        return texts(sample.inputs["source"][picked], "a"), texts(sample.targets[picked], "b")
    picked = rng.integers(0, len(sample.inputs), EXAMPLES)
    if sample.targets is None:  # grey levels
        noise = rng.integers(-20, 20, (EXAMPLES, *sample.inputs.shape[1:]))
        return np.clip(255 * sample.inputs[picked] + noise, 0, 255).astype("uint8")
    inputs, targets = sample.inputs[picked], sample.targets[picked]
    if "vocabulary_size" not in sample.arguments:
        return inputs + rng.normal(0, 0.1, inputs.shape).astype("float32"), targets
    return texts(inputs, "word"), targets


def main(family, index, folder):
    known = inspect.signature(zoo.FAMILIES[family].build).parameters
    arguments = {"dropout": 0.3} if "dropout" in known else {}
    place = {"resume": folder} if (Path(folder) / "config.yaml").exists() else {"out": folder}
    return zoo.train(
        f"{family}:tiny",
        data(family, int(index)),
        model_args=arguments,
        epochs=EPOCHS,
        batch_size=BATCH,
        checkpoint_steps=3,
        quiet=True,
        **place,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
