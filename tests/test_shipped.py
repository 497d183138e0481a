"""The cards of the shipped models say what the SavedModels do."""

import dataclasses
from pathlib import Path

import pytest

import zoo
from benchmarks import recompute, shipped

NAMES = shipped.names()
EMBEDDED = ("digits", "wine")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(EMBEDDED)])
def test_a_score_comes_again_from_the_saved_model_alone(name):
    metric, found, said = recompute.recompute(name)
    assert found == pytest.approx(said, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(EMBEDDED)])
def test_a_score_comes_again_on_larger_data(name, request):
    if name.startswith(("mnist", "imdb")):
        data = zoo.load(name).card.data.name
        if not (Path(request.getfixturevalue("prepared_mnist")) / data).exists():
            pytest.skip(f"needs {data}, prepared by TFDS in the folder that ZOO_DATA_DIR names")
    metric, found, said = recompute.recompute(name, samples=500)
    if metric == "nll":  # fewer samples than the card's: the bound is looser
        assert -0.02 < found - said < 0.5
    else:
        # Logits that are equal to the last bits may fall either way on another processor: at most one example in 10,000.
        assert found == pytest.approx(said, abs=1.01e-4)


def test_other_tasks_are_refused(monkeypatch):
    model = zoo.load("wine_dense")
    scores = dataclasses.replace(model.card.runs[0], scores={"mase": 1.0})
    model.card = dataclasses.replace(model.card, runs=(scores,))
    monkeypatch.setattr(zoo, "load", lambda name: model)
    with pytest.raises(zoo.InputError, match="Received: mase of wine_dense"):
        recompute.recompute("wine_dense")
