"""What a first file may look like, and what is said of it: titles that repeat, ragged rows, infinite numbers, dates from elsewhere."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli

RNG = np.random.default_rng(0)
QUICK = {"epochs": 1, "batch_size": 16, "quiet": True}
LINES = [f"{i % 7 + i / 100},{i % 5 + i / 50:.2f},{'up' if i % 2 else 'down'}" for i in range(60)]
FIRST, LAST = "2020-01-01", "2020-02-29"
DAYS = pd.date_range(FIRST, LAST).strftime("%Y-%m-%d")
DATED = pd.DataFrame(
    {"Day seen": DAYS, "size": RNG.normal(size=60), "kind": RNG.choice(["a", "b"], 60)}
)


def write(path, lines, title="a,b,kind"):
    path.write_text("\n".join([title, *lines]) + "\n")
    return str(path)


def inspected(path, **options):
    return [line.strip() for line in str(zoo.inspect(path, target="kind", **options)).splitlines()]


def refused(function):
    with pytest.raises(zoo.InputError) as raised:
        function()
    return str(raised.value)


def test_titles_that_repeat_are_named(in_tmp):
    path = write(in_tmp / "twice.csv", LINES, "a,a,kind")
    line = f"{path}: titles of more than one column get a number: 'a' (a.1)"
    assert line in inspected(path)


@pytest.mark.parametrize("options", [{"target": "a"}, {"target": "kind", "columns": ["a"]}])
def test_a_title_that_the_caller_names_is_that_of_one_column(in_tmp, options):
    path = write(in_tmp / "twice.csv", LINES, "a,a,kind")
    said = refused(lambda: zoo.train("dense:tiny", path, **options, **QUICK))
    assert "has 2 columns with the title 'a': which one is meant?" in said


def test_a_row_of_too_many_cells_is_named_by_its_line(in_tmp):
    lines = LINES.copy()
    lines[3] = '"1\n2",1,up,4,5'
    path = write(in_tmp / "ragged.csv", ["", *lines])
    assert refused(lambda: zoo.inspect(path, target="kind")).startswith(
        f"{path}, line 6: 5 cells, but the header has 3 titles"
    )


def test_rows_of_too_few_cells_are_told_of(in_tmp):
    lines = ["kind,a,b", *(",".join(line.split(",")[::-1]) for line in LINES)]
    lines[4] = "down"
    path = write(in_tmp / "short.csv", lines[1:], "kind,a,b")
    told = f"{path}: 1 rows have fewer cells than the 3 titles, first line 5 with 1: those that lack are gaps"
    assert told in inspected(path)
    even = write(in_tmp / "quoted.csv", [f'"a, b",{line}' for line in LINES], "text,a,b,kind")
    assert not [line for line in inspected(even) if "fewer cells" in line]


def test_infinite_numbers_are_refused_or_skipped_as_other_bad_cells_are(in_tmp):
    lines = LINES.copy()
    lines[2] = "inf,1.0,up"
    path = write(in_tmp / "endless.csv", lines)
    said = refused(lambda: zoo.inspect(path, target="kind"))
    assert "holds inf in line 4" in said
    assert "--skip-bad" in said
    (line,) = [one for one in inspected(path, skip_bad=True) if "are infinite" in one]
    assert line.startswith("a: 1 of 60 values are infinite")
    assert line.endswith("as missing")


def test_weights_are_not_the_target(in_tmp):
    path = write(in_tmp / "w.csv", LINES)
    options = {"target": "b", "sample_weight": "b", "task": "regression"}
    said = refused(lambda: zoo.train("dense:tiny", path, **options, **QUICK))
    assert said.startswith("sample_weight='b' is the target")


def test_cells_that_are_no_numbers_are_named_by_file_and_line(in_tmp, capsys, monkeypatch):
    path = write(in_tmp / "plain.csv", LINES)
    zoo.train("dense:tiny", path, target="kind", out="run", **QUICK)
    for cell, what in (("word", "Received 'word' in"), ("", "is NaN or infinite in")):
        write(in_tmp / "new.csv", ["1,2", f"3,{cell}"], "a,b")
        with pytest.raises(SystemExit):
            cli.main(["predict", "run", "new.csv"])
        said = capsys.readouterr().err
        assert "The column 'b'" in said
        assert f"{what} new.csv, line 3" in said


def test_dates_far_outside_of_training_are_told_of(in_tmp, caplog):
    trained = zoo.train("dense:tiny", DATED, target="kind", **QUICK)
    assert tuple(trained._loaded.card.ranges["Day_seen"]) == (FIRST, LAST)
    rows = DATED.drop(columns="kind")[:4]
    rows.loc[2, "Day seen"] = "2090-05-01"
    caplog.clear()
    trained.predict(rows)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        f"Day seen: 1 of 4 values are far outside of training ({FIRST} to {LAST})"
    )
    assert line.endswith("first 2090-05-01 in row 2: the answer is a guess there")


def test_stamps_of_a_series_far_outside_of_training_are_told_of(in_tmp, caplog):
    hours = pd.date_range("2021-01-01", periods=200, freq="h")
    wave = np.sin(np.arange(200) / 3) + RNG.normal(size=200) / 10
    table = pd.DataFrame({"Date and hour": hours, "sold": wave})
    trained = zoo.train("dense:tiny", table, task="forecasting", **QUICK)
    caplog.clear()
    trained.predict(table[-30:])
    assert not caplog.records
    later = table.assign(**{"Date and hour": hours + pd.Timedelta(days=900)})
    trained.predict(later)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "Date and hour: 200 of 200 values are far outside of training (2021-01-01 to 2021-01-09), first 2023-06-20"
    )
