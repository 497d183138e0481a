"""What a training gives, and the runs of a folder: asked, shown, saved, listed, loaded again."""

import shutil

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype("float32")
Y = np.where(X[:, 0] > 0, "up", "down")
QUICK = {"epochs": 2, "batch_size": 8, "quiet": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return zoo.train("dense:tiny", X, Y, out=str(folder / "first"), **QUICK)


def test_a_trained_model_answers_raw_inputs(trained):
    answers = trained.predict(X)
    assert answers["label"].tolist() == zoo.load(trained.export).predict(X)["label"].tolist()
    assert trained.folder.name == "first"


def test_its_pictures_are_found_by_name(trained):
    assert [path.name for path in trained.plot("curves")] == ["curves.png"]
    assert {path.stem for path in trained.plot()} >= {"curves", "confusion"}
    with pytest.raises(zoo.InputError, match="Did you mean 'curves'"):
        trained.plot("curvs")


def test_it_is_saved_as_a_folder_of_its_own(trained, tmp_path):
    saved = trained.save(tmp_path / "mine")
    assert (
        zoo.load(saved).predict(X[:3])["label"].tolist() == trained.predict(X[:3])["label"].tolist()
    )
    with pytest.raises(zoo.InputError, match="is there already"):
        trained.save(tmp_path / "mine")


def test_runs_are_listed_and_loaded_again(trained, capsys):
    table = zoo.runs(trained.folder.parent)
    (row,) = table.to_dict("records")
    assert (row["state"], row["model"], row["epochs"], row["score"]) == (
        "finished",
        "dense:tiny",
        2,
        "accuracy",
    )
    assert row["value"] == trained.report.scores["accuracy"]
    cli.main(["runs", str(trained.folder.parent)])
    assert "dense:tiny" in capsys.readouterr().out
    again = zoo.load_run(trained.folder)
    assert again.predict(X)["label"].tolist() == trained.predict(X)["label"].tolist()
    assert again.report.scores == trained.report.scores
    assert str(again.report) == str(trained.report)
    for ours, theirs in zip(
        again.network.get_weights(), trained.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_that_was_stopped_is_listed_and_not_loaded(tmp_path):
    class Stops(zoo.import_quietly("keras").callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoo.train("dense:tiny", X, Y, out=str(tmp_path / "stopped"), callbacks=Stops(), **QUICK)
    (row,) = zoo.runs(tmp_path).to_dict("records")
    assert row["state"] == "stopped"
    assert pd.isna(row["value"])
    with pytest.raises(zoo.InputError, match="has not ended: go on with it, resume="):
        zoo.load_run(tmp_path / "stopped")
    with pytest.raises(zoo.InputError, match="is no run"):
        zoo.load_run(tmp_path)
    with pytest.raises(zoo.InputError, match="There is no folder"):
        zoo.runs(tmp_path / "none")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"lr": 0.1}, "'lr': here it is learning_rate"),
        ({"verbose": 0}, "'verbose': here it is quiet"),
        ({"random_state": 1}, "'random_state': here it is seed"),
        ({"validation_data": (X, Y)}, "'validation_data': here it is validation"),
        ({"epoch": 1}, "Did you mean 'epochs'"),
    ],
)
def test_names_of_other_libraries_are_answered_with_ours(options, told):
    with pytest.raises(zoo.InputError, match=told):
        zoo.train("dense:tiny", X, Y, **options)


def test_targets_beside_data_that_have_them_are_refused():
    with pytest.raises(zoo.InputError, match="brings its own"):
        zoo.train("dense:tiny", "wine", Y)
    with pytest.raises(zoo.InputError, match="brings its own"):
        zoo.train("dense:tiny", (X, Y), Y)


def test_answers_come_as_a_frame_with_the_rows_of_the_inputs():
    wine = zoo.load("wine_dense")
    rows = pd.DataFrame(np.arange(26.0).reshape(2, 13), ["x", "y"], columns=wine.card.columns)
    answers, frame = wine.predict(rows), wine.predict(rows, as_frame=True)
    assert list(frame.index) == ["x", "y"]
    labels = [f"p({label})" for label in wine.card.labels]
    assert list(frame.columns) == ["class_id", "label", *labels]
    np.testing.assert_array_equal(frame[labels].to_numpy(), answers["probabilities"])
    digits = zoo.load("digits_cnn").predict(np.zeros((2, 8, 8, 1), "uint8"), as_frame=True)
    assert list(digits.columns[-2:]) == ["p(8)", "p(9)"]


@pytest.mark.parametrize("form", [dict, pd.Series, lambda row: pd.DataFrame([row]).iloc[0]])
def test_one_row_is_answered(form):
    wine = zoo.load("wine_dense")
    row = dict(zip(wine.card.columns, np.linspace(1, 13, 13)))
    wanted = wine.predict({name: [value] for name, value in row.items()})
    np.testing.assert_array_equal(wine.predict(form(row))["probabilities"], wanted["probabilities"])


@pytest.mark.parametrize(
    ("file", "text"),
    [("score.json", None), ("score.json", "[" * 100_000), ("score.json", "{"), ("score.json", ""), ("score.json", "[]"), ("score.json", '{"a": 1}'), ("config.yaml", ""), ("config.yaml", "a: [")],
)  # fmt: skip
def test_a_damaged_run_hides_no_other(file, text, run, tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        for part in ("config.yaml", "score.json", "metrics.csv"):
            shutil.copy(run("table") / part, tmp_path / name / part)
    (tmp_path / "bad" / file).unlink()
    (tmp_path / "bad" / file).mkdir() if text is None else (tmp_path / "bad" / file).write_text(
        text
    )
    found = zoo.runs(tmp_path).set_index("run")["state"]
    assert found[str(tmp_path / "bad")] == "damaged"
    assert found[str(tmp_path / "good")] == "evaluated"


@pytest.mark.parametrize(
    "text", [None, "", "{", "[1]", "null", "{}", '{"scores": {}, "interval": 5}']
)
def test_a_run_with_a_damaged_score_is_not_loaded(text, run, tmp_path):
    folder = shutil.copytree(run("table"), tmp_path / "run")
    (folder / "score.json").unlink()
    (folder / "score.json").mkdir() if text is None else (folder / "score.json").write_text(text)
    with pytest.raises(
        zoo.InputError, match=r"score\.json is damaged \(\w+\): remove it, and --resume"
    ):
        zoo.load_run(folder)


def test_a_run_without_an_export_says_how_to_get_one(run, tmp_path):
    shutil.copy(run("table") / "config.yaml", tmp_path / "config.yaml")
    (tmp_path / "model.keras").write_text("")
    with pytest.raises(zoo.InputError, match="is a run without an export: zoo finish"):
        zoo.load(tmp_path)
    with pytest.raises(zoo.InputError, match="There is no folder runs/nope"):
        zoo.load("runs/nope")
