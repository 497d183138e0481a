"""Every row of the table of bad inputs: a short, clear answer before any training."""

from pathlib import Path

import bad_inputs
import keras
import pytest


@pytest.mark.parametrize("name", bad_inputs.CASES)
def test_bad_input_is_answered_before_training(name, monkeypatch):
    if name in bad_inputs.DATA or name in bad_inputs.FILES or name in bad_inputs.SETTINGS:

        def fit(*args, **kwargs):
            raise AssertionError("training started")

        monkeypatch.setattr(keras.Model, "fit", fit)
    message = bad_inputs.answer(bad_inputs.CASES[name])
    assert len(message.splitlines()) <= 3
    assert len(message) < 600
    page = (Path(__file__).parents[1] / "docs" / "bad_inputs.md").read_text()
    assert bad_inputs.row(name, message) in page, (
        "run: python tests/bad_inputs.py > docs/bad_inputs.md"
    )


def test_there_are_at_least_sixty():
    assert len(bad_inputs.CASES) >= 60
