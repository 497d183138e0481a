"""No promise of the tests is lost: `promises.txt` lists what they are."""

from collections import Counter
from pathlib import Path

import promises
import pytest

TESTS = Path(__file__).parent
LIST = TESTS / "promises.txt"
WRITE = "python tests/promises.py > tests/promises.txt"


def missing(ones, others):
    """What others lack of some promises, in whatever file; a slow test does not keep one of the default run."""

    def count(lines):
        names = [line.partition(": ")[2] for line in lines]
        every = [name.rpartition("  [")[0] for name in names]
        return Counter(every + [name for name in names if name.endswith("[default]")])

    return sorted(count(ones) - count(others))


def test_a_lost_promise_is_noticed():
    two = ["tests/test_a.py: is red  [default]", "tests/test_b.py: is red  [slow]"]
    moved = ["tests/test_b.py: is red  [slow]", "tests/test_c.py: is red  [default]"]
    assert missing(two, moved) == missing(moved, two) == []
    assert missing(two, two[:1]) == ["is red"]
    assert missing(two, two[1:] * 2) == ["is red  [default]"]
    assert missing(two[1:], two[:1]) == []


def test_every_promise_of_the_list_is_made(request):
    session = request.session
    chosen = session.config.option
    is_part = chosen.keyword or chosen.markexpr or chosen.deselect
    if is_part or {item.path for item in session.items} != set(TESTS.rglob("test_*.py")):
        pytest.skip("needs all tests to be collected: run them all")
    made, listed = promises.made(session.items, TESTS.parent), LIST.read_text().splitlines()
    lost, new = missing(listed, made), missing(made, listed)
    assert not lost, f"no test of the default run (or none at all) promises any more: {lost}"
    assert not new, f"not in the list, which is written anew with `{WRITE}`: {new}"
