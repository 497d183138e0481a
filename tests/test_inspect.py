"""`zoo inspect`: what data are taken for, without training; and the same list in a run's log, report and card."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli

RNG = np.random.default_rng(0)


@pytest.fixture
def table(in_tmp):
    """A file as people have it: dollars with thousands separators, yes and no with gaps, row numbers, two classes."""
    price = RNG.integers(100, 20_000, 120)
    rows = {
        "id": range(120),
        "price": [f"${p:,}" for p in price],
        "flag": np.where(np.arange(120) % 12 == 0, "", np.where(price % 2, "yes", "no")),
        "day": pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d"),
        "kind": np.where(price > 9000, "dear", "cheap"),
    }
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_csv("t.csv", index=False)
    return "t.csv"


def test_it_says_what_columns_are_and_what_is_odd(table, in_tmp, capsys):
    cli.main(["inspect", table, "--target", "kind"])
    told = capsys.readouterr().out
    for part in (
        "t: table inputs, 120 examples (train 86, test 24, validation 10)",
        "task: classification\nclasses: cheap ",
        "  flag   category, 2 values: 'no' ",
        " gaps\n  day    date, 2024-01-",
        "price: numbers with thousands separators, 120 values; the unit is left out, as in '$",
        "column 'id' is left out: it numbers the rows",
        "24 of 120 examples are the test split",
        "zoo train --model dense:small --dataset t.csv --target kind",
    ):
        assert part in told
    assert [path.name for path in in_tmp.iterdir()] == ["t.csv"]


def test_the_command_that_it_suggests_trains(table, monkeypatch):
    found = zoo.inspect(table, target="kind", kinds={"flag": "category"}, missing=("?",))
    _, *words = shlex.split(found.command)
    cli.main([*words, "--smoke", "--quiet", "--out", "run"])
    settings = zoo.TrainConfig.of_run("run").data
    assert settings.kinds == {"flag": "category"}
    assert settings.missing == ("?",)


def test_a_table_without_a_target_is_shown_all_the_same(table):
    told = str(zoo.inspect(table))
    assert "target: none is named; the column to predict is --target COLUMN" in told
    assert "  kind   category, 2 values: " in told
    frame = pd.read_csv(table).drop(columns="price")
    assert str(zoo.inspect(frame)).splitlines()[1] == told.splitlines()[1]


def test_it_answers_for_every_kind_of_input(in_tmp):
    words = np.array(["a good one", "a bad one"] * 30, object)
    pixels = RNG.integers(0, 256, (60, 8, 8, 1)).astype("uint8")
    wave = np.sin(np.arange(300.0)) + RNG.normal(size=300) / 10
    labels = np.arange(60) % 2
    found = {
        "text": zoo.inspect((words, labels), repeats="keep"),
        "image": zoo.inspect((pixels, labels)),
        "features": zoo.inspect((RNG.normal(size=(60, 3)), labels / 3)),
        "series": zoo.inspect(wave, task="forecasting"),
    }
    models = {}
    for kind, inspection in found.items():
        assert f": {kind} inputs, " in str(inspection)
        models[kind] = inspection.command
    assert "  text  texts, half have up to 3 words, the longest 3" in str(found["text"])
    assert "image of shape 8×8×1  0 to 255" in str(found["image"])
    assert "targets: 0 to 0.333333, mean " in str(found["features"])
    assert models == {
        "text": "zoo.train('cnn:text', data, repeats='keep')",
        "image": "zoo.train('cnn:base', data)",
        "features": "zoo.train('dense:small', data)",
        "series": "zoo.train('cnn:base', data, task='forecasting')",
    }


def test_the_log_the_report_and_the_card_have_the_list(table):
    trained = zoo.train("dense:tiny", table, target="kind", epochs=1, batch_size=8, quiet=True)
    wanted = ("flag: category, 2 values: ", "price: numbers with thousands separators, 120 values")
    log = (trained.report.folder / "log.txt").read_text()
    report = (
        (trained.report.folder / "report.md")
        .read_text()
        .partition("What the data were taken for")[2]
    )
    card = zoo.load(trained.export).card
    page = (trained.export / "assets.extra" / "card.md").read_text()
    for text in (log, report, "\n".join(card.taken_for), page):
        assert all(part in text for part in wanted)
    content = json.loads((trained.export / "assets.extra" / "card.json").read_text())
    assert content["taken_for"] == list(card.taken_for)


def test_what_cannot_be_used_is_refused_as_in_training(in_tmp, capsys):
    for arguments, told in (
        (["nowhere.csv"], "There is no file or folder nowhere.csv."),
        ([], "Say which data"),
        (["wine", "--repeats", "some"], "repeats"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["inspect", *arguments])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_nothing_is_printed_but_the_answer(table, capfd):
    zoo.inspect(table, target="kind")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
