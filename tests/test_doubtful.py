"""What a prediction says of values that training hardly knew, and how the answers stand beside the caller's own rows."""

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli
from zoo.saving import card as cards
from zoo.saving.card import Card

RNG = np.random.default_rng(0)
QUICK = {"epochs": 1, "batch_size": 16, "quiet": True}
CARAT = RNG.uniform(0.2, 5, 80)
TABLE = pd.DataFrame(
    {
        "Weight (ct)": np.where(np.arange(80) == 3, np.nan, CARAT),
        "colour": RNG.choice(["D", "E", "J"], 80),
        "price": 4000 * CARAT,
    }
)


@pytest.fixture(scope="module")
def diamonds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diamonds")
    return zoo.train("dense:tiny", TABLE, target="price", out=str(folder / "run"), **QUICK)


def said(caplog, function):
    caplog.clear()
    with caplog.at_level(logging.WARNING, "zoo"):
        function()
    return [record.getMessage() for record in caplog.records]


def test_far_numbers_and_gaps_are_named_by_file_line_and_title(
    diamonds, tmp_path, caplog, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.csv").write_text(
        "id,Weight (ct),colour,price\na,1.5,D,1\nb,,E,2\nc,30,Z,3\nd,0.3,,4\n"
    )
    run = str(diamonds.folder)
    lines = said(caplog, lambda: cli.main(["predict", run, "new.csv", "--out", "out.csv"]))
    assert (
        "Weight (ct): 1 of 4 values are missing, first in new.csv, line 3: the training median stands in"
        in lines
    )
    (far,) = [line for line in lines if "far outside" in line]
    assert far.startswith("Weight (ct): 1 of 4 values are far outside of training (0.2")
    assert far.endswith("first 30 in new.csv, line 4: the answer is a guess there")
    assert any(
        line.startswith("colour: 1 of 4 values are none that training knew, first 'Z'")
        for line in lines
    )
    assert (
        "colour: 1 of 4 values are missing, first in new.csv, line 5: they count as unknown"
        in lines
    )
    written = pd.read_csv("out.csv", keep_default_na=False)
    assert list(written.columns) == ["id", "Weight (ct)", "colour", "price", "prediction"]
    assert written["id"].tolist() == list("abcd")
    assert written["Weight (ct)"].tolist() == ["1.5", "", "30", "0.3"]


def test_rows_in_memory_are_named_by_their_index(diamonds, caplog):
    rows = TABLE.drop(columns="price")[:5].set_axis(list("vwxyz"))
    rows.loc["y", "Weight (ct)"] = -40
    lines = said(caplog, lambda: diamonds.predict(rows))
    (far,) = [line for line in lines if "far outside" in line]
    assert far.endswith("first -40 in row y: the answer is a guess there")
    assert said(caplog, lambda: diamonds.predict(TABLE.drop(columns="price")[5:9])) == []


def test_a_column_of_an_array_is_named_by_its_number(in_tmp, caplog):
    x = RNG.uniform(0, 1, (80, 3))
    trained = zoo.train("dense:tiny", x, (x[:, 0] > 0.5).astype(int), **QUICK)
    given = x[:4].copy()
    given[2, 1] = 9
    (line,) = said(caplog, lambda: trained.predict(given))
    assert line.startswith("column 1: 1 of 4 values are far outside of training")
    assert line.endswith("first 9 in example 2: the answer is a guess there")


def test_a_card_of_before_has_no_ranges_and_says_nothing(diamonds, caplog):
    loaded = zoo.load(diamonds.export)
    assert set(loaded.card.ranges) == {"Weight__ct"}
    old = loaded.card.to_json()
    del old["ranges"]
    assert Card.from_json(old).ranges is None
    loaded.card = dataclasses.replace(loaded.card, ranges=None)
    assert said(caplog, lambda: loaded.predict({"Weight (ct)": [900.0], "colour": ["D"]})) == []
    with pytest.raises(zoo.InputError, match="no usable entry 'ranges'"):
        cards.Card.from_json({**old, "ranges": {"a": [1]}})


def test_an_answer_does_not_hide_a_column_of_the_same_name(tmp_path, capsys):
    names = zoo.load("wine_dense").card.columns
    rows = "\n".join(",".join(["mine", *map(str, range(13))]) for _ in range(2))
    (tmp_path / "w.csv").write_text(",".join(["label", *names]) + "\n" + rows + "\n")
    cli.main(["predict", "wine_dense", str(tmp_path / "w.csv"), "--out", str(tmp_path / "p.csv")])
    written = pd.read_csv(tmp_path / "p.csv")
    assert list(written.columns) == ["label", *names, "class_id", "predicted_label", "probability"]
    assert written["label"].tolist() == ["mine", "mine"]
