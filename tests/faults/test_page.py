"""docs/reliability.md is what the table of faults prints."""

import contextlib
import io
from pathlib import Path

import fault_table


def test_the_page_is_that_of_the_table():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        fault_table.main()
    page = Path(__file__).parents[2] / "docs" / "reliability.md"
    assert page.read_text() == printed.getvalue(), (
        "run: python tests/faults/fault_table.py > docs/reliability.md"
    )


def test_there_are_at_least_forty_rows_and_no_two_alike():
    assert len(fault_table.ROWS) >= 40
    assert len({row.happens for row in fault_table.ROWS}) == len(fault_table.ROWS)
