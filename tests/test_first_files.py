"""What a first file may look like, and what is said of it: titles that repeat, ragged rows, infinite numbers, dates from elsewhere."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import zoo
from zoo import cli
from zoo.data import load as door

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


@pytest.mark.parametrize(
    "days",
    [
        DAYS,
        pd.to_datetime(DAYS),
        pd.to_datetime(DAYS).strftime("%d.%m.%Y"),
        DAYS[np.arange(60) // 2],
    ],
    ids=["texts", "times", "German", "twice each"],
)
def test_dates_as_a_target_are_refused_in_one_line_without_a_warning(days, in_tmp, recwarn):
    table = DATED.assign(**{"Day seen": days})
    said = refused(lambda: zoo.train("dense:tiny", table, target="Day seen", epochs=1))
    assert said.startswith("The target 'Day seen' holds ")
    assert "make a number of it" in said
    assert "\n" not in said
    assert not [w for w in recwarn if "sklearn" in str(w.filename)]


def test_texts_that_differ_in_most_rows_are_no_classes():
    names = [f"name {i // 2}" for i in range(60)]
    with pytest.raises(zoo.InputError, match="30 different texts in 60 examples, such as 'name 0'"):
        door.read((np.arange(60.0)[:, None], names))
    few = [f"name {i % 15}" for i in range(60)]
    assert len(door.read((np.arange(60.0)[:, None], few))[0].labels) == 15
    days = pd.Series(pd.to_datetime(DAYS)[np.arange(60) % 4].strftime("%Y-%m-%d"))
    assert len(door.read((np.arange(60.0)[:, None], days))[0].labels) == 4


def test_times_as_targets_are_refused_with_what_to_make_of_them():
    said = refused(lambda: door.read((np.arange(60.0)[:, None], pd.to_datetime(DAYS))))
    assert "datetime64" in said
    assert "make a number of it" in said


def test_an_opened_file_is_refused_with_its_path_as_advice(in_tmp):
    path = write(in_tmp / "t.csv", LINES)
    with open(path) as file:
        for given in (file, csv.DictReader(file), csv.reader(file)):
            said = refused(lambda given=given: door.read(given, target="kind"))
            assert "pass the path of the file" in said


def test_null_as_mysql_writes_it_is_a_gap_beside_numbers(in_tmp):
    lines = LINES.copy()
    lines[5] = lines[9] = r"\N,1.5,up"
    path = write(in_tmp / "dump.csv", lines)
    (line,) = [line for line in inspected(path) if line.startswith("a  number")]
    assert line.endswith("gaps")


@pytest.mark.parametrize("suffix", ["", "_mask"])
def test_images_beside_their_masks_are_no_two_classes(suffix, in_tmp):
    for folder, ending in (("images", ""), ("Masks", suffix)):
        (in_tmp / "d" / folder).mkdir(parents=True)
        for i in range(20):
            pixels = RNG.integers(0, 256, (8, 8)).astype("uint8")
            Image.fromarray(pixels).save(in_tmp / "d" / folder / f"{i}{ending}.png")
    said = refused(lambda: zoo.train("cnn:tiny", "d", **QUICK))
    assert "'Masks' holds a file for each one of 'images', as masks for a segmentation" in said
    (in_tmp / "d" / "Masks").rename(in_tmp / "d" / "dogs")
    assert door.read("d")[0].labels == ("dogs", "images")


@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        ("recurrent:tiny", np.arange(400.0) % 7, {"task": "forecasting"}),
        ("vae:tiny", RNG.integers(0, 256, (60, 8, 8, 1)).astype("uint8"), {}),
        ("seq2seq:tiny", (list("ab") * 30, list("xy") * 30), {"task": "translation"}),
    ],
    ids=["series", "generation", "translation"],
)
def test_weights_of_examples_are_refused_by_name_where_a_task_has_no_use_for_them(
    model, data, options, in_tmp
):
    weights = np.ones(len(data[0]) if isinstance(data, tuple) else len(data))
    said = refused(lambda: zoo.train(model, data, sample_weight=weights, **options, **QUICK))
    assert said.startswith("sample_weight is for classes, labels and numbers")


def test_a_column_of_weights_of_a_series_is_refused_by_name(in_tmp):
    table = pd.DataFrame({"sold": np.arange(400.0) % 7, "w": 1.0})
    options = {"target": "sold", "task": "forecasting", "sample_weight": "w"}
    said = refused(lambda: zoo.train("recurrent:tiny", table, **options, **QUICK))
    assert said.startswith("sample_weight is for classes, labels and numbers")
