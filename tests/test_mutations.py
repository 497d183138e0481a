"""Seeded faults are one line each, and are found again when their line has moved."""

import mutations
import pytest
import seeded_faults

SOURCE = '''
def clip(values: list[int], low=0, is_open=True, count=1000):
    """Not 1 number of a docstring."""
    if low < 3 and values:
        raise ValueError(f"{low + 1} is too low")
    kept = [value * 2 for value in values if value is not None]
    if not kept:
        return None
    part = kept[low:]
    return max(part) + len(kept)
'''
FAULTS = {
    "number": [
        "def clip(values: list[int], low=1, is_open=True, count=1000):",
        "if low < 4 and values:",
        "kept = [value * 3 for value in values if value is not None]",
    ],
    "flag": ["def clip(values: list[int], low=0, is_open=False, count=1000):"],
    "comparison": [
        "if low <= 3 and values:",
        "kept = [value * 2 for value in values if value is None]",
    ],
    "and, or": ["if low < 3 or values:"],
    "condition": [
        "if not (low < 3 and values):",
        "kept = [value * 2 for value in values if not (value is not None)]",
    ],
    "arithmetic": [
        "kept = [value / 2 for value in values if value is not None]",
        "return max(part) - len(kept)",
    ],
    "not": ["if kept:"],
    "slice": ["part = kept[low + 1:]"],
    "max, min": ["return min(part) + len(kept)"],
    "return": ["return None"],
}


def test_faults_are_of_code_that_decides():
    found = {}
    for kind, number, old, new in seeded_faults.faults_of(SOURCE):
        found.setdefault(kind, []).append(new)
        assert SOURCE.splitlines()[number - 1].strip() == old
    assert found == FAULTS


def test_a_fault_is_chosen_by_text_and_seed_and_found_where_it_has_moved():
    fault = seeded_faults.choose_in("zoo/clip.py", SOURCE, 0)
    assert fault == seeded_faults.choose_in("zoo/clip.py", SOURCE, 0)
    assert len({seeded_faults.choose_in("zoo/clip.py", SOURCE, seed) for seed in range(20)}) > 5
    moved = seeded_faults.apply(fault, "import math\n" + SOURCE)
    assert moved.count(fault.new) == 1
    assert moved.replace(fault.new, fault.old) == "import math\n" + SOURCE
    for outdated in ("", SOURCE * 2):
        with pytest.raises(seeded_faults.Outdated):
            seeded_faults.apply(fault, outdated)


def test_the_nearest_tests_come_first():
    assert mutations.near(mutations.OWN, "zoo/tasks/text_to_text.py")[0] == (
        "tests/test_translation.py"
    )
    assert "tests/test_cli.py" in mutations.near(mutations.OWN, "zoo/cli_models.py")
