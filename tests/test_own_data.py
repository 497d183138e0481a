"""The caller's own files and tables: trained, exported, and predicted in a fresh process."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import warm
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import examples as sources
from zoo.data import load as door
from zoo.data.kinds import dates, image_files, pixels
from zoo.data.kinds.encoder import encoder
from zoo.data.prepare import prepare

WORDS = {"good": "a fine film with great actors", "bad": "dull and far too long, sadly"}


def write_photographs(folder, count=24):
    """Crops of two real photographs, each of another size, as PNG, JPEG and grey PNG."""
    from sklearn.datasets import load_sample_images

    rng, bunch = np.random.default_rng(0), load_sample_images()
    for name, photograph in zip(("china", "flower"), bunch.images, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            height, width = rng.integers(20, 60, 2)
            top, left = rng.integers(0, 300), rng.integers(0, 500)
            crop = photograph[top : top + height, left : left + width]
            if i % 3 == 0:
                content, ending = tf.io.encode_jpeg(crop, quality=95), "JPG"
            else:
                content, ending = tf.io.encode_png(crop if i % 3 == 1 else crop[..., :1]), "png"
            (folder / name / f"{i}.{ending}").write_bytes(content.numpy())
    return folder


def messy_table(count=300):
    """Numbers with gaps, texts, dates, an id, a constant; the target depends on each kind."""
    rng = np.random.default_rng(0)
    age, city = rng.normal(40, 10, count), rng.choice(["Rome", "Oslo", "Lima"], count)
    days = rng.integers(0, 700, count)
    bought = (age > 40) ^ (city == "Rome") ^ (days > 350)
    return pd.DataFrame(
        {
            "customer id": np.arange(count) + 1000,
            "age in years": np.where(rng.random(count) < 0.1, np.nan, age.round(1)),
            "city": np.where(rng.random(count) < 0.05, None, city),
            "since": (pd.Timestamp("2021-01-01") + pd.to_timedelta(days, "D")).strftime("%Y-%m-%d"),
            "country": "unknown",
            "bought": np.where(bought, "yes", "no"),
        }
    )


def write_texts(folder, count=30):
    rng = np.random.default_rng(0)
    for name, words in WORDS.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            text = " ".join(rng.choice(words.split(), 12)) + f" number {i}"
            (folder / name / f"{i}.txt").write_text(text, encoding="utf-8")
    return folder


def in_fresh_process(export, raw):
    """The probabilities that plain TensorFlow gets from an export, in a process of its own."""
    code = (
        "raw = json.loads(sys.argv[2])\n"
        "if 'image' in raw:\n"
        "    raw = {'image': tf.stack([tf.io.decode_image(tf.io.read_file(raw['image']), channels=3)])}\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "outputs = model.signatures['serving_default'](**{k: tf.constant(v) for k, v in raw.items()})\n"
        "print(json.dumps(outputs['probabilities'].numpy().tolist()))"
    )
    return np.array(warm.in_plain_tensorflow(code, export, json.dumps(raw)))


def in_memory(trained, preparation, raw):
    """The same from the trained model itself."""
    logits = trained.network.predict(preparation.inputs(raw), verbose=0)
    return tf.nn.softmax(logits).numpy()


@pytest.mark.slow
def test_a_folder_of_photographs(in_tmp):
    folder = write_photographs(in_tmp / "photos")
    trained = zoo.train("cnn:tiny", folder, epochs=8, batch_size=8, learning_rate=1e-2, quiet=True)
    splits = zoo.load_dataset(folder, batch_size=8)
    assert splits.info.labels == ("china", "flower")
    assert splits.info.input_shape[-1] == 3
    assert trained.report.num_test == 10
    assert trained.report.scores["accuracy"] > 0.5
    one = folder / "china" / "0.JPG"
    decoded = pixels.decode(one.read_bytes(), 3)[None]
    small = image_files.resize(decoded, splits.info.input_shape[:2])
    wanted = in_memory(trained, prepare(splits), small)
    assert_close(in_fresh_process(trained.export, {"image": str(one)}), wanted, KERNELS, scale=1)
    served = zoo.load(trained.export).predict(decoded.numpy())["probabilities"]
    assert_close(served, wanted, KERNELS, scale=1)


def test_a_stream_of_photographs_equals_them_in_memory(tmp_path):
    folder = write_photographs(tmp_path / "photos", 8)
    held, streamed = (zoo.load_dataset(folder, batch_size=4, cache_mb=mb) for mb in (256, 0))
    for (a, b), (c, d) in zip(held.test, streamed.test, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_a_folder_with_splits_and_equal_sizes(tmp_path):
    for split in ("train", "val", "test"):
        for i, name in enumerate(("dark", "light")):
            (tmp_path / split / name).mkdir(parents=True)
            for k in range(6):
                grey = np.full((10, 12, 1), 100 * i + 10 * k + len(split), "uint8")
                (tmp_path / split / name / f"{k}.png").write_bytes(tf.io.encode_png(grey).numpy())
    splits = zoo.load_dataset(tmp_path, batch_size=4)
    assert splits.info.input_shape == (10, 12, 1)  # their own size, one channel
    assert {name: len(data) for name, data in splits.examples.items()} == dict.fromkeys(
        ("train", "validation", "test"), 12
    )


def test_a_messy_table(in_tmp, capfd):
    table = messy_table()
    table.to_csv("shop.csv", index=False)
    trained = zoo.train("dense:small", "shop.csv", target="bought", epochs=30, learning_rate=1e-2)
    said = capfd.readouterr().err
    for words in ("'customer id' is left out", "'country' is left out: it is constant"):
        assert words in said
    assert trained.report.scores["accuracy"] > 0.8
    info = zoo.load_dataset("shop.csv", target=("bought",)).info
    assert dict(zip(info.columns, info.column_kinds, strict=True)) == {
        "age_in_years": "number", "city": "category", "since": "date",
    }  # fmt: skip

    row = {"age_in_years": [33.5, float("nan")], "city": ["Rome", ""], "since": ["2021-05-01", ""]}
    served = in_fresh_process(trained.export, row)
    assert np.isfinite(served).all()
    frame = pd.DataFrame(
        {
            "age in years": [33.5, None],
            "city": ["Rome", None],
            "since": ["2021-05-01", None],
            "customer id": [1, 2],
        }
    )
    found = zoo.load(trained.export).predict(frame)["probabilities"]
    assert_close(found, served, KERNELS, scale=1)
    preparation = prepare(zoo.load_dataset("shop.csv", target=("bought",)))
    raw = {name: tf.constant(values) for name, values in row.items()}
    assert_close(in_memory(trained, preparation, raw), served, KERNELS, scale=1)


def test_statistics_of_a_messy_table_come_from_train_alone():
    table = messy_table()
    shifted = table.copy()
    info, splits = door.read(
        table, test=table.iloc[:0:-3].assign(**{"age in years": 999.0}), target="bought"
    )
    _, alone = door.read(
        table, test=shifted.iloc[:50].assign(**{"age in years": -999.0}), target="bought"
    )
    first, second = (
        encoder(info, part["train"].inputs)[0](
            {k: tf.constant(v[:5]) for k, v in splits["train"].inputs.items()}
        )
        for part in (splits, alone)
    )
    np.testing.assert_array_equal(first, second)


def test_a_category_that_train_does_not_know_is_no_other_category():
    info, splits = door.read(messy_table(), target="bought")
    encode, _ = encoder(info, splits["train"].inputs)
    raw = {
        "age_in_years": [1.0] * 3,
        "city": ["Rome", "Paris", "Quito"],
        "since": ["2021-05-01"] * 3,
    }
    rome, paris, quito = encode({k: tf.constant(v) for k, v in raw.items()}).numpy()
    assert (paris == quito).all()
    assert (rome != paris).any()


def test_dates_are_the_calendar_s():
    days = pd.date_range("1899-12-25", "2104-03-05", freq="17D")
    parts = dates.DateParts()(tf.constant(days.strftime("%Y-%m-%d").tolist())).numpy()
    np.testing.assert_array_equal(parts[:, 0], (days - pd.Timestamp("1970-01-01")).days)
    np.testing.assert_array_equal(parts[:, 1], days.month)
    np.testing.assert_array_equal(parts[:, 2], days.weekday)
    assert np.isnan(dates.DateParts()(tf.constant(["", "yesterday"])).numpy()).all()


@pytest.mark.slow
def test_a_folder_of_texts(in_tmp):
    folder = write_texts(in_tmp / "reviews")
    trained = zoo.train("cnn:tiny", folder, epochs=6, batch_size=8, learning_rate=1e-2, quiet=True)
    assert trained.report.scores["accuracy"] > 0.9
    texts = ["great actors", "sadly far too long", "words that are in no text of train"]
    served = in_fresh_process(trained.export, {"text": texts})
    preparation = prepare(zoo.load_dataset(folder))
    assert_close(in_memory(trained, preparation, tf.constant(texts)), served, KERNELS, scale=1)
    loaded = zoo.load(trained.export)
    assert_close(loaded.predict(texts)["probabilities"], served, KERNELS, scale=1)
    assert loaded.predict(texts)["label"].tolist()[:2] == ["good", "bad"]


def test_texts_in_a_csv_in_lists_and_in_npz_are_the_same(in_tmp):
    folder = write_texts(in_tmp / "reviews")
    files = [(p.read_text(), p.parent.name) for p in sorted(folder.rglob("*.txt"))]
    frame = pd.DataFrame(files, columns=["review", "mood"])
    frame.to_csv("reviews.csv", index=False)
    np.savez("reviews.npz", x=frame["review"].to_numpy(str), y=frame["mood"].to_numpy(str))
    texts, moods = zip(*files, strict=True)
    info, one = door.read((list(texts), list(moods)))
    assert info.kind == "text"
    assert info.labels == ("bad", "good")
    for other in (
        door.read("reviews.csv", target=("mood",)),
        door.read("reviews.npz"),
        door.read(folder),
    ):
        assert other[0].kind == "text"
        assert other[0].labels == info.labels
        assert sorted(other[1]["test"].inputs) == sorted(one["test"].inputs)


@pytest.mark.parametrize("keys", [("x", "y"), ("x_train", "y_train")])
def test_arrays_in_npz(in_tmp, keys):
    x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
    np.savez("data.npz", **dict(zip(keys, (x, x[:, 0] > 0), strict=True)))
    info, splits = door.read("data.npz")
    assert info.kind == "features"
    assert len(splits["test"]) == 10


def test_a_folder_of_tables(in_tmp):
    table = messy_table()
    (in_tmp / "shop").mkdir()
    table[:200].to_csv("shop/train.csv", index=False)
    table[200:].to_csv("shop/test.csv", index=False)
    info, splits = door.read("shop", target=("bought",))
    assert len(splits["train"]) == 200
    assert len(splits["test"]) == 100


@pytest.mark.parametrize(
    ("targets", "task", "labels"),
    [
        (["no", "yes"] * 20, "classification", ("no", "yes")),
        ([-1, 1] * 20, "classification", ("-1", "1")),
        ([7, 9] * 20, "classification", ("7", "9")),
        ([100, 2000] * 20, "classification", ("100", "2000")),
        (np.eye(4)[np.arange(40) % 4], "classification", ("0", "1", "2", "3")),
        ((np.arange(80).reshape(40, 2) % 3 == 0).astype(int), "multilabel", ("0", "1")),
        (np.linspace(0.1, 1, 40), "regression", ()),
    ],
)  # fmt: skip
def test_the_task_is_told_from_the_targets(targets, task, labels):
    x = np.random.default_rng(0).normal(size=(40, 3))
    info, splits = door.read((x, targets))
    assert (info.task, info.labels) == (task, labels)
    if task == "classification" and len(labels) == 2:
        assert set(splits["train"].targets) == {0, 1}


@pytest.mark.slow
def test_a_family_of_the_caller_s(in_tmp):
    """A builder function in the caller's own file, through train, export and load."""
    (in_tmp / "my_family.py").write_text(
        "import keras\n"
        "def build_gated(input_shape, num_classes, *, width=8):\n"
        "    inputs = keras.Input(input_shape, name='inputs')\n"
        "    x = keras.layers.Dense(width)(inputs) * keras.layers.Dense(width, 'sigmoid')(inputs)\n"
        "    return keras.Model(inputs, keras.layers.Dense(num_classes, name='logits')(x), name='gated')\n"
    )
    script = (
        "import zoo, my_family\n"
        "t = zoo.train(my_family.build_gated, 'wine', epochs=15, learning_rate=1e-2, batch_size=16, "
        "model_args={'width': 16}, quiet=True)\n"
        "assert t.report.scores['accuracy'] > 0.8, t.report\n"
        "print(t.export)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=in_tmp
    )
    loaded = zoo.load(in_tmp / child.stdout.splitlines()[-1])
    wine = zoo.load_dataset("wine")
    rows = dict(zip(wine.info.columns, wine.pick("test", range(5)).T, strict=True))
    assert loaded.predict(rows)["probabilities"].shape == (5, 3)
    assert loaded.card.builder is None
    assert loaded.card.config["model"] == "own:build_gated"


def test_skip_bad_goes_on_without_what_cannot_be_used(in_tmp, caplog):
    folder = write_photographs(in_tmp / "photos", 10)
    (folder / "china" / "broken.png").write_bytes(b"no image")
    with caplog.at_level("WARNING", "zoo"):
        _, splits = door.read(folder, skip_bad=True)
    assert sum(map(len, splits.values())) == 20
    assert (
        f"1 train examples left out, first {folder}/china/broken.png: it is damaged" in caplog.text
    )

    table = messy_table(100)
    table["age in years"] = table["age in years"].astype(object)
    table.loc[3, "age in years"], table.loc[5, "bought"] = "many", None
    info, splits = door.read(table, target="bought", skip_bad=True)
    assert (
        sum(map(len, splits.values())) == 99
    )  # the row without a target is gone, the other has a gap
    assert info.column_kinds[0] == "number"

    x = np.random.default_rng(0).normal(size=(40, 3))
    y = np.arange(40) % 2
    x[7, 1], x[9, 2] = np.nan, np.inf
    _, splits = door.read((x, y), skip_bad=True)
    assert sum(map(len, splits.values())) == 38
    assert all(np.isfinite(part.inputs).all() for part in splits.values())

    texts = ["", " ", b"sch\xf6n"] + [f"text {i}" for i in range(37)]
    _, splits = door.read((np.array(texts, object), y), skip_bad=True)
    assert sum(map(len, splits.values())) == 37

    x = np.random.default_rng(1).normal(size=(40, 3))
    _, splits = door.read((x, y), test=(x[:4], y[:4]), skip_bad=True)
    assert len(splits["train"]) == 36
    assert not set(map(bytes, splits["train"].inputs)) & set(map(bytes, splits["test"].inputs))


TWICE = np.random.default_rng(0).normal(size=(60, 3)).repeat(2, 0).astype("float32")
TWICE_Y = np.arange(120) // 2 % 2


def shared(splits):
    """The inputs of train that are in the test split as well."""
    return set(map(bytes, splits["train"].inputs)) & set(map(bytes, splits["test"].inputs))


def test_rows_of_many_values_that_are_there_twice_are_told_of_and_left_out_when_asked_for():
    with pytest.raises(zoo.InputError, match=r"repeats='drop' \(--repeats drop\).*repeats='keep'"):
        door.read((TWICE, TWICE_Y))
    assert not shared(door.read((TWICE, TWICE_Y), repeats="drop")[1])
    assert len(door.read((TWICE, TWICE_Y), repeats="keep")[1]["train"]) == 96


def test_few_repeats_are_left_out_of_train_with_a_word(caplog):
    x, y = np.random.default_rng(0).normal(size=(600, 3)), np.arange(600) % 2
    _, splits = door.read((x, y), test=(x[:7], y[:7]))
    assert len(splits["train"]) == 593
    assert (
        "7 of 600 training examples repeat an example of validation or test: left out"
        in caplog.text
    )
    _, splits = door.read((x, y), test=(x[:7], y[:7]), repeats="keep")
    assert len(splits["train"]) == 600


def test_repeats_of_the_validation_carved_from_train_are_left_out():
    test = TWICE[:9] + 9, np.arange(9) % 2
    info, splits = door.read((TWICE, TWICE_Y), test=test)
    with pytest.raises(zoo.InputError, match="in validation"):
        door.make_splits(info, splits, batch_size=8)
    made = door.make_splits(info, splits, batch_size=8, repeats="drop").examples
    assert len(made["validation"]) == 12
    assert not set(map(bytes, made["train"].inputs)) & set(map(bytes, made["validation"].inputs))
    published = dataclasses.replace(info, source="an article")
    kept = door.make_splits(published, splits, batch_size=8).examples
    assert len(kept["train"]) == 108


@pytest.mark.parametrize("rows", [1200, 3000])
def test_answers_to_a_few_questions_repeat_by_chance_and_all_stay(rows, caplog):
    caplog.set_level("INFO")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(1, 6, rows) for name in "abc"})
    frame["answer"] = frame.sum(axis=1) > 9
    info, splits = door.read(frame, target="answer")
    assert len(splits["train"]) == 0.8 * rows
    assert "as many as chance explains" in caplog.text
    assert len(door.make_splits(info, splits, batch_size=8).examples["train"]) == 0.72 * rows


@pytest.mark.parametrize(("words", "stay"), [(2, True), (30, False)])
def test_short_texts_repeat_by_chance_and_long_ones_do_not(words, stay):
    rng = np.random.default_rng(0)
    known = [" ".join(rng.choice(list("abcdefghij"), words)) for _ in range(60)]
    texts = np.array(known, object)[rng.integers(0, 60, 400)]
    data = texts, (np.char.count(texts.astype(str), "a") > words / 10).astype(int)
    if stay:
        assert len(door.read(data)[1]["train"]) == 320
        return
    with pytest.raises(zoo.InputError, match="more than chance explains"):
        door.read(data)


@pytest.mark.parametrize("form", ["mixed", "plain", "stream"])
def test_numbers_that_differ_little_are_standardised(form, caplog):
    big = 1e7 + np.random.default_rng(0).integers(-4, 5, 3000).astype("float32")
    columns = {"big": big, "flat": np.full(3000, 1e7 / 3, "float32")}
    kinds = ("number", "number") if form == "mixed" else ()
    inputs = columns if kinds else np.stack(list(columns.values()), -1)
    data = sources.Arrays(inputs, np.arange(3000.0, dtype="float32"))
    if form == "stream":
        data = sources.Stream(tf.data.Dataset.from_tensor_slices(data.tensors), 3000)
    info = sources.DataInfo(
        "sums", "table", "regression", (2,), "float32", (), tuple(columns), kinds
    )
    splits = dict.fromkeys(("train", "validation", "test"), data)
    prepared = prepare(door.make_splits(info, splits, batch_size=8)).inputs(inputs).numpy()
    assert abs(prepared[:, 0].mean()) < 0.2  # float32 knows whole numbers alone there
    assert prepared[:, 0].std() == pytest.approx(1, abs=1e-3)
    assert not prepared[:, 1:].any()
    assert "flat" in caplog.text
    assert "big" not in caplog.text


@pytest.mark.slow
def test_several_labels_from_columns_to_the_export(in_tmp):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).round(4)
    table = pd.DataFrame(x, columns=list("abcd")).assign(
        warm=(x[:, 0] > 0).astype(int), wet=(x[:, 1] + x[:, 2] > 0).astype(int)
    )
    trained = zoo.train(
        "dense:small", table, target=("warm", "wet"), epochs=15, learning_rate=1e-2, quiet=True
    )
    loaded = zoo.load(trained.export)
    assert loaded.labels == ("warm", "wet")
    answers = loaded.predict(table[list("abcd")])["probabilities"]
    right = (answers > 0.5) == table[["warm", "wet"]].to_numpy(bool)
    assert right.mean() > 0.85
