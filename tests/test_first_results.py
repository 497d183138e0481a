"""What a first result is like: labels as they were given, short words for what came out, what can be kept and sent."""

import copy
import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli
from zoo.data import load as door
from zoo.saving import frames
from zoo.saving.card import Card

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
QUICK = {"epochs": 1, "batch_size": 16, "quiet": True}


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    out = tmp_path_factory.mktemp("numbered") / "run"
    return zoo.train("dense:tiny", X, 5 + 2 * (X[:, 0] > 0), out=str(out), **QUICK)


def test_labels_that_were_whole_numbers_are_whole_numbers_again(numbered, tmp_path, capsys):
    assert numbered.labels == (5, 7)
    answers = numbered.predict(X[:9])
    assert answers["label"].dtype.kind == "i"
    assert answers["label"].tolist() == [numbered.labels[i] for i in answers["class_id"]]
    loaded = zoo.load(numbered.export)
    frame = loaded.predict(X[:9], as_frame=True)
    assert list(frame.columns) == ["class_id", "label", "p(5)", "p(7)"]
    assert frame["label"].tolist() == answers["label"].tolist()
    assert loaded.card.labels == ("5", "7")  # as the SavedModel has them
    assert loaded(X[:9].astype("float32"))["label"].dtype == "string"
    np.save(tmp_path / "x.npy", X[:9])
    cli.main(["predict", str(numbered.folder), str(tmp_path / "x.npy"), "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == answers["label"].tolist()


@pytest.mark.parametrize(
    ("targets", "told", "labels"),
    [
        (X[:, 0] > 0, "bool", (False, True)),
        ((X[:, 0] > 0).astype(float), "int", (0, 1)),
        (np.where(X[:, 0] > 0, "1", "0"), "", ("0", "1")),
        (pd.Series(np.where(X[:, 0] > 0, "1", "0"), dtype="category"), "", ("0", "1")),
        (np.eye(2)[(X[:, 0] > 0).astype(int)], "", ("0", "1")),
    ],
    ids=["bool", "float", "texts", "category", "one-hot"],
)
def test_labels_are_of_the_type_that_was_given(targets, told, labels, numbered):
    info, _ = door.read((X, targets))
    assert info.label_type == told
    card = zoo.load(numbered.export).card
    card = dataclasses.replace(card, labels=info.labels, label_type=told or None)
    assert frames.typed_labels(card) == labels
    odd = dataclasses.replace(card, labels=("a", "0"), label_type="int")
    assert frames.typed_labels(odd) == ("a", "0")


def test_a_card_of_before_answers_with_texts(numbered):
    loaded = zoo.load(numbered.export)
    old = json.loads(json.dumps(loaded.card.to_json()))
    assert old.pop("label_type") == "int"
    assert Card.from_json(old).label_type is None
    assert zoo.load("digits_cnn").labels[3] == "3"
    with pytest.raises(zoo.InputError, match="no usable entry 'label_type'"):
        Card.from_json({**old, "label_type": "function"})


def test_what_comes_out_is_shown_in_one_short_line(numbered):
    assert len(repr(zoo.load(numbered.export).card)) < 250
    for shown in (numbered, numbered.report):
        assert len(repr(shown)) < 250
        assert "\n" not in repr(shown)
        assert str(numbered.folder) in repr(shown)
    assert f"accuracy {numbered.report.scores['accuracy']:.4f} on 16 test examples" in repr(
        numbered
    )


def test_a_result_is_pickled_by_its_folder(numbered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(numbered))
    np.testing.assert_array_equal(again.predict(X)["label"], numbered.predict(X)["label"])
    assert again.report.scores == numbered.report.scores
    assert copy.deepcopy(numbered).folder == numbered.folder
    out = shutil.copytree(numbered.folder, tmp_path / "moved")
    kept = pickle.dumps(zoo.load_run(out))
    shutil.rmtree(out)
    with pytest.raises(zoo.InputError, match="moved is no run"):
        pickle.loads(kept)


def test_a_trial_of_learning_rates_is_shown(in_tmp):
    found = zoo.train("dense:tiny", X, X[:, 0] > 0, find_lr=True, **QUICK)
    assert Path(found.folder).exists()
    assert found.plot("learning_rates") == [found.folder / "learning_rates.png"]
    assert all(1e-7 <= rate <= 10 for rate in found.learning_rates.values())
    assert "a tenth of where it was lowest" in found.learning_rates
    assert "nothing trained for good" in repr(found)
    for asked in (pickle.dumps, lambda found: found.predict(X)):
        with pytest.raises(zoo.InputError, match="Nothing was trained for good"):
            asked(found)


def test_quiet_is_silent_in_python_and_leaves_the_result_on_the_command_line(in_tmp, capfd):
    x = pd.DataFrame({"a": X[:, 0], "constant": 1, "kind": np.where(X[:, 0] > 0, "up", "down")})
    capfd.readouterr()
    zoo.train("dense:tiny", x, target="kind", **QUICK)
    assert capfd.readouterr() == ("", "")
    x.to_csv("t.csv", index=False)
    arguments = ["--target", "kind", "--epochs", "1", "--out", "run", "--quiet"]
    cli.main(["train", "--model", "dense:tiny", "--dataset", "t.csv", *arguments])
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("test (16 examples): accuracy")
    assert out.endswith(f"exported {Path('run/export/1')}\n")


def test_what_people_look_for_who_come_from_elsewhere_is_told(numbered):
    for name, where in (("fit", "model.fit"), ("score", "report.scores"), ("predict_proba", "probabilities")):  # fmt: skip
        with pytest.raises(AttributeError, match=where):
            getattr(numbered, name)
    assert not hasattr(numbered, "nothing_of_the_kind")


def test_what_data_are_taken_for_is_shown_in_a_notebook():
    found = zoo.inspect(pd.DataFrame({"a": X[:, 0], "kind": ["x", "y"] * 40}), target="kind")
    assert repr(found) == str(found)
