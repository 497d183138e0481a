"""What people try in their first hour who know Keras and scikit-learn: it works, or says what to write."""

import os

import keras
import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.data import load as door

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
QUICK = {"epochs": 2, "batch_size": 8, "quiet": True}


def small(hp, input_shape, num_classes):
    units = hp.Int("units", 2, 4)
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(units), keras.layers.Dense(num_classes)]
    )


def test_callbacks_that_watch_the_accuracy_know_that_more_is_better(in_tmp):
    watching = [
        keras.callbacks.EarlyStopping("val_accuracy", patience=1),
        keras.callbacks.ReduceLROnPlateau("accuracy"),
        keras.callbacks.ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True),
    ]
    zoo.train("dense:tiny", X, Y, callbacks=watching, **QUICK)
    assert os.path.exists("best.keras")


def test_a_list_of_batches_is_put_together(in_tmp):
    batches = [(X[i : i + 10], Y[i : i + 10]) for i in range(0, 80, 10)]
    info = zoo.inspect(batches).splits.info
    assert (info.input_shape, info.task) == ((3,), "classification")


def test_windows_of_one_column_that_overlap_are_told_of():
    wave = np.cumsum(RNG.normal(size=300))
    windows = np.lib.stride_tricks.sliding_window_view(wave, 8)[:-1]
    notes = zoo.inspect((windows, wave[8:])).splits.info.notes
    assert any("windows of one series that overlap" in line for line in notes)


def test_the_settings_may_be_a_dict_or_the_file_of_a_run(in_tmp):
    first = zoo.train("dense:tiny", X, Y, config={"epochs": 1, "learning_rate": 1}, quiet=True)
    again = zoo.train("dense:tiny", X, Y, config=first.folder / "config.yaml")
    assert again.report.scores == first.report.scores
    assert again.folder != first.folder


def test_a_trained_model_is_found_from_elsewhere_and_by_its_result(in_tmp, monkeypatch):
    trained = zoo.train("dense:tiny", X, Y, **QUICK)
    loaded = zoo.load(trained)
    more = zoo.train(trained.folder, X, Y, **QUICK)  # a path, not a text
    assert more.report.num_test == trained.report.num_test
    (in_tmp / "elsewhere").mkdir()
    monkeypatch.chdir(in_tmp / "elsewhere")
    np.testing.assert_array_equal(trained.predict(X)["label"], loaded.predict(X)["label"])


def test_a_search_does_not_go_on_with_another_function_of_the_same_name(in_tmp):
    options = {"tuner": "random", "trials": 1, "epochs": 1, "quiet": True, "batch_size": 8}
    zoo.tune(small, (X, Y), **options)

    def other(hp, input_shape, num_classes):
        units = 8 * hp.Int("units", 2, 4)
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.Dense(units), keras.layers.Dense(num_classes)]
        )

    other.__name__ = "small"
    with pytest.raises(zoo.InputError, match="another builder function of the same name"):
        zoo.tune(other, (X, Y), **options)


TEXTS = ["a good film", "a dull one"] * 40


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: zoo.train("seq2seq:tiny", X, Y), "A translation answers texts with texts"),
        (lambda: zoo.load("x" * 5000), "found by its name, or by the path"),
        (lambda: zoo.load(5), "found by its name, or by the path"),
        (lambda: zoo.load_run(None), "found by its folder"),
        (lambda: zoo.runs(None), "Runs lie in a folder"),
        (lambda: zoo.inspect("good film " * 500), "Unknown data set|no data set"),
        (lambda: zoo.train(keras.layers.Dense(2), X, Y), "`model` must be a name"),
        (lambda: zoo.train((X, Y), "dense:tiny"), "The model comes first"),
        (lambda: zoo.train("dense:tiny", pd.DataFrame(X), target=pd.Series(Y)), "come third"),
        (lambda: zoo.train("dense:tiny", X, Y, units=8), "model_args"),
        (lambda: zoo.train("wine_dense", X, Y), "takes inputs of shape|takes 13 columns|columns"),
    ],
)
def test_what_cannot_be_is_answered_in_words(call, told, in_tmp):
    with pytest.raises(zoo.InputError, match=told):
        call()
    assert not list(in_tmp.glob("runs/*"))


def test_channels_first_is_refused(in_tmp):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(zoo.InputError, match="channels last"):
            zoo.train("dense:tiny", X, Y, **QUICK)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_counts_and_titles_may_be_numpy_s_and_pandas_s(in_tmp):
    assert zoo.build("dense:tiny", input_shape=(np.int64(3),), num_classes=Y.max() + 1).output_shape == (None, 2)  # fmt: skip
    frame = pd.DataFrame(X).assign(kind=Y)
    assert zoo.inspect(frame, target=pd.Index(["kind"]), columns=frame.columns[:2]).splits.info.columns == ("0", "1")  # fmt: skip


def test_a_table_goes_on_with_its_columns_in_the_order_of_the_model(in_tmp):
    columns = list(zoo.load("wine_dense").card.columns)
    frame = pd.DataFrame(RNG.normal(size=(60, 13)), columns=columns).assign(kind=list("abc") * 20)
    turned = frame[[*columns[::-1], "kind"]]
    with pytest.raises(zoo.InputError, match="same columns in another order: pass columns="):
        zoo.train("wine_dense", turned, target="kind", **QUICK)
    trained = zoo.train("wine_dense", turned, target="kind", columns=columns, **QUICK)
    assert zoo.load(trained.export).card.columns == tuple(columns)


def test_bytes_that_are_no_text_are_refused_and_not_merged():
    frame = pd.DataFrame({"a": X[:, 0], "code": [b"\xff", b"\xfe"] * 40, "kind": Y})
    with pytest.raises(zoo.InputError, match="'code' holds bytes that are no UTF-8"):
        zoo.inspect(frame, target="kind")


def test_a_list_of_inputs_is_in_the_order_of_the_model_whatever_the_order_of_the_dict(in_tmp):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 200, 3)).astype("float32")
    inputs = [keras.Input((3,), name=name) for name in ("first", "second")]
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(inputs)))
    data = {"second": second, "first": first}
    trained = zoo.train(model, data, first[:, 0] > 0, epochs=1, quiet=True)
    by_name = trained.predict(data)["probabilities"]
    np.testing.assert_array_equal(trained.predict([first, second])["probabilities"], by_name)


def test_weighted_accuracy_is_logged_beside_the_accuracy(in_tmp):
    x = np.random.default_rng(0).normal(size=(120, 3)).astype("float32")
    weights = np.repeat([1.0, 0.0], 60)
    trained = zoo.train(
        "dense:tiny", x, x[:, 0] > 0, sample_weight=weights, weighted_metrics=["accuracy"], epochs=1, quiet=True
    )  # fmt: skip
    assert {"accuracy", "weighted_accuracy"} <= set(trained.history.history)


def test_skip_bad_leaves_repeats_that_chance_explains(in_tmp):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"town": rng.choice(["Rome", "Oslo"], 100), "age": rng.normal(size=100)})
    table.loc[3, "age"] = np.nan
    _, splits = door.read(table, target=("age",), task="regression", skip_bad=True)
    assert splits["train"].count == 79


def test_a_builder_of_a_search_takes_shapes_by_their_places(in_tmp):
    def builder(hp, shape, n):
        units = hp.Int("u", 2, 4, 2)
        return keras.Sequential([keras.Input(shape), keras.layers.Dense(units), keras.layers.Dense(n)])  # fmt: skip

    x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
    tuned = zoo.tune(builder, x, x[:, 0] > 0, tuner="random", trials=1, epochs=1, quiet=True)
    assert len(tuned.trials) == 1
    assert "classification" in str(zoo.inspect(x, x[:, 0] > 0))


def test_whole_numbers_for_a_model_of_one_output_say_how_to_predict_a_number():
    x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(zoo.InputError, match="To predict a number pass task='regression'"):
        zoo.train(model, x, np.arange(100) % 9, quiet=True)
