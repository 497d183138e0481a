"""Numbers, dates and series of newcomers' files: read as meant in training, tests and `predict`, or refused with what to write."""

import types

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from test_field_time import DAYS, MIXED, NOISE, OPTIONS, series, table
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import categories, columns, numbers, readings
from zoo.data.kinds import series as series_kind
from zoo.saving import inputs

COUNT = np.arange(240)
MONTHS = pd.date_range("1960-01-01", periods=240, freq="MS")
WEEKS = pd.date_range("2018-01-01", periods=240, freq="W-MON").isocalendar()
HOURS = pd.date_range("2023-01-05", periods=240, freq="h")


def with_test(cells, later, title="x", **options):
    """The test split's column of a folder with a train.csv and a test.csv."""
    for name, values in (("train", cells), ("test", later)):
        count = len(values)
        noise = NOISE[:count] + (name == "test")
        frame = pd.DataFrame({title: values, "noise": noise, "kind": ["up", "down"] * (count // 2)})
        frame.to_csv(f"{name}.csv", index=False)
    info, splits = door.read(".", target="kind", **options)
    held = splits["test"].inputs
    return held[title] if isinstance(held, dict) else held[:, info.columns.index(title)]


# Test tables


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%b %d, %Y", "%Y Q1"])
def test_a_later_table_has_dates_of_the_same_form(form, in_tmp):
    days = pd.date_range("1800-01-03", periods=240, freq="YS") if "Q" in form else DAYS
    cells = days[MIXED].strftime(form)
    assert with_test(cells, cells[:20])[0] == str(days[MIXED][0])[: 4 if "Q" in form else 10] + (
        "-01-01" if "Q" in form else ""
    )
    assert set(with_test(cells, [""] * 20)) == {""}
    assert with_test(cells, ["2022-01-31"] * 20)[0] == "2022-01-31"


def test_raised_digits_are_no_numbers(in_tmp):
    assert table([f"{i % 9}²" for i in COUNT])[0] == "category"
    assert table(["①②③④⑩"[i % 5] for i in COUNT])[0] == "category"
    assert table([f"{i} m²" for i in COUNT])[:2] == ("number", "plain; m2; whole")
    with pytest.raises(zoo.InputError, match="'10²' in line 2"):
        with_test(COUNT, ["10²"] * 20)


def test_a_fraction_after_whole_numbers_is_one(in_tmp):
    assert with_test(COUNT, ["10.125"] * 20)[0] == 10.125
    prices = [f"{1000 + i:,}" for i in COUNT]
    with pytest.raises(zoo.InputError, match="'9.750' in line 2 .*decimal="):
        with_test(prices, ["9.750"] * 20)
    assert with_test(prices, ["9.750"] * 20, decimal=".")[0] == 9.75


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of shares, whole numbers, births and marks that are numbers or not; and its table."""
    folder = tmp_path_factory.mktemp("numbers")
    births = pd.date_range("1940-03-05", periods=240, freq="90D")[MIXED]
    frame = pd.DataFrame(
        {
            "share": [f"{i}%" for i in MIXED],
            "rooms": MIXED % 90,
            "dob": births.strftime("%m/%d/%y"),
            "mark": np.array(["1", "2", "x", "y"])[COUNT % 4],
            "kind": np.where(COUNT % 4 == 1, "up", "down"),
        }
    )
    frame.to_csv(folder / "t.csv", index=False)
    options = {**OPTIONS, "epochs": 3, "out": str(folder / "run")}
    return zoo.train("dense:tiny", str(folder / "t.csv"), target="kind", **options), frame, births


def test_shares_fractions_births_and_marks_are_read_alike_everywhere(trained, in_tmp):
    result, frame, births = trained
    model = zoo.load(result.export)
    rows = frame.drop(columns="kind")[:30]
    rows = rows.assign(share="12.5%", rooms="10.125", mark="2.0")
    rows.to_csv("new.csv", index=False)
    found = [row["probabilities"] for row in inputs.predict_files(model, ["new.csv"])]
    iso = births[:30].strftime("%Y-%m-%d")
    sheet = rows.assign(rooms=10.125, mark=2.0, dob=births[:30])
    for given in (rows, rows.to_dict("list"), sheet, rows.assign(dob=iso, mark="2")):
        assert_close(model.predict(given)["probabilities"], found, KERNELS, scale=1)
    plain = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    answers = plain(
        share=tf.fill([30], 12.5),
        rooms=tf.fill([30], 10.125),
        mark=tf.fill([30], "2.0"),
        dob=tf.constant(iso.tolist()),
    )
    assert_close(answers["probabilities"].numpy(), found, KERNELS, scale=1)


@pytest.mark.parametrize("share", [0.12, 12.0, 12, "0.12"])
def test_a_number_without_a_sign_is_no_share_anywhere(share, trained, in_tmp):
    result, frame, _ = trained
    model = zoo.load(result.export)
    rows = frame.drop(columns="kind")[:3].assign(share=share)
    rows.to_csv("new.csv", index=False)
    for given in (rows, rows.to_dict("list")):
        with pytest.raises(zoo.InputError, match="'share'.* could mean another number"):
            model.predict(given)
    with pytest.raises(zoo.InputError, match="'share'.* could mean another number"):
        list(inputs.predict_files(model, ["new.csv"]))
    gap = rows.assign(share=[np.nan] * 3)
    assert len(model.predict(gap)["probabilities"]) == 3


# Series


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    "when",
    [
        {"日期": [f"{d.year}年{d.month}月{d.day}日" for d in DAYS]},
        {"date": COUNT + 44000},
        {"day": COUNT + 1},
        {"year": 1900 + COUNT // 4, "quarter": COUNT % 4 + 1},
        {"Year": 1900 + COUNT // 4, "Quarter": [f"Q{i % 4 + 1}" for i in COUNT]},
        {"year": MONTHS.year, "month": MONTHS.strftime("%b")},
        {"year": MONTHS.year, "month": MONTHS.strftime("%B")},
        {"year": WEEKS["year"].to_numpy(), "week": WEEKS["week"].to_numpy()},
        {"date": HOURS.strftime("%Y-%m-%d"), "time": HOURS.hour * 100},
        {"date": HOURS.strftime("%Y-%m-%d"), "time": HOURS.strftime("%H%M")},
        {"month": MONTHS.strftime("%b-%y")},
        {"day": MONTHS.strftime("%d.%m.%y")},
    ],
)
def test_a_series_is_turned_whatever_says_when(when, newest_first, in_tmp, caplog):
    caplog.set_level("INFO")
    info, splits = series(when, newest_first)
    assert info.columns == ("sold",)
    assert splits["test"].targets.mean() > splits["train"].targets.mean()
    assert ("the newest row comes first" in caplog.text) == newest_first
    assert "steps are missing" not in caplog.text


@pytest.mark.parametrize(
    "cells",
    [
        [f"FY{1700 + i}" for i in COUNT],
        [f"{1700 + i}/{(i + 1) % 100:02}" for i in COUNT],
        [f"{i // 60:02}:{i % 60:02}" for i in COUNT],
    ],
)
def test_texts_that_may_be_dates_are_told_of(cells, in_tmp, caplog):
    series({"jahrgang": cells})
    assert "may be dates that cannot be read" in caplog.text


def test_counts_of_days_out_of_order_are_refused(in_tmp):
    with pytest.raises(zoo.InputError, match="'day' do not rise, first in line"):
        series({"day": MIXED})
    assert series({"lead_time": MIXED})[0].columns == ("sold", "lead_time")


def test_a_message_about_the_order_calls_no_part_of_a_date_a_series(in_tmp):
    with pytest.raises(zoo.InputError, match="there more than once"):
        series({"date": np.repeat(DAYS[:120].strftime("%Y-%m-%d"), 2), "week": [1, 2] * 120})
    with pytest.raises(zoo.InputError, match="where shop is 1"):
        series({"date": np.repeat(DAYS[:120].strftime("%Y-%m-%d"), 2), "shop": [1, 2] * 120})


def test_a_model_of_before_keeps_the_order_of_its_rows(caplog):
    frame = pd.DataFrame(
        {"日期": [f"{d.year}年{d.month}月{d.day}日" for d in DAYS], "sold": NOISE}
    )[::-1]
    card = types.SimpleNamespace(columns=("sold",), readings={}, decoding=None, ranges=None)
    as_before = series_kind._columns_of_model(frame, card)[:, 0]
    assert as_before[0] == np.float32(NOISE[-1])
    assert "trained before such dates were read" in caplog.text
    card.decoding = 2
    assert series_kind._columns_of_model(frame, card)[0, 0] == np.float32(NOISE[0])


@pytest.mark.parametrize(("form", "first"), [("%m/%d/%Y", 0), ("%d/%m/%Y", 2)])
def test_a_series_of_predict_is_read_by_the_form_of_training(form, first):
    days = ["01/03/2023", "02/02/2023", "03/01/2023"]  # rise from January, or fall from March
    frame = pd.DataFrame({"Order Date": days, "sold": [0, 1, 2]})
    card = types.SimpleNamespace(
        columns=("sold",), readings={"Order_Date": form}, decoding=2, ranges=None
    )
    assert series_kind._columns_of_model(frame, card)[0, 0] == first


def test_two_columns_of_a_series_of_one_title_are_refused():
    frame = pd.DataFrame(np.stack([NOISE, NOISE], 1), columns=["sold", "sold"])
    with pytest.raises(zoo.InputError, match="two columns 'sold'"):
        door.read(frame, target="sold", task="forecasting")


def test_columns_of_a_series_that_are_no_numbers_are_told_of(in_tmp, caplog):
    caplog.set_level("INFO")
    told = {"sale": ["TRUE", "FALSE", "TRUE"] * 80, "weekday": DAYS.strftime("%A")}
    info, splits = series({"day": DAYS.strftime("%Y-%m-%d"), **told})
    assert info.columns == ("sold", "sale")
    assert "not learned from: 'weekday'" in caplog.text
    frame = pd.read_csv("t.csv")
    assert frame["sale"].dtype == bool
    _, same = door.read(frame, target="sold", task="forecasting")
    np.testing.assert_array_equal(same["train"].inputs, splits["train"].inputs)


# Years of two digits


def test_no_birth_is_in_the_future(in_tmp, caplog):
    caplog.set_level("INFO")
    cells = [f"{i % 12 + 1:02}/{i % 28 + 1:02}/{(40 + i % 70) % 100:02}" for i in COUNT]
    days = with_test(cells, ["01/01/40", "12/31/20"] * 10, title="date_of_birth")
    assert list(days[:2]) == ["1940-01-01", "2020-12-31"]
    assert "none of which is in the future" in caplog.text
    with pytest.raises(zoo.InputError, match="write years with four digits"):
        table(cells)
    ends = [f"{i % 12 + 1:02}/{i % 28 + 1:02}/{20 + i % 12}" for i in COUNT]
    assert max(table(ends)[2])[:4] == "2031"


# Numbers as people write them


@pytest.mark.parametrize(
    ("cells", "style", "value"),
    [
        (lambda i: f"{i + 1},00,000", "1,234.5; whole", 500_000),
        (lambda i: f"₹{i + 1},34,567", "1,234.5; INR; whole", 534_567),
        (lambda i: f"R$ {i + 1}.200,50", "1.234,5; BRL", 5200.5),
        (lambda i: f"Rs. {i + 1},000", "1,234.5; INR; whole", 5000),
        (lambda i: f"${i + 1}.2bn", "plain; USD bn", 5.2),
        (lambda i: f"\u2013{i + 1}", "plain; whole", -5),
        (lambda i: f"{i} {'KG' if i % 2 else 'kg'}", "plain; kg; whole", 5),
        (lambda i: f"{i} {'months' if i % 2 else 'Months'}", "plain; Month; whole", 5),
    ],
)
def test_numbers_that_repeat_are_numbers(cells, style, value, in_tmp):
    kind, found, values = table([cells(i % 12) for i in COUNT])
    assert (kind, found) == ("number", style)
    assert np.any(values == np.float32(value))


def test_texts_that_look_like_numbers_are_told_of(in_tmp, caplog):
    assert table([f"${i % 9}.2{'M' if i % 2 else 'bn'}" for i in COUNT])[0] == "category"
    assert "look like numbers" in caplog.text
    caplog.clear()
    for cells in ("{}{}", "v{}", "1.{}.0", "00{}"):
        assert table([cells.format(i % 9, "AB"[i % 2]) for i in COUNT])[0] == "category"
    assert "look like numbers" not in caplog.text


def test_units_of_one_letter_keep_their_capitals():
    with pytest.raises(zoo.InputError, match="could mean another number"):
        readings.typed(pd.Series(["5 m"]), style="plain; M")
    assert readings.typed(pd.Series(["5 KG"]), style="plain; kg")[0].tolist() == [5]


# Targets


def read_targets(cells, **options):
    frame = pd.DataFrame({"noise": NOISE, "z": NOISE[::-1], "y": cells})
    frame.to_csv("t.csv", index=False)
    return door.read("t.csv", target="y", **options)[0]


def test_targets_with_a_unit_are_numbers_where_many_differ(in_tmp):
    weights = [f"{(i % 19 + 1) / 2} kg" for i in COUNT]
    assert read_targets(weights).task == "regression"
    assert "0.5 kg" in read_targets(weights, task="classification").labels
    assert len(read_targets([f"{i % 5 + 1} stars" for i in COUNT]).labels) == 5


@pytest.mark.parametrize("odd", ["unknown", "inf"])
@pytest.mark.parametrize("task", [None, "regression"])
def test_a_text_among_targets_that_are_numbers_is_named(odd, task, in_tmp):
    cells = [odd if i == 7 else f"{i / 7:.3f}" for i in COUNT]
    with pytest.raises(zoo.InputError, match=f"'{odd}' in line 9: .*missing=\\('{odd}',\\)"):
        read_targets(cells, task=task)
    assert read_targets(cells, missing=(odd,), skip_bad=True, task=task).task == "regression"


# Codes and categories


def test_many_postcodes_are_told_of(caplog):
    frame = pd.DataFrame({"zip": 10115 + 97 * (COUNT % 121), "z": NOISE})
    assert columns.column_kinds(frame)["zip"] == "number"
    assert "pass kinds={'zip': 'category'}" in caplog.text


def test_dates_that_are_written_in_two_ways_are_refused(in_tmp):
    cells = [f"2023-01-{i % 9 + 10}" if i % 2 else f"{i % 9 + 10}.02.2023" for i in COUNT]
    with pytest.raises(zoo.InputError, match="dates of several forms.* in line 3"):
        table(cells)
    assert table([f"03-{i % 6 + 20}-22" for i in COUNT])[0] == "date"
    with pytest.raises(zoo.InputError, match="such as '2021-05-02'.*'0000-00-00' in line 2"):
        table(["0000-00-00", *(f"2021-05-{i % 28 + 1:02}" for i in COUNT[1:])])


def test_a_number_among_names_is_one_category_however_it_is_written():
    layer = categories.CleanTexts.for_texts(np.array(["1", "2", "x"], object))
    assert [t.decode() for t in layer(tf.constant(["2.0", "2", "x"])).numpy()] == ["2", "2", "x"]
    layer = categories.CleanTexts.for_texts(np.array(["1.1", "1.10", "x"], object))
    assert [t.decode() for t in layer(tf.constant(["1.1", "1.10"])).numpy()] == ["1.1", "1.10"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*range(18, 60), -999, -999], (-999, 2)),
        ([*range(18, 60), 999, 999, 999], (999, 3)),
        ([-50.0, 0.5, 99.0, -99.0, -99.0], None),
        ([*range(100), -99, -99], (-99, 2)),
        ([*range(-100, 100), -99, -99], None),
        ([*range(1000)], None),
        ([*range(18, 60), -999], None),
        ([*range(18, 60), 9999.5, 9999.5], None),
        ([9.0, 9.0, 1.0], None),
        ([-999.0, -999.0], None),
        ([np.nan, np.nan], None),
    ],
    ids=["below", "above", "both ways", "among none below 0", "within", "counts", "once", "with a fraction", "one digit", "alone", "gaps"],
)  # fmt: skip
def test_a_number_that_stands_for_nothing_is_found(values, found):
    assert numbers.placeholder(np.array(values, float)) == found


@pytest.mark.parametrize("where", ["input", "target", "series"])
def test_a_number_that_stands_for_nothing_is_told_of(where, in_tmp):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 90, 300).astype(float), "y": rng.normal(size=300)})  # fmt: skip
    frame.loc[::9, {"input": "age", "target": "y", "series": "y"}[where]] = -999
    options = {"task": "forecasting"} if where == "series" else {}
    said = "\n".join(zoo.inspect(frame, target="y", **options).taken_for)
    assert "-999 stands in 3" in said
    assert "missing=('-999',)" in said
    if where == "input":
        assert "-999" not in str(zoo.inspect(frame, target="y", missing=("-999",)).taken_for)
