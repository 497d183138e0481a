"""Objects of Python and sets of TFDS: one reading in training, test split, `predict` and plain TensorFlow, or an answer by name."""

import collections
import datetime
import logging
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow
import pytest
import tensorflow as tf
import torch
from PIL import Image
from scipy import sparse
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door

RNG = np.random.default_rng(0)
N = 60
X, Y = RNG.normal(size=(N, 3)).astype("float32"), np.arange(N) % 2
PIXELS = RNG.integers(0, 256, (N, 16, 16, 3)).astype("uint8")
TEXTS = [f"word{i} and more text" for i in range(N)]
TABLE = pd.DataFrame(
    {
        "a": X[:, 0],
        "n": pd.array([1, None, 3] * 20, "Int64"),
        "c": np.where(X[:, 2] > 0, "hi", "lo"),
        "d": pd.date_range("2020-01-01", periods=N),
        "f": pd.array([True, None, False] * 20, "boolean"),
    }
)
KINDS = pd.Series(np.where(Y, "up", "down"), name="kind")
OPTIONS = {"epochs": 1, "batch_size": 8, "quiet": True}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models of a table, of features, of images and of texts, each with what it says of the data as they were passed."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("models"))
    try:
        of = {
            "table": ("dense:tiny", (TABLE, KINDS), TABLE),
            "features": ("dense:tiny", (X, Y), X),
            "images": ("cnn:tiny", (PIXELS / 255, Y), PIXELS),
            "texts": ("cnn:tiny", (TEXTS, Y), TEXTS),
        }
        found = {}
        for name, (model, data, inputs) in of.items():
            loaded = zoo.load(Path(zoo.train(model, data, **OPTIONS).export).resolve())
            found[name] = (loaded, loaded.predict(inputs)["probabilities"])
        yield found
    finally:
        os.chdir(before)


class Foreign:
    """A table of another library, as Polars has them."""

    def to_pandas(self):
        return TABLE


class Broken:
    """An object that looks like an array and is none."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("broken")


class Stream:
    """A table that another library can read by Arrow's interface alone."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pyarrow.Table.from_pandas(TABLE).__arrow_c_stream__(requested_schema)


PLAIN = TABLE.assign(n=[1.0, np.nan, 3.0] * 20, f=pd.Series([True, None, False] * 20, dtype=object))
PICTURES = [Image.fromarray(pixels) for pixels in PIXELS]
FORMS = {
    "table": {
        "columns of NumPy's types": PLAIN,
        "all columns of pandas' own types": TABLE.convert_dtypes(),
        "all columns of Arrow's types": TABLE.convert_dtypes(dtype_backend="pyarrow"),
        "a table of Arrow": pyarrow.Table.from_pandas(TABLE),
        "a table of another library": Foreign(),
        "a stream of Arrow": Stream(),
        "a list of dicts": PLAIN.to_dict("records"),
        "a structured array": PLAIN.to_records(index=False),
        "a dict of Series": {title: TABLE[title] for title in TABLE},
        "a dict with a tensor": {**PLAIN, "a": torch.tensor(X[:, 0])},
        "another order of columns": TABLE[["f", "d", "c", "n", "a"]],
        "days with a zone": TABLE.assign(d=TABLE["d"].dt.tz_localize("UTC")),
        "days as periods": TABLE.assign(d=TABLE["d"].dt.to_period("D")),
        "a categorical": TABLE.assign(c=TABLE["c"].astype("category")),
        "bytes": TABLE.assign(c=[text.encode() for text in TABLE["c"]]),
        "a sparse column": TABLE.assign(a=pd.arrays.SparseArray(X[:, 0])),
    },
    "features": {
        "lists": X.tolist(),
        "a DataFrame": pd.DataFrame(X),
        "a tensor of PyTorch with gradients": torch.tensor(X, requires_grad=True),
        "a tensor": tf.constant(X),
        "a sparse matrix": sparse.csr_matrix(X),
        "a sparse tensor": tf.sparse.from_dense(X),
        "objects": X.astype(object),
        "a tf.data set with targets": tf.data.Dataset.from_tensor_slices((X, Y)),
        "batches of PyTorch": torch.utils.data.DataLoader(torch.tensor(X), batch_size=7),
        "a masked array that masks nothing": np.ma.array(X, mask=X > 100),
    },
    "images": {
        "divided by 255": PIXELS / 255,
        "divided by 255 in float16": (PIXELS / 255).astype("float16"),
        "float32 0..255": PIXELS.astype("float32"),
        "int64": PIXELS.astype("int64"),
        "a list of arrays": list(PIXELS),
        "pictures of Pillow": PICTURES,
        "pictures with transparency": [picture.convert("RGBA") for picture in PICTURES],
        "a tensor of PyTorch": torch.tensor(PIXELS),
    },
    "texts": {
        "a Series": pd.Series(TEXTS),
        "a Series of Arrow's strings": pd.Series(TEXTS, dtype="string[pyarrow]"),
        "an array of Arrow": pyarrow.array(TEXTS),
        "a tensor": tf.constant(TEXTS),
        "bytes": [text.encode() for text in TEXTS],
    },
}


@pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind, forms in FORMS.items() for form in forms]
)
def test_a_model_answers_to_every_form_of_its_inputs_alike(kind, form, models):
    model, answers = models[kind]
    assert_close(model.predict(FORMS[kind][form])["probabilities"], answers, KERNELS)


def test_a_batch_of_pictures_of_several_sizes_is_answered_as_one_by_one(models):
    model, _ = models["images"]
    pictures = [picture.resize((10 + i % 3, 12)) for i, picture in enumerate(PICTURES[:6])]
    alone = [model.predict(np.asarray(picture)[None])["probabilities"] for picture in pictures]
    for given in (pictures, [np.asarray(picture) for picture in pictures]):
        assert_close(model.predict(given)["probabilities"], np.concatenate(alone), KERNELS)


def test_plain_tensorflow_takes_pixels_though_training_had_fractions(models):
    model, answers = models["images"]
    plain = tf.saved_model.load(str(model.path)).signatures["serving_default"]
    assert_close(plain(image=tf.constant(PIXELS))["probabilities"].numpy(), answers, KERNELS)
    with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
        plain(image=tf.constant(PIXELS / 255))


def test_fractions_that_are_no_pixels_stay_and_pixels_are_refused_then(in_tmp, caplog):
    shades = PIXELS.astype("float32") * np.float32(0.8371) / 255
    model = zoo.load(zoo.train("cnn:tiny", (shades, Y), **OPTIONS).export)
    assert model.card.input_kind == "features"
    model.predict(shades)
    with pytest.raises(zoo.InputError, match="trained on values in 0..0.8371.*same scale"):
        model.predict(PIXELS)
    dark = np.zeros((1, 16, 16, 3), "uint8")
    dark[0, 0, 0] = 200  # whose mean is small
    with pytest.raises(zoo.InputError, match="same scale"):
        model.predict(dark)
    caplog.clear()
    model.predict(shades / 255)
    assert "are they of the same scale" in caplog.text


def test_pictures_that_are_nearly_black_are_told_of(models, caplog):
    models["images"][0].predict(PIXELS / 16.0)
    assert "the largest of all pixels is" in caplog.text
    caplog.clear()
    models["images"][0].predict(PIXELS.astype("float32"))
    assert "nearly black" not in caplog.text


def test_pixels_of_0_and_1_are_told_of(models, caplog):
    door.read(((PIXELS > 128).astype("uint8"), Y))
    assert "pixels of 0 and 1 alone" in caplog.text
    caplog.clear()
    models["images"][0].predict((PIXELS > 128).astype("uint8"))
    assert "pixels of 0 and 1 alone" in caplog.text


def test_numbers_that_may_be_anything_are_no_pictures():
    steps = RNG.integers(0, 40, (N, 24, 3))  # a count each hour
    board = RNG.integers(0, 3, (N, 9, 9, 1)).astype("float32")
    heat = RNG.random((N, 9, 9, 1)) * 40
    for given in (steps, board, heat, PIXELS / 127.5 - 1, PIXELS[..., :1] > 128):
        assert door.read((given, Y))[0].kind == "features"


def test_channels_first_are_warned_of_where_they_may_be_anything(caplog):
    door.read((np.moveaxis(PIXELS, -1, 1) / 127.5 - 1, Y))
    assert "channels must be last" in caplog.text


@pytest.mark.parametrize("mode", ["int", "categorical", "binary"])
def test_folders_read_by_keras_keep_the_names_of_their_classes(mode, in_tmp):
    for i in range(24):
        path = Path("p") / ["zebra", "ant"][i % 2] / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{['zebra', 'ant'][i % 2]} number {i}")
    order = ["zebra", "ant"]
    data = keras.utils.text_dataset_from_directory(
        "p", label_mode=mode, class_names=order, verbose=False
    )
    info, splits = door.read(data)
    assert (info.kind, info.labels) == ("text", ("zebra", "ant"))
    for part in splits.values():
        assert all(text.startswith(order[i]) for text, i in zip(part.inputs, part.targets))


def test_a_categorical_keeps_its_order_in_the_answers(in_tmp):
    order = ["low", "mid", "high"]
    size = pd.Categorical(np.array(order)[np.arange(N) % 3], order)
    for data, target in (((X, size), None), (TABLE.assign(size=size), "size")):
        info, splits = door.read(data, target=(target,) if target else ())
        assert info.labels == tuple(order)
    trained = zoo.train("dense:tiny", (X, size), **OPTIONS)
    answer = zoo.load(trained.export).predict(X)
    assert (np.array(order)[answer["class_id"]] == answer["label"]).all()


def test_targets_of_any_form_are_the_same():
    wanted = door.read((X, Y))[1]["test"].targets
    forms = [
        Y.tolist(), Y[:, None], Y.astype(bool), Y.astype(float), np.eye(2)[Y], pd.Series(Y), pd.DataFrame({"y": Y}),
        pd.array(Y, "Int64"), pd.Categorical(np.array(["no", "yes"])[Y]), pd.Series(Y, dtype="boolean"), torch.tensor(Y),
        tf.constant(Y), pyarrow.array(Y), range(N) % np.int64(2), np.ma.array(Y, mask=Y > 5),
    ]  # fmt: skip
    for y in forms:
        np.testing.assert_array_equal(door.read((X, y))[1]["test"].targets, wanted)


@pytest.mark.parametrize(
    "y",
    [
        ["a", "b"] * 29 + ["a", None],
        ["a", "b"] * 29 + ["a", float("nan")],
        [0, 1] * 29 + [0, pd.NA],
        pd.Series([0, 1] * 29 + [0, None], dtype="Int64"),
        pd.Series(["a", "b"] * 29 + ["a", None], dtype="string"),
        pd.Categorical(["a", "b"] * 29 + ["a", None]),
        np.ma.array(Y, mask=np.arange(N) == N - 1),
        pyarrow.array(["a", "b"] * 29 + ["a", None]),
    ],
    ids=lambda y: type(y).__name__,
)
def test_a_missing_target_is_named_with_its_row(y):
    with pytest.raises(zoo.InputError, match="first example 59: its target is missing"):
        door.read((X, y))
    _, splits = door.read((X, y), skip_bad=True)
    assert sum(map(len, splits.values())) == N - 1


def test_masked_numbers_are_gaps_and_not_what_lies_under_the_mask():
    masked = np.ma.array(X, mask=X > 2)
    rows = int(masked.mask.any(1).sum())
    _, splits = door.read((masked, Y), skip_bad=True)
    assert sum(map(len, splits.values())) == N - rows > 0


@pytest.mark.parametrize(
    "given",
    [
        object(), Broken(), len, np, dict, 5, 2.5, True, None, b"x", {1, 2}, frozenset({1}), iter([1]), (i for i in X), {}, [], (), [[]],
        {"a": 1}, {"a": []}, collections.deque(), memoryview(b"x"), bytearray(b"x"), np.array(1.0), np.array([None]), np.array([]),
        [object()] * N, [None] * N, [{}], [set()], [[1], [1, 2]], [X, X[:1]], datetime.datetime(2020, 1, 1), pd.Timestamp("2020"),
        pd.Series(dtype=object), pd.DataFrame(), pd.Index([1]), TABLE.groupby("c"), TABLE.rolling(3), slice(3), Ellipsis, type, ...,
        tf.ragged.constant([[1], [1, 2]]), tf.constant(1.0), tf.TensorSpec((1,)), keras.Input((3,)), torch.nn.Linear(1, 1),
        torch.tensor(1.0), pyarrow.array([[1]]), logging.getLogger(), Path, sparse.csr_matrix((0, 3)), Image.new("L", (2, 2)),
        np.zeros((4, 0)), np.zeros((0, 4, 4, 3), "uint8"), np.array(["2020-01-01"], "datetime64[D]"), np.ones((4, 3)) * 1j,
        tf.data.Dataset.range(0), tf.data.Dataset.from_tensors({"a": 1}), range(0), "no such name", pd.NaT, pd.NA,
    ],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_whatever_a_person_passes_is_read_or_refused_in_words(given, models):
    """No error of another library comes through, in training or in `predict`."""

    refusals = []

    def attempt(call, *arguments, **options):
        try:
            call(*arguments, **options)
        except zoo.InputError as error:
            refusals.append(str(error))

    attempt(door.read, given)
    attempt(door.read, (given, Y))
    attempt(door.read, (X, given))
    attempt(door.read, given, task="forecasting")
    attempt(door.read, (X, Y), test=given)
    for model, _ in models.values():
        attempt(model.predict, given)
    assert all(len(words) < 600 and words.count("\n") < 3 for words in refusals)


# Quiet

PROGRAM = """
import sys, numpy as np, pandas as pd, zoo
rng = np.random.default_rng(0)
x, texts = rng.normal(size=(96, 3)), [" ".join("abcdef"[:k % 6 + 1]) for k in range(96)]
y = np.arange(96) % 2
frame = pd.DataFrame({"a": x[:, 0], "b": np.where(y, None, "u"), "d": pd.date_range("2020", periods=96), "y": y})
frame.to_csv("t.csv", index=False)
options = {"epochs": 2, "batch_size": 16, "quiet": True}
for model, data, more in (
    ("dense:tiny", "t.csv", {"target": "y"}), ("dense:tiny", (x, x[:, 0]), {}), ("recurrent:tiny", (texts, y), {}),
    ("cnn:tiny", (rng.integers(0, 256, (96, 8, 8, 3)).astype("uint8"), y), {}), ("dense:tiny", (x, y), {}),
):
    zoo.train(model, data, repeats="keep", **more, **options)
try:
    zoo.train("dense:tiny", (x, y[:5]), **options)
except zoo.InputError as error:
    sys.exit("refused" if "5 targets" in str(error) else "?")
"""


@pytest.mark.slow
def test_a_quiet_run_prints_nothing_and_still_refuses(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    started = ("WARNING: All log messages before absl", "E0000", "I0000", "W0000")
    lines = [line for line in done.stderr.splitlines() if not line.startswith(started)]
    assert (done.stdout, lines) == ("", ["refused"])


def test_no_run_warns_of_retracing_and_other_warnings_of_tensorflow_stay(in_tmp, caplog):
    from zoo.config.config import TrainConfig
    from zoo.training.run import start_run

    logger = tf.get_logger()
    with start_run(TrainConfig().replace(quiet=True, out="run")):
        logger.warning("5 out of the last 5 calls to f triggered tf.function retracing.")
        logger.warning("another warning")
    logger.warning("6 out of the last 6 calls to f triggered tf.function retracing.")
    told = [record.getMessage() for record in caplog.records if record.name == "tensorflow"]
    assert told == ["another warning", "6 out of the last 6 calls to f triggered tf.function retracing."]  # fmt: skip
