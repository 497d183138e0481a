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
