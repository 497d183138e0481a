"""Times, splits and numbers as people write them: read as meant everywhere, or refused with what to write."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from test_field import write
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import carving
from zoo.data import load as door
from zoo.data.kinds import date_forms, dates
from zoo.saving import golden_check, inputs

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=240).round(3)
DAYS = pd.date_range("2022-01-03", periods=240)
HOURS = pd.date_range("2023-01-05 14:30", periods=240, freq="h")
MIXED = RNG.permutation(240)
KINDS = ["up", "down"] * 120
OPTIONS = {"epochs": 25, "batch_size": 16, "learning_rate": 0.01, "quiet": True}


def table(cells, **options):
    """A table's column `x` as the door reads it: what it is, how it is written, its training values."""
    rows = list(zip(cells, NOISE, KINDS))
    info, splits = door.read(write("t.csv", rows, ["x", "noise", "kind"]), target="kind", **options)
    held = splits["train"].inputs
    kind = dict(zip(info.columns, info.column_kinds or ["number"] * 2)).get("x")
    values = held["x"] if isinstance(held, dict) else held[:, 0]
    return kind, info.styles.get("x"), values


def series(columns, newest_first=False, **options):
    """A series that rises, with columns that say when; the parts of it."""
    count = len(next(iter(columns.values())))
    frame = pd.DataFrame({**columns, "sold": np.arange(float(count)) + NOISE[:count]})
    frame.iloc[:: -1 if newest_first else 1].to_csv("t.csv", index=False)
    return door.read("t.csv", target="sold", task="forecasting", **options)


# Series


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2023-01-05 14:30", "2023-01-05T14:30"),
        ("2023-01-05T14:30:00Z", "2023-01-05T14:30"),
        ("2023-01-05T14:30:00.5+02:00", "2023-01-05T12:30:00.5"),
        ("2023-01-05T23:30:00-0500", "2023-01-06T04:30"),
        ("05.01.2023 14:30", "2023-01-05T14:30"),
        ("1/25/2023 2:30 PM", "2023-01-25T14:30"),
        ("25/1/2023 12:05 am", "2023-01-25T00:05"),
        ("Mon, 05 Jan 2023", "2023-01-05"),
        ("Thursday, January 5, 2023", "2023-01-05"),
        ("5th January 2023", "2023-01-05"),
        ("Sept 5, 2023", "2023-09-05"),
        ("05/Jan/2023:14:30:00 +0000", "2023-01-05T14:30"),
        ("2024 Q3", "2024-07-01"),
        ("Q3/2024", "2024-07-01"),
        ("2024-W05", "2024-01-29"),
        ("2024-05", "2024-05-01"),
        ("Jan 2024", "2024-01-01"),
        ("Jan-24", "2024-01-01"),
    ],
)
def test_a_time_is_read_in_the_forms_that_people_write(text, time):
    ((form, times),) = dates.moments(pd.Series([text])).items()
    assert date_forms.is_form(form)
    assert times[0] == np.datetime64(time)


@pytest.mark.parametrize(
    "text", ["5 janv. 2023", "2023-02-30", "1.2.3", "Lisa 12 2024", "10-20", "25:30"]
)
def test_what_is_no_date_is_none(text):
    assert dates.moments(pd.Series([text])) == {}


WHEN = {
    "minutes": {"day": HOURS.strftime("%d.%m.%Y %H:%M")},
    "zones": {"day": HOURS.strftime("%Y-%m-%dT%H:%M:%S+02:00")},
    "afternoons": {"day": HOURS.strftime("%m/%d/%Y %I:%M %p")},
    "weekdays": {"day": DAYS.strftime("%a, %d %b %Y")},
    "quarters": {"day": [f"{1900 + i // 4} Q{i % 4 + 1}" for i in range(240)]},
    "weeks": {"day": pd.date_range("2018-01-01", periods=240, freq="W-MON").strftime("%G-W%V")},
    "months": {"day": pd.date_range("1990-01-01", periods=240, freq="MS").strftime("%Y-%m")},
    "years": {"year": np.arange(1760, 2000)},
    "days without signs": {"date": DAYS.strftime("%Y%m%d")},
    "seconds": {"timestamp": 1_700_000_000 + 3600 * np.arange(240)},
    "milliseconds": {"ts": 1_700_000_000_000 + 3_600_000 * np.arange(240)},
    "a date and a time": {"date": HOURS.strftime("%m/%d/%Y"), "time": HOURS.strftime("%H:%M")},
    "a date and an hour": {"date": HOURS.strftime("%Y-%m-%d"), "hour": HOURS.hour},
    "a date and one time for all": {"date": DAYS.strftime("%d.%m.%Y"), "time": ["09:30"] * 240},
    "year, month and day": {"year": DAYS.year, "month": DAYS.month, "day": DAYS.day},
}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_series_is_turned_whatever_says_when(when, newest_first, in_tmp, caplog):
    caplog.set_level("INFO")
    info, splits = series(WHEN[when], newest_first)
    assert info.columns == ("sold",)
    assert splits["test"].targets.mean() > splits["train"].targets.mean()
    assert ("the newest row comes first" in caplog.text) == newest_first
    assert "steps are missing" not in caplog.text


@pytest.mark.parametrize("start", ["2023-10-25", "2023-03-20"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_clocks_that_change_break_no_series(start, newest_first, in_tmp, caplog):
    local = pd.date_range(start, periods=240, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    _, splits = series({"day": local.strftime("%Y-%m-%d %H:%M")}, newest_first)
    assert splits["test"].targets.mean() > splits["train"].targets.mean()
    assert ("clocks that were put back" in caplog.text) == (start == "2023-10-25")
    assert "steps are missing" not in caplog.text


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"day": [*DAYS[:120]] * 2, "shop": ["a"] * 120 + ["b"] * 120}, "'shop' tells 2 series apart.*shop is 'a'"),
        ({"day": np.repeat(DAYS[:120], 2), "shop": ["a", "b"] * 120}, "line 3: 'shop' tells 2 series"),
        ({"day": [*DAYS[:60]] * 4, "shop": ["a"] * 120 + ["b"] * 120, "item": (["x"] * 60 + ["y"] * 60) * 2}, "'shop' and 'item' tell 4"),
        ({"day": np.repeat(DAYS[:120], 2)}, "a date is there more than once"),
        ({"day": [f"{d.day} janv. {2000 + i}" for i, d in enumerate(DAYS)]}, "cannot be read, such as '3 janv. 2000' in line 2"),
        ({"day": [*DAYS[:-1].strftime("%d.%m.%Y"), "31.02.2023"]}, "'31.02.2023' in line 241"),
        ({"day": [*DAYS[:99].strftime("%d.%m.%Y"), *DAYS[99:].strftime("%Y-%m-%d")]}, "in line 101"),
    ],
)  # fmt: skip
def test_a_series_that_is_out_of_order_is_refused_with_the_reason(columns, told, in_tmp):
    columns = {title: [str(v).removesuffix(" 00:00:00") for v in values] for title, values in columns.items()}  # fmt: skip
    with pytest.raises(zoo.InputError, match=told):
        series(columns)


def test_the_order_of_day_and_month_can_be_said(in_tmp):
    days = {"day": DAYS.strftime("%m/%d/%Y")}
    assert series(days, dates="month-first")[0].styles["day"] == "%m/%d/%Y"
    with pytest.raises(zoo.InputError, match="dates='day-first' does not fit"):
        series(days, dates="day-first")


# Dates of tables


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y", "%b %d, %Y", "%d-%b-%y", "%d.%m.%Y %H:%M"])  # fmt: skip
def test_dates_of_a_table_are_dates_in_any_form(form, in_tmp):
    kind, _, values = table(DAYS[MIXED].strftime(form))
    assert kind == "date"
    assert set(values) <= set(DAYS.strftime("%Y-%m-%d"))


def test_dates_that_could_be_two_are_asked_about(in_tmp):
    cells = [f"{1 + i % 9:02}/{1 + i % 7:02}/2023" for i in range(240)]
    with pytest.raises(zoo.InputError, match="'01/02/2023' is 2023-01-02 or 2023-02-01.*--dates"):
        table(cells)
    for order, first in (("day-first", "2023-07-05"), ("month-first", "2023-05-07")):
        kind, _, values = table(cells, dates=order)
        assert kind == "date"
        assert first in values
    assert table(cells, kinds={"x": "category"})[0] == "category"


@pytest.mark.parametrize(("form", "odd"), [("%d.%m.%Y", "31.02.2022"), ("%Y-%m-%d", "2022-02-31")])
def test_a_day_that_no_calendar_has_is_told_of(form, odd, in_tmp):
    cells = [*DAYS[MIXED].strftime(form)]
    cells[7] = odd
    with pytest.raises(zoo.InputError, match=f"{odd}' in line 9"):
        table(cells)
    kind, _, values = table(cells, skip_bad=True)
    assert kind == "date"
    assert odd not in values


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of codes, dates and weights as a spreadsheet writes them, tested on the newest rows; and its table."""
    folder = tmp_path_factory.mktemp("sheet")
    weight = RNG.normal(50, 9, 240).round(1)
    frame = pd.DataFrame(
        {
            "code": [f"{i % 8:03}" for i in range(240)],
            "day": DAYS[MIXED].strftime("%d.%m.%Y"),
            "weight": [f"{w} kg" for w in weight],
            "kind": np.where(np.arange(240) % 8 > 3, "up", "down"),
        }
    )
    frame.to_csv(folder / "t.csv", index=False)
    path, options = str(folder / "t.csv"), {**OPTIONS, "epochs": 15, "out": str(folder / "run")}
    return zoo.train("dense:tiny", path, target="kind", split_by="day", **options), frame


def test_codes_dates_and_units_are_read_alike_everywhere(trained, in_tmp):
    result, frame = trained
    assert result.report.scores["accuracy"] > 0.95
    model, rows = zoo.load(result.export), frame.drop(columns="kind").iloc[:40]
    rows.to_csv("new.csv", index=False)
    found = [row["probabilities"] for row in inputs.predict_files(model, ["new.csv"])]
    days = pd.to_datetime(rows["day"], format="%d.%m.%Y")
    numbers = rows["weight"].str.removesuffix(" kg").astype(float)
    iso = days.dt.strftime("%Y-%m-%d")
    sheet = {"code": rows["code"].astype(int), "day": days, "weight": numbers}  # 7 of 007
    for given in (rows, rows.to_dict("list"), pd.DataFrame(sheet), rows.assign(day=iso)):
        assert_close(model.predict(given)["probabilities"], found, KERNELS, scale=1)
    plain = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    answers = plain(
        code=tf.constant(rows["code"].astype(int).astype(str).tolist()),
        day=tf.constant(iso.tolist()),
        weight=tf.constant(numbers.tolist(), tf.float32),
    )
    assert_close(answers["probabilities"].numpy(), found, KERNELS, scale=1)
    assert zoo.verify(result.export)["largest_difference"] <= golden_check.TOLERANCE


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weight": "50"}, "plain numbers in kg; '50' in row 0"),
        ({"weight": "50 lb"}, "'50 lb' in row 0"),
        ({"day": "13/25/2022"}, "or written as in training .%d.%m.%Y.*'13/25/2022'"),
        ({"day": "31.02.2022"}, "'31.02.2022' in row 0"),
    ],
)
def test_what_is_written_otherwise_than_in_training_is_refused(changes, told, trained):
    result, frame = trained
    with pytest.raises(zoo.InputError, match=told):
        zoo.load(result.export).predict(frame.drop(columns="kind").iloc[:3].assign(**changes))


def test_the_card_and_the_report_say_how_the_rows_are_split(trained):
    result, _ = trained
    words = "split by 'day', the newest rows into test"
    assert words in zoo.load(result.export).card.protocol
    assert words in (result.report.folder / "report.md").read_text()


# Splits


def carved(columns, **options):
    frame = pd.DataFrame({**columns, "noise": NOISE, "kind": KINDS})
    info, splits = door.read(frame, target="kind", **options)
    return info, door.make_splits(info, splits, batch_size=8).examples


@pytest.mark.parametrize(
    "column",
    [DAYS[MIXED], DAYS[MIXED].strftime("%d.%m.%Y"), 1_700_000_000 + 3600 * MIXED, MIXED + 0.5, DAYS[MIXED // 4]],
)  # fmt: skip
def test_the_newest_rows_are_test_and_those_before_them_validation(column):
    info, splits = carved({"date": column}, split_by="date")
    by = {name: data.by for name, data in splits.items()}
    assert by["train"].max() < by["validation"].min()
    assert by["validation"].max() < by["test"].min()
    assert 40 <= len(splits["test"]) <= 56
    assert info.columns == ("date", "noise")


@pytest.mark.parametrize("column", [MIXED // 6, [f"P{i // 6:03}" for i in MIXED], RNG.choice(list("abcdef"), 240)])  # fmt: skip
@pytest.mark.parametrize("target", ["kind", "noise"])
def test_no_group_is_in_two_splits(column, target):
    frame = pd.DataFrame({"who": column, "noise": NOISE, "z": NOISE[::-1], "kind": KINDS})
    info, splits = door.read(frame, target=target, split_by="who")
    splits = door.make_splits(info, splits, batch_size=8).examples
    groups = [set(data.by) for data in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(set(map(str, column)))
    assert 0.05 * 240 < len(splits["test"]) < 0.4 * 240
    assert "who" not in info.columns
    listed, _ = door.read(frame, target=target, split_by="who", columns=("who", "z"))
    assert listed.columns == ("who", "z")


def test_a_test_table_needs_no_column_to_split_by():
    frame = pd.DataFrame({"who": MIXED // 6, "noise": NOISE, "kind": KINDS})
    other = pd.DataFrame({"noise": NOISE[:40] + 0.0001, "kind": KINDS[:40]})
    info, splits = door.read(frame, target="kind", split_by="who", test=other)
    splits = door.make_splits(info, splits, batch_size=8).examples
    assert not set(splits["train"].by) & set(splits["validation"].by)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"day": DAYS.strftime("%d.%m.%Y")}, "pass split_by='day'"),
        ({"day": DAYS[::-1]}, "pass split_by='day'"),
        ({"patient_id": MIXED // 6}, "pass split_by='patient_id'"),
        ({"x": [f"P{i // 6:03}" for i in MIXED]}, "pass split_by='x'"),
        ({"day": DAYS[MIXED], "x": MIXED % 3, "y": MIXED // 6}, ""),
    ],
)
def test_rows_that_belong_together_and_are_split_at_random_are_told_of(columns, told, caplog):
    carved(columns)
    assert ("split_by" in caplog.text) == bool(told)
    assert told in caplog.text


def test_the_split_is_the_same_for_every_seed_and_order_of_groups():
    names = np.array([f"P{i // 6:03}" for i in MIXED], object)
    data = zoo.import_quietly("zoo.data.examples").Arrays(NOISE[:, None], MIXED % 2, names)
    info = door.read((NOISE[:, None], MIXED % 2))[0]
    parts = [carving.carved({"train": data}, "test", 0.2, info)["test"].by for _ in range(2)]
    assert set(parts[0]) == set(parts[1])


# Targets


def test_large_targets_that_differ_little_are_learned_and_answered_in_float64(in_tmp):
    x = RNG.normal(size=240)
    frame = pd.DataFrame({"x": x, "z": NOISE, "when": 1_700_000_000 + np.round(20 * x)})
    options = {**OPTIONS, "task": "regression", "baseline": True}
    result = zoo.train("dense:tiny", frame, target="when", **options)
    assert result.report.scores["r2"] > 0.9
    assert result.report.baseline.scores["r2"] > 0.99
    model = zoo.load(result.export)
    found = model.predict(frame[["x", "z"]])["prediction"]
    assert found.dtype == np.float64
    assert np.sqrt(np.mean((found - frame["when"]) ** 2)) < 8
    plain = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    given = {name: tf.constant(frame[name], tf.float32) for name in ("x", "z")}
    np.testing.assert_array_equal(plain(**given)["prediction"], found)
    assert zoo.verify(result.export)["largest_difference"] <= golden_check.TOLERANCE
    (line,) = [inputs.as_text({"input": "a", "prediction": float(found[0])})]
    assert float(line.removeprefix("a: ")) == pytest.approx(found[0], abs=1)


def test_ordinary_targets_stay_float32():
    _, splits = door.read((NOISE[:, None], 1000 * NOISE[::-1]), task="regression")
    assert splits["train"].targets.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2, 3], "123"),
        ([3, 4, 5], "345"),
        ([1, 2, 4], "124"),
        ([0, 1, 2], "012"),
        ([0, 1, 3], "0123"),  # ids of which train misses one
        ([0.0, 1.0, 3.0], "0123"),
    ],
)
def test_classes_that_begin_with_1_have_no_class_0(values, labels):
    info, splits = door.read((NOISE[:, None], np.array(values * 80)))
    assert info.labels == tuple(labels)
    named = [info.labels[i] for i in np.unique(splits["train"].targets)]
    assert named == [str(int(v)) for v in values]
