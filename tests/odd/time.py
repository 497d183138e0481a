"""Time, splits and numbers"""

import numpy as np
import pandas as pd

from odd import odd
from odd.tables import NOISE, column, write
from zoo.data import load as door

HOURS = pd.date_range("2023-01-05 14:30", periods=240, freq="h")
DAYS = pd.date_range("2022-01-03", periods=240)
MIXED = np.random.default_rng(1).permutation(60)


def rises(columns, newest_first=False, **options):
    """Reads a series that rises, beside columns that say when; asserts that its newest steps are the test split."""
    count = len(next(iter(columns.values())))
    frame = pd.DataFrame({**columns, "sold": np.arange(float(count)) + np.sin(np.arange(count))})
    frame.iloc[:: -1 if newest_first else 1].to_csv("t.csv", index=False)
    info, splits = door.read("t.csv", target="sold", task="forecasting", **options)
    assert info.columns == ("sold",)
    assert splits["test"].targets.min() > splits["train"].targets.max()


def split(column, **options):
    """The parts of a table that is split by a column."""
    frame = pd.DataFrame({"x": column, "noise": NOISE, "kind": ["up", "down"] * 30})
    return door.read(frame, target="kind", split_by="x", **options)


@odd("a series with a date and a time of day in two columns, the newest row first")
def _():
    rises({"date": HOURS.strftime("%m/%d/%Y"), "time": HOURS.strftime("%I:%M %p")}, True)


@odd("a series with its year, month and day in three columns, the newest row first")
def _():
    rises({"Year": DAYS.year, "Month": DAYS.month, "Day": DAYS.day}, True)


@odd("a series by quarters such as 2024 Q1, the newest row first")
def _():
    rises({"when": [f"{1900 + i // 4} Q{i % 4 + 1}" for i in range(240)]}, True)


@odd("a series by weeks such as 2024-W05, the newest row first")
def _():
    weeks = pd.date_range("2018-01-01", periods=240, freq="W-MON")
    rises({"week": weeks.strftime("%G-W%V")}, True)


@odd("a series by years, the newest first")
def _():
    rises({"year": np.arange(1760, 2000)}, True)


@odd("a series by seconds since 1970, the newest row first")
def _():
    rises({"timestamp": 1_700_000_000 + 3600 * np.arange(240)}, True)


@odd("times of a server's log, 05/Jan/2023:14:30:00 +0000, the newest row first")
def _():
    rises({"time": HOURS.strftime("%d/%b/%Y:%H:%M:%S +0000")}, True)


@odd("weekdays before dates: Mon, 03 Jan 2022")
def _():
    rises({"day": DAYS.strftime("%a, %d %b %Y")}, True)


@odd("hourly local times in the week in which clocks are put back")
def _():
    local = pd.date_range("2023-10-25", periods=240, freq="h", tz="UTC")
    rises({"day": local.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M")})


@odd("a table's dates as 31.01.2022, with a gap")
def _():
    cells = [*DAYS[MIXED].strftime("%d.%m.%Y")]
    cells[3] = "n/a"
    kind, read = column(cells)
    assert kind == "date"
    assert {"2022-01-31", ""} <= set(read)


@odd("a table's dates as 01/02/2023, with dates='day-first'")
def _():
    cells = [f"{1 + i % 9:02}/{1 + i % 7:02}/2023" for i in range(60)]
    kind, read = column(cells, dates="day-first")
    assert kind == "date"
    assert "2023-02-09" in read


@odd("weights such as 5 kg")
def _():
    kind, read = column([f"{i} kg" if i else "-" for i in range(60)])
    assert kind == "number"
    assert np.nanmax(read) == 59


@odd("ranges such as 10-19 and 60+")
def _():
    kind, read = column(
        [f"{10 * (i % 6)}-{10 * (i % 6) + 9}" if i % 7 else "60+" for i in range(60)]
    )
    assert kind == "category"
    assert "60+" in read


@odd("a minus of print, and digits of full width")
def _():
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    kind, read = column([f"\u2212{i}".translate(wide) if i else "" for i in range(60)])
    assert kind == "number"
    assert np.nanmin(read) == -59


@odd("postcodes in a column plz")
def _():
    table = {"plz": [10115 + i % 9 for i in range(60)], "z": NOISE, "kind": ["up", "down"] * 30}
    info, splits = door.read(write(table), target="kind")
    assert info.column_kinds == ("category", "number")
    assert "10115" in splits["train"].inputs["plz"]


@odd("a table with a column of dates, with split_by")
def _():
    info, splits = split(DAYS[MIXED])
    assert splits["train"].by.max() < splits["test"].by.min()
    assert info.columns == ("x", "noise")


@odd("a table with a column of patients, with split_by")
def _():
    info, splits = split(MIXED // 4)
    assert not set(splits["train"].by) & set(splits["test"].by)
    assert info.columns == ("noise",)


@odd("a table whose rows follow each other in time")
def _():
    table = {"day": DAYS[:60].strftime("%d.%m.%Y"), "z": NOISE, "kind": ["up", "down"] * 30}
    door.read(write(table), target="kind")


@odd("a table with several rows of each customer")
def _():
    table = {"customer_id": MIXED // 4, "z": NOISE, "kind": ["up", "down"] * 30}
    door.read(write(table), target="kind")


@odd("targets that are seconds since 1970 within a minute")
def _():
    frame = pd.DataFrame({"z": NOISE, "when": 1_700_000_000 + MIXED})
    _, splits = door.read(frame, target="when", task="regression")
    assert len(set(splits["train"].targets)) == 48


@odd("classes 1, 2 and 3")
def _():
    info, _ = door.read((NOISE[:, None], np.array([1, 2, 3] * 20)))
    assert info.labels == ("1", "2", "3")


MONTHS = pd.date_range("1960-01-01", periods=240, freq="MS")


@odd("a series by 2022年7月19日, the newest row first")
def _():
    rises({"日期": [f"{day.year}年{day.month}月{day.day}日" for day in DAYS]}, True)


@odd("a series by days as a spreadsheet counts them, 44000 and more, the newest row first")
def _():
    rises({"date": np.arange(44000, 44240)}, True)


@odd("a series by a year and a quarter in two columns, the newest row first")
def _():
    count = np.arange(240)
    rises({"year": 1900 + count // 4, "quarter": [f"Q{i % 4 + 1}" for i in count]}, True)


@odd("a series by a year and a month such as Jan in two columns, the newest row first")
def _():
    rises({"year": MONTHS.year, "month": MONTHS.strftime("%b")}, True)


@odd("a series by a date and hours 0, 100, ... 2300, the newest row first")
def _():
    rises({"date": HOURS.strftime("%Y-%m-%d"), "time": HOURS.hour * 100 + 30}, True)


@odd("a series by months Jan-60 to Dec-79, the newest row first")
def _():
    rises({"month": MONTHS.strftime("%b-%y")}, True)


@odd("a series by years such as FY1999, which no form of dates fits")
def _():
    rises({"fiscal": [f"FY{1760 + i}" for i in range(240)]})


@odd("TRUE and FALSE, and weekdays, beside a series")
def _():
    table = {"day": DAYS, "sale": ["TRUE", "FALSE", "TRUE"] * 80, "weekday": DAYS.strftime("%A")}
    frame = pd.DataFrame({**table, "sold": np.arange(240.0) + np.sin(np.arange(240))})
    frame.to_csv("t.csv", index=False)
    assert door.read("t.csv", target="sold", task="forecasting")[0].columns == ("sold", "sale")


@odd("dates of birth such as 01/31/40")
def _():
    days = pd.date_range("1935-01-31", periods=60, freq="250D")[MIXED]
    table = {"dob": days.strftime("%m/%d/%y"), "noise": NOISE, "kind": ["up", "down"] * 30}
    _, splits = door.read(write(table), target="kind")
    assert set(splits["train"].inputs["dob"]) <= set(days.strftime("%Y-%m-%d"))


@odd("rupees such as ₹12,34,567")
def _():
    kind, read = column(["n/a", *(f"₹{i % 9 + 1},34,567" for i in range(59))])
    assert kind == "number"
    assert set(read[~np.isnan(read)]) == {134_567 + 100_000 * i for i in range(9)}


@odd("prices such as R$ 1.200,50")
def _():
    kind, read = column(["n/a", *(f"R$ {i % 9 + 1}.200,50" for i in range(59))])
    assert kind == "number"
    assert np.nanmax(read) == 9200.5


@odd("numbers below 0 with an en dash, and kg beside KG")
def _():
    kind, read = column(
        ["\u2013", *(f"\u2013{i % 9 + 1} {'KG' if i % 2 else 'kg'}" for i in range(59))]
    )
    assert kind == "number"
    assert set(read[~np.isnan(read)]) == set(range(-9, 0))


@odd("sums such as $1.2bn beside $3M")
def _():
    kind, _ = column([f"${i % 9}.2{'M' if i % 2 else 'bn'}" for i in range(60)])
    assert kind == "category"


@odd("powers and marks such as 10² and ①")
def _():
    assert column([f"{i % 9}²" for i in range(60)])[0] == "category"
    assert column(["①②③④"[i % 4] for i in range(60)])[0] == "category"


@odd("targets such as 0.5 kg to 9.5 kg")
def _():
    table = {"z": NOISE, "weight": [f"{(i % 19 + 1) / 2} kg" for i in range(60)]}
    info, splits = door.read(write(table), target="weight")
    assert info.task == "regression"
    assert splits["train"].targets.max() == 9.5


@odd("postcodes that almost all differ")
def _():
    table = {"zip": [10115 + 97 * i for i in range(60)], "z": NOISE, "kind": ["up", "down"] * 30}
    info, _ = door.read(write(table), target="kind")
    assert not info.column_kinds  # numbers alone
