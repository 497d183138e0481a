"""Several inputs of a model of one's own, by name: each is described, checked, prepared and served as the kind that it is."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo import cli
from zoo.data import load as door

RNG = np.random.default_rng(0)
N = 120
IMAGES = RNG.integers(0, 256, (N, 8, 8, 1)).astype("uint8")
NUMBERS = RNG.normal(50, 20, size=(N, 3)).astype("float32")
CLASSES = (NUMBERS[:, 0] > 50).astype(int)
PEOPLE = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, NUMBERS[:, 0]),
        "sex": RNG.choice(["f", "m"], N),
    }
)
TEXTS = [" ".join(RNG.choice(["good", "bad", "film", "plot", "a"], 5)) for _ in range(N)]
BOTH = {"image": IMAGES, "columns": NUMBERS}
OPTIONS = {"epochs": 1, "batch_size": 16, "quiet": True}


def of_two(as_dict=False, width=3, name="columns", classes=2):
    """A functional model of an image and some numbers."""
    image, numbers = keras.Input((8, 8, 1), name="image"), keras.Input((width,), name=name)
    looked = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))
    both = keras.layers.Concatenate()([looked, keras.layers.Dense(4)(numbers)])
    inputs = {"image": image, name: numbers} if as_dict else [image, numbers]
    return keras.Model(inputs, keras.layers.Dense(classes)(both), name="both")


def build(shapes, classes, vocabulary_size=10):
    """A model for inputs of any names and shapes: numbers as they are, ids embedded."""
    inputs, parts = {}, []
    for name, shape in shapes.items():
        inputs[name] = part = keras.Input(shape, name=name)
        if name == "text":
            part = keras.layers.Embedding(vocabulary_size, 2)(part)
        parts.append(keras.layers.Flatten()(part))
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Concatenate()(parts)))


def rows(data, wanted):
    return {name: part[wanted] for name, part in data.items()}


def split_of(data, options=None):
    return door.make_splits(*door.read(data, **(options or {})))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of an image and three numbers."""
    out = tmp_path_factory.mktemp("several") / "run"
    return zoo.train(of_two(), BOTH, CLASSES, **{**OPTIONS, "epochs": 3, "out": str(out)})


@pytest.fixture(scope="module")
def of_three(tmp_path_factory):
    """A model of an image, a mixed table and a text, which answers with two numbers."""
    out = tmp_path_factory.mktemp("three") / "run"
    data = {"image": IMAGES, "person": PEOPLE, "text": TEXTS}
    return zoo.train(build, data, NUMBERS[:, :2] * [1, 100], **OPTIONS, out=str(out))


def test_each_input_is_taken_for_its_own_kind(trained):
    info = split_of(({**BOTH, "person": PEOPLE, "text": TEXTS}, CLASSES)).info
    kinds = {name: part.kind for name, part in info.parts.items()}
    assert kinds == {"image": "image", "columns": "features", "person": "table", "text": "text"}
    assert info.parts["person"].column_kinds == ("number", "category")
    text = (trained.report.folder / "report.md").read_text()
    assert "image, image of shape 8×8×1: " in text
    assert "columns, features of shape 3: " in text


def test_statistics_are_those_of_each_input_in_the_training_split_alone():
    splits = split_of((BOTH, CLASSES))
    prepared = zoo.prepare(splits).inputs(splits.examples["train"].inputs)
    train = splits.examples["train"].inputs
    wanted = (train["columns"] - train["columns"].mean(0)) / train["columns"].std(0)
    assert_close(prepared["columns"], wanted, KERNELS, scale=3)
    assert_close(prepared["image"], train["image"] / 255, KERNELS)
    assert abs(train["columns"].mean() - NUMBERS.mean()) > 1e-3


def test_examples_keep_their_inputs_together():
    marked = {
        "image": np.broadcast_to(np.arange(N)[:, None, None, None], IMAGES.shape).astype("uint8")
    }
    marked |= {
        "columns": np.arange(N * 3.0).reshape(N, 3) // 3,
        "text": [f"w{i} w" for i in range(N)],
    }
    splits = split_of((marked, np.arange(N) / 7))
    for part in splits.examples.values():
        number = np.round(part.targets * 7).astype(int)
        assert (part.inputs["image"][:, 0, 0, 0] == number).all()
        assert (part.inputs["columns"][:, 0] == number).all()
        assert part.inputs["text"].tolist() == [f"w{i} w" for i in number]


@pytest.mark.parametrize(
    "data",
    [
        ([IMAGES, NUMBERS], CLASSES),
        ((IMAGES, NUMBERS), CLASSES.tolist()),
        tf.data.Dataset.from_tensor_slices((BOTH, CLASSES)),
        tf.data.Dataset.from_tensor_slices(((IMAGES, NUMBERS), CLASSES)).batch(32),
        ({"image": IMAGES / 255, "columns": tf.constant(NUMBERS)}, CLASSES),
        ({"image": list(IMAGES), "columns": pd.DataFrame(NUMBERS, columns=list("abc"))}, CLASSES),
        ({"image": IMAGES, "columns": dict(zip("abc", NUMBERS.T))}, CLASSES),
    ],
    ids=["list", "tuple", "tf.data", "tf.data of tuples", "tensors", "DataFrame", "dict"],
)
def test_every_form_of_several_inputs_reads_the_same_values(data):
    from zoo.data.user import forms

    info, splits = door.read(forms.by_model(of_two(), data))
    assert list(info.parts) == ["image", "columns"]
    wanted = door.read((BOTH, CLASSES))[1]["test"].inputs
    np.testing.assert_array_equal(splits["test"].inputs["image"], wanted["image"])
    np.testing.assert_array_equal(splits["test"].inputs["columns"], wanted["columns"])


def test_a_list_of_inputs_is_in_the_order_of_the_model_and_test_data_too(in_tmp):
    model = of_two(as_dict=True)
    trained = zoo.train(
        model,
        (([IMAGES, NUMBERS], CLASSES), ([IMAGES[:9], NUMBERS[:9] + 1], CLASSES[:9])),
        **OPTIONS,
    )
    assert trained.report.num_test == 9
    found = trained.predict([IMAGES[:3], NUMBERS[:3]])["probabilities"]
    assert_close(found, trained.predict(rows(BOTH, slice(3)))["probabilities"], KERNELS)


def test_the_export_answers_what_the_keras_model_does_to_inputs_by_name(trained):
    model = zoo.load(trained.export)
    some = rows(BOTH, slice(5))
    preparation = zoo.prepare(split_of((BOTH, CLASSES)))
    logits = trained.network.predict(preparation.inputs(some), verbose=0)
    wanted = keras.ops.softmax(logits)
    found = model.predict(some)["probabilities"]
    assert_close(found, wanted, KERNELS)
    assert_close(
        model.predict({"columns": some["columns"], "image": some["image"] / 255})["probabilities"],
        wanted,
        KERNELS,
    )
    assert_close(
        model.predict(tf.data.Dataset.from_tensor_slices(some).batch(2))["probabilities"],
        wanted,
        KERNELS,
    )
    assert model.embed(some).shape[0] == 5
    assert list(model.predict(some, as_frame=True).columns) == ["class_id", "label", "p(0)", "p(1)"]
    plain = tf.saved_model.load(str(model.path)).signatures["serving_default"]
    answers = plain(image=tf.constant(some["image"]), columns=tf.constant(some["columns"]))
    assert_close(answers["probabilities"], wanted, KERNELS)
    assert zoo.verify(trained.export)["largest_difference"] < 1e-5


def test_a_table_and_a_text_among_the_inputs_are_served_by_their_columns(of_three):
    model = zoo.load(of_three.export)
    names = set(model.card.signatures["serving_default"]["inputs"])
    assert names == {"image", "person_age", "person_sex", "text"}
    assert model.card.parts["person"].categories == {"sex": ("f", "m")} or (
        model.card.parts["person"].categories == {"sex": ["f", "m"]}
    )
    assert (
        "- input `text`: one UTF-8 text each"
        in (of_three.export / "assets.extra/card.md").read_text()
    )
    person = pd.DataFrame({"sex": ["f", "M", ""], "age": [np.nan, 3.0, 80.0], "more": 1})
    given = {"image": IMAGES[:3], "person": person, "text": ["a good film", "bad", "plot"]}
    found = model.predict(given)["prediction"]
    assert found.shape == (3, 2)
    one = model.predict({name: part[1:2] for name, part in given.items()})["prediction"]
    assert_close(one, found[1:2], KERNELS, scale=abs(found).max())
    assert zoo.verify(of_three.export)["largest_difference"] < 1e-5


def test_what_predict_cannot_use_is_refused_by_the_name_of_the_input(trained, of_three):
    model, three = zoo.load(trained.export), zoo.load(of_three.export)
    some = rows(BOTH, slice(4))
    given = {"image": IMAGES[:4], "person": PEOPLE[:4], "text": TEXTS[:4]}
    cases = [
        (model, IMAGES[:4], "takes a dict of its inputs, image, columns"),
        (model, {"image": some["image"]}, r"image, columns. Received: \['image'\]"),
        (model, {**some, "columns": NUMBERS[:3]}, "differ in length"),
        (model, {**some, "columns": NUMBERS[:4, :2]}, r"input 'columns'\) takes numbers of shape"),
        (model, {**some, "columns": NUMBERS[:4] * 1e6}, r"input 'columns'\) was trained on"),
        (model, {**some, "image": IMAGES[:4] * 2.0}, "are pictures"),
        (three, {**given, "person": PEOPLE[["age"]][:4]}, r"Missing: \['sex'\]"),
        (three, {**given, "text": ["", *TEXTS[:3]]}, "empty"),
    ]
    for one, inputs, message in cases:
        with pytest.raises(zoo.InputError, match=message):
            one.predict(inputs)


def test_the_command_line_reads_several_inputs_from_npz_files(trained, of_three, in_tmp, capsys):
    np.savez("new.npz", **rows(BOTH, slice(3)))
    cli.main(["predict", str(trained.export), "new.npz", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = zoo.load(trained.export).predict(rows(BOTH, slice(3)))["probabilities"]
    assert_close([line["probabilities"] for line in lines], wanted, KERNELS)
    people = {
        f"person_{column}": PEOPLE[column][:2].to_numpy(dtype)
        for column, dtype in (("age", float), ("sex", str))
    }
    np.savez("people.npz", image=IMAGES[:2], text=np.array(TEXTS[:2]), **people)
    cli.main(["predict", str(of_three.export), "people.npz"])
    assert len(capsys.readouterr().out.splitlines()) == 2
    with pytest.raises(SystemExit, match="2"):
        cli.main(["predict", str(of_three.export), "new.npz"])
    assert "person_age, person_sex, text" in capsys.readouterr().err


def test_a_run_of_several_inputs_that_goes_on_ends_with_the_same_weights(in_tmp):
    def train(**options):
        keras.utils.set_random_seed(3)
        return zoo.train(of_two(), BOTH, CLASSES, **{**OPTIONS, **options})

    whole = train(epochs=2, out="whole")
    train(epochs=1, out="parts")
    parts = train(epochs=2, resume="parts")
    for ours, theirs in zip(whole.network.weights, parts.network.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_two_devices_share_batches_of_several_inputs(in_tmp):
    trained = zoo.train(
        lambda shapes, classes: of_two(), BOTH, CLASSES, strategy="mirrored", replicas=2, **OPTIONS
    )
    assert zoo.load(trained.export).predict(rows(BOTH, slice(3)))["label"].shape == (3,)


def test_a_linear_baseline_sees_all_inputs_unless_one_is_text(caplog):
    def baseline(data):
        splits = split_of((data, CLASSES))
        return splits.task.linear(splits.mapped(zoo.prepare(splits, fixed_length=True)))

    assert (
        baseline(BOTH).scores["accuracy"]
        > 0.9
        > baseline({**BOTH, "columns": IMAGES[:, 0]}).scores["accuracy"]
    )
    assert baseline({**BOTH, "text": TEXTS}) is None
    assert "no linear baseline: of several inputs one is text" in caplog.text


def test_a_search_and_a_look_take_several_inputs(in_tmp):
    def built(hp, input_shape, num_classes):
        return of_two(width=input_shape["columns"][0])

    tuned = zoo.tune(built, (BOTH, CLASSES), tuner="random", trials=1, **OPTIONS)
    assert tuned.objective == "val_accuracy"
    with pytest.raises(zoo.InputError, match="the models that have a name take one"):
        zoo.tune(
            "cnn:tiny", (BOTH, CLASSES), tuner="random", trials=1, **{**OPTIONS, "out": "other"}
        )
    text = str(zoo.inspect((BOTH, CLASSES)))
    assert "zoo.train(model, data)" in text
    assert "image, image of shape 8×8×1" in text


def test_one_batch_of_several_inputs_can_be_fitted(in_tmp):
    trained = zoo.train(
        of_two(),
        BOTH,
        CLASSES,
        **{**OPTIONS, "batch_size": 4},
        learning_rate=0.05,
        overfit_batch=True,
    )
    assert trained.report is None


def test_a_bad_value_in_one_input_leaves_the_whole_example_out():
    bad = {**BOTH, "columns": NUMBERS.copy(), "text": list(TEXTS)}
    bad["columns"][5, 1], bad["text"][7] = np.nan, " "
    with pytest.raises(zoo.InputError, match="example 5: columns: it holds NaN"):
        door.read((bad, CLASSES))
    info, splits = door.read((bad, np.arange(N) / 7), skip_bad=True)
    found = np.concatenate([part.targets for part in splits.values()])
    assert sorted(np.round(found * 7).astype(int)) == [i for i in range(N) if i not in (5, 7)]


def test_examples_that_repeat_in_all_inputs_are_repeats():
    twice = {name: np.concatenate([part, part[:40]]) for name, part in BOTH.items()}
    classes = np.concatenate([CLASSES, CLASSES[:40]])
    with pytest.raises(zoo.InputError, match="repeat an example"):
        door.read((twice, classes))
    other = {**twice, "columns": RNG.normal(size=(N + 40, 3))}  # the images alone repeat
    assert sum(map(len, door.read((other, classes))[1].values())) == N + 40


def test_tables_and_targets_in_another_order_of_their_index_are_refused():
    person = PEOPLE.iloc[::-1]
    with pytest.raises(zoo.InputError, match="the same index in another order"):
        door.read(({"image": IMAGES, "person": person}, pd.Series(CLASSES)))
    with pytest.raises(zoo.InputError, match="the same index in another order"):
        door.read(({"image": IMAGES, "person": person, "more": PEOPLE}, CLASSES))


def test_images_among_several_inputs_are_brought_to_the_size_that_is_asked_for():
    info, splits = door.read((BOTH, CLASSES), image_size=(4, 6))
    assert info.parts["image"].input_shape == (4, 6, 1)
    assert splits["test"].inputs["image"].shape[1:] == (4, 6, 1)


def test_a_dict_of_columns_is_still_one_table():
    columns = {"a": NUMBERS[:, 0], "b": NUMBERS[:, 1], "kind": np.array(["x", "y"])[CLASSES]}
    info, _ = door.read(columns, target=("kind",))
    assert (info.kind, info.columns, info.parts) == ("table", ("a", "b"), {})
    info, _ = door.read(({"a": NUMBERS[:, 0], "b": NUMBERS[:, 1]}, CLASSES))
    assert (info.kind, info.parts) == ("table", {})


def test_a_model_of_several_inputs_is_not_converted(trained):
    with pytest.raises(
        zoo.InputError, match="takes several inputs .image, columns., which are not"
    ):
        zoo.convert(trained.export, "onnx")


@pytest.mark.parametrize("is_batched", [False, True])
def test_a_tf_data_set_of_columns_with_a_target_is_a_table(is_batched, in_tmp):
    columns = {"a": NUMBERS[:, 0], "colour": PEOPLE["sex"].to_numpy(), "label": CLASSES}
    data = tf.data.Dataset.from_tensor_slices(columns)
    data = data.batch(50) if is_batched else data
    info, splits = door.read(data, target=("label",))
    wanted, same = door.read(pd.DataFrame(columns), target=("label",))
    assert (info.kind, info.columns, info.column_kinds) == (
        wanted.kind,
        wanted.columns,
        wanted.column_kinds,
    )
    for column in info.columns:
        np.testing.assert_array_equal(splits["test"].inputs[column], same["test"].inputs[column])
    assert zoo.train("dense:tiny", data, target="label", **OPTIONS).report.num_test == 24
