"""Every row of the table of bad inputs: a short, clear answer before any training."""

import re
from pathlib import Path

import bad_inputs
import keras
import pytest

import zoo


@pytest.fixture
def no_training(monkeypatch):
    def fit(*args, **kwargs):
        raise AssertionError("training started")

    monkeypatch.setattr(keras.Model, "fit", fit)


@pytest.mark.slow
@pytest.mark.parametrize("name", bad_inputs.DATA)
def test_bad_data_are_answered_before_training_under_xla(name, no_training, monkeypatch):
    monkeypatch.setitem(bad_inputs.EVERYWHERE, "jit", "on")
    assert bad_inputs.answer(bad_inputs.CASES[name])


@pytest.mark.parametrize("name", bad_inputs.CASES)
def test_bad_input_is_answered_before_training(name, request):
    if name not in bad_inputs.PREDICT:  # some of those train first, to have a model to predict with
        request.getfixturevalue("no_training")
    message = bad_inputs.answer(bad_inputs.CASES[name])
    assert len(message.splitlines()) <= 3
    assert len(message) < 600
    page = (Path(__file__).parents[1] / "docs" / "bad_inputs.md").read_text()
    assert bad_inputs.row(name, message) in page, (
        "run: python tests/bad_inputs.py > docs/bad_inputs.md"
    )


@pytest.mark.parametrize("name", ["one class only", "a text among numbers", "a full disk"])
def test_a_refused_run_leaves_no_folder(name, in_tmp):
    with pytest.raises(zoo.InputError):
        bad_inputs.CASES[name]()
    assert not list(in_tmp.glob("runs/*"))


def test_there_are_over_200_and_the_page_has_no_others():
    assert len(bad_inputs.CASES) > 200  # as the README says
    page = (Path(__file__).parents[1] / "docs" / "bad_inputs.md").read_text()
    assert f": {len(bad_inputs.CASES)} inputs, " in page
    rows = re.findall(r"^\| (.+?) \| ", page, re.M)
    assert [row for row in rows if row not in ("input", "---")] == list(bad_inputs.CASES)
