"""One run is killed many times in a row, at moments of each kind, and ends with the bits of one that was not.

`tests/test_resume.py` has a quick one, of exceptions in one process.
"""

import csv

import harness
import kill_series
import pytest


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("unbroken"))
        return kill_series.whole()


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.parametrize("runs", kill_series.SERIES.values(), ids=kill_series.SERIES)
def test_a_series_of_kills(runs, unbroken, in_tmp):
    """Of each series the first run; `kill_series.py` plays them all."""
    kill_series.play(runs[0], "RUN")
    assert harness.outcome("RUN") == unbroken


def test_every_kill_that_was_counted_left_the_same_bits():
    """What `kill_series.py` wrote, on two kinds of processor."""
    with kill_series.KILLED_RUNS.open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["equal"] == row["runs"] for row in rows)
    assert len({row["processor"] for row in rows}) >= 2
    assert {row["series"] for row in rows} >= set(kill_series.every(1))  # fmt: skip
