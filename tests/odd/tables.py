"""Tables"""

import gzip
from pathlib import Path

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


def labels(cells, **options):
    """The labels of a table whose targets are these cells, and how often each is there."""
    path = write({"noise": NOISE, "kind": cells * (60 // len(cells))}, separator="\t")
    info, splits = door.read(path, target="kind", **options)
    targets = np.concatenate([data.targets for data in splits.values()])
    found = targets.sum(0) if targets.ndim > 1 else np.bincount(targets)
    return dict(zip(info.labels, found.astype(int).tolist()))


@odd("labels with spaces that do not break, double ones, and signs without width")
def _():
    cells = ["ice cream", "ice cream", "ice\u00a0cream", "ice  cream", "ice cream\u200b", "tea"]
    assert labels(cells) == {"ice cream": 50, "tea": 10}


@odd("labels whose accents have two codes")
def _():
    assert labels(["caf\u00e9", "caf\u00e9", "cafe\u0301", "tea"]) == {"caf\u00e9": 45, "tea": 15}


@odd("several labels in a cell, with capitals or without")
def _():
    cells = ["Drama|comedy", "drama", "comedy", "drama"]
    assert labels(cells, target_separator="|") == {"comedy": 30, "drama": 45}


@odd("lists of Python or JSON as several labels")
def _():
    cells = ["['drama', 'comedy']", "['drama']", "['comedy']", "[]"]
    assert labels(cells, target_separator=",") == {"comedy": 30, "drama": 30}


@odd("a test table that writes a category with a capital")
def _():
    table = {"x": ["red", "blue"] * 30, "noise": NOISE, "kind": ["up", "down"] * 30}
    Path("p").mkdir()
    write(table, "p/train.csv")
    write(table | {"x": ["Red", "blue"] * 30, "noise": NOISE + 1}, "p/test.csv")
    assert len(door.read("p", target="kind")[1]["test"]) == 60


@odd("quotes that a backslash escapes, as MySQL and Spark write them")
def _():
    rows = [f'"he said \\"{n}\\", really, and went",{"up" if n > 0 else "down"}' for n in NOISE]
    Path("t.csv").write_text("\n".join(["text,kind", *rows]))
    info, splits = door.read("t.csv", target="kind")
    assert info.kind == "text"
    assert splits["train"].inputs[0].startswith('he said "')


@odd("rows of empty cells below a table, as Excel leaves them")
def _():
    path = Path(write({"noise": NOISE, "kind": ["up", "down"] * 30}))
    path.write_text(path.read_text() + ",\n" * 3)
    assert sum(len(data) for data in door.read(path, target="kind")[1].values()) == 60


@odd("a table of tabs named .txt, packed by gzip")
def _():
    path = write({"noise": NOISE, "kind": ["up", "down"] * 30}, separator="\t")
    Path("t.txt").write_bytes(gzip.compress(Path(path).read_bytes()))
    assert door.read("t.txt", target="kind")[0].columns == ("noise",)
