"""Numbers in any unit: what is learned does not depend on it, and float32 neither overflows nor vanishes on the way."""

import functools

import numpy as np
import pandas as pd
import pytest

import zoo

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
COLOURS = RNG.choice(["red", "blue"], 200)
SERIES = np.sin(np.arange(300) / 7) + 0.1 * RNG.normal(size=300)


def _table(scale):
    frame = pd.DataFrame(X * scale, columns=list("abcd")).assign(colour=COLOURS)
    return frame.assign(kind=np.where(X[:, 0] + X[:, 1] > 0, "up", "down"))


FORMS = {
    "columns": lambda scale: ((X * scale, X[:, 0] + X[:, 1] > 0), {}),
    "arrays": lambda scale: (((X * scale).reshape(200, 2, 2), X[:, 0] + X[:, 1] > 0), {}),
    "table": lambda scale: (_table(scale), {"target": "kind"}),
    "series": lambda scale: (pd.DataFrame({"v": SERIES * scale}), {"target": "v", "task": "forecasting"}),
    "targets": lambda scale: ((X, X[:, 0] * scale), {"task": "regression"}),
}  # fmt: skip


@functools.cache
def reached(form, exponent):
    """What scores do not depend on the unit, of a short training."""
    data, options = FORMS[form](2.0**exponent)
    trained = zoo.train("dense:tiny", data, epochs=3, quiet=True, baseline=True, **options)
    free = {"accuracy", "cross_entropy", "mase", "r2"}
    return [
        {name: value for name, value in scores.items() if name in free}
        for scores in (trained.report.scores, trained.report.constant)
    ]


@pytest.mark.parametrize("exponent", [-100, 80])
@pytest.mark.parametrize("form", FORMS)
def test_scores_do_not_depend_on_the_unit(form, exponent, in_tmp):
    assert reached(form, exponent) == reached(form, 0)
