"""The tolerances: what passes and fails, the page, and that no test has a tolerance of its own."""

import ast
import contextlib
import io

import numpy as np
import pytest
import tolerances
from tolerances import KERNELS, assert_close, decided

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("actual", "expected", "scale"),
    [
        ([3.0, 1e-9], [3.00001, 1e-6], None),  # of the largest, not of each
        ([-8.0, NAN, INF, -INF], [-8.00007, NAN, INF, -INF], None),
        ([1e-6, 0.0], [0.0, 0.0], 1),
        (2.0, 2.00001, None),
        (np.zeros((0, 3)), np.zeros((0, 3)), None),
        ([NAN], [NAN], None),
        ({"a": [1.0], "b": {"c": 2.0}}, {"b": {"c": 2.0}, "a": [1.0]}, None),
    ],
)
def test_what_is_close(actual, expected, scale):
    assert_close(actual, expected, KERNELS, scale)


@pytest.mark.parametrize(
    ("actual", "expected", "scale", "words"),
    [
        (
            [3.0, 1.0],
            [3.0, 1.0001],
            None,
            r"^what: 1 instead of 1.0001 at \(1,\), 3.3e-05 of 3, where 1e-05 is allowed. The sa",
        ),  # fmt: skip
        ([1e-6, 2e-5], [0.0, 0.0], 1, r"2e-05 of 1, where"),
        ([1.0, NAN], [1.0, 1.0], None, "nan instead of 1"),
        ([1.0, 1.0], [1.0, NAN], None, "1 instead of nan"),
        ([1.0, INF], [1.0, -INF], None, "inf instead of -inf"),
        ([1.0, 1e9], [1.0, INF], None, "instead of inf"),
        ([[1.0, 1.0]], [1.0, 1.0], None, r"shapes \(1, 2\) and \(2,\)"),
        ([1.0, 1.0], 1.0, None, r"shapes \(2,\) and \(\)"),
        ({"a": 1.0}, {"b": 1.0}, None, "what: .'a'. and .'b'."),
        ({"a": 1.0}, {"a": 1.1}, None, "what: a: 1 instead"),
    ],
)
def test_what_is_not(actual, expected, scale, words):
    with pytest.raises(AssertionError, match=words):
        assert_close(actual, expected, KERNELS, scale, "what")


def test_of_zeros_there_is_no_share():
    with pytest.raises(ValueError, match="all that is expected is 0, so a scale has to be given"):
        assert_close([0.0, 0.0], [0.0, 0.0], KERNELS)


def test_a_class_is_decided_where_rounding_cannot_change_it():
    found = decided([[0.2, 0.8], [0.5, 0.500001], [0.4999, 0.5001]])
    assert found.tolist() == [True, False, True]


def test_the_page_is_that_of_the_table():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        tolerances.main()
    page = tolerances.HERE.parents[1] / "docs" / "tolerances.md"
    assert page.read_text() == printed.getvalue(), (
        "run: python tests/tolerances.py > docs/tolerances.md"
    )


def test_every_row_is_used():
    counts, _ = tolerances.uses()
    assert [name for name, count in counts.items() if not count] == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("np.testing.assert_allclose(a, b, atol=1)", 1),
        ("assert np.allclose(a, b)", 1),
        ("assert not np.allclose(a, b)", 0),
        ("assert_close(a, b, KERNELS)", 0),
    ],
)
def test_tolerances_of_ones_own_are_found(line, count):
    assert len(tolerances.own_tolerances(ast.parse(line))) == count


def test_no_test_has_a_tolerance_of_its_own():
    found = {
        path.name: lines for path, tree in tolerances.parsed() if (lines := tolerances.own_tolerances(tree))
    }  # fmt: skip
    assert found == {}, "use tolerances.assert_close"
