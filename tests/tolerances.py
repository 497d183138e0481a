"""THE TABLE of tolerances: how far numbers may be apart that ought to be equal. Tests and docs/tolerances.md are made from it.

python tests/tolerances.py > docs/tolerances.md
"""

import ast
import dataclasses
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """The largest difference, as a share of the scale of what is compared, and why it is not 0."""

    share: float
    reason: str


ROUNDING = Tolerance(
    2e-6, "A few float32 operations, each of which is right to 6e-8 of its result."
)
KERNELS = Tolerance(
    1e-5,
    "The same float32 model through other kernels: another batch, length, instruction set or number of threads, "
    "one operation for several, compiled or eager.",
)
ORDER = Tolerance(
    1e-5, "Float32 sums in another order: losses, gradients and one step of training."
)
TORCH = Tolerance(2e-5, "PyTorch's own float32 kernels.")
ANGLES = Tolerance(5e-5, "Float32 angles of several hundred, which are right to 3e-5.")
DEEP = Tolerance(
    1e-4,
    "Float32 through about ten batch normalizations, each of which divides by a small spread.",
)
TRAINED = Tolerance(
    2e-5,
    "Several steps of training, each of which has rounded in another order, and the scores then.",
)
COMPILERS = Tolerance(1e-4, "Float32 programs of XLA, or of Keras on JAX and on PyTorch.")
FLOAT16 = Tolerance(2e-3, "Four roundings of a float16, which is right to 5e-4.")
BFLOAT16 = Tolerance(1.6e-2, "Four roundings of a bfloat16, which is right to 4e-3.")
HALF_TRAINED = Tolerance(0.1, "Several steps of training in bfloat16, whose roundings add up.")
JPEG = Tolerance(
    0.016,
    "Pixels of two decoders of JPEG, four levels of 255: inverse transform and upsampling round otherwise.",
)
INT8 = Tolerance(0.01, "Weights of 8 bits.")
INT4 = Tolerance(0.1, "Weights of 4 bits.")
PRINTED = Tolerance(1e-4, "A number that was written down with four digits.")
DRAWS = Tolerance(0.02, "The mean of some 20,000 draws: a little more than four standard errors.")

TABLE = {name: row for name, row in globals().items() if isinstance(row, Tolerance)}


def assert_close(actual, expected, tolerance, scale=None, err_msg=""):
    """Checks that every element of `actual` is within a share of a scale from that of `expected`.

    NaN has to meet NaN and an infinity the same one; nothing is broadcast.

    Args:
        actual, expected: Numbers or arrays of one shape, or dicts of them.
        tolerance: A row of the table above.
        scale: What the share is of, by default the largest finite magnitude of the expected array. It has to be given where all
            that is expected is 0, and ought to be where the numbers have a unit of their own, as probabilities have 1.
        err_msg: Begins the message.
    """
    begin = f"{err_msg}: " if err_msg else ""
    if isinstance(expected, dict):
        assert set(actual) == set(expected), f"{begin}{sorted(actual)} and {sorted(expected)}"
        for key, values in expected.items():
            assert_close(actual[key], values, tolerance, scale, f"{begin}{key}")
        return
    actual, expected = np.asarray(actual, "float64"), np.asarray(expected, "float64")
    assert actual.shape == expected.shape, f"{begin}shapes {actual.shape} and {expected.shape}"
    finite = np.isfinite(actual) & np.isfinite(expected)
    equal = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    if scale is None:
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        if not scale and np.isfinite(expected).any():
            raise ValueError(f"{begin}all that is expected is 0, so a scale has to be given")
    differences = np.where(equal, 0, np.inf)
    np.subtract(actual, expected, where=finite, out=differences)
    differences = np.abs(differences)
    if not differences.max(initial=0) <= tolerance.share * scale:
        at = np.unravel_index(differences.argmax(), differences.shape)
        raise AssertionError(
            f"{begin}{actual[at]:.9g} instead of {expected[at]:.9g} at {tuple(map(int, at))}, {differences[at] / scale:.2g} "
            f"of {scale:.4g}, where {tolerance.share:g} is allowed. {tolerance.reason}"
        )


def decided(scores, tolerance=KERNELS, scale=1):
    """Of each example, whether its largest score is so much above the second that the tolerance cannot change which it is."""
    second, first = np.moveaxis(np.sort(np.asarray(scores, "float64"))[..., -2:], -1, 0)
    return first - second > 2 * tolerance.share * scale


HERE = Path(__file__)
# What compares numbers by a tolerance of its own.
OTHERS = {"assert_allclose", "allclose", "isclose", "assert_almost_equal", "assert_array_almost_equal"}  # fmt: skip


def parsed():
    """Path and syntax tree of every file of the tests but this one."""
    files = (path for path in sorted(HERE.parent.rglob("*.py")) if path != HERE)
    return [(path, ast.parse(path.read_text())) for path in files]


def called(node):
    """The name of the function that a node calls, without its module; "" of a node that is no call."""
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", ""))


def own_tolerances(tree):
    """Lines that compare by a tolerance of their own; `assert not np.allclose(...)`, which proves a difference, may stay."""
    negated = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        for inner in ast.walk(node)
    }
    return sorted(
        node.lineno for node in ast.walk(tree) if called(node) in OTHERS and id(node) not in negated
    )


def uses():
    """Name of a row → the number of tests that use it, by themselves or through functions of their file; and the scales."""
    counts, scales = dict.fromkeys(TABLE, 0), {name: set() for name in TABLE}
    for _, tree in parsed():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        named = {f.name: {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} for f in functions}
        for _ in named:  # what a function names, those that call it name
            for names in named.values():
                names |= set().union(*(named[name] for name in names & set(named)))
        for function, names in named.items():
            for row in names & set(TABLE) if function.startswith("test_") else ():
                counts[row] += 1
        for node in ast.walk(tree):
            if called(node) == "assert_close":
                given = [*node.args[3:4], *(k.value for k in node.keywords if k.arg == "scale")]
                scale = f"`{ast.unparse(given[0])}`" if given else "largest"
                rows = {n.id for n in ast.walk(node.args[2]) if isinstance(n, ast.Name)}
                for row in rows & set(TABLE):
                    scales[row].add(scale)
    return counts, scales


PAGE = """# How far numbers may be apart

Printed by `python tests/tolerances.py`: the {count} tolerances of the tests. Which promises hold bit for bit on one machine,
and which hold across machines, is said in [reliability](reliability.md). A test asks for equal bits only where the same program
runs on the same shapes in the same place: a run that goes on, a seed that comes again, weights saved and loaded, copies. All
other numbers are compared by a row of this table, so that the tests pass on any processor and with any number of threads.

Every difference is a share of a scale: of the largest magnitude in the expected array ("largest") or, where the numbers have a
unit of their own or may all be 0, of what the column names. The share of each element's own magnitude would say little: what
is lost to rounding depends on what was added up, and a result near 0 is small only since larger numbers cancelled.

| tolerance | share | why not 0 | tests | scale |
| --- | --- | --- | --- | --- |"""


def main():
    counts, scales = uses()
    print(PAGE.format(count=len(TABLE)))
    for name, row in TABLE.items():
        shown = ", ".join(
            sorted(scales[name] or {"largest"}, key=lambda scale: (scale != "largest", scale))
        )
        print(f"| {name} | {row.share:g} | {row.reason} | {counts[name]} | {shown} |")


if __name__ == "__main__":
    main()
