"""The caller's own data in parts and in forms that differ: read alike, or refused by name."""

import decimal

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tolerances import ROUNDING, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import columns as tables

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def shop():
    """Numbers with a gap, dates and a target."""
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=Y)
    days = pd.date_range("2024-01-01", periods=len(frame)).strftime("%Y-%m-%d")
    return frame.assign(b=frame["b"].where(frame.index != 0), day=days)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("a", "0.123 EUR", "holds numbers, but 1 values of the {} table are none, first '0.123 EUR' in row 47"),
        ("a", pd.Timestamp("2024-01-01"), "holds numbers, but 1 values of the {}"),
        ("day", "31/12/2024", "holds dates as YYYY-MM-DD, but 1 values of the {} table are none, first '31/12/2024'"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_in_a_later_part_is_refused(split, column, value, wanted):
    table, other = shop()[:40], shop()[40:].astype({column: object})
    other.loc[47, column] = value
    with pytest.raises(zoo.InputError, match=wanted.format(split)):
        door.read(table, **{split: other}, target="label")
    _, splits = door.read(table, **{split: other}, target="label", skip_bad=True)
    assert len(splits[split]) == 20


def test_missing_values_and_numbers_as_texts_of_a_later_part_are_read():
    table, other = shop()[:40], shop()[40:].astype({"a": str, "day": object})
    other.loc[47, ["a", "day"]] = [None, ""]
    _, splits = door.read(table, test=other, target="label")
    a = splits["test"].inputs["a"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(a)), [7])
    assert_close(np.delete(a, 7), np.delete(X[40:, 0], 7), ROUNDING)


@pytest.mark.parametrize(
    "value", ["5_386", "٣", " 3 ", "1e3", "-inf", "1,5", "0x10", "", True, None]
)
def test_a_number_is_what_pandas_reads_as_one(value):
    read = pd.to_numeric(pd.Series([value], dtype=object), errors="coerce")
    assert tables.is_number(value) == read.notna().all()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Rescaling(1 / 255), "scales its inputs itself"),
        (keras.layers.Normalization(mean=0.0, variance=1.0), "scales its inputs itself"),
    ],
)
def test_a_nested_model_may_not_scale_its_inputs(layer, message, in_tmp):
    inside = keras.Sequential([keras.Input((3,)), layer])
    model = keras.Sequential([keras.Input((3,)), inside, keras.layers.Dense(2)])
    with pytest.raises(zoo.InputError, match=message):
        zoo.train(model, (X, Y), epochs=1, quiet=True)


def test_a_nested_embedding_must_have_a_row_for_each_word(in_tmp):
    texts = [f"word{i} and more" for i in range(60)]
    inside = keras.Sequential([keras.Input((None,)), keras.layers.Embedding(5, 2)])
    layers = [inside, keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    with pytest.raises(zoo.InputError, match="has 5 rows, but the texts have"):
        zoo.train(keras.Sequential([keras.Input((None,)), *layers]), (texts, Y), quiet=True)


@pytest.mark.parametrize(("dtype", "count"), [("int8", 128), ("uint8", 256)])
def test_labels_up_to_the_largest_number_of_their_dtype(dtype, count):
    y = np.tile(np.arange(count), 10).astype(dtype)
    x = RNG.normal(size=(len(y), 2))
    info, _ = door.read((x, y), task="classification")
    assert info.num_outputs == count


@pytest.mark.parametrize(
    ("train", "later", "message"),
    [
        (Y, np.eye(2)[Y], r"one number per example.*float64 of shape \(60, 2\)"),
        (Y, Y.astype(str), "one number per example"),
        (np.array(["no", "yes"])[Y], Y, "one text per example.*int64"),
        (X[:, 0], X[:, :2], r"one number per example.*\(60, 2\)"),
        (X[:, 0], np.array(["low", "high"])[Y], "one number per example"),
    ],
)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_targets_of_a_later_part_have_the_form_of_train_s(split, train, later, message):
    with pytest.raises(zoo.InputError, match=f"The {split} targets must be {message}"):
        door.read((X, train), **{split: (X + 9, later)})


@pytest.mark.parametrize("number", [float, decimal.Decimal])
def test_numbers_as_objects_are_a_regression(number):
    values = [number(value) for value in X[:, 0]]
    info, splits = door.read((X, np.array(values, object)))
    assert (info.task, splits["test"].targets.dtype) == ("regression", np.float32)
    frame = pd.DataFrame(X, columns=list("abc")).assign(price=np.array([None, *values[1:]], object))
    info, splits = door.read(frame, target="price", skip_bad=True)
    assert (info.task, sum(map(len, splits.values()))) == ("regression", 59)


@pytest.mark.parametrize("dtype", [object, bool])
def test_true_and_false_are_classes(dtype):
    labels = np.array([False, True], dtype)[Y]
    info, splits = door.read((X, labels), test=(X[:9] + 1, Y[:9]) if dtype is bool else None)
    assert info.labels == ("False", "True")
    assert splits["train"].targets.mean() == pytest.approx(
        Y[: len(splits["train"])].mean(), abs=0.2
    )


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        (X, Y, (3,)),
        (X, np.eye(2)[Y], (3,)),
        (X, Y[:, None], (3,)),
        (RNG.random((60, 10, 4)), np.eye(2)[Y], (10, 4)),
        ([f"text {i}" for i in range(60)], np.eye(2)[Y], None),
        ([f"text {i}" for i in range(60)], Y, None),
    ],
)
def test_a_tf_data_set_is_read_alike_in_batches_and_one_by_one(x, y, shape):
    one_by_one = tf.data.Dataset.from_tensor_slices((x, y))
    for dataset in (one_by_one, one_by_one.batch(7), one_by_one.batch(7).unbatch()):
        info, splits = door.read(dataset)
        assert info.num_outputs == 2
        assert sum(map(len, splits.values())) == 60
        assert shape in (None, info.input_shape)


def test_a_tf_data_set_that_could_be_of_batches_or_not_is_refused():
    images, targets = RNG.random((60, 10, 10, 1)), np.eye(10)[np.arange(60) % 10]
    one_by_one = tf.data.Dataset.from_tensor_slices((images, targets))
    for dataset in (one_by_one, one_by_one.batch(6, drop_remainder=True)):
        with pytest.raises(
            zoo.InputError, match=r"batches or single examples.*leave drop_remainder"
        ):
            door.read(dataset)
    info, _ = door.read(one_by_one.batch(6))
    assert info.input_shape == (10, 10, 1)


def test_columns_may_be_named_by_numbers(in_tmp):
    table = pd.DataFrame(np.c_[X, Y])
    options = {"epochs": 1, "batch_size": 8, "quiet": True}
    trained = zoo.train("dense:tiny", table, target=3, columns=table.columns[:2], **options)
    loaded = zoo.load(trained.export)
    assert loaded.card.columns == ("0", "1")
    assert len(loaded.predict(table[[0, 1]])["label"]) == 60
    with pytest.raises(zoo.InputError, match="no column .*4.* for the target.*It has: 0, 1, 2, 3"):
        zoo.train("dense:tiny", table, target=4, **options)


def test_one_callback_need_not_be_in_a_list(in_tmp):
    seen = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.model.count_params())
    options = {"epochs": 1, "batch_size": 8, "quiet": True}
    assert zoo.train("dense:tiny", (X, Y), callbacks=seen, **options).report
    assert seen.model is not None
    for wrong in ([keras.callbacks.EarlyStopping], print):
        with pytest.raises(zoo.InputError, match=r"an object and not its class. Received: <"):
            zoo.train("dense:tiny", (X, Y), callbacks=wrong, **options)


def build_of_one(input_shape):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(2)])


@pytest.mark.parametrize("model", [build_of_one, lambda: None, keras.Sequential, keras.Model, 3])
def test_what_is_no_builder_function_is_told_what_one_takes(model, in_tmp):
    with pytest.raises(zoo.InputError, match=r"takes \(input_shape, num_classes\)"):
        zoo.train(model, (X, Y), epochs=1, batch_size=8, quiet=True)


@pytest.mark.parametrize(
    "written",
    [
        lambda days: days,
        lambda days: days.dt.tz_localize("Asia/Tokyo"),
        lambda days: days.dt.strftime("%Y-%m-%dT%H:%M:%S+09:00"),
    ],
)
@pytest.mark.parametrize("hours", [0, 5])
def test_a_time_of_day_is_warned_of_once(written, hours, caplog):
    days = pd.Series(pd.date_range("2024-01-01", periods=60)) + pd.Timedelta(hours=hours)
    table = shop()[["a", "label"]].assign(when=written(days))
    door.read(table[:40], test=table[40:], target="label")
    assert caplog.text.count("only the day of 'when' is read") == (1 if hours else 0)


def test_a_table_of_few_different_rows_keeps_its_repeats(caplog):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("abc"), 600), "b": rng.choice(list("xyz"), 600)})
    info, splits = door.read(frame.assign(t=frame["a"] == "a"), target="t")
    assert len(splits["train"]) == 480
    assert "480 of 480 training examples repeat" in caplog.text
    assert len(door.make_splits(info, splits, batch_size=8).examples["train"]) == 432
