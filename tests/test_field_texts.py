"""Texts and categories as people write them: one reading in training, test split, `zoo predict`, `zoo.load` and plain TensorFlow."""

import logging
import unicodedata

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import categories, cleaning
from zoo.data.user import csv_files
from zoo.saving import card as cards
from zoo.saving import inputs

RNG = np.random.default_rng(0)
OPTIONS = {"batch_size": 16, "learning_rate": 0.01, "quiet": True}
MOODS = {"good": ["fine", "great", "lovely"], "bad": ["poor", "awful", "boring"]}
LABELS = ["good", "bad"] * 60


def reviews(written="the film was {word} and number {i} of all"):
    """120 texts, whose label one word tells."""
    words = [RNG.choice(MOODS[label]) for label in LABELS]
    return [written.format(word=word, i=i) for i, word in enumerate(words)]


def plain(trained, **given):
    """What plain TensorFlow answers with the exported model."""
    model = tf.saved_model.load(str(trained.export)).signatures["serving_default"]
    found = model(**{name: tf.constant(values) for name, values in given.items()})
    return found["probabilities"].numpy()


def from_file(model, name):
    """What `zoo predict` answers to a file."""
    return np.array([row["probabilities"] for row in inputs.predict_files(model, [name])])


@pytest.fixture
def said(caplog):
    """What the log says."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


@pytest.fixture(scope="module")
def opinion(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("runs") / "opinion")
    table = pd.DataFrame({"review": reviews(), "label": LABELS})
    return zoo.train("cnn:tiny", table, target="label", epochs=2, out=out, **OPTIONS)


# HTML and signs of print


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<p>Fish &amp; chips</p><p>here</p>", ["fish", "chips", "here"]),
        ("un<b>believ</b>able<br/>good", ["unbelievable", "good"]),
        ("caf&eacute; &#233;t&#xE9; na&iuml;ve", ["café", "été", "naïve"]),
        ("it&#39;s it&rsquo;s it’s it's", ["its", "its", "its", "its"]),
        ('<a href="http://x.org/?a=1&amp;b=2" title="no">yes</a>', ["yes"]),
        ("<script>if (a<b) f()</script>yes<!-- no -->", ["yes"]),
        ("&amp;lt;b&amp;gt;", ["ltbgt"]),
        ("a < b and c > d", ["a", "b", "and", "c", "d"]),
        ("vector<int> x", ["vectorint", "x"]),
        ("one\u00a0two\u3000three\u2003four\u2028five", ["one", "two", "three", "four", "five"]),
        ("“film”… well\u2011known — «oui» ¿qué?", ["film", "wellknown", "oui", "qué"]),
        ("soft\u00adhyphen zero\u200bwidth \ufeffbom", ["softhyphen", "zerowidth", "bom"]),
        ("great😀😀 👍", ["great", "😀", "😀", "👍"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("me@x.org 3.50 don't", ["mexorg", "350", "dont"]),
    ],
)
def test_html_and_signs_of_print_are_read_as_text(text, words):
    assert cleaning.units([text], "words", ("html", "signs")) == [words]


def test_texts_of_models_of_before_are_cleaned_as_before():
    assert cleaning.units(["<p>“a”\u00a0b</p>"], "words") == [["p“a”\u00a0bp"]]
    content = cards.read(zoo.saving.store.find("cmudict_stress")).to_json()
    assert "text_cleaning" not in content


def test_html_is_read_alike_in_training_and_everywhere_after(in_tmp):
    written = "<p>The film&nbsp;was <b>{word}</b> &amp; number {i}</p>"
    texts = np.array(reviews(written))
    trained = zoo.train("cnn:tiny", (texts, LABELS), epochs=1, **OPTIONS)
    assert "hold HTML" in (trained.report.folder / "log.txt").read_text()
    model = zoo.load(trained.export)
    assert model.card.text_cleaning == ("html", "signs")
    assert not model._vocabulary & {"p", "b", "nbspwas", "amp"}
    pair = [written.format(word="awful", i=3), "the film was AWFUL number 3"]
    found = model.predict(pair)["probabilities"]
    assert_close(found[0], found[1], KERNELS, scale=1)
    assert_close(plain(trained, text=pair), found, KERNELS, scale=1)


def test_html_is_told_of_by_a_model_that_learned_from_none(opinion, said):
    zoo.load(opinion.export).predict(["<p>The film&nbsp;was awful</p>", "the film was awful"])
    assert "1 of 2 texts hold HTML" in said()


def test_texts_of_which_nothing_is_left_are_counted(said):
    texts = np.array(["...", ":-)", "👍 ", "<br />", *reviews()[4:]])
    door.read((texts, np.array(LABELS)))
    assert "3 of" in said()
    assert "hold no words, first example 0 ('...')" in said()


def test_letters_in_parts_are_told_of(said):
    texts = np.array(reviews())
    texts[3] = unicodedata.normalize("NFD", "a café")
    door.read((texts, np.array(LABELS)))
    assert "1 of" in said()
    assert "write letters in parts" in said()


# Categories


@pytest.mark.parametrize(
    ("known", "given", "found"),
    [
        (["a b", "c"], ["a \t b", " c\n", "a\u00a0b", "\ufeffc"], ["a b", "c", "a b", "c"]),
        (["1.0", "2.5"], ["1", "2.50", "10", "1.000"], ["1", "2.5", "10", "1"]),
        (["1.1", "1.10"], ["1.1", "1.10"], ["1.1", "1.10"]),
        (["007", "12"], ["007", "12.0", "7"], ["007", "12", "7"]),
        (["TRUE", "False"], ["1", "0.0", "yes", "F"], ["true", "false", "true", "false"]),
        (["t", "y", "n"], ["T", "Y", "1"], ["t", "y", "1"]),
        (["Rome", "Öslo"], ["Rome", "Öslo"], ["Rome", "Öslo"]),
    ],
)
def test_categories_are_cleaned_in_the_graph(known, given, found):
    layer = categories.CleanTexts.for_texts(np.array(known))
    assert [text.decode() for text in layer(tf.constant(given)).numpy()] == found
    again = categories.CleanTexts.from_config(layer.get_config())
    assert [text.decode() for text in again(tf.constant(given)).numpy()] == found


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1234567.0, 3.0, np.nan], ["1234567", "3", ""]),
        (np.array([0.1, 2.5], "float32"), ["0.1", "2.5"]),
        ([True, None, pd.NA], ["True", "", ""]),
        ([b"x", np.str_("y"), np.bytes_(b"z")], ["x", "y", "z"]),
        ([pd.Timestamp("2024-03-01"), pd.NaT], ["2024-03-01", ""]),
        (pd.array([1, None], dtype="Int64"), ["1", ""]),
    ],
)
def test_values_of_python_are_written_as_one_would_type_them(values, texts):
    assert categories.as_texts(pd.Series(values)).tolist() == texts


def test_categories_that_training_did_not_know_are_named(shop, said):
    model = zoo.load(shop.export)
    model.predict(USUAL)
    assert "none that training knew" not in said()
    model.predict({**USUAL, "city": ["new york", "Oslo", ""]})
    assert "city: 2 of 3 values are none that training knew, first 'Oslo'" in said()
    model.predict({**USUAL, "city": ["new york ", "Rome", ""]})
    assert "first 'new york' (it knew 'New York')" in said()


# Files


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('a,k\n"x\ny",1\nz,2\n\n"q\n\n",3\nw,4\n', [2, 4, 6, 9]),
        ('a,k\r\n"x\r\ny",1\r\nz,2', [2, 4]),
        ("\n \na,k\nx,1\ny,2\n", [4, 5]),
        ("sep=;\na;k\nx;1\n\ny;2", [3, 5]),
        ("a,k\nx\u2028z,1\n\n\"y\x85\",2\n", [2, 4]),
        ("a\nx\n\n\"y\nz\"\nq\n", [2, 4, 6]),
        ("a,k\nx,1\ny,2", [2, 3]),
    ],
)  # fmt: skip
def test_rows_are_named_by_the_lines_on_which_they_begin(text, lines):
    assert csv_files.read_csv("t.csv", text.encode())[0].index.tolist() == lines


def test_codes_stay_texts_in_a_table_that_pandas_reads_in_pieces(in_tmp):
    codes = np.where(np.arange(70_000) < 40_000, "3", "003")
    lines = [f"{code},{i},{'ab'[i % 2]}" for i, code in enumerate(codes)]
    (in_tmp / "t.csv").write_text("\n".join(["code,n,kind", *lines]) + "\n")
    info, splits = door.read("t.csv", target="kind")
    assert info.column_kinds == ("category", "number")
    found = np.concatenate([part.inputs["code"] for part in splits.values()])
    assert [(found == code).sum() for code in ("3", "003")] == [40_000, 30_000]


def test_a_test_table_may_write_its_titles_in_other_capitals(in_tmp):
    (in_tmp / "both").mkdir()
    table = pd.DataFrame(
        {"City": ["Rome", "Oslo"] * 40, "x": RNG.normal(size=80), "kind": ["a", "b"] * 40}
    )
    table.to_csv("both/train.csv")
    table[:20].set_axis(["CITY", " X", "Kind"], axis=1).to_csv("both/test.csv", index=False)
    info, splits = door.read("both", target="kind", repeats="keep")
    assert (info.columns, splits["test"].inputs["City"][0]) == (("City", "x"), "Rome")


@pytest.mark.parametrize(
    "header", ["Review", "REVIEW ", "\ufeffreview", ",review", "id,review_text", "n,mood,Review"]
)
def test_the_column_of_texts_is_found(header, opinion, in_tmp):
    before = "1," * header.count(",")
    texts = ["the film was fine", "so boring"]
    (in_tmp / "n.csv").write_text("\n".join([header, *(before + text for text in texts)]) + "\n")
    model = zoo.load(opinion.export)
    wanted = model.predict(texts)["probabilities"]
    assert_close(from_file(model, "n.csv"), wanted, KERNELS, scale=1)
    assert_close(model.predict(pd.read_csv("n.csv"))["probabilities"], wanted, KERNELS, scale=1)
    assert_close(model.predict(pd.Series(texts))["probabilities"], wanted, KERNELS, scale=1)


# All kinds, wherever they are asked


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A model of every kind of column."""
    out, count = str(tmp_path_factory.mktemp("runs") / "shop"), 240
    flag, city = RNG.random(count) > 0.5, RNG.choice(["New York", "Öslo", "Rome"], count)
    table = pd.DataFrame({
        "city": city, "flag": flag, "size": RNG.normal(size=count), "zip code": RNG.choice([3, 7, 1234567], count),
        "day": pd.date_range("2024-01-01", periods=count), "when": 1_700_000_000 + RNG.integers(0, 60, count),
        "level": RNG.choice(["1.0", "2.5"], count), "kind": np.where(flag ^ (city == "Rome"), "up", "down"),
    })  # fmt: skip
    table.loc[::17, "size"], table.loc[::19, "city"] = np.nan, None
    options = {"kinds": {"zip code": "category", "level": "category"}, "epochs": 15, "out": out}
    return zoo.train("dense:tiny", table, target="kind", **OPTIONS, **options)


USUAL = {
    "city": ["New York", "Öslo", ""],
    "flag": ["true", "false", "true"],
    "size": [0.0, 1.0, np.nan],
    "zip_code": ["3", "1234567", "7"],
    "day": ["2024-03-01", "2024-03-02", ""],
    "when": [1_700_000_003.0, 1_700_000_004.0, 1_700_000_059.0],
    "level": ["1", "2.5", "1"],
}


@pytest.mark.parametrize(
    "odd",
    [
        {"city": [" New \t York\n", "Öslo\u00a0", np.nan], "size": [0, 1, None]},
        {"city": ["New York", "Öslo", pd.NA], "size": [0, 1, pd.NA]},
        {"city": np.array([b"New York", "Öslo".encode(), b""])},
        {"flag": [True, False, True]},
        {"flag": [1, 0.0, np.True_]},
        {"flag": ["TRUE", " no ", "Yes"]},
        {"flag": pd.array([True, False, True], dtype="boolean"), "size": pd.array([0, 1, None])},
        {"city": pd.Categorical(["New York", "Öslo", None]), "flag": pd.array([1, 0, 1])},
        {"city": tf.constant(["New York", "Öslo", ""]), "size": np.array([0, 1, pd.NA], object)},
        {"zip_code": [3.0, 1234567.0, 7]},
        {"zip_code": np.array([3, 1234567, 7]), "level": [1, 2.5, 1.0]},
        {"day": [pd.Timestamp("2024-03-01 11:00", tz="Asia/Tokyo"), " 2024-03-02T10:00Z", pd.NaT]},
        {"day": np.array(["2024-03-01", "2024-03-02", "NaT"], "datetime64[D]")},
        {"level": ["1.00", "2.50", "1"]},
    ],
)
def test_odd_values_of_python_are_answered_as_the_usual_ones(odd, shop):
    model, given = zoo.load(shop.export), {**USUAL, **odd}
    wanted = model.predict(USUAL)["probabilities"]
    assert_close(model.predict(given)["probabilities"], wanted, KERNELS, scale=1)
    frame = pd.DataFrame(
        {name: list(np.array(v) if tf.is_tensor(v) else v) for name, v in given.items()}
    )
    assert_close(model.predict(frame)["probabilities"], wanted, KERNELS, scale=1)


def test_odd_values_are_answered_alike_in_files_and_by_plain_tensorflow(shop, in_tmp):
    wanted = zoo.load(shop.export).predict(USUAL)["probabilities"]
    (in_tmp / "n.csv").write_text(
        'City,FLAG,size,Zip Code,day,when,level\n"New\n York",TRUE,0,3,2024-03-01 ,1700000003,1.0\n'
        "Öslo ,0,1.0,1234567.0,2024-03-02T10:00Z,1700000004,2.50\n ,yes,n/a,7,,1700000059,1\n"
    )
    found = list(inputs.predict_files(zoo.load(shop.export), ["n.csv"]))
    assert [row["input"] for row in found] == ["n.csv:2", "n.csv:4", "n.csv:5"]
    assert_close(np.array([row["probabilities"] for row in found]), wanted, KERNELS, scale=1)
    odd = {
        "city": ["New\n York ", "Öslo\u00a0", ""],
        "flag": ["TRUE", "0", "Yes"],
        "size": np.array(USUAL["size"], "float32"),
        "zip_code": ["3.0", "1234567", " 7"],
        "day": [" 2024-03-01", "2024-03-02T10:00Z", ""],
        "when": np.array(USUAL["when"]),
        "level": ["1.00", "2.50", "1"],
    }
    assert_close(plain(shop, **odd), wanted, KERNELS, scale=1)


def test_golden_rows_hold_oddly_written_values(shop, opinion):
    held = np.load(shop.export / "assets.extra/golden.npz")
    assert {" " in held["inputs/city"][-3], held["inputs/city"][-2] == ""} == {True}
    assert held["inputs/flag"][-3].strip() in ("TRUE", "FALSE")
    assert np.isnan(held["inputs/size"][-2])
    assert held["inputs/day"][-1] == "no such value"
    assert "<P>" in str(np.load(opinion.export / "assets.extra/golden.npz")["inputs/text"])
    for trained in (shop, opinion):
        assert zoo.verify(trained.export)["problems"] == []


def cases():
    """Kind → model, training data, options, test inputs as training takes them, and as plain TensorFlow does."""
    pixels = RNG.integers(0, 256, (60, 8, 8, 1)).astype("uint8")
    features = RNG.normal(size=(60, 4, 2))
    table = pd.DataFrame({"a": RNG.normal(size=60).round(3), "b c": RNG.integers(0, 9, 60)})
    kinds = ["x", "y"] * 30
    texts = np.array(reviews()[:60])
    odd = np.array([f"  {text.upper()}\u00a0! " for text in texts])
    return {
        "image": ("cnn:tiny", (pixels, kinds), (pixels[:9], kinds[:9]), {"image": pixels[:9]}),
        "features": ("dense:tiny", (features, kinds), (features[:9], kinds[:9]), {"features": features[:9].astype("float32")}),
        "text": ("cnn:tiny", (texts, kinds), (odd[:9], kinds[:9]), {"text": odd[:9].tolist()}),
        "table": ("dense:tiny", table.assign(kind=kinds), table[:9].astype(str).assign(kind=kinds[:9]), {
            "a": table["a"][:9].to_numpy("float32"), "b_c": table["b c"][:9].to_numpy("float32"),
        }),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["image", "features", "text", "table"])
def test_each_kind_is_read_alike_in_the_test_split_the_product_and_plain_tensorflow(kind, in_tmp):
    model, data, test, raw = cases()[kind]
    options = {"target": "kind"} if kind == "table" else {}
    trained = zoo.train(model, data, test=test, epochs=1, repeats="keep", **OPTIONS, **options)
    _, splits = door.read(data, test=test, repeats="keep", target=tuple(options.values()))
    loaded = zoo.load(trained.export)
    assert loaded.card.input_kind == kind
    given = test.drop(columns="kind") if kind == "table" else test[0]
    wanted = loaded.predict(given)["probabilities"]
    assert_close(plain(trained, **raw), wanted, KERNELS, scale=1)
    read = splits["test"].inputs
    read = dict(zip(loaded.card.columns, read.T)) if kind == "table" else read
    assert_close(loaded.predict(read)["probabilities"], wanted, KERNELS, scale=1)
    name = "n.npy" if kind in ("image", "features") else "n.csv"
    frame = given if kind == "table" else pd.DataFrame({"text": given}) if kind == "text" else None
    np.save(name, given) if frame is None else frame.to_csv(name, index=False)
    assert_close(from_file(loaded, name), wanted, KERNELS, scale=1)


def test_a_series_is_read_alike_in_the_test_split_the_product_and_plain_tensorflow(in_tmp):
    days = pd.date_range("2023-01-01", periods=160).strftime("%Y-%m-%d")
    sold = np.round(1000 + 50 * np.sin(np.arange(160)) + RNG.normal(size=160), 1)
    table = pd.DataFrame({"day": days, "Units sold": [f"{value:,}" for value in sold]})
    table.to_csv("t.csv", index=False)
    options = {"target": "Units sold", "task": "forecasting", "window": 24, "decimal": "."}
    trained = zoo.train("dense:tiny", "t.csv", epochs=1, **OPTIONS, **options)
    _, splits = door.read("t.csv", **{**options, "target": ("Units sold",)})
    model, newest = zoo.load(trained.export), table[-25:-1][::-1]
    wanted = model.predict(splits["test"].inputs[-1:])["forecast"]
    newest.set_axis(["day", " UNITS SOLD"], axis=1).to_csv("n.csv", index=False)
    (found,) = [row["forecast"] for row in inputs.predict_files(model, ["n.csv"])]
    assert_close(np.array([found], "float32"), wanted, KERNELS)
    numbers = newest.assign(**{"Units sold": sold[-25:-1][::-1]})
    assert_close(model.predict(numbers)["forecast"], wanted, KERNELS)
    served = tf.saved_model.load(str(trained.export)).signatures["serving_default"]
    raw = sold[None, -25:-1, None].astype("float32")
    assert_close(served(series=tf.constant(raw))["forecast"].numpy(), wanted, KERNELS)
