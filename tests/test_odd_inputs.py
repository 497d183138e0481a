"""Every row of the folder `odd`: an input that looks odd is read as a person would, and the page says what the log says."""

from pathlib import Path

import odd_inputs
import pytest

GROUPS = odd_inputs.groups()
CASES = {name: case for rows in GROUPS.values() for name, case in rows.items()}
PAGE = Path(__file__).parents[1] / "docs" / "odd_inputs.md"


@pytest.mark.parametrize("name", CASES)
def test_an_odd_input_is_read_as_meant_and_listed(name):
    told = odd_inputs.said(CASES[name])
    assert odd_inputs.row(name, told) in PAGE.read_text(), (
        "run: python tests/odd_inputs.py > docs/odd_inputs.md"
    )


def test_the_page_lists_no_others():
    rows = [line.split(" | ")[0] for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    wanted = [f"| {name}" for rows in GROUPS.values() for name in ["input", "---", *rows]]
    assert rows == wanted
