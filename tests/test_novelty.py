"""Inputs that are unlike anything seen in training are flagged, where the run asked for it."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from tolerances import FLOAT16, assert_close

import zoo
from zoo import cli
from zoo.saving import novelty
from zoo.saving.manifest import DamagedModelError

RNG = np.random.default_rng(0)
QUICK = {"epochs": 3, "batch_size": 16, "quiet": True}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("novelty") / "run"
    return zoo.train(
        "dense:small", "digits", novelty=True, out=str(folder), **{**QUICK, "epochs": 12}
    )


def test_noise_is_novel_and_digits_are_not(digits, tmp_path, capsys):
    splits = zoo.load_dataset("digits")
    known = digits.predict(splits.pick("test", np.arange(200)), novelty=True)
    noise = RNG.integers(0, 256, (100, 8, 8, 1), dtype="uint8")
    strange = digits.predict(noise, novelty=True)
    assert known["is_novel"].mean() < 0.15
    assert strange["is_novel"].mean() > 0.6
    assert (known["novelty"].dtype, known["is_novel"].dtype) == (np.float32, bool)
    threshold = zoo.load(digits.export).card.novelty["threshold"]
    assert (known["is_novel"] == (known["novelty"] > threshold)).all()
    assert "is_novel" not in digits.predict(noise[:1])
    np.save(tmp_path / "x.npy", noise)
    cli.main(["predict", str(digits.folder), str(tmp_path / "x.npy"), "--novelty", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["is_novel"] for row in rows] == strange["is_novel"].tolist()
    cli.main(["predict", str(digits.folder), str(tmp_path / "x.npy"), "--novelty"])
    assert capsys.readouterr().out.count("unlike anything in training") == strange["is_novel"].sum()


def test_the_threshold_leaves_a_share_of_validation_below():
    train, validation = RNG.normal(size=(2, 400, 8))
    made = novelty.Novelty.of(train, validation)
    assert np.mean(made.answers(validation)["is_novel"]) == pytest.approx(1 - novelty.SHARE)
    whole = np.linalg.norm(validation[:, None] / np.linalg.norm(validation, axis=1)[:, None, None] - train / np.linalg.norm(train, axis=1)[:, None], axis=-1)  # fmt: skip
    nearest = np.sort(whole, axis=1)[:, novelty.NEIGHBOURS - 1]
    assert_close(made.distances(validation), nearest, FLOAT16)


def test_a_model_without_it_says_how_to_get_it(digits, in_tmp):
    with pytest.raises(zoo.InputError, match=r"train it with novelty=True \(--novelty\)"):
        zoo.load("digits_cnn").predict(np.zeros((1, 8, 8, 1), "uint8"), novelty=True)
    with pytest.raises(zoo.InputError, match="no Dense layer as its last"):
        zoo.train("vae:tiny", "digits", task="generation", novelty=True, **QUICK)
    with pytest.raises(zoo.InputError, match="calibrate or novelty could go by"):
        zoo.train("cnn:tiny", "digits", use_validation=True, novelty=True, **QUICK)
    with pytest.raises(DamagedModelError, match="cannot be read"):
        novelty.read("nowhere", zoo.load(digits.export).card)


def test_numbers_far_outside_of_training_are_novel(tmp_path, caplog):
    x = RNG.normal(size=(120, 3))
    trained = zoo.train(
        "dense:tiny", x, x[:, 0] > 0, novelty=True, out=str(tmp_path / "run"), **QUICK
    )
    given = np.concatenate([x[:20], x[:3] * 1e4, x[:1] * 1e30])
    with pytest.raises(zoo.InputError, match="bring them to the same scale"):
        trained.predict(given)
    caplog.clear()
    answers = trained.predict(given, novelty=True)
    assert answers["is_novel"][20:].all()
    assert (answers["novelty"][20:] == novelty.FARTHEST).all()
    assert answers["is_novel"][:20].mean() < 0.5
    assert len(caplog.records) == 3  # one line for each column, said once
    for wrong in (np.full((1, 3), np.nan), np.zeros((1, 4))):
        with pytest.raises(zoo.InputError):
            trained.predict(wrong, novelty=True)


def test_a_row_with_a_number_or_a_date_from_elsewhere_is_novel(tmp_path):
    rows = pd.DataFrame(
        {
            "size": RNG.normal(50, 10, 120),
            "day": pd.date_range("2024-01-01", periods=120),
            "kind": RNG.choice(["x", "y"], 120),
        }
    )
    out = str(tmp_path / "run")
    trained = zoo.train("dense:tiny", rows, target="kind", novelty=True, out=out, **QUICK)
    given = rows.drop(columns="kind")[:6]
    given.loc[1, "size"], given.loc[2, "day"] = 4000.0, pd.Timestamp("1960-01-01")
    answers = trained.predict(given, novelty=True)
    assert answers["is_novel"][[1, 2]].all()
    assert np.flatnonzero(answers["novelty"] == novelty.FARTHEST).tolist() == [1, 2]


def test_a_far_input_of_several_is_novel(tmp_path):
    images = RNG.integers(0, 256, (120, 8, 8, 1)).astype("uint8")
    numbers = RNG.normal(size=(120, 3))
    image, columns = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="columns")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), columns])
    model = keras.Model([image, columns], keras.layers.Dense(2)(joined))
    out = str(tmp_path / "run")
    data = ({"image": images, "columns": numbers}, numbers[:, 0] > 0)
    trained = zoo.train(model, data, novelty=True, out=out, **QUICK)
    given = {"image": images[:4], "columns": numbers[:4] * [[1], [1], [1e5], [1]]}
    with pytest.raises(zoo.InputError, match="bring them to the same scale"):
        trained.predict(given)
    assert trained.predict(given, novelty=True)["novelty"][2] == novelty.FARTHEST
