"""A task is one row, a kind of input is one row: a new object in the table trains, reports, exports, loads, predicts and tunes."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo import tasks
from zoo.config.options import TASK_NAMES
from zoo.data import kinds
from zoo.data import load as door
from zoo.data.kinds import numbers
from zoo.data.kinds.row import Kind, Prepared
from zoo.tasks import model_checks, target_checks
from zoo.tasks.row import Task
from zoo.tasks.scores import of_training_targets

RNG = np.random.default_rng(0)
SEARCH = {"tuner": "random", "trials": 1}
OPTIONS = {"epochs": 2, "batch_size": 16, "quiet": True}


def _of_counts(train, titles=None):
    if train.dtype.kind not in "iu" or (train < 0).any():
        raise zoo.InputError("Counts are whole numbers of at least 0.")
    return (), lambda part: part.y.astype("float32")


def _rate(model, info, preparation, serving):
    def predict(features, raw, in_words=True):
        return {"rate": tf.exp(tf.cast(model(features, training=False), tf.float32))[:, 0]}

    return predict


def _deviance(targets, outputs):
    mean = np.exp(outputs[:, 0])
    terms = targets * np.log(np.maximum(targets, 1) / mean) - (targets - mean)
    return {"deviance": float(2 * terms.mean())}


COUNTS = Task(
    name="counts",
    targets="number",
    convert=_of_counts,
    check_targets=target_checks.check_they_differ,
    check_model=model_checks.check_numbers,
    loss=lambda options: keras.losses.MeanSquaredError(),
    metrics=list,
    score=_deviance,
    interval=lambda targets, outputs: (np.nan, np.nan),
    interval_by="none is made",
    constant=of_training_targets(lambda counts, width: np.log([counts.mean()])),
    constant_is="the mean count of the training split",
    predict=_rate,
    key="rate",
    in_words=lambda row: f"{row['rate']:.2f} expected",
    columns=lambda row: {},
    protocol=lambda config: ("deviance of a Poisson distribution",),
    report=lambda splits, targets, outputs, folder: ["Counts from 0 up.", ""],
)


def _describe_waves(parts, options):
    numbers.check_alike(parts)
    shape = (*parts["train"].x.shape[1:], 1)
    fields = {"kind": "waveform", "input_shape": shape, "input_dtype": "int16"}
    return fields, lambda part: part.x[..., None]


def _prepare_waves(splits, fixed_length):
    layer = keras.layers.Rescaling(1 / 32768, name="rescale")
    return Prepared(numbers.as_model(layer, splits.info), ["samples divided by 32768"])


def _check_waves(inputs, card, vocabulary):
    waves = np.asarray(inputs)
    if waves.dtype != np.int16 or waves.ndim != 2:
        raise zoo.InputError(f"{card.name} takes int16 samples (N, steps).")
    return {"waveform": waves[..., None]}


WAVEFORM = Kind(
    name="waveform",
    meaning="16-bit samples of a sound, {shape}",
    rank=2,
    recognises=lambda x: not hasattr(x, "columns") and x.dtype == np.int16 and x.ndim == 2,
    describe=_describe_waves,
    prepare=_prepare_waves,
    specs=lambda info: {
        "waveform": tf.TensorSpec((None, *info.input_shape), tf.int16, name="waveform")
    },
    to_model=lambda raw, info, inputs: inputs(tf.cast(raw["waveform"], tf.float32)),
    check_raw=_check_waves,
)


@pytest.fixture
def rows():
    """The tables with one more row each."""
    tasks.add(COUNTS)
    kinds.add(WAVEFORM)
    yield
    del tasks.TASKS[COUNTS.name], kinds.KINDS[WAVEFORM.name]
    TASK_NAMES.remove(COUNTS.name)


@functools.cache
def waves():
    low_or_high = RNG.integers(0, 2, 80)
    angles = np.arange(64) * np.where(low_or_high, 1.1, 0.3)[:, None] + RNG.random((80, 1))
    return (8000 * np.sin(angles)).astype("int16"), low_or_high


def test_a_new_task_is_one_object(rows, in_tmp):
    x = RNG.normal(size=(120, 3))
    counts = RNG.poisson(np.exp(x[:, 0]))
    trained = zoo.train("dense:tiny", (x, counts), task="counts", **OPTIONS)
    assert list(trained.report.scores) == ["deviance"]
    assert "Counts from 0 up." in (trained.report.folder / "report.md").read_text()
    model = zoo.load(trained.export)
    rates = model.predict(x[:5])["rate"]
    preparation = zoo.prepare(door.make_splits(*door.read((x, counts), task="counts")))
    logits = trained.network.predict(preparation.inputs(x[:5]), verbose=0)
    assert_close(rates, np.exp(logits[:, 0]), KERNELS)
    assert "deviance of a Poisson distribution" in model.card.protocol
    np.save("x.npy", x[:2].astype("float32"))
    inputs = zoo.import_quietly("zoo.saving.inputs")
    assert inputs.as_text(next(iter(inputs.predict_files(model, ["x.npy"])))).endswith("expected")
    assert zoo.verify(trained.export)["largest_difference"] < 1e-5
    tuned = zoo.tune("dense:tiny", (x, counts), task="counts", **SEARCH, **OPTIONS)
    assert tuned.objective == "val_loss"
    with pytest.raises(zoo.InputError, match="at least 0"):
        zoo.train("dense:tiny", (x, counts - 9), task="counts", **OPTIONS)


def test_a_new_kind_of_input_is_one_object(rows, in_tmp):
    x, y = waves()
    trained = zoo.train("cnn:tiny", (x, y), **OPTIONS)
    model = zoo.load(trained.export)
    assert model.card.input_kind == "waveform"
    assert "samples divided by 32768" in model.card.preprocessing
    probabilities = model.predict(x[:5])["probabilities"]
    logits = trained.network.predict(x[:5, :, None] / 32768, verbose=0)
    assert_close(probabilities, keras.ops.softmax(logits), KERNELS)
    with pytest.raises(zoo.InputError, match="takes int16 samples"):
        model.predict(x[:5] / 32768)
    assert zoo.verify(trained.export)["largest_difference"] < 1e-5
    tuned = zoo.tune("cnn:tiny", (x, y), **SEARCH, **OPTIONS)
    assert tuned.objective == "val_accuracy"


@pytest.mark.parametrize(("table", "row"), [(tasks, COUNTS), (kinds, WAVEFORM)])
def test_a_row_is_added_once(table, row, rows):
    with pytest.raises(zoo.InputError, match="already: give yours another name"):
        table.add(row)


def test_every_row_has_its_own_name():
    assert list(tasks.TASKS) == TASK_NAMES
    for table in (tasks.TASKS, kinds.KINDS):
        assert {row.name for row in table.values()} == set(table)
    assert {row.targets for row in tasks.TASKS.values()} == {
        "class", "labels", "number", "steps", "answer", "none",
    }  # fmt: skip


@pytest.mark.parametrize("row", [Task, Kind])
def test_every_field_of_a_row_is_described(row):
    for field in dataclasses.fields(row):
        assert f" {field.name}: " in row.__doc__, field.name
