"""Tables"""

import numpy as np

from odd import odd
from zoo.data import load as door

NOISE = np.random.default_rng(0).normal(size=60).round(3)


def write(columns, name="t.csv", separator=","):
    """Writes columns, a dict from title to cells, as a program does: a cell that holds the separator in quotes."""
    rows = [list(columns), *zip(*columns.values())]
    cells = [[f'"{c}"' if separator in str(c) else str(c) for c in row] for row in rows]
    with open(name, "w") as file:
        file.write("\n".join(separator.join(row) for row in cells) + "\n")
    return name


def column(cells, **options):
    """A column as training reads it, of a table with a column of noise and two classes; and its kind."""
    table = {"x": cells, "noise": NOISE, "kind": ["up", "down"] * 30}
    info, splits = door.read(write(table), target="kind", **options)
    read = np.concatenate([data.inputs["x"] for data in splits.values()])
    return dict(zip(info.columns, info.column_kinds))["x"], read


@odd("prices with a currency sign, thousands separators and two gaps")
def _():
    kind, read = column([f"${1000 + i:,}" if i > 1 else "n/a" for i in range(60)])
    assert kind == "number"
    assert np.nanmax(read) == 1059
    assert np.isnan(read).sum() == 2
