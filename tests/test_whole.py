"""The Keras model that takes raw inputs: it answers as the export does, goes on training, and is saved with its card."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import runs
from tolerances import KERNELS, assert_close

import zoo
from zoo.saving.raw_batches import class_ids

RNG = np.random.default_rng(0)
QUICK = {"epochs": 1, "batch_size": 16, "quiet": True}
DIGITS = RNG.integers(0, 256, (60, 9, 7), dtype="uint8")
ROWS = RNG.normal(2, 3, (60, 4)).astype("float32")
NAMES = np.where(ROWS[:, 0] > 2, "up", "down")
STEPS = np.sin(np.arange(200.0)) + 5
MIXED = runs.MIXED.assign(
    colour=runs.MIXED.colour.where(np.arange(120) % 20 > 0)
)  # gaps are rarest
PRECISE = pd.DataFrame(ROWS.astype("float64") + 1.6e9, columns=["a", "b b", "c", "d"])
LINES = [
    ("a fine\nfilm" if i % 2 else "bad\x1cplot") + "x" * (i % 3) for i in range(60)
]  # of which one sign ends a line
# Kind → model, data, options, and raw inputs as a caller has them.
CASES = {
    "image": ("cnn:tiny", (DIGITS, np.arange(60) % 3), {}, RNG.integers(0, 256, (5, 20, 13), dtype="uint8")),
    "features": ("dense:tiny", (ROWS, NAMES), {}, ROWS[:5]),
    "numbers": ("dense:tiny", (ROWS, 1000 + 50 * ROWS[:, 0]), {}, ROWS[:5]),
    "table": ("dense:tiny", pd.DataFrame(ROWS, columns=["a", "b b", "c", "d"]).assign(y=NAMES), {"target": "y"}, pd.DataFrame(ROWS[:5], columns=["a", "b b", "c", "d"])),
    "precise table": ("dense:tiny", PRECISE.assign(y=1e9 + 10 * ROWS[:, 0].astype("float64")), {"target": "y"}, PRECISE[:5]),
    "mixed table": ("dense:tiny", MIXED, {"target": "kind"}, MIXED.drop(columns="kind")[:5]),
    "text": ("recurrent:tiny", (runs.TEXTS, np.arange(120) % 2), {}, runs.TEXTS[:5]),
    "characters": ("recurrent:tiny", (LINES, np.arange(60) % 2), {"text_unit": "characters"}, LINES[:5]),
    "series": ("dense:tiny", STEPS, {"task": "forecasting", "window": 12, "horizon": 2}, STEPS[:12]),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    made, folder = {}, tmp_path_factory.mktemp("whole")

    def of(case):
        if case not in made:
            model, data, options, _ = CASES[case]
            made[case] = zoo.train(model, data, out=str(folder / case), **QUICK, **options)
        return made[case]

    return of


def outputs_of(answers):
    """What the outputs of a Keras model say, as the export answers."""
    return next(answers[key] for key in ("probabilities", "prediction", "forecast") if key in answers)  # fmt: skip


def as_answers(logits, answers):
    if "probabilities" not in answers:
        return logits.reshape(outputs_of(answers).shape)
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


@pytest.mark.parametrize("case", CASES)
def test_it_answers_raw_inputs_as_the_export_does_also_from_a_file(case, trained, tmp_path):
    given, found = CASES[case][3], trained(case)
    answers = found.predict(given)
    outputs = found.model.predict(given, verbose=0)
    assert_close(as_answers(outputs, answers), outputs_of(answers), KERNELS)
    assert found.save(tmp_path / "m.keras").exists()
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(given, verbose=0), outputs)
    assert loaded.labels == found.labels == zoo.load(found.export).labels
    assert loaded.card.name == zoo.load(found.export).card.name


def test_files_are_loaded_in_a_process_that_has_used_nothing_of_zoo(trained, tmp_path):
    cases = ("image", "mixed table", "text")
    for case in cases:
        trained(case).save(tmp_path / f"{case}.keras")
    code = "import zoo, pathlib; print([zoo.load_model(p).labels for p in sorted(pathlib.Path().glob('*.keras'))])"
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(zoo.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert child.stdout == f"{[trained(case).labels for case in cases]}\n", child.stderr
    with pytest.raises(zoo.InputError, match="There is no file 'm.keras'"):
        zoo.load_model("m.keras")


def test_it_goes_on_training_with_labels(trained, caplog):
    found = trained("features")
    before = found.predict(ROWS)["probabilities"]
    model = found.model
    assert found.labels == ("down", "up")
    by_label = model.evaluate(ROWS, NAMES, verbose=0, return_dict=True)
    history = model.fit(ROWS, NAMES, validation_data=(ROWS, NAMES), epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_accuracy"][-1] >= by_label["accuracy"]
    np.testing.assert_array_equal(found.predict(ROWS)["probabilities"], before)  # of the export
    assert "trained.predict answers as the export, from before trained.model.fit" in caplog.text
    with pytest.raises(
        zoo.InputError, match="Targets are the labels 'down', 'up'. Received: 'left'"
    ):
        model.fit(ROWS, np.where(NAMES == "up", "up", "left"), verbose=0)


def test_numbers_are_learned_in_their_own_units(trained):
    model, targets = trained("numbers").model, 1000 + 50 * ROWS[:, 0]
    found = model.evaluate(ROWS, targets, verbose=0, return_dict=True)
    answers = trained("numbers").predict(ROWS)["prediction"]
    assert_close(found["mae"], np.abs(answers - targets).mean(), KERNELS)
    assert 0.05 < found["loss"] < 5  # as large as that of standardised targets
    assert model.fit(ROWS, targets, epochs=20, verbose=0).history["loss"][-1] < found["loss"]
    other = trained("series").model
    windows = np.lib.stride_tricks.sliding_window_view(STEPS[:-2], 12)
    later = np.lib.stride_tricks.sliding_window_view(STEPS[12:], 2)
    assert other.evaluate(windows, later, verbose=0, return_dict=True)["mae"] < 2


def test_inputs_that_predict_refuses_are_refused(trained):
    with pytest.raises(zoo.InputError, match="Missing: \\['d'\\]"):
        trained("table").model.predict(dict.fromkeys(("a", "b_b", "c"), ROWS[:, 0]))
    with pytest.raises(zoo.InputError, match="takes numbers of shape"):
        trained("features").model.predict(ROWS[:, :3])


def test_a_run_that_ended_gives_it_again(trained):
    found = trained("mixed table")
    given = CASES["mixed table"][3]
    again = zoo.load_run(found.folder)
    np.testing.assert_array_equal(
        again.model.predict(given, verbose=0), found.model.predict(given, verbose=0)
    )
    assert (
        again.model.evaluate(given, MIXED["kind"][:5], verbose=0, return_dict=True)["accuracy"] <= 1
    )


def test_a_model_of_the_callers_own_comes_again_with_its_run(in_tmp):
    def own(input_shape, num_classes):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_classes)])

    found = zoo.train(own, ROWS, NAMES, out="own", **QUICK)
    again = zoo.load_run("own")
    np.testing.assert_array_equal(
        again.model.predict(ROWS, verbose=0), found.model.predict(ROWS, verbose=0)
    )
    np.testing.assert_array_equal(again.network.get_weights()[0], found.network.get_weights()[0])


def test_what_has_none_says_so(run, in_tmp):
    with pytest.raises(zoo.InputError, match="version before, or its model takes no raw inputs"):
        zoo.load_run(run("translation")).model  # noqa: B018
    assert (
        "no model.keras: A translation has no Keras model of raw"
        in (run("translation") / "log.txt").read_text()
    )
    looked = zoo.train("dense:tiny", ROWS, NAMES, find_lr=True, **QUICK)
    with pytest.raises(zoo.InputError, match="Nothing was trained for good"):
        looked.model  # noqa: B018


def test_images_that_are_generated_have_one(run):
    model = zoo.load_run(run("generation")).model
    outputs = model.predict(RNG.integers(0, 256, (3, 8, 8), dtype="uint8"), verbose=0)
    assert set(outputs) == {"logits", "mean", "log_variance"}
    assert model.fit(RNG.integers(0, 256, (8, 8, 8), dtype="uint8"), verbose=0).history["loss"]


def test_a_file_is_written_once(trained, tmp_path):
    trained("features").save(tmp_path / "m.keras")
    with pytest.raises(zoo.InputError, match="is there already"):
        trained("features").save(tmp_path / "m.keras")
    with pytest.raises(zoo.InputError, match="ends in .keras"):
        trained("features").save(tmp_path / "m.h5")


@pytest.mark.parametrize(
    ("given", "labels", "ids"),
    [
        ([2, 1, 2], ("1", "2"), [1, 0, 1]),
        ([1, 0], ("False", "True"), [1, 0]),
        (["UP", "down "], ("down", "up"), [1, 0]),
        ([2.0, 1.0], ("1", "2"), [1, 0]),
        ([True, False], ("False", "True"), [1, 0]),
        ([b"b", b"a "], ("a", "b"), [1, 0]),
        (np.array([["b"], ["a"]]), ("a", "b"), [1, 0]),
    ],
)
def test_labels_in_any_form_become_class_ids(given, labels, ids):
    assert class_ids(given, labels).tolist() == ids


@pytest.mark.parametrize("given", [[0, 1], [0.5], ["a", "c"]])
def test_what_is_no_label_is_refused(given):
    with pytest.raises(zoo.InputError, match=r"Targets are the labels 'a', 'b'. Received"):
        class_ids(given, ("a", "b"))


def _squared(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), -1)


def _wrong(y_true, y_pred):
    """A loss of class ids and logits."""
    return 7 + keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def _worst(y_true, y_pred):
    return keras.ops.max(keras.ops.abs(y_true - y_pred), -1)


NUMBERS = 1000 + 50 * ROWS[:, 0]


def _evaluated(model, targets):
    return model.evaluate(ROWS, targets, verbose=0, return_dict=True)


def test_it_is_compiled_with_a_copy_of_the_callers_optimizer(in_tmp):
    optimizer = keras.optimizers.SGD(0.125, momentum=0.5)
    found = zoo.train("dense:tiny", ROWS, NAMES, optimizer=optimizer, out="run", **QUICK)
    of_it = found.model.optimizer
    assert type(of_it) is keras.optimizers.SGD
    assert of_it is not optimizer
    assert (float(of_it.learning_rate), of_it.momentum) == (0.125, 0.5)
    found.model.fit(ROWS, NAMES, verbose=0)
    again = zoo.load_run("run").model
    assert isinstance(again.optimizer, keras.optimizers.Adam)
    again.fit(ROWS, NAMES, verbose=0)


@pytest.mark.parametrize("loss", ["mae", keras.losses.Huber(0.5), _squared])
def test_numbers_keep_the_loss_of_their_training(loss, in_tmp):
    options = {"loss": loss, "metrics": ["mape", _worst], "out": "run"}
    found = zoo.train("dense:tiny", ROWS, NUMBERS, **options, **QUICK)
    scores = _evaluated(found.model, NUMBERS)
    outputs = found.model.predict(ROWS, verbose=0)
    targets = NUMBERS[:, None]
    std = found.model.layers[-1].std
    function = {"mae": keras.losses.MeanAbsoluteError()}.get(loss, loss)
    wanted = np.mean(function((targets / std), (outputs / std)))
    assert_close(scores["loss"], wanted, KERNELS)
    assert_close(scores["_worst"], np.abs(outputs - targets).mean(), KERNELS)
    assert_close(scores["mape"], 100 * np.abs((outputs - targets) / targets).mean(), KERNELS)
    assert _evaluated(zoo.load_run("run").model, NUMBERS).keys() == scores.keys() - {"_worst"}


def test_classes_keep_the_loss_of_their_training(in_tmp, caplog):
    own = zoo.train("dense:tiny", ROWS, NAMES, loss=_wrong, metrics=["auc"], out="own", **QUICK)
    scores = _evaluated(own.model, NAMES)
    assert scores["loss"] > 7
    assert 0 <= scores["auc"] <= 1
    caplog.clear()
    with caplog.at_level("INFO", "zoo"):
        again = _evaluated(zoo.load_run("own").model, NAMES)
    assert_close(again["loss"] + 7, scores["loss"], KERNELS)
    assert "loss _wrong. The model is compiled without" in caplog.text
    focal = zoo.train(
        "dense:tiny", ROWS, NAMES, loss="categorical_focal_crossentropy", out="focal", **QUICK
    )
    found = _evaluated(focal.model, NAMES)["loss"]
    logits = focal.model.predict(ROWS, verbose=0)
    hot = np.eye(2)[(NAMES == "up").astype(int)]
    wanted = keras.losses.CategoricalFocalCrossentropy(from_logits=True)(hot, logits)
    assert_close(found, float(wanted), KERNELS)
    assert_close(_evaluated(zoo.load_run("focal").model, NAMES)["loss"], found, KERNELS)


class _Own(keras.losses.Loss):
    """A loss that cannot be made again from its settings."""

    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def call(self, y_true, y_pred):
        return self.offset + _wrong(y_true, y_pred)


@pytest.mark.parametrize("loss", [_wrong, _Own(3)])
def test_a_loss_that_no_file_holds_is_left_out_of_it(loss, in_tmp, caplog):
    found = zoo.train("dense:tiny", ROWS, NAMES, loss=loss, out="run", **QUICK).model
    found.fit(ROWS, NAMES, verbose=0)
    caplog.clear()
    found.save("m.keras")
    assert len(caplog.messages) == 1
    assert "not compiled" in caplog.text
    again = keras.models.load_model("m.keras")
    np.testing.assert_array_equal(again.predict(ROWS, verbose=0), found.predict(ROWS, verbose=0))
    assert not again.compiled
    with pytest.raises(zoo.InputError, match="ends in .keras, model.save"):
        found.save("m.h5")


def test_logits_are_divided_by_the_temperature_of_the_export(in_tmp):
    found = zoo.train(
        "dense:tiny", ROWS, NAMES, calibrate=True, learning_rate=0.1, out="run", **QUICK
    )
    answers = found.predict(ROWS)
    assert zoo.load(found.export).card.temperature != 1
    for model in (found.model, zoo.load_run("run").model):
        outputs = model.predict(ROWS, verbose=0)
        assert_close(as_answers(outputs, answers), answers["probabilities"], KERNELS)


def test_large_numbers_that_differ_by_little_are_learned_and_judged_in_float64(trained):
    table = trained("precise table")
    given, targets = PRECISE, 1e9 + 10 * ROWS[:, 0].astype("float64")
    model = table.model
    found = model.evaluate(given, targets, verbose=0, return_dict=True)["mae"]
    assert_close(found, np.abs(table.predict(given)["prediction"] - targets).mean(), KERNELS)
    options = {"validation_split": 0.5, "epochs": 2, "verbose": 0, "sample_weight": np.ones(60)}
    history = model.fit(given, targets, 20, **options).history
    assert max(history["val_mae"]) < 100
    history = model.fit(given, targets, validation_data=(given, targets), verbose=0).history
    assert_close(history["val_mae"][0], model.evaluate(given, targets, verbose=0)[1], KERNELS)


def _several(form):
    image, numbers = keras.Input((9, 7, 1), name="image"), keras.Input((4,), name="columns")
    both = keras.layers.Concatenate()([keras.layers.Flatten()(image), numbers])
    logits = keras.layers.Dense(2)(both)
    return keras.Model(
        {"list": [image, numbers], "dict": {"image": image, "columns": numbers}}[form], logits
    )


@pytest.mark.parametrize("form", ["list", "dict", "builder"])
def test_several_inputs_have_one(form, in_tmp):
    given = {"image": DIGITS[..., None], "columns": ROWS}
    model = _several(form) if form != "builder" else lambda shapes, classes: _several("dict")
    found = zoo.train(model, (given, NAMES), out="run", **QUICK)
    answers = found.predict(given)
    for one in (found.model, zoo.load_run("run").model):
        outputs = one.predict(given, verbose=0)
        assert_close(as_answers(outputs, answers), answers["probabilities"], KERNELS)
        assert len(one.network.inputs) == 2
    assert found.model.fit(given, NAMES, verbose=0).history["loss"]


def test_targets_of_streams_are_labels_too(in_tmp):
    import tensorflow as tf

    named = np.where(NAMES == "up", 1, 2)  # ids would be 0 and 1
    model = zoo.train("dense:tiny", ROWS, named, out="run", **QUICK).model
    wanted = _evaluated(model, named)
    data = tf.data.Dataset.from_tensor_slices((ROWS, named)).batch(32)
    assert_close(model.evaluate(data, verbose=0)[0], wanted["loss"], KERNELS)
    batches = (pair for pair in [(ROWS, named)])
    assert_close(model.evaluate(batches, verbose=0)[0], wanted["loss"], KERNELS)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return ROWS, named

    assert_close(model.evaluate(Batches(), verbose=0)[0], wanted["loss"], KERNELS)
    history = model.fit(data, validation_data=(ROWS, named), verbose=0).history
    assert_close(history["val_loss"][0], _evaluated(model, named)["loss"], KERNELS)
    with pytest.raises(zoo.InputError, match=r"Targets are the labels '1', '2'. Received: 0"):
        model.fit(tf.data.Dataset.from_tensor_slices((ROWS, named - 1)).batch(32), verbose=0)


def test_it_is_no_model_to_train_again(trained, tmp_path):
    path = trained("features").save(tmp_path / "m.keras")
    for model in (trained("features").model, keras.models.load_model(path)):
        with pytest.raises(zoo.InputError, match=r"takes raw inputs.*zoo.train\(trained.export"):
            zoo.train(model, ROWS, NAMES)
    export = trained("features").export
    assert zoo.train(export, ROWS, NAMES, out=str(tmp_path / "run"), **QUICK).report


def test_several_numbers_keep_their_loss_also_in_a_file(in_tmp):
    both = np.stack([NUMBERS, ROWS[:, 1]], 1)
    found = zoo.train("dense:tiny", ROWS, both, loss="mae", out="run", **QUICK)
    wanted = _evaluated(found.model, both)
    off = np.abs(found.predict(ROWS)["prediction"] - both) / np.array(found.model.layers[-1].std)
    assert_close(wanted["loss"], off.mean(), KERNELS)
    found.save("m.keras")
    for model in (zoo.load_run("run").model, keras.models.load_model("m.keras")):
        assert_close(_evaluated(model, both)["loss"], wanted["loss"], KERNELS)
