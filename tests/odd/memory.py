"""Objects from Python"""

import decimal
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow
import tensorflow as tf
from scipy import sparse

from odd import odd
from zoo.data import load as door

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), np.arange(60) % 2
PIXELS = RNG.integers(0, 256, (60, 16, 16, 3)).astype("uint8")
TABLE = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(Y, "up", "down")})


def all_of(data, **options):
    """The `DataInfo`, and inputs and targets of train and test one after the other; the inputs of a table by column."""
    info, splits = door.read(data, **options)
    parts = list(splits.values())
    targets = np.concatenate([part.targets for part in parts])
    if isinstance(parts[0].inputs, dict):
        return (
            info,
            {k: np.concatenate([p.inputs[k] for p in parts]) for k in parts[0].inputs},
            targets,
        )
    return info, np.concatenate([part.inputs for part in parts]), targets


def column(values, kind):
    """A column beside two of numbers, as it is read; its kind must be this."""
    info, inputs, _ = all_of(TABLE.assign(x=values), target="kind")
    assert dict(zip(info.columns, info.column_kinds))["x"] == kind
    return inputs["x"]


def are_pixels(data, **options):
    info, inputs, _ = all_of(data, **options)
    assert (info.kind, info.input_shape) == ("image", (16, 16, 3))
    assert inputs.dtype == np.uint8
    np.testing.assert_array_equal(np.sort(inputs.ravel()), np.sort(PIXELS.ravel()))


@odd("pictures divided by 255")
def _():
    are_pixels((PIXELS / 255, Y))


@odd("pictures as float32 0..255")
def _():
    are_pixels((PIXELS.astype("float32"), Y))


@odd("pictures as int64")
def _():
    are_pixels((PIXELS.astype("int64"), Y))


@odd("train pictures divided by 255, test pictures not")
def _():
    _, splits = door.read((PIXELS / 255, Y), test=(255.0 - PIXELS, Y))
    np.testing.assert_array_equal(splits["test"].inputs, 255 - PIXELS)


@odd("a list of uint8 arrays of several sizes")
def _():
    info, inputs, _ = all_of(([pixels[: 10 + i % 5] for i, pixels in enumerate(PIXELS)], Y))
    assert (info.kind, len(inputs)) == ("image", 60)


@odd("`image_dataset_from_directory`, whose pictures are floats and whose classes have names")
def _():
    for i, pixels in enumerate(PIXELS):
        path = Path("p") / ["dog", "cat"][i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, pixels, scale=False)
    data = keras.utils.image_dataset_from_directory("p", image_size=(16, 16), verbose=False)
    are_pixels(data)
    assert all_of(data)[0].labels == ("cat", "dog")


@odd("whole numbers with gaps, of pandas' type Int64")
def _():
    read = column(pd.array([1, None, 3] * 20, "Int64"), "number")
    assert (np.isnan(read).sum(), np.nanmax(read)) == (20, 3)


@odd("yes and no with gaps, of pandas' type boolean")
def _():
    read = column(pd.array([True, None, False] * 20, "boolean"), "category")
    assert set(read) == {"True", "", "False"}


@odd("amounts that are Decimal, some missing")
def _():
    cells = [decimal.Decimal(i) / 4 if i % 3 else None for i in range(60)]
    read = column(cells, "number")
    assert (np.isnan(read).sum(), np.nanmax(read)) == (20, 59 / 4)


@odd("months of pandas' type Period")
def _():
    assert "2020-03-01" in column(pd.period_range("2020-01", periods=60, freq="M"), "date")


@odd("days with a time zone")
def _():
    read = column(pd.date_range("2020-01-01", periods=60, tz="Asia/Tokyo"), "date")
    assert {"2020-01-01", "2020-02-29"} <= set(read)


@odd("texts that are bytes")
def _():
    assert set(column([b"red", b"blue"] * 30, "category")) == {"red", "blue"}


@odd("a sparse column")
def _():
    table = TABLE.assign(x=pd.arrays.SparseArray([0, 0, 5] * 20))
    assert all_of(table, target="kind")[1][:, 2].sum() == 100


@odd("columns of two levels")
def _():
    titles = pd.MultiIndex.from_tuples([("size", "a"), ("size", "b"), ("kind", "")])
    assert all_of(TABLE.set_axis(titles, axis=1), target="kind")[0].columns == ("size_a", "size_b")


@odd("a table of mixed columns, and its targets apart")
def _():
    info, _, targets = all_of((TABLE.assign(c=["u", "v", "w"] * 20)[["a", "c"]], TABLE["kind"]))
    assert (info.kind, info.column_kinds, info.labels) == (
        "table",
        ("number", "category"),
        ("down", "up"),
    )
    assert targets.sum() == 30


@odd("a list of dicts")
def _():
    assert all_of(TABLE.to_dict("records"), target="kind")[0].columns == ("a", "b")


@odd("a structured array")
def _():
    rows = TABLE.to_records(index=False)
    assert all_of(rows, target="kind")[0].columns == ("a", "b")


@odd("a table of Arrow")
def _():
    assert all_of(pyarrow.Table.from_pandas(TABLE), target="kind")[0].columns == ("a", "b")


@odd("rows of numbers and texts in lists")
def _():
    info, inputs, _ = all_of(([[float(i), "uvw"[i % 3]] for i in range(60)], Y))
    assert info.column_kinds == ("number", "category")
    assert set(inputs["1"]) == set("uvw")


@odd("classes of a categorical, which has an order")
def _():
    sizes = pd.Categorical(["low", "high", "mid"] * 20, ["low", "mid", "high", "unused"])
    info, inputs, targets = all_of((X, sizes))
    assert info.labels == ("low", "mid", "high")
    assert sorted(np.round(inputs[targets == 1, 0], 5)) == sorted(
        np.round(X[2::3, 0], 5).astype("float32")
    )


@odd("a sparse matrix of SciPy")
def _():
    _, inputs, _ = all_of((sparse.csr_matrix(X), Y))
    np.testing.assert_array_equal(np.sort(inputs[:, 0]), np.sort(X[:, 0].astype("float32")))


@odd("a `tf.data` set of dicts, as TFDS gives them")
def _():
    are_pixels(tf.data.Dataset.from_tensor_slices({"image": PIXELS, "label": Y}))


@odd("numbers that are objects")
def _():
    _, inputs, _ = all_of((X.astype(object), Y.tolist()))
    assert inputs.dtype == np.float32


@odd("what `keras.datasets` gives, train and test in one")
def _():
    _, splits = door.read(((X, Y), (X[:20] + 1, Y[:20])))
    assert len(splits["test"]) == 20


@odd("single examples with their targets in a list")
def _():
    _, inputs, targets = all_of(list(zip(X, Y)))
    assert (inputs.shape, targets.sum()) == ((60, 3), 30)


@odd("windows of one series that overlap")
def _():
    windows = np.lib.stride_tricks.sliding_window_view(np.sin(np.arange(100) / 3), 10)[..., None]
    all_of((windows[:-1], windows[1:, -1, 0]))


@odd("several inputs in a dict, of an image, numbers and one value each")
def _():
    inputs = {"image": PIXELS, "numbers": X, "age": X[:, 0]}
    info, splits = door.read((inputs, Y))
    shapes = {name: part.input_shape for name, part in info.parts.items()}
    assert shapes == {"image": (16, 16, 3), "numbers": (3,), "age": (1,)}
    part = splits["test"].inputs
    np.testing.assert_array_equal(part["numbers"][:, :1], part["age"])


@odd("several inputs as batches of a tf.data set")
def _():
    data = tf.data.Dataset.from_tensor_slices(({"image": PIXELS, "numbers": X}, Y)).batch(7)
    info, splits = door.read(data)
    assert [part.kind for part in info.parts.values()] == ["image", "features"]
    assert sum(map(len, splits.values())) == 60


@odd("a tf.data set of dicts of columns, the target among them")
def _():
    columns = {name: TABLE[name].to_numpy(str if name == "kind" else float) for name in TABLE}
    data = tf.data.Dataset.from_tensor_slices(columns).batch(7)
    info, _, targets = all_of(data, target=("kind",))
    assert (info.columns, info.labels) == (("a", "b"), ("down", "up"))
    assert targets.sum() == 30


@odd("targets in two columns of numbers")
def _():
    info, _, targets = all_of((X, TABLE[["b", "a"]]))
    assert (info.task, info.target_names, targets.shape) == ("regression", ("b", "a"), (60, 2))


@odd("a `dok_matrix` of SciPy, which is a dict, too")
def _():
    _, inputs, _ = all_of((sparse.dok_matrix(X), Y))
    np.testing.assert_array_equal(np.sort(inputs.ravel()), np.sort(X.astype("float32").ravel()))


@odd("a Series of pictures of Pillow")
def _():
    are_pixels((pd.Series([keras.utils.array_to_img(p, scale=False) for p in PIXELS]), Y))


@odd("targets of a regression that are numbers written as texts")
def _():
    _, _, targets = all_of((X, [str(value) for value in X[:, 0]]), task="regression")
    np.testing.assert_array_equal(np.sort(targets), np.sort(X[:, 0].astype("float32")))
