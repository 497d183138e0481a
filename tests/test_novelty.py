"""Inputs that are unlike anything seen in training are flagged, where the run asked for it."""

import json

import numpy as np
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
