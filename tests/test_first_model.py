"""Without a name the model suits the data, and the run says which it took."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
FRAME = pd.DataFrame(X, columns=list("abc")).assign(kind=np.where(X[:, 0] > 0, "up", "down"))
QUICK = {"smoke": True, "quiet": True}


def test_a_table_trains_at_the_first_attempt(in_tmp, capsys):
    FRAME.to_csv("t.csv", index=False)
    cli.main(["train", "--dataset", "t.csv", "--target", "kind", "--smoke", "--out", "run"])
    told = capsys.readouterr()
    assert "no model is named: dense:small, as the inputs are table (--model)" in told.err
    assert "no model is named" in (in_tmp / "run/log.txt").read_text()
    assert "no test data given" in (in_tmp / "run/log.txt").read_text()
    assert zoo.TrainConfig.of_run("run").model == "dense:small"
    assert zoo.load("run").card.model == "dense:tiny"  # of the smoke test


@pytest.mark.parametrize(
    ("data", "options", "wanted"),
    [
        (FRAME, {"target": "kind"}, "dense:small"),
        ((X, X[:, 0]), {}, "dense:small"),
        ((np.array(["a good film", "a dull one"] * 30, object), np.arange(60) % 2), {"repeats": "keep"}, "cnn:text"),
        (np.cumsum(RNG.normal(size=300)), {"task": "forecasting"}, "cnn:base"),
        ("digits", {"task": "generation"}, "vae:small"),
    ],
)  # fmt: skip
def test_the_model_suits_the_data(data, options, wanted, in_tmp):
    trained = zoo.train(data=data, out="run", **QUICK, **options)
    assert zoo.TrainConfig.of_run(trained.folder).model == wanted
    assert zoo.TrainConfig.of_run(trained.folder).model == zoo.inspect(data, **options).model


def test_a_named_model_is_taken_and_a_run_goes_on_with_its_own(in_tmp):
    zoo.train("dense:tiny", (X, X[:, 0]), out="run", epochs=1, quiet=True)
    again = zoo.train(data=(X, X[:, 0]), resume="run", quiet=True)
    assert zoo.TrainConfig.of_run(again.folder).model == "dense:tiny"


def test_data_that_cannot_be_used_leave_no_folder(in_tmp):
    with pytest.raises(zoo.InputError, match="Name the target column"):
        zoo.train(data=FRAME, **QUICK)
    with pytest.raises(zoo.InputError, match="has no column 'Target' for the target"):
        zoo.train(FRAME, target="Target", **QUICK)  # the model is left out
    with pytest.raises(zoo.InputError, match="Received: DataFrame. Data come second"):
        zoo.train(FRAME, X, X[:, 0], **QUICK)
    assert not list(in_tmp.iterdir())
