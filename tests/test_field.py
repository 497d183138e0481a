"""Tables and series as people write them: one reading in training, test split, `zoo predict`, `zoo.load` and plain TensorFlow."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import readings, units
from zoo.saving import inputs

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=240).round(3)
OPTIONS = {"epochs": 25, "batch_size": 16, "learning_rate": 0.01, "quiet": True}


def write(name, rows, header, separator=","):
    """Writes a file as a program does: a cell that holds the separator in quotes."""
    cells = [[f'"{c}"' if separator in str(c) else str(c) for c in row] for row in rows]
    lines = [separator.join(cells_of_row) for cells_of_row in [header, *cells]]
    with open(name, "w") as file:
        file.write("\n".join(lines) + "\n")
    return name


def read(name, target="kind", **options):
    return door.read(name, target=(target,), **options)


# Numbers


@pytest.mark.parametrize(
    ("texts", "style", "numbers"),
    [
        (["9,750", "10.5", "1,250,000"], "1,234.5", [9750, 10.5, 1250000]),
        (["1.234,5", "12"], "1.234,5", [1234.5, 12]),
        (["95,5", "3,25"], "1.234,5", [95.5, 3.25]),
        (["1 234,5", "12"], "1 234,5", [1234.5, 12]),
        (["1\u202f234.5", "1\u00a0000"], "1 234.5", [1234.5, 1000]),
        (["$9,750.00", "-$1.00", "$ 2.00"], "1,234.5", [9750, -1, 2]),
        (["$9,750.00", "$1.00", "$ 2.00"], "1,234.5", [9750, 1, 2]),
        (["3,50 €", "4,00 €"], "1.234,5", [3.5, 4]),
        (["12 %", "3.5%"], "plain", [12, 3.5]),
        (["-1", "+2", ".5", "1e3", "0", "0.25"], "plain", [-1, 2, 0.5, 1000, 0, 0.25]),
        (["007", "12"], None, None),
        (["1,2,3"], None, None),
        (["12,34.5"], None, None),
        (["one"], None, None),
    ],
)
def test_numbers_are_read_as_they_are_written(texts, style, numbers):
    assert units.number_style(texts) == style
    if style:
        np.testing.assert_array_equal(units.to_numbers(texts, style), numbers)


def test_a_number_that_can_be_two_is_asked_about():
    with pytest.raises(zoo.InputError, match="'9,750' can be read in two ways: pass decimal='.'"):
        units.number_style(["9,750", "12"])
    assert units.number_style(["9,750", "12"], ".") == "1,234.5"
    assert units.number_style(["9,750", "12"], ",") == "1.234,5"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_thousands_are_numbers_everywhere(separator, in_tmp):
    price = RNG.integers(100, 20000, 240)
    rows = [[f"{p:,}", n, "dear" if p > 9000 else "cheap"] for p, n in zip(price, NOISE)]
    options = {} if separator == "," else {"decimal": "."}
    write("t.csv", rows, ["price", "noise", "kind"], separator)
    trained = zoo.train("dense:tiny", "t.csv", target="kind", **OPTIONS, **options)
    assert trained.report.scores["accuracy"] > 0.9
    model = zoo.load(trained.export)
    write("new.csv", [["19,500", 0], ["125", 0], ["3,000", 0]], ["price", "noise"], separator)
    (found,) = [[row["label"] for row in inputs.predict_files(model, ["new.csv"])]]
    numbers = {"price": [19500.0, 125.0, 3000.0], "noise": [0.0, 0.0, 0.0]}
    texts = {**numbers, "price": ["19,500", "125", "3,000"]}
    for given in (numbers, texts, pd.DataFrame(numbers), pd.DataFrame(texts)):
        assert model.predict(given)["label"].tolist() == found == ["dear", "cheap", "cheap"]
    assert (
        "price: numbers with thousands separators"
        in (trained.report.folder / "log.txt").read_text()
    )


def test_a_value_that_is_no_number_beside_written_ones_is_told_of_with_its_line(in_tmp):
    price = [f"${1000 + 7 * i:,}" for i in range(240)]
    price[5] = "(1,200)"
    rows = [[p, n, "ab"[i % 2]] for i, (p, n) in enumerate(zip(price, NOISE))]
    name = write("t.csv", rows, ["price", "noise", "kind"])
    with pytest.raises(
        zoo.InputError, match=r"'price' holds numbers such as .*'\(1,200\)' in line 7: mend"
    ):
        read(name)
    for options in ({"missing": ("(1,200)",)}, {"skip_bad": True}):
        _, splits = read(name, **options)
        held = np.concatenate([data.inputs["price"] for data in splits.values()])
        assert np.isnan(held).sum() == 1
        assert np.nanmax(held) == 1000 + 7 * 239


def test_prices_in_whole_dollars_are_a_regression(in_tmp, caplog):
    area = RNG.normal(100, 20, 240).round(1)
    rows = [[a, f"{round(1000 * a):,}"] for a in area]
    info, splits = read(write("t.csv", rows, ["area", "price"]), "price")
    assert info.task == "regression"
    assert splits["train"].targets.max() > 1e5


def test_large_numbers_that_differ_little_are_told_apart(in_tmp):
    when = 1_700_000_000 + RNG.integers(0, 60, 240)
    rows = [[w, n, "late" if w % 60 > 30 else "early"] for w, n in zip(when, NOISE)]
    rows = [[w, n, "late" if w > 1_700_000_030 else "early"] for w, n, _ in rows]
    trained = zoo.train(
        "dense:tiny", write("t.csv", rows, ["when", "z", "kind"]), target="kind", **OPTIONS
    )
    assert trained.report.scores["accuracy"] > 0.9
    ends = {"when": np.array([1_700_000_002.0, 1_700_000_058.0]), "z": np.zeros(2, "float32")}
    model = zoo.load(trained.export)
    assert model.predict(ends)["label"].tolist() == ["early", "late"]
    assert (
        model.signatures["serving_default"].structured_input_signature[1]["when"].dtype
        == tf.float64
    )
    assert zoo.verify(trained.export)["largest_difference"] < 1e-5


# Categories and gaps


def test_yes_and_no_are_the_same_in_any_spelling_everywhere(in_tmp):
    flags = RNG.choice(["TRUE", "FALSE", ""], 240, p=[0.45, 0.45, 0.1])
    rows = [[f, n, "yes" if f == "TRUE" else "no"] for f, n in zip(flags, NOISE)]
    trained = zoo.train(
        "dense:tiny", write("t.csv", rows, ["flag", "noise", "bought"]), target="bought", **OPTIONS
    )
    assert trained.report.scores["accuracy"] > 0.95
    model = zoo.load(trained.export)
    given = ["TRUE", "True", " true ", "FALSE", "false"]
    wanted = ["yes", "yes", "yes", "no", "no"]
    noise = np.full(5, 0.1, "float32")
    assert model.predict({"flag": given, "noise": noise})["label"].tolist() == wanted
    frame = pd.DataFrame({"flag": [True, False], "noise": [0.1, 0.1]})
    assert model.predict(frame)["label"].tolist() == ["yes", "no"]
    plain = tf.saved_model.load(str(trained.export)).signatures["serving_default"]
    answers = plain(flag=tf.constant(given), noise=tf.constant(noise))["label"].numpy()
    assert [label.decode() for label in answers] == wanted
    write("new.csv", [[f, 0.1] for f in given], ["flag", "noise"])
    assert [row["label"] for row in inputs.predict_files(model, ["new.csv"])] == wanted


def test_na_is_a_country_and_an_empty_cell_is_a_gap(in_tmp):
    land = RNG.choice(["NA", "FR", "None", "null", ""], 240)
    rows = [[c, n, "yes" if c == "NA" else "no"] for c, n in zip(land, NOISE)]
    name = write("t.csv", rows, ["country", "noise", "bought"])
    _, splits = read(name, "bought")
    assert {"NA", "None", "null", ""} <= set(splits["train"].inputs["country"])
    _, splits = read(name, "bought", missing=("NA",))
    assert "NA" not in splits["train"].inputs["country"]
    trained = zoo.train("dense:tiny", name, target="bought", **OPTIONS)
    model = zoo.load(trained.export)
    frame = pd.DataFrame({"country": ["NA", "FR", None], "noise": [0.0, 0.0, 0.0]})
    assert model.predict(frame)["label"].tolist() == ["yes", "no", "no"]
    write("new.csv", [["NA", 0], ["FR", 0], ["", 0]], ["country", "noise"])
    assert [row["label"] for row in inputs.predict_files(model, ["new.csv"])] == ["yes", "no", "no"]


def test_usual_words_for_a_gap_are_gaps_beside_numbers(in_tmp, caplog):
    caplog.set_level("INFO")
    rows = [
        [n if i % 9 else "n/a", m, "ab"[i % 2]] for i, (n, m) in enumerate(zip(NOISE, NOISE[::-1]))
    ]
    info, splits = read(write("t.csv", rows, ["x", "z", "kind"]))
    assert dict(zip(info.columns, info.column_kinds)) == {"x": "number", "z": "number"}
    assert np.isnan(splits["train"].inputs["x"]).sum() > 10
    assert "x: 'n/a' counted as missing" in caplog.text


def test_codes_are_no_numbers(in_tmp):
    rows = [[f"{i % 8:03}", i % 8, n, "ab"[i % 2]] for i, n in enumerate(NOISE)]
    name = write("t.csv", rows, ["code", "region", "noise", "kind"])
    info, splits = read(name)
    assert dict(zip(info.columns, info.column_kinds))["code"] == "category"
    assert "007" in splits["train"].inputs["code"]
    info, _ = read(name, kinds={"region": "category"})
    assert dict(zip(info.columns, info.column_kinds))["region"] == "category"
    with pytest.raises(
        zoo.InputError, match="kinds.*'regoin'.*Did you mean 'region'|Unknown column in kinds"
    ):
        read(name, kinds={"regoin": "category"})
    frame = pd.DataFrame(
        {"region": pd.Categorical(np.arange(240) % 8), "n": NOISE, "kind": list("ab") * 120}
    )
    info, _ = door.read(frame, target="kind")
    assert info.column_kinds == ("category", "number")


# Labels


def test_labels_are_stripped_and_capitals_do_not_make_another(in_tmp, caplog):
    rows = [[n, ["dear", "dear ", "Dear", "cheap", " cheap"][i % 5]] for i, n in enumerate(NOISE)]
    info, _ = read(write("t.csv", rows, ["x", "kind"]))
    assert info.labels == ("cheap", "dear")
    assert "'Dear' are 'dear'" in caplog.text
    info, _ = door.read((NOISE[:, None], np.array(["a", "A", "b"] * 80)))
    assert info.labels == ("A", "a", "b")


def test_the_label_007_stays_007(in_tmp):
    rows = [[n, ["007", "042"][i % 2]] for i, n in enumerate(NOISE)]
    assert read(write("t.csv", rows, ["x", "kind"]))[0].labels == ("007", "042")


def test_several_labels_in_a_cell_are_noticed_and_split(in_tmp, caplog):
    cells = [
        "drama|comedy",
        "drama",
        "comedy",
        "other",
        "other|drama",
        "comedy|other",
        "drama|comedy|other",
    ]
    rows = [[n, cells[i % 7]] for i, n in enumerate(NOISE)]
    name = write("t.csv", rows, ["x", "genres"])
    read(name, "genres")
    assert "pass target_separator='|'" in caplog.text
    info, splits = read(name, "genres", target_separator="|")
    assert (info.task, info.labels) == ("multilabel", ("comedy", "drama", "other"))
    assert set(splits["train"].targets.sum(1)) == {1.0, 2.0, 3.0}


# Files


@pytest.mark.parametrize(
    ("text", "columns", "told"),
    [
        ("a,b,kind\n1,2,x,\n3,4,y,\n", ["a", "b", "kind"], "ends of lines"),
        ('"a","kind"\n"1",1,x\n"2",2,y\n', ["a", "kind"], "names the rows"),
        ("sep=;\na;b;kind\n1,5;2;x\n2,5;3;y\n", ["a", "b", "kind"], ""),
        ("\ufeffa;kind\n1,5;x\n2;y\n", ["a", "kind"], ""),
    ],
)
def test_shapes_of_files_are_found_and_said(text, columns, told, in_tmp, caplog):
    caplog.set_level("INFO")
    with open("t.csv", "w") as file:
        file.write(text)
    files = zoo.import_quietly("zoo.data.user.csv_files")
    frame, _ = files.read_csv("t.csv")
    assert list(frame.columns) == columns
    assert frame["kind"].tolist() == ["x", "y"]
    assert told in caplog.text


CELLS = {
    "whole": ["1", "0", "-3", "12345"],
    "gaps": ["1", "", "3", "4"],
    "fractions": ["0.1", "2.", ".5", "1e-7"],
    "many digits": ["0.30000000000000004", "123456.789012345678", "1e22", "9007199254740993.5"],
    "whole as fractions": ["1.0", "2.0", "3.0", "4.0"],
    "codes": ["007", "12", "1", "3"],
    "a plus": ["+49", "12", "1", "3"],
    "long": ["1234567890123456789", "12", "1", "3"],
    "infinite": ["inf", "1", "2", "3"],
    "yes or no": ["TRUE", "FALSE", "TRUE", "FALSE"],
    "yes or no with a gap": ["true", "", "true", "false"],
    "words for gaps": ["1", "n/a", "3", "nan"],
    "spaces": [" 1", "2 ", "3", "4"],
    "spaces alone": ["1", " ", "3", "4"],
    "thousands": ["1,234", "2,000", "12", "999"],
    "a comma beside points": ["1.100", "2.200", "3.300", "4.400"],
    "texts": ["NA", "None", "", "x"],
    "empty": ["", "", "", ""],
    "exponents": ["1e5", "1E5", "2e0", "3e1"],
}


@pytest.mark.parametrize("name", CELLS)
def test_numbers_are_the_same_whether_they_are_read_as_texts_first_or_at_once(name, in_tmp):
    files = zoo.import_quietly("zoo.data.user.csv_files")
    for beside in (["a", "b", "c", "d"], ["1,5", "2,5", "3,5", "4,5"]):
        write("t.csv", list(zip(CELLS[name], beside)), ["x", "beside"])
        found = []
        for texts in (None, []):
            frame, separator = files.read_csv("t.csv", texts=texts)
            try:
                frame, styles = readings.typed_frame(frame, quoted_in=separator)
            except zoo.InputError as error:
                found.append(str(error))
                continue
            kinds = [column.dtype.kind for _, column in frame.items()]
            found.append((kinds, frame.astype(object).to_csv(float_format=repr), styles))
        assert found[0] == found[1]


def test_a_number_that_comes_late_is_the_same_category_as_before(in_tmp):
    codes = ["3"] * 150_000 + ["003"] * 150_000  # more than pandas judges at once
    write("t.csv", [[code, i % 7, "ab"[i % 2]] for i, code in enumerate(codes)], ["x", "z", "kind"])
    info, splits = read("t.csv", repeats="keep")
    assert info.column_kinds[0] == "category"
    assert set(splits["train"].inputs["x"]) == {"3", "003"}


def test_a_file_without_a_header_is_refused(in_tmp):
    with open("t.csv", "w") as file:
        file.write("1.5,2,3\n4,5,6\n")
    with pytest.raises(zoo.InputError, match="needs a header line"):
        read("t.csv")


def test_a_model_of_texts_knows_its_column(in_tmp):
    words = {"good": "fine great lovely", "bad": "poor awful boring"}
    rows = [
        [i, f"the film was {RNG.choice(words[mood].split())} number {i}", mood]
        for i, mood in enumerate(["good", "bad"] * 60)
    ]
    write("t.csv", rows, ["id", "review", "label"])
    options = {**OPTIONS, "epochs": 10}
    trained = zoo.train("cnn:tiny", "t.csv", target="label", columns="review", **options)
    model = zoo.load(trained.export)
    write("new.csv", [[1, "the film was awful"], [2, "the film was lovely"]], ["id", "review"])
    found = [row["probabilities"] for row in inputs.predict_files(model, ["new.csv"])]
    frame = pd.read_csv("new.csv")
    assert_close(model.predict(frame)["probabilities"], found, KERNELS, scale=1)
    assert_close(model.predict(frame["review"])["probabilities"], found, KERNELS, scale=1)


# Time


@pytest.mark.parametrize(
    "form", ["%m/%d/%Y", "%d.%m.%Y", "%b %d, %Y", "%d/%m/%Y", "%Y-%m-%d", "%d %B %Y"]
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_series_is_read_in_the_order_of_time(form, newest_first, in_tmp, caplog):
    caplog.set_level("INFO")
    days = pd.date_range("2022-01-03", periods=200)
    rows = [[day.strftime(form), value] for day, value in zip(days, np.arange(200.0) + NOISE[:200])]
    name = write("t.csv", rows[::-1] if newest_first else rows, ["day", "sold"])
    info, splits = read(name, "sold", task="forecasting", horizon=7)
    assert info.columns == ("sold",)
    assert splits["test"].inputs.mean() > splits["train"].inputs.mean()
    assert ("the newest row comes first" in caplog.text) == newest_first


def test_several_series_below_each_other_are_refused(in_tmp):
    days = pd.date_range("2022-01-03", periods=120).strftime("%m/%d/%Y")
    rows = [[day, shop, v] for shop in "ab" for day, v in zip(days, NOISE)]
    with pytest.raises(zoo.InputError, match="do not rise.*one series at a time"):
        read(write("t.csv", rows, ["day", "shop", "sold"]), "sold", task="forecasting")


# What a person would want to hear


@pytest.mark.parametrize("column", ["number", "code", "copy", "noise"])
def test_a_column_that_alone_tells_the_classes_is_named(column, in_tmp, caplog):
    kind = np.repeat(["cheap", "dear"], 120)
    values = {
        "number": np.arange(1000, 1240),
        "code": np.where(kind == "dear", "D7", "C3"),
        "copy": np.where(kind == "dear", 1.5, 0.5),
        "noise": NOISE[::-1],
    }[column]
    door.read(pd.DataFrame({"z": NOISE, column: values, "kind": kind}), target="kind")
    assert (f"the column {column} alone tells" in caplog.text) == (column != "noise")
    assert ("numbers the rows" in caplog.text) == (column == "number")


@pytest.mark.parametrize(
    ("train", "test"), [("Training", "Testing"), ("training_set", "test_set"), ("train", "TEST")]
)
def test_the_usual_names_of_splits_are_no_classes(train, test, in_tmp):
    for split, count in ((train, 8), (test, 4)):
        for label in ("cat", "dog"):
            folder = in_tmp / "pets" / split / label
            (folder / ".ipynb_checkpoints").mkdir(parents=True)
            for i in range(count):
                pixels = RNG.integers(0, 256, (8, 8, 3), "uint8")
                keras.utils.save_img(folder / f"{i}.png", pixels, scale=False)
                keras.utils.save_img(
                    folder / ".ipynb_checkpoints" / f"{i}.png", pixels, scale=False
                )
    info, splits = door.read("pets")
    assert info.labels == ("cat", "dog")
    assert {split: len(data) for split, data in splits.items()} == {"train": 16, "test": 8}
