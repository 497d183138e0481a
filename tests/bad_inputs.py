"""A table of inputs that cannot be used, and the command that prints what the zoo answers to each.

    python tests/bad_inputs.py > docs/bad_inputs.md

Each row is (what is wrong, a function that does it in an empty folder). `test_bad_inputs.py` runs every row: an
`InputError` of at most three lines, before the first training step.
"""

import contextlib
import functools
import gzip
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import sklearn.datasets
import tensorflow as tf
from PIL import Image
from scipy import sparse

import zoo
from zoo.saving import inputs as files_for_predict
from zoo.saving import store

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)).astype("float32"), np.arange(40) % 2
PIXELS = RNG.integers(0, 256, (40, 8, 8, 1)).astype("uint8")
COLOURS = RNG.integers(0, 256, (40, 16, 16, 3)).astype("uint8")
TABLE = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(Y, "up", "down")})
TEXTS = [f"word{i} and more" for i in range(40)]
WAVE = np.sin(np.arange(400) / 2)
DAYS = pd.date_range("2020-01-01", periods=400)


EVERYWHERE = {"epochs": 1, "batch_size": 8, "quiet": True}


def train(data=(X, Y), model="dense:tiny", **options):
    return zoo.train(model, data, **{**EVERYWHERE, **options})


def of_two(shape=(3,)):
    """A model of an image and some numbers."""
    image, numbers = keras.Input((8, 8, 1), name="image"), keras.Input(shape, name="columns")
    both = [keras.layers.Flatten()(image), keras.layers.Flatten()(numbers)]
    return keras.Model([image, numbers], keras.layers.Dense(2)(keras.layers.Concatenate()(both)))


def of_unnamed():
    """A model of two inputs without names."""
    inputs = [keras.Input((3,)), keras.Input((3,))]
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(inputs)))


def of_text():
    """A model of two inputs, of which one takes texts."""
    columns, text = keras.Input((3,), name="columns"), keras.Input((), name="text", dtype="string")
    ids = keras.layers.TextVectorization(vocabulary=["word1"], output_sequence_length=3)(text)
    both = keras.layers.Concatenate()([columns, keras.ops.cast(ids, "float32")])
    return keras.Model([columns, text], keras.layers.Dense(2)(both))


def train_two(inputs=None, model=None, **options):
    inputs = {"image": PIXELS, "columns": X} if inputs is None else inputs
    return train((inputs, Y), of_two() if model is None else model, **options)


def changed(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


def frame(**columns):
    return TABLE.assign(**columns)


def csv(content, **options):
    Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return train("t.csv", **{"target": "kind", **options})


def csv_of(table, **options):
    return csv(table.to_csv(index=False), **options)


def picture(path, seed=0, content=None):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype("uint8")
    path.write_bytes(tf.io.encode_png(pixels).numpy() if content is None else content)


def tiff_of_floats():
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(X).save(content, "tiff")
    return content.getvalue()


def pictures(root, classes=("cat", "dog"), count=10, first=0):
    for k, name in enumerate(classes):
        for i in range(count):
            picture(f"{root}/{name}/{i}.png", seed=first + 100 * k + i)


def folder(*, broken=None, test=None, extra=None, **options):
    root = "p/train" if test else "p"
    pictures(root)
    if broken is not None:
        picture(f"{root}/cat/broken.png", content=broken)
    if extra:
        Path(extra).mkdir(parents=True)
    if test:
        test()
    return train("p", "cnn:tiny", **options)


def of_value(value, classes=("cat", "dog")):
    for name in classes:
        for i in range(10):
            pixels = np.full((8, 8, 3), value(name), "uint8")
            picture(f"p/{name}/{i}.png", content=tf.io.encode_png(pixels).numpy())
    return train("p", "cnn:tiny")


def renamed(ending, root="p"):
    pictures("p")
    for path in list(Path(root).rglob("*.png")):
        path.rename(path.with_suffix(ending))
    return train("p", "cnn:tiny")


def with_csv(names="{}.png", **options):
    pictures(".", ("p",), 20)
    rows = {"id": [names.format(i) for i in range(20)], "size": X[:20, 0], "kind": ["a", "b"] * 10}
    pd.DataFrame(rows).to_csv("p/labels.csv", index=False)
    return train(options.pop("data", "p/labels.csv"), "cnn:tiny", **{"target": "kind", **options})


def blank_name():
    pictures(".", ("p",), 20)
    names = [*(f"{i}.png" for i in range(19)), ""]
    pd.DataFrame({"id": names, "kind": ["a", "b"] * 10}).to_csv("p/labels.csv", index=False)
    return train("p/labels.csv", "cnn:tiny", files="id", target="kind")


def in_cells(numbers, **columns):
    cells = [" ".join(map(str, row)) for row in numbers]
    return csv_of(pd.DataFrame({"cells": cells, **columns, "kind": ["a", "b"] * 20}))


def texts(content):
    for name in ("good", "bad"):
        for i in range(10):
            path = Path(f"t/{name}/{i}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"a {name} text with the number {i}")
    Path("t/bad/odd.txt").write_bytes(content)
    return train("t", "cnn:tiny")


def npz(**arrays):
    np.savez("d.npz", **arrays)
    return train("d.npz")


def model_of(*layers, shape=(3,)):
    return keras.Sequential([keras.Input(shape), *layers], name="mine")


def shipped(name, inputs, **options):
    return zoo.load(name).predict(inputs, **options)


def wine(**columns):
    rows = zoo.load_dataset("wine")
    good = dict(zip(rows.info.columns, rows.pick("test", range(2)).T, strict=True))
    return {k: v for k, v in {**good, **columns}.items() if v is not None}


@functools.cache
def model_of_texts():
    trained = zoo.train("cnn:tiny", (TEXTS, Y), epochs=1, batch_size=8, quiet=True)
    return zoo.load(trained.export)


def trained_text(inputs):
    return model_of_texts().predict(inputs)


@functools.cache
def model_of_categories():
    table = frame(city=["Rome", "Oslo"] * 20)
    trained = zoo.train("dense:tiny", table, target="kind", epochs=1, batch_size=8, quiet=True)
    return zoo.load(trained.export)


def trained_mixed(**columns):
    given = {"a": [0.0, 1.0], "b": [0.0, 1.0], "city": ["Rome", "Oslo"], **columns}
    return model_of_categories().predict({k: v for k, v in given.items() if v is not None})


def trained_features(inputs):
    trained = zoo.train("dense:tiny", (np.tanh(X), Y), epochs=1, batch_size=8, quiet=True)
    return zoo.load(trained.export).predict(inputs)


def predict_file(model, name, content):
    Path(name).write_bytes(content)
    return list(files_for_predict.predict_files(zoo.load(model), [name]))


class Endless(keras.utils.PyDataset):
    """Batches that never end."""

    num_batches = None

    def __getitem__(self, index):
        return X[:8], Y[:8]


def small_disk():
    from zoo import files

    real = files.shutil.disk_usage
    files.shutil.disk_usage = lambda path: real(path)._replace(free=2**20)
    try:
        return train()
    finally:
        files.shutil.disk_usage = real


def forecast(series, **options):
    return train(series, **{"task": "forecasting", "window": 24, "horizon": 2, **options})


def steps(**columns):
    return pd.DataFrame({"sold": WAVE, **columns})


def under_a_file():
    Path("file").write_text("")
    return train(out="file/run")


def taken():
    Path("run").mkdir()
    return train(out="run")


def same_pictures():
    pictures("p/test")


def other_class():
    pictures("p/test", ("cat", "cow"), first=500)


DATA = {
    "no examples": lambda: train((X[:0], Y[:0])),
    "fewer targets than inputs": lambda: train((X, Y[:5])),
    "empty validation data": lambda: train(validation=(X[:0], Y[:0])),
    "no data at all": lambda: train({"x": X}),
    "inputs of one dimension": lambda: train((X[:, 0], Y)),
    "inputs of different shapes": lambda: train(([X[0], X[1][:2]] * 20, Y)),
    "test inputs of another shape": lambda: train(test=(X[:, :2], Y)),
    "test inputs of another dtype": lambda: train(test=((X * 10).astype(int), Y)),
    "NaN in one input": lambda: train((changed(X, (7, 1), np.nan), Y)),
    "infinity in one input": lambda: train((changed(X, (7, 1), np.inf), Y)),
    "NaN in one target": lambda: train((X, changed(X[:, 0], 3, np.nan)), task="regression"),
    "infinity in one target": lambda: train((X, changed(X[:, 0], 3, np.inf)), task="regression"),
    "one class only": lambda: train((X, np.zeros(40, int))),
    "the same target everywhere": lambda: train((X, np.full(40, 2.5)), task="regression"),
    "labels with fractions": lambda: train((X, Y + 0.5), task="classification"),
    "a label that is missing": lambda: train((X, changed(np.array(["a", "b"], object)[Y], 0, None))),
    "whole numbers of many values": lambda: train((np.tile(X, (3, 1)), np.arange(120) % 50 * 3)),
    "two targets for a model of one": lambda: train((X, X[:, :2]), keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])),
    "numbers and texts as two targets": lambda: train(frame(c=X[:, 2]), target=["a", "kind"]),
    "one of two targets the same everywhere": lambda: train((X, np.stack([X[:, 0], np.full(40, 2.5)], 1))),
    "two targets of the same name": lambda: train((X, pd.DataFrame(X[:, :2], columns=["a", "a"]))),
    "NaN in one of two targets": lambda: train((X, changed(X[:, :2], (3, 1), np.nan))),
    "two targets in train and one in test": lambda: train((X, X[:, :2]), test=(X + 1, X[:, 0])),
    "a target for each pixel": lambda: train((PIXELS, PIXELS / 255.0), "cnn:tiny"),
    "a target for each step": lambda: train((X[:, :, None], X[:, :, None] / 2), "recurrent:tiny", task="regression"),
    "targets of two outputs": lambda: train((X, [X[:, 0], Y])),
    "a dict of targets of two outputs": lambda: train((X, {"a": X[:, :2], "b": Y})),
    "a tf.data set of two outputs": lambda: train(tf.data.Dataset.from_tensor_slices((X, (X[:, 0], Y)))),
    "strings for a regression": lambda: train((X, np.array(["a", "b"])[Y]), task="regression"),
    "a test class that train lacks": lambda: train(test=(X + 1, Y + 7)),
    "rows with two classes as one-hot": lambda: train((X, np.ones((40, 2), int)), task="classification"),
    "several labels that are not 0 or 1": lambda: train((X, X[:, :2]), task="multilabel"),
    "the same examples in train and test": lambda: train(test=(X[:4], Y[:4])),
    "uint8 images of two channels": lambda: train((np.repeat(PIXELS, 2, -1), Y), "cnn:tiny"),
    "strings among the inputs": lambda: train((X.astype(str), Y)),
    "a tf.data set without end": lambda: train(tf.data.Dataset.from_tensors((X[0], 1)).repeat()),
    "a tf.data set without targets": lambda: train(tf.data.Dataset.from_tensor_slices(X)),
    "an unknown task": lambda: train(task="ranking"),
    "a generator of examples": lambda: train(pair for pair in zip(X, Y)),
    "a generator of inputs": lambda: train(((x for x in X), Y)),
    "inputs in a set": lambda: train(({1.0, 2.0}, Y[:2])),
    "inputs that are None": lambda: train((None, Y)),
    "a function in place of data": lambda: train(len),
    "bytes in place of data": lambda: train(b"table.csv"),
    "a group of rows": lambda: train(TABLE.groupby("kind"), target="kind"),
    "scikit-learn's Bunch": lambda: train(sklearn.datasets.load_iris()),
    "a dict of arrays": lambda: train({"images": PIXELS, "labels": Y}),
    "a dict of splits": lambda: train({"train": tf.data.Dataset.from_tensors((X, Y))}),
    "two tf.data sets": lambda: train((tf.data.Dataset.from_tensors((X, Y)),) * 2),
    "a tf.data set of several dict entries": lambda: train(tf.data.Dataset.from_tensor_slices({"image": PIXELS, "label": Y, "id": Y})),
    "a tf.data set of ragged tensors": lambda: train(tf.data.Dataset.from_tensor_slices((tf.ragged.constant([[1], [1, 2]]), [0, 1]))),
    "a tf.data set of unknown shapes": lambda: train(tf.data.Dataset.from_generator(lambda: zip(X, Y), output_types=("float32", "int64"))),
    "a tf.data set that fails": lambda: train(tf.data.Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (tf.debugging.check_numerics(x / 0, "not finite"), y))),
    "a loader without end": lambda: train(Endless()),
    "a ragged tensor": lambda: train((tf.ragged.constant([[1], [1, 2]] * 20), Y)),
    "a Keras input in place of an array": lambda: train((keras.Input((3,)), Y)),
    "a sparse matrix too large to be made dense": lambda: train((sparse.csr_matrix((40, 10**9)), Y)),
    "complex inputs": lambda: train((X + 1j, Y)),
    "inputs that are dates": lambda: train((np.array([[f"2020-01-{1 + i % 28:02}"] for i in range(40)], "datetime64[D]"), Y)),
    "masked inputs": lambda: train((np.ma.array(X, mask=X > 1.5), Y)),
    "masked pixels": lambda: train((np.ma.array(PIXELS, mask=PIXELS > 250), Y), "cnn:tiny"),
    "masked targets": lambda: train((X, np.ma.array(Y, mask=Y * 0 + np.arange(40) == 3))),
    "targets with NaN in a list": lambda: train((X, ["a", "b"] * 19 + ["a", float("nan")])),
    "targets that are dates": lambda: train((X, DAYS[:40])),
    "targets in lists of several lengths": lambda: train((X, [["a", "b"], ["a"]] * 20)),
    "targets by name beside inputs": lambda: train((X, "kind")),
    "a target column for a pair": lambda: train((TABLE[["a", "b"]], TABLE["kind"]), target="kind"),
    "targets whose index is in another order": lambda: train((TABLE[["a", "b"]], TABLE["kind"].sample(frac=1, random_state=0))),
    "images with their channels first": lambda: train((np.zeros((40, 3, 32, 32), "uint8"), Y), "cnn:tiny"),
    "images of PyTorch as floats": lambda: train((np.moveaxis(COLOURS, -1, 1) / 255, Y), "cnn:tiny"),
    "pictures of 16 bits": lambda: train(([Image.fromarray(COLOURS[0, ..., 0].astype("uint16"))] * 40, Y), "cnn:tiny"),
    "float pictures of several sizes": lambda: train(([np.zeros((8 + i % 2, 8, 3)) for i in range(40)], Y), "cnn:tiny"),
    "test pictures of another scale": lambda: train((COLOURS * 0.9 / 255, Y), "cnn:tiny", test=(COLOURS * 0.9, Y)),
    "milliseconds since 1970": lambda: train((np.stack([1_700_000_000_000 + np.arange(40), Y], 1), Y)),
    "lists in the cells of a column": lambda: train(frame(a=[[1, 2]] * 40), target="kind"),
    "complex numbers in a column": lambda: train(frame(a=pd.Series([1j, 2j] * 20, dtype=object)), target="kind"),
    "two columns of the target's name": lambda: train(pd.concat([TABLE, TABLE[["kind"]]], axis=1), target="kind"),
    "a title without a letter": lambda: train(TABLE.rename(columns={"a": "%"}), target="kind"),
    "columns of several lengths in a dict": lambda: train({"a": [1.0, 2.0], "kind": ["x"]}, target="kind"),
    "rows of several lengths": lambda: train(([[1.0, "a"], [2.0]] * 20, Y)),
    "a batch larger than the data": lambda: train(batch_size=500),
    "a validation share that leaves nothing": lambda: train(validation_fraction=0.001),
}  # fmt: skip

FILES = {
    "a path that does not exist": lambda: train("./no/such/folder"),
    "a data set's name with a slip": lambda: train("breast_canser"),
    "a folder without classes": lambda: (picture("p/1.png"), train("p", "cnn:tiny")),
    "a class folder without images": lambda: folder(extra="p/empty"),
    "an image that is no image": lambda: folder(broken=b"no image"),
    "an image that is cut off": lambda: folder(broken=tf.io.encode_png(PIXELS[0]).numpy()[:60]),
    "a test class without training images": lambda: folder(test=other_class),
    "the same images in train and test": lambda: folder(test=same_pictures),
    "a test folder without a train folder": lambda: (pictures("p/test"), train("p", "cnn:tiny")),
    "images that are all equal": lambda: of_value(lambda name: 7),
    "two classes of the same image": lambda: of_value(lambda name: len(name), ("cat", "dog", "horse")),
    "equal images in memory": lambda: train((np.zeros_like(PIXELS), Y), "cnn:tiny"),
    "images of a format that is not read": lambda: renamed(".heic"),
    "a class of a format that is not read": lambda: renamed(".heic", "p/dog"),
    "an image of 32 bits": lambda: folder(broken=tiff_of_floats()),
    "two folders for one split": lambda: (pictures("p/train"), pictures("p/val"), pictures("p/dev"), train("p", "cnn:tiny")),
    "splits and classes side by side": lambda: (pictures("p/train"), pictures("p/cats"), train("p", "cnn:tiny")),
    "a class with splits beside one without": lambda: (pictures("p/cat", ("train", "test")), pictures("p", ("dog",)), train("p", "cnn:tiny")),
    "several data sets with splits in a folder": lambda: ([pictures(f"p/{name}/{split}", first=i) for i, name in enumerate("ab") for split in ("train", "test")], train("p", "cnn:tiny")),
    "a workbook of Excel": lambda: (Path("t.xlsx").write_bytes(b"PK"), train("t.xlsx", target="kind")),
    "a table of JSON": lambda: (TABLE.to_json("t.json"), train("t.json", target="kind")),
    "a packed table that is cut off": lambda: (Path("t.csv.gz").write_bytes(gzip.compress(b"a,kind\n1,up\n")[:-9]), train("t.csv.gz", target="kind")),
    "a test.csv without a header": lambda: (Path("p").mkdir(), TABLE.to_csv("p/train.csv", index=False), TABLE.to_csv("p/test.csv", index=False, header=False), train("p", target="kind")),
    "a row that names no file": blank_name,
    "a name without ending that two images have": lambda: (pictures(".", ("p",), 20), tf.io.write_file("p/3.jpg", tf.io.encode_jpeg(COLOURS[0])), with_csv("{}", files="id")),
    "a folder of images whose labels are in a CSV": lambda: with_csv(data="p", target=None),
    "a column of names of images": lambda: with_csv(),
    "a named image that is missing": lambda: with_csv("{}.jpg", files="id"),
    "named images beside columns": lambda: with_csv(files="id", columns=("size",)),
    "named images for arrays": lambda: train(files="id"),
    "a column of files with a slip": lambda: with_csv(files="ids"),
    "lists of numbers that are no image": lambda: in_cells(np.arange(400).reshape(40, 10)),
    "lists of numbers that are no pixels": lambda: in_cells(RNG.normal(size=(40, 16)).round(2)),
    "pixels in a cell beside other columns": lambda: in_cells(PIXELS.reshape(40, -1), usage=["x", "y"] * 20),
    "a target for a folder of classes": lambda: folder(target="kind"),
    "an empty text file": lambda: texts(b""),
    "a text file of spaces": lambda: texts(b" \n "),
    "a text file that is no UTF-8": lambda: texts("schön".encode("latin-1")),
    "text for a model of numbers": lambda: train((TEXTS, Y)),
    "an empty CSV": lambda: csv(""),
    "a CSV with a header only": lambda: csv("a,b,kind\n"),
    "a CSV with a longer line": lambda: csv("a,kind\n1,x\n2,y,3\n"),
    "a target whose title two columns have": lambda: csv("a,kind,kind\n" + "1,x,y\n2,y,x\n" * 20),
    "a target of dates": lambda: csv("a,day\n" + "".join(f"{i},2024-01-{1 + i % 28:02}\n" for i in range(56)), target="day"),
    "a target of names": lambda: csv("a,name\n" + "".join(f"{i},name {i}\n" for i in range(40)), target="name"),
    "an opened CSV": lambda: train(io.StringIO(TABLE.to_csv()), target="kind"),
    "a size of images for a table": lambda: csv_of(TABLE, image_size=(8, 8)),
    "weights that are the target": lambda: csv_of(TABLE, target="a", sample_weight="a", task="regression"),
    "a CSV that is no UTF-8": lambda: csv("a,kind\n1,schön\n".encode("latin-1")),
    "no target named": lambda: csv_of(TABLE, target=None),
    "a target column with a slip": lambda: csv_of(TABLE, target="knd"),
    "an unknown column": lambda: csv_of(TABLE, columns=("a", "c")),
    "the target among the columns": lambda: csv_of(TABLE, columns=("a", "kind")),
    "a missing target": lambda: csv_of(frame(kind=changed(TABLE["kind"].to_numpy(object), 5, None))),
    "a text among numbers": lambda: csv_of(frame(a=changed(TABLE["a"].to_numpy(object), 5, "many"))),
    "a text among numbers, below a cell of two lines": lambda: csv('a,b,kind\n1,"x\ny",up\n2,z,down\n3,z,up\nmany,z,up\n'),
    "half of a pair of surrogates in a text": lambda: train((np.array([*TEXTS[1:], "odd \ud83d"], object), Y), "cnn:tiny"),
    "two columns of free text": lambda: csv_of(pd.DataFrame({"p": TEXTS, "q": TEXTS[::-1], "kind": TABLE["kind"]})),
    "infinity in a column": lambda: csv_of(frame(a=changed(X[:, 0], 5, np.inf))),
    "constant columns only": lambda: csv_of(frame(a=1.0, b="x")),
    "columns that have the same name": lambda: train(frame(**{"a ": 1.0}), target="kind"),
    "a column of durations": lambda: train(frame(a=pd.to_timedelta(Y, "D")), target="kind"),
    "an .npz without x": lambda: npz(images=X, labels=Y),
    "an .npz without the test targets": lambda: npz(x_train=X, y_train=Y, x_test=X),
    "an .npz that is none": lambda: (Path("d.npz").write_text("x"), train("d.npz")),
}  # fmt: skip

SERIES = {
    "too few steps": lambda: forecast(WAVE[:30]),
    "a gap in a series": lambda: forecast(changed(WAVE, 7, np.nan)),
    "a window shorter than a season": lambda: forecast(WAVE, window=10, season=12),
    "a horizon of 0": lambda: forecast(WAVE, horizon=0),
    "dates that do not rise": lambda: forecast(steps(day=np.roll(DAYS, 7)), target="sold"),
    "no column to forecast": lambda: forecast(steps(heat=WAVE + 1)),
    "settings of a series without one": lambda: train(horizon=3),
    "a column of texts to forecast": lambda: forecast(steps(kind=["a", "b"] * 200), target="kind"),
    "a test series beside the series": lambda: forecast(WAVE, test=WAVE),
    "class weights for a forecast": lambda: forecast(WAVE, class_weight="balanced"),
}

IDS = np.arange(40) // 4


def cells(form):
    """A CSV file with a column of forty cells."""
    rows = [f"{form(i)},{X[i, 0]:.3f},{'up' if Y[i] else 'down'}" for i in range(40)]
    return csv("\n".join(["x,z,kind", *rows]))


def two_tables(form, later):
    """A folder with a train.csv and a test.csv, whose cells are written in two ways."""
    for name, write in (("train", form), ("test", later)):
        rows = [
            f'"{write(i)}",{X[i, 0] + len(name):.3f},{"up" if Y[i] else "down"}' for i in range(40)
        ]
        Path(f"{name}.csv").write_text("\n".join(["x,z,kind", *rows]))
    return train(".", target="kind")


def two_shops():
    days = [*DAYS[:100].strftime("%d.%m.%Y")] * 4
    return steps(day=days, shop=np.repeat(list("abcd"), 100))


WRITTEN = {
    "dates that could be two": lambda: cells(lambda i: f"{1 + i % 9:02}/{1 + i % 7:02}/2023"),
    "a date of no calendar": lambda: cells(lambda i: f"{1 + i % 30:02}.02.2022"),
    "dates in the other order than said": lambda: forecast(steps(day=DAYS.strftime("%m/%d/%Y")), target="sold", dates="day-first"),
    "two currencies in a column": lambda: cells(lambda i: f"${i}" if i % 3 else f"€{i}"),
    "shares with and without a per cent sign": lambda: cells(lambda i: f"{i} %" if i % 3 else f"0.{i + 10}"),
    "thousands as 1.5k beside whole numbers": lambda: cells(lambda i: f"{i}.5k" if i % 3 else f"{i}"),
    "two units in a column": lambda: cells(lambda i: f"{i} kg" if i % 3 else f"{i} g"),
    "shares in two units, in train.csv and test.csv": lambda: two_tables(lambda i: f"{i}%", lambda i: f"0.{i + 10}"),
    "10² in a test table, after whole numbers": lambda: two_tables(lambda i: i, lambda i: "10²"),
    "9.750 in a test table, after 1,000": lambda: two_tables(lambda i: f"{1000 + i:,}", lambda i: "9.750"),
    "dates of two forms in a table": lambda: cells(lambda i: f"2023-01-{i % 9 + 10}" if i % 2 else f"{i % 9 + 10}.02.2023"),
    "0000-00-00 among dates": lambda: cells(lambda i: f"2021-05-{i % 28 + 1:02}" if i else "0000-00-00"),
    "years 40 to 99 and 00 to 09, with two digits": lambda: cells(lambda i: f"{13 + i % 9}.01.{(70 + i) % 100:02}" if i else "15.01.55"),
    "01-02-03 as dates": lambda: cells(lambda i: f"{i % 9 + 1:02}-{i % 7 + 1:02}-{i % 5 + 1:02}"),
    "a text among targets that are numbers": lambda: csv_of(frame(kind=changed(X[:, 2].astype(object), 5, "unknown"))),
    "inf among targets that are numbers": lambda: csv_of(frame(kind=changed(X[:, 2].astype(object), 5, np.inf)), task="regression"),
    "memory in GB and MB": lambda: cells(lambda i: f"{i}{'GB' if i % 2 else 'MB'}"),
    "numbers below 0 in parentheses": lambda: cells(lambda i: f"({i})" if i % 3 else f"{i}"),
    "several series below each other": lambda: forecast(two_shops(), target="sold"),
    "dates of a series in French": lambda: forecast(steps(day=[f"{d.day} janv. {2000 + i}" for i, d in enumerate(DAYS)]), target="sold"),
    "dates of two forms in a series": lambda: forecast(steps(day=[*DAYS[:99].strftime("%d.%m.%Y"), *DAYS[99:].strftime("%Y-%m-%d")]), target="sold"),
    "days of a series as numbers that are shuffled": lambda: forecast(steps(day=RNG.permutation(400)), target="sold"),
    "a date of a series that is missing": lambda: forecast(steps(day=[*DAYS[:-1].strftime("%d.%m.%Y"), None]), target="sold"),
    "a column to split by with a slip": lambda: csv_of(frame(who=IDS), split_by="whom"),
    "a split by the target": lambda: csv_of(TABLE, split_by="kind"),
    "a split by a column with gaps": lambda: csv_of(frame(who=np.where(IDS > 3, IDS, np.nan)), split_by="who"),
    "a split by two groups": lambda: csv_of(frame(who=Y), split_by="who"),
    "a split by one day": lambda: csv_of(frame(day="2023-01-01", z=X[:, 1]), split_by="day"),
    "a split of arrays by a column": lambda: train(split_by="who"),
    "a split of a series by a column": lambda: forecast(steps(who=WAVE), target="sold", split_by="who"),
}  # fmt: skip

SEVERAL = {
    "several inputs for a family": lambda: train_two(model="cnn:tiny"),
    "several inputs and no model": lambda: zoo.train(
        None, ({"image": PIXELS, "columns": X}, Y), **EVERYWHERE
    ),
    "several inputs in a list for a family": lambda: train_two([PIXELS, X], "cnn:tiny"),
    "three inputs in a list for a model of two": lambda: train_two([PIXELS, X, X]),
    "one input for a model of two": lambda: train_two(X),
    "columns alone for a model of two inputs": lambda: train_two(
        {"image": X[:, 0], "columns": X[:, 1]}
    ),
    "several inputs for a model whose inputs have no names": lambda: train_two(
        [X, X + 1], model=of_unnamed()
    ),
    "several inputs for a model of one": lambda: train_two(
        model=keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    ),
    "an input whose name the model lacks": lambda: train_two({"image": PIXELS, "numbers": X}),
    "an input of another shape than the model's": lambda: train_two(
        {"image": PIXELS, "columns": X[:, :2]}
    ),
    "texts for an input of the model that takes texts": lambda: train_two(
        {"columns": X, "text": TEXTS}, model=of_text()
    ),
    "several inputs of other lengths": lambda: train_two({"image": PIXELS, "columns": X[:30]}),
    "several inputs and fewer targets": lambda: train(
        ({"image": PIXELS, "columns": X}, Y[:5]), of_two()
    ),
    "test data that lack an input": lambda: train_two(test=({"image": PIXELS, "more": X}, Y)),
    "test data of one input of two": lambda: train_two(test=(PIXELS, Y)),
    "NaN in one of several inputs": lambda: train_two(
        {"image": PIXELS, "columns": changed(X, (3, 1), np.nan)}
    ),
    "a name of an input with a space": lambda: train_two({"image": PIXELS, "the columns": X}),
    "paths among several inputs": lambda: train_two(
        {"image": [Path(f"{i}.png") for i in range(40)], "columns": X}
    ),
    "two texts among several inputs": lambda: train_two(
        {"columns": X, "title": TEXTS, "body": TEXTS}
    ),
    "augmentation of one of several inputs": lambda: train_two(augment="digits"),
    "several inputs as a series": lambda: train_two(task="forecasting"),
    "several inputs to generate": lambda: train_two(task="generation"),
    "several inputs to translate": lambda: train_two(task="translation"),
    "a target column with several inputs": lambda: train_two(target="kind"),
    "columns named among several inputs": lambda: train_two(columns=("a",)),
    "several inputs and their targets in one dict": lambda: train(
        {"image": PIXELS, "columns": X, "y": Y}, of_two()
    ),
    "a table among several inputs with texts that differ": lambda: train_two(
        {"columns": pd.DataFrame({"a": TEXTS, "b": TEXTS}), "image": PIXELS}
    ),
}

LOSSES, METRICS = keras.losses, keras.metrics


class Net(keras.Model):
    """A model of a class of its own; `end` makes what it returns of its logits."""

    def __init__(self, outputs=2, end=lambda logits: logits):
        super().__init__(name="net")
        self.last, self.end = keras.layers.Dense(outputs), end

    def call(self, inputs):
        return self.end(self.last(inputs))


class Wide(METRICS.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return keras.ops.zeros(3)


class Stepping(Net):
    def train_step(self, data):
        x, y = data
        return {"loss": self.compute_loss(x, y, self(x, training=True))}


def compiled(**options):
    model = model_of(keras.layers.Dense(2))
    model.compile("sgd", **{"loss": "sparse_categorical_crossentropy", **options})
    return model


def used_optimizer():
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable(np.zeros(3))])
    return train(optimizer=optimizer)


def of_several_outputs():
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(2)(inputs) for _ in range(2)], name="mine")


def flat(y_true, y_pred):
    return keras.ops.cast(keras.ops.argmax(y_pred, -1), "float32")


WEIGHED = tf.data.Dataset.from_tensor_slices((X, Y, np.ones(40)))
STEPS = RNG.normal(size=(40, 5, 3))
OWN_PARTS = {
    "a class for each step": lambda: train((STEPS, RNG.integers(0, 4, (40, 5)))),
    "0 or 1 for each step": lambda: train((STEPS, RNG.integers(0, 2, (40, 5)))),
    "a loss for probabilities": lambda: train(loss=LOSSES.SparseCategoricalCrossentropy()),
    "a loss of numbers for classes": lambda: train(loss="mae"),
    "a loss of classes for numbers": lambda: train((X, X[:, 0]), loss="categorical_hinge"),
    "a loss that standardised numbers do not fit": lambda: train((X, X[:, 0]), loss=LOSSES.Poisson()),
    "an unknown loss": lambda: train(loss="kl_divergence"),
    "a loss's class": lambda: train(loss=LOSSES.Huber),
    "a loss for each of several outputs": lambda: train(loss={"a": LOSSES.Huber(), "b": LOSSES.Huber()}),
    "a loss without a gradient": lambda: train(loss=flat),
    "a loss that fails": lambda: train(loss=lambda y_true, y_pred: y_pred[:, 5]),
    "label smoothing beside a loss of one's own": lambda: train(loss="categorical_hinge", label_smoothing=0.1),
    "a loss of one's own to generate": lambda: train((PIXELS, Y), "vae:tiny", task="generation", loss="mae"),
    "an optimizer's class": lambda: train(optimizer=keras.optimizers.Adam),
    "an optimizer and a learning rate": lambda: train(optimizer=keras.optimizers.Adam(), learning_rate=0.1),
    "an optimizer of another model": used_optimizer,
    "an unknown metric": lambda: train(metrics=["accuracies"]),
    "accuracy of numbers": lambda: train((X, X[:, 0]), metrics=["accuracy"]),
    "a metric that needs a setting": lambda: train(metrics=["precision_at_recall"]),
    "a metric for each class": lambda: train(metrics=[METRICS.F1Score()]),
    "a metric that gives an array": lambda: train(metrics=[Wide(name="wide")]),
    "a metric by the name of another": lambda: train(metrics=[METRICS.Mean(name="accuracy")]),
    "a metric that fails": lambda: train(metrics=[lambda y_true, y_pred: y_true @ y_pred]),
    "metrics of a translation": lambda: train((TEXTS, TEXTS), "seq2seq:tiny", metrics=["accuracy"]),
    "a monitor of which nobody knows which way is better": lambda: train(
        metrics=[flat], callbacks=[keras.callbacks.EarlyStopping("val_flat", mode="auto")]
    ),
    "a compiled model and a learning rate": lambda: train(model=compiled(), learning_rate=0.1),
    "a model compiled with a loss for probabilities": lambda: train(model=compiled(loss=LOSSES.SparseCategoricalCrossentropy())),
    "a model compiled for several outputs": lambda: train(model=compiled(loss_weights=[0.5])),
    "a model whose call fails": lambda: train(model=Net(end=lambda logits: logits["a"])),
    "a model of a class that ends with softmax": lambda: train(model=Net(end=keras.ops.softmax)),
    "a model of a class with too few outputs": lambda: train(model=Net(1)),
    "a model of a class that returns a dict": lambda: train(model=Net(end=lambda logits: {"a": logits, "b": logits})),
    "a model of a class that returns two": lambda: train(model=Net(end=lambda logits: (logits, logits))),
    "a model of several outputs": lambda: train(model=of_several_outputs()),
    "a batch in parts with a training step of one's own": lambda: train(model=Stepping(), accumulate=2),
    "weights of examples for a training step of two": lambda: train((X, Y, np.ones(40)), model=Stepping()),
    "fewer weights than examples": lambda: train(sample_weight=np.ones(30)),
    "weights of two columns": lambda: train(sample_weight=np.ones((40, 2))),
    "a negative weight": lambda: train(sample_weight=changed(np.ones(40), 7, -1)),
    "a missing weight": lambda: train(sample_weight=changed(np.ones(40), 7, np.nan)),
    "an infinite weight": lambda: train((X, Y, changed(np.ones(40), 7, np.inf))),
    "weights of 0": lambda: train(sample_weight=np.zeros(40)),
    "weights that are texts": lambda: train(sample_weight=TEXTS),
    "weights twice": lambda: train((X, Y, np.ones(40)), sample_weight=np.ones(40)),
    "weights in a column that is not there": lambda: train(TABLE, target="kind", sample_weight="weight"),
    "weights in a column of arrays": lambda: train(sample_weight="weight"),
    "weights beside a named data set": lambda: train("wine", sample_weight=np.ones(178)),
    "weights beside a tf.data set": lambda: train(WEIGHED.map(lambda x, y, w: (x, y)), sample_weight=np.ones(40)),
    "weights of the validation examples alone": lambda: train(validation=(X + 9, Y, np.ones(40))),
    "weights of mixed examples": lambda: train((PIXELS, Y, np.ones(40)), "cnn:tiny", augment="mixup"),
    "weights of examples to generate": lambda: train((PIXELS, Y, np.ones(40)), "vae:tiny", task="generation"),
    "weights of a series": lambda: forecast(WAVE, sample_weight="weight"),
    "three splits in a tuple": lambda: train(((X, Y), (X, Y), (X, Y))),
    "a label of class_weight twice": lambda: train(class_weight={"0": 1.0, "0.0": 2.0, "1": 1.0}),
}  # fmt: skip

SETTINGS = {
    "zero epochs": lambda: train(epochs=0),
    "a batch of 0": lambda: train(batch_size=0),
    "a negative batch": lambda: train(batch_size=-8),
    "a learning rate of 0": lambda: train(learning_rate=0.0),
    "a negative learning rate": lambda: train(learning_rate=-1e-3),
    "a learning rate that is no number": lambda: train(learning_rate=float("nan")),
    "a negative weight decay": lambda: train(weight_decay=-0.1),
    "dropout of 1": lambda: train(model_args={"dropout": 1.0}),
    "an unknown optimizer": lambda: train(optimizer="adamm"),
    "an unknown option": lambda: train(learn_rate=0.1),
    "an unknown model": lambda: train(model="dence"),
    "an unknown size": lambda: train(model="dense:huge"),
    "an unknown builder argument": lambda: train(model_args={"width": 3}),
    "augmentation of a table": lambda: train(augment="digits"),
    "label smoothing of a regression": lambda: train((X, X[:, 0]), label_smoothing=0.1),
    "a run folder that exists": taken,
    "a run folder below a file": under_a_file,
    "a full disk": small_disk,
    "images too small for the model": lambda: train((PIXELS[:, :2, :2], Y), "cnn:base"),
    "a model that applies softmax": lambda: train(model=model_of(keras.layers.Dense(2, "softmax"))),
    "a model with too few outputs": lambda: train(model=model_of(keras.layers.Dense(1))),
    "a model for another input": lambda: train(model=model_of(keras.layers.Flatten(), keras.layers.Dense(2), shape=(3, 1))),
    "a model that scales its inputs": lambda: train(model=model_of(keras.layers.Rescaling(0.1, name="scale"), keras.layers.Dense(2))),
    "ids of tokens for an embedding of one's own": lambda: train((RNG.integers(0, 9, (40, 3)), Y), model=model_of(keras.layers.Embedding(9, 4, name="words"), keras.layers.Flatten(), keras.layers.Dense(2))),
    "clipping at 0": lambda: train(clip_norm=0),
    "muon without a matrix": lambda: train((PIXELS, Y), "resnet:tiny", optimizer="muon"),
    "a monitor that is never logged": lambda: train(callbacks=[keras.callbacks.EarlyStopping("val_acc")]),
    "a monitor that the task does not log": lambda: train(monitor="acuracy"),
    "a class without a weight": lambda: train(class_weight={"0": 1.0}),
    "a teacher of other inputs": lambda: train(teacher="wine_dense"),
    "a teacher's weight above 1": lambda: train(teacher="wine_dense", teacher_weight=1.5),
    "focal loss for a regression": lambda: train((X, X[:, 0]), loss="focal"),
}  # fmt: skip

PREDICT = {
    "lists in place of categories": lambda: trained_mixed(city=[["Rome", "Lima"], "Oslo"]),
    "a column that differs in more than capitals": lambda: trained_mixed(city=None, town=["Rome", "Oslo"]),
    "a model's name with a slip": lambda: zoo.load("wine_dens"),
    "images of -1 to 1": lambda: shipped("mnist_cnn", PIXELS / 127.5 - 1),
    "images of more than 255": lambda: shipped("mnist_cnn", PIXELS.astype("uint16") * 257),
    "float images of several sizes": lambda: shipped("mnist_cnn", [np.zeros((8, 8)), np.zeros((9, 9))]),
    "a generator of images": lambda: shipped("mnist_cnn", (image for image in PIXELS)),
    "channels first": lambda: shipped("mnist_cnn", np.moveaxis(np.repeat(PIXELS, 4, 0), -1, 1)),
    "masked images": lambda: shipped("mnist_cnn", np.ma.array(PIXELS, mask=PIXELS > 250)),
    "nothing": lambda: trained_features(None),
    "masked features": lambda: trained_features(np.ma.array(X, mask=X > 1)),
    "a pair of inputs and targets": lambda: trained_features((X, Y)),
    "lists in the cells of a table": lambda: shipped("wine_dense", pd.DataFrame(wine(alcohol=[[1], [2]]))),
    "one image without a batch": lambda: shipped("mnist_cnn", PIXELS[0]),
    "images of three channels": lambda: shipped("mnist_cnn", np.repeat(PIXELS, 3, -1)),
    "no images": lambda: shipped("mnist_cnn", PIXELS[:0]),
    "images of no pixels": lambda: shipped("mnist_cnn", PIXELS[:, :0]),
    "a batch size of 0": lambda: shipped("mnist_cnn", PIXELS, batch_size=0),
    "a table without one column": lambda: shipped("wine_dense", wine(alcohol=None)),
    "text in a column of numbers": lambda: shipped("wine_dense", wine(alcohol=["strong", "weak"])),
    "NaN in a column without gaps": lambda: shipped("wine_dense", wine(alcohol=[np.nan, 12.0])),
    "columns of different lengths": lambda: shipped("wine_dense", wine(alcohol=[12.0])),
    "an array for a table": lambda: shipped("wine_dense", np.ones((2, 13))),
    "features of another width": lambda: trained_features(X[:, :2]),
    "features of another scale": lambda: trained_features(X * 255),
    "NaN among the features": lambda: trained_features(changed(X, (2, 1), np.nan)),
    "one text without a list": lambda: trained_text("good"),
    "an empty text": lambda: trained_text(["good", ""]),
    "a text of spaces": lambda: trained_text(["good", " \t"]),
    "bytes that are no UTF-8": lambda: trained_text(["good", "schön".encode("latin-1")]),
    "numbers for a text": lambda: trained_text([1, 2]),
    "no inputs for a model in a process of its own": lambda: zoo.predict_sandboxed("wine_dense", None),
    "a file that is no image": lambda: predict_file("mnist_cnn", "x.png", b"no image"),
    "a text file for a table": lambda: predict_file("wine_dense", "x.txt", b"12.0"),
    "a file that is missing in a list": lambda: shipped("mnist_cnn", ["none.png"]),
    "a table that names no images": lambda: predict_file("mnist_cnn", "x.csv", b"a,b\n1,2\n"),
    "a table that names a missing image": lambda: predict_file("mnist_cnn", "x.csv", b"a,b\nx.png,2\ny.png,3\n"),
    "an .npy that is none": lambda: predict_file("mnist_cnn", "x.npy", b"none"),
}  # fmt: skip

CASES = {**DATA, **FILES, **SERIES, **WRITTEN, **SEVERAL, **OWN_PARTS, **SETTINGS, **PREDICT}
GROUPS = {"Data in memory": DATA, "Files": FILES, "Series": SERIES, "Times, splits and units": WRITTEN, "Several inputs": SEVERAL, "Parts of one's own": OWN_PARTS, "Settings and models": SETTINGS, "Prediction": PREDICT}  # fmt: skip


@contextlib.contextmanager
def empty_folder():
    """Works in a new folder, which is removed afterwards."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        try:
            yield path
        finally:
            os.chdir(before)


def answer(case):
    """The message of the `InputError` that a case raises; temporary paths are cut out."""
    with empty_folder() as path:
        try:
            case()
        except zoo.InputError as error:
            return re.sub(
                rf"({re.escape(os.path.realpath(path))}|{re.escape(path)})/?", "", str(error)
            )
    raise AssertionError("no error")


def row(name, message):
    """A line of the table in Markdown; which models ship, and the numbers in Keras's names, are no part of it."""
    message = re.sub(r"\b(functional|keras_tensor|sequential)_\d+", r"\1", message)
    message = message.replace(", ".join(map(repr, store.names())), "...")
    return f"| {name} | {message} |".replace("\n", "<br>")


def main():
    print("# What cannot be used, and the answer\n")
    print(
        f"Printed by `python tests/bad_inputs.py`: {len(CASES)} inputs, each refused before the first training step;"
    )
    print("a command prints the message after `error:` and exits with code 2.")
    for title, group in GROUPS.items():
        print(f"\n## {title}\n\n| input | answer |\n| --- | --- |")
        for name, case in group.items():
            print(row(name, answer(case)))


if __name__ == "__main__":
    sys.exit(main())
