"""What a loaded model is given: answered as it is meant, or refused by name."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo.data.kinds import cleaning
from zoo.data.kinds import text as texts
from zoo.saving import card as cards
from zoo.saving import foreign as foreign_models
from zoo.saving import inputs, manifest, store

COLUMNS = {name: np.ones(3) for name in cards.read(store.find("wine_dense")).columns}


@pytest.fixture(scope="module")
def rows():
    """A table whose codes decide its labels, one of them a number with zeros before it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "code": np.repeat(["007", "A12", "B3", "C9"], 50),
        "day": pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d"),
        "size": rng.normal(size=200),
    })  # fmt: skip
    return table.assign(label=np.where(table["code"] == "007", "grün", "été"))


@pytest.fixture(scope="module")
def shop(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "shop"
    options = {"epochs": 12, "learning_rate": 1e-2, "out": str(out), "quiet": True}
    return zoo.load(zoo.train("dense:small", rows, target="label", **options).export)


def test_labels_in_any_script_come_back_and_verify(shop, rows):
    found = shop.predict(rows.drop(columns="label"))["label"]
    assert (found == rows["label"]).mean() > 0.95
    assert zoo.verify(shop.path)["problems"] == []


def test_codes_in_a_file_stay_texts_though_all_look_like_numbers(shop, rows, in_tmp):
    some = rows[rows["code"] == "007"].drop(columns="label")
    some.to_csv("some.csv", index=False)
    found = [row["probabilities"] for row in inputs.predict_files(shop, ["some.csv"])]
    assert_close(found, shop.predict(some)["probabilities"], KERNELS, scale=1)


def test_codes_in_a_test_file_stay_texts_where_those_of_train_are(rows, in_tmp):
    rows[20:].to_csv("train.csv", index=False)
    rows[:20].to_csv("test.csv", index=False)
    splits = zoo.load_dataset(".", target=("label",))
    assert set(splits.pick("test", range(20))["code"]) == {"007"}


@pytest.mark.parametrize("day", ["31/01/2020", "2020-13-01", "2020-01-45"])
def test_what_is_no_date_is_refused_and_not_taken_for_a_gap(day, shop, rows):
    some = rows[:3].drop(columns="label")
    with pytest.raises(zoo.InputError, match=f"'day' must hold dates.*{day}.*row 1"):
        shop.predict(some.assign(day=["2020-01-01", day, None]))
    shop.predict(some.assign(day=None))


def test_columns_of_a_dict_are_not_brought_together_by_their_index(shop):
    given = {"code": pd.Series(["007"] * 3), "day": pd.Series(["2020-01-01"] * 3, index=[3, 4, 5])}
    assert len(shop.predict({**given, "size": [1, 2, 3]})["label"]) == 3
    for size, words in ((1.0, "one value for each example"), ([1, 2], "differ in length")):
        with pytest.raises(zoo.InputError, match=words):
            shop.predict({**given, "size": size})


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        (" alcohol_", np.ones(3), "'alcohol' is there twice"),
        ("alcohol", np.ones((3, 2)), r"one value for each example. Received: shape \(3, 2\)"),
        ("alcohol", np.array(["2020-01-01"] * 3, "datetime64[D]"), "must hold numbers.*datetime64"),
        ("alcohol", np.array([1j] * 3), "must hold numbers.*complex"),
        ("alcohol", np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), "masked"),
    ],
)
def test_columns_that_can_be_misread_are_refused(column, values, words):
    with pytest.raises(zoo.InputError, match=words):
        zoo.load("wine_dense").predict({**COLUMNS, column: values})


def test_a_loaded_model_says_what_it_is():
    shown = repr(zoo.load("digits_cnn"))
    assert shown.startswith("<digits_cnn (cnn:base), classification of image; signatures: embed, ")


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((28, 28, 3), "uint8"), "takes grey images.*as of one in colour"),
        ([np.zeros((8, 8)), np.zeros((9, 9))], "only pictures, uint8"),
        (np.zeros((0, 8, 8), "uint8"), "no examples"),
        ({"image": np.zeros((2, 8, 8), "uint8")}, r"Received: dict$"),
        ("image.png", r"Received: str$"),
    ],
)
def test_images_that_can_be_misread_are_refused(images, words):
    model = zoo.load("digits_cnn")
    for call in (model, model.predict):
        with pytest.raises(zoo.InputError, match=words):
            call(images)


def test_texts_without_a_word_are_refused_and_of_unknown_words_alone_are_told(caplog):
    model = zoo.load("cmudict_stress")
    for text in ("<br />", " \n"):
        with pytest.raises(zoo.InputError, match="example 1 is empty or holds no characters"):
            model.predict(["hello", text])
    with pytest.raises(zoo.InputError, match=r"one value for each example.*\(1, 2\)"):
        model.predict([["hello", "world"]])
    assert "knows" not in caplog.text
    model.predict(["hello", "12345"])
    assert (
        "1 of 2 texts hold no characters that cmudict_stress knows, first example 1" in caplog.text
    )


@pytest.mark.parametrize("unit", texts.UNITS)
def test_units_are_told_apart_as_the_graph_does(unit):
    given = ["It's <br /> GREAT!", "  ... ?", "été"]
    cleaned = [text.decode() for text in cleaning.clean(tf.constant(given), unit).numpy()]
    split = [list(text) if unit == "characters" else text.split() for text in cleaned]
    assert cleaning.units(given, unit) == split


def test_numbers_of_a_vae_are_checked():
    model = zoo.load("mnist_vae")
    for seed in (2**31, 1.7):
        with pytest.raises(zoo.InputError, match="`seed` must be a whole number of 32 bits"):
            model.sample(1, seed=seed)
    for latent in ([["a"]], np.full((1, 1), np.nan)):
        with pytest.raises(zoo.InputError, match="latent"):
            model.decode(latent)


def test_the_scale_of_a_row_does_not_hide_among_others(in_tmp):
    x = np.random.default_rng(0).normal(size=(60, 3))
    trained = zoo.train("dense:tiny", (x, x[:, 0] > 0), epochs=1, batch_size=8, quiet=True)
    model = zoo.load(trained.export)
    with pytest.raises(zoo.InputError, match="in example 7: bring them to the same scale"):
        model.predict(np.concatenate([np.zeros((7, 3)), np.full((1, 3), 1e4), np.zeros((999, 3))]))
    np.savetxt("rows.csv", x[:5], delimiter=",")
    with pytest.raises(zoo.InputError, match="rows.csv needs a header line"):
        list(inputs.predict_files(model, ["rows.csv"]))
    pd.DataFrame(x[:5]).to_csv("rows.csv", index=False)
    assert len(list(inputs.predict_files(model, ["rows.csv"]))) == 5


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    module, folder = tf.Module(), tmp_path_factory.mktemp("foreign")
    spec = tf.TensorSpec([None], tf.uint8, name="x")
    module.f = tf.function(
        lambda x: {"y": tf.strings.as_string(x), "square": tf.reshape(x, [2, 2])},
        input_signature=[spec],
    )
    tf.saved_model.save(module, str(folder / "model"), signatures=module.f)
    return zoo.load(folder / "model", foreign=True)


def test_numbers_that_would_be_others_in_the_dtype_of_a_foreign_model_are_refused(foreign):
    for values in ([0.2, 0.9, 1.0, 1.0], [-1, 300, 0, 0], [np.nan] * 4):
        with pytest.raises(zoo.InputError, match="'x' must be uint8"):
            foreign({"x": np.array(values)})
    assert foreign({"x": [1, 2, 3, 255]})["square"].numpy().tolist() == [[1, 2], [3, 255]]
    with pytest.raises(zoo.InputError, match="cannot compute with these inputs"):
        foreign({"x": [1, 2, 3]})


def test_texts_of_a_foreign_model_are_written(foreign, in_tmp):
    np.savez("x.npz", x=np.arange(4, dtype="uint8"))
    (row,) = inputs.predict_files(foreign, ["x.npz"])
    assert json.loads(json.dumps(row))["outputs"]["y"] == ["0", "1", "2", "3"]


def test_tensors_of_every_kind_of_a_foreign_model_are_written(in_tmp):
    np.savez("x.npz", x=np.zeros(1))
    outputs = {
        "ragged": tf.ragged.constant([[b"a"], [b"b", b"c"]]),
        "sparse": tf.SparseTensor([[2, 1]], [5.0], [10**12, 10**6]),  # written out 8 million TB
        "complex": tf.constant([1 + 2j]),
        "half": tf.constant([0.5], tf.bfloat16),
        "text": tf.constant(b"\xff"),
    }
    (row,) = foreign_models.predict_files(lambda inputs: outputs, ["x.npz"])
    assert json.loads(json.dumps(row))["outputs"] == {
        "ragged": [["a"], ["b", "c"]],
        "sparse": {"indices": [[2, 1]], "values": [5.0], "shape": [10**12, 10**6]},
        "complex": [[1.0, 2.0]],
        "half": [0.5],
        "text": "\ufffd",
    }


def test_a_label_cannot_steer_the_terminal():
    row = {"input": "x", "label": "\x1b[2Jé", "probabilities": [1.0]}
    assert inputs.as_text(row) == r"x: \x1b[2Jé (100.0%)"


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", name) for name in ("../x", "/x", "..", "", "a\\b", "a\nb")]
    + [("input_kind", "sound"), ("input_shape", [8, 8])],
)
def test_cards_that_would_lead_elsewhere_are_refused(key, value, in_tmp):
    card = cards.read(store.find("digits_cnn"))
    (in_tmp / manifest.EXTRA).mkdir()
    (in_tmp / manifest.EXTRA / "card.json").write_text(json.dumps({**card.to_json(), key: value}))
    with pytest.raises(manifest.DamagedModelError, match=f"no usable entry '{key}'"):
        cards.read(in_tmp)
