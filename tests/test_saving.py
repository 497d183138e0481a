"""SavedModels: what leaves a run, what TensorFlow alone gets back, and what is refused."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from table import STATEFUL, TOKENS, set_ramp, tiny
from tolerances import KERNELS, ROUNDING, assert_close, decided
from warm import in_plain_tensorflow

import zoo
from zoo import families
from zoo.config.config import TrainConfig
from zoo.data import examples as sources
from zoo.data import load as door
from zoo.data.prepare import prepare
from zoo.saving import alone, card_page, endpoints, golden_check, manifest, store
from zoo.saving import card as cards

SHIPPED = Path(__file__).parents[1] / "saved_models"
NAMES = [path.name for path in sorted(SHIPPED.iterdir()) if path.is_dir()]


@pytest.fixture
def digits_run(run):
    """A short run on digits; tests that change it copy it first."""
    return run("image")


@pytest.fixture
def wine_run(run):
    return run("table")


@pytest.fixture
def export(digits_run, tmp_path):
    return shutil.copytree(digits_run / "export" / "1", tmp_path / "model" / "1")


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name != "cnn"))
        for name, row in families.FAMILIES.items()
        if "classification" in row.samples
    ],
)
def test_every_weight_arrives_in_a_fresh_process_without_zoo(family, in_tmp):
    row = families.FAMILIES[family]
    for i, sample in enumerate(row.samples["classification"]()):
        if "vocabulary_size" in sample.arguments:
            continue  # token ids are not features: see the next test
        shape = sample.arguments["input_shape"]
        info = sources.DataInfo(
            "sample", "features", "classification", shape, "float32", labels=("x", "y", "z")
        )
        arrays = sources.Arrays(sample.inputs, sample.targets)
        splits = door.make_splits(
            info, {"train": arrays, "validation": arrays, "test": arrays}, batch_size=8
        )
        with zoo.start_run(
            TrainConfig().replace(model=f"{family}:tiny", out=f"run{i}", quiet=True)
        ) as run:
            model = row.build(**{**row.sizes["tiny"], **sample.arguments, **STATEFUL[family]})
            start = 0
            for weight in model.weights:  # every element of every weight differs
                count = int(np.prod(weight.shape))
                weight.assign(np.reshape(np.linspace(0.1, 0.6, count) + start, weight.shape))
                start += 1e-3
            splits = splits.mapped(prepare(splits))
            zoo.evaluate_model(model, splits, run)
            path = zoo.export_model(model, splits, run)
        expected = keras.ops.softmax(model(splits.preparation.inputs(sample.inputs)))
        np.save("x.npy", sample.inputs)
        got = in_plain_tensorflow(
            "m = tf.saved_model.load(sys.argv[1])\n"
            "o = m.signatures['serving_default'](features=tf.constant(np.load('x.npy')))\n"
            "print(json.dumps([o['probabilities'].numpy().tolist(), o['class_id'].numpy().tolist()]))".replace(
                "'x.npy'", repr(str(in_tmp / "x.npy"))
            ),
            path,
        )
        assert_close(got[0], expected, KERNELS, scale=1)
        sure = decided(expected)
        assert sure.any()
        np.testing.assert_array_equal(np.array(got[1])[sure], np.argmax(expected, -1)[sure])
        assert zoo.verify(path)["largest_difference"] <= golden_check.TOLERANCE


@pytest.mark.parametrize(("name", "task", "index"), TOKENS)
def test_token_models_arrive_in_a_fresh_process_without_zoo(name, task, index, tmp_path):
    model, sample = tiny(name, task, index, **STATEFUL[name])
    set_ramp(model)
    expected = model.predict(sample.inputs, verbose=0)
    model.export(tmp_path / "model", verbose=False)
    np.save(tmp_path / "ids.npy", np.pad(sample.inputs, ((0, 0), (0, 4))))  # any length
    got = in_plain_tensorflow(
        "m = tf.saved_model.load(sys.argv[1])\n"
        "ids = tf.constant(np.load(sys.argv[2]))\n"
        "print(json.dumps(m.serve(ids).numpy().tolist()))",
        tmp_path / "model",
        tmp_path / "ids.npy",
    )
    assert_close(got, expected, KERNELS)


def test_every_weight_is_written_once(digits_run):
    model = zoo.build(weights=digits_run)
    written = (digits_run / "export/1/variables/variables.data-00000-of-00001").stat().st_size
    assert written < 4 * model.count_params() + 2000


def test_each_signature_is_traced_once_and_the_default_before_the_training_too(in_tmp, monkeypatch):
    traced, make = [], endpoints.make

    def noted(name, point):
        return dataclasses.replace(point, run=lambda x: traced.append(name) or point.run(x))

    def counted(*arguments, **options):
        points = make(*arguments, **options)
        return {name: noted(name, point) for name, point in points.items()}

    monkeypatch.setattr(endpoints, "make", counted)
    zoo.train("dense:tiny", "wine", epochs=1, limit=40, batch_size=16, quiet=True)
    assert traced[0] == "serve"
    assert sorted(traced[1:]) == ["embed", "serve", "tensors"]


def test_nothing_but_the_format_is_in_the_folder(export):
    found = {path.relative_to(export).as_posix() for path in export.rglob("*") if path.is_file()}
    assert found == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/card.json",
        "assets.extra/card.md",
        "assets.extra/golden.npz",
        "assets.extra/manifest.json",
    }


def test_serving_takes_images_of_any_size_and_returns_named_outputs(export):
    model = zoo.load(export)
    outputs = model.predict(
        np.random.default_rng(0).integers(0, 256, (3, 40, 30, 1)).astype("uint8")
    )
    assert {name: (v.dtype.kind, v.shape) for name, v in outputs.items()} == {
        "class_id": ("i", (3,)),
        "label": ("U", (3,)),
        "probabilities": ("f", (3, 10)),
    }
    np.testing.assert_array_equal(outputs["label"], np.array(model.labels)[outputs["class_id"]])
    assert_close(outputs["probabilities"].sum(-1), np.ones(3), ROUNDING)
    assert model.embed(np.zeros((2, 8, 8), "uint8")).shape[0] == 2
    assert set(model.signatures) == {
        "serve",
        "serving_default",
        "serving_bytes",
        "tensors",
        "embed",
    }


def test_serving_prepares_inputs_as_training_did(digits_run):
    splits = zoo.load_dataset("digits")
    images = splits.pick("test", range(20))
    logits = zoo.build(weights=digits_run).predict(images.astype("float32") / 255, verbose=0)
    served = zoo.load(digits_run).predict(images)
    assert_close(served["probabilities"], keras.ops.softmax(logits), KERNELS, scale=1)
    one_by_one = [zoo.load(digits_run)(images[i : i + 1])["probabilities"] for i in range(3)]
    assert_close(np.concatenate(one_by_one), served["probabilities"][:3], KERNELS, scale=1)


def test_tables_are_served_unscaled_by_column_name(wine_run):
    splits, model = zoo.load_dataset("wine"), zoo.load(wine_run)
    rows = splits.pick("test", range(6))
    columns = dict(zip(splits.info.columns, rows.T))
    prepared = prepare(zoo.load_dataset("wine")).inputs(rows)
    expected = keras.ops.softmax(zoo.build(weights=wine_run)(prepared))
    assert_close(model.predict(columns)["probabilities"], expected, KERNELS, scale=1)
    shuffled = dict(reversed(columns.items()))
    np.testing.assert_array_equal(
        model.predict(shuffled)["class_id"], model.predict(columns)["class_id"]
    )
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(
        model.predict(pandas.DataFrame(columns))["class_id"], model.predict(columns)["class_id"]
    )


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros((8, 8), "uint8"), "batch of uint8"),
        (np.zeros((8, 8, 1), "uint8"), r"image\[None\]"),
        (np.zeros((1, 8, 8, 3), "uint8"), "Received: uint8 of shape"),
        (np.zeros((0, 8, 8, 1), "uint8"), "no examples"),
    ],
)
def test_wrong_images_are_refused(digits_run, inputs, words):
    with pytest.raises(zoo.InputError, match=words):
        zoo.load(digits_run).predict(inputs)


def test_wrong_tables_are_refused(wine_run):
    model = zoo.load(wine_run)
    good = dict.fromkeys(model.card.columns, np.ones(2))
    cases = [
        ({k: v for k, v in good.items() if k != "alcohol"}, r"Missing: \['alcohol'\]"),
        ({"vintage": np.ones(2)}, r"Not known: \['vintage'\]"),
        ({**good, "alcohol": np.array([1.0, np.nan])}, "'alcohol' is NaN or infinite in example 1"),
        (
            {**good, "alcohol": np.array(["a", "b"])},
            "'alcohol' must hold numbers. Received 'a' in example 0",
        ),
        ({**good, "alcohol": np.ones(3)}, "differ in length"),
        (np.ones((2, 13)), "a DataFrame or a dict"),
    ]
    for inputs, words in cases:
        with pytest.raises(zoo.InputError, match=words):
            model.predict(inputs)


def test_columns_that_the_model_does_not_know_are_named_and_not_read(wine_run, caplog):
    model = zoo.load(wine_run)
    good = dict.fromkeys(model.card.columns, np.ones(2))
    with caplog.at_level("WARNING", "zoo"):
        answers = model.predict({**good, "vintage": np.ones(2)})["probabilities"]
    np.testing.assert_array_equal(answers, model.predict(good)["probabilities"])
    assert "vintage" in caplog.text


def test_the_preparation_may_still_be_passed_beside_the_splits(in_tmp):
    splits = zoo.load_dataset("wine", limit=40)
    preparation = prepare(splits)
    with zoo.start_run(TrainConfig().replace(model="dense:tiny", out="run", quiet=True)) as run:
        model = zoo.build("dense:tiny", input_shape=(13,), num_classes=3)
        now = zoo.evaluate_model(model, splits.mapped(preparation), run)
        with pytest.warns(DeprecationWarning, match="takes the preparation from the splits"):
            before = zoo.evaluate_model(model, splits, preparation, run)
        with pytest.warns(DeprecationWarning, match="export_model takes"):
            path = zoo.export_model(model=model, splits=splits, preparation=preparation, run=run)
    assert before.scores == now.scores
    rows = dict(zip(splits.info.columns, splits.pick("test", range(5)).T))
    assert len(zoo.load(path).predict(rows)["label"]) == 5


def test_exporting_twice_makes_version_2(in_tmp):
    splits = zoo.load_dataset("wine", limit=40)
    splits = splits.mapped(prepare(splits))
    with zoo.start_run(TrainConfig().replace(model="dense:tiny", out="run", quiet=True)) as run:
        model = zoo.build("dense:tiny", input_shape=(13,), num_classes=3)
        zoo.evaluate_model(model, splits, run)
        paths = [zoo.export_model(model, splits, run) for _ in range(2)]
    assert [path.name for path in paths] == ["1", "2"]
    assert store.find("run") == Path("run/export/2")


def test_adapted_weights_are_exported_merged(in_tmp):
    splits = zoo.load_dataset("wine", limit=40)
    config = TrainConfig().replace(
        model="dense:tiny", out="run", quiet=True, epochs=3, learning_rate=0.1
    )
    with zoo.start_run(config) as run:
        model = zoo.enable_lora(zoo.build("dense:tiny", input_shape=(13,), num_classes=3), 2)
        zoo.compile_model(model, splits.info, config)
        mapped = splits.mapped(prepare(splits))
        zoo.fit_model(model, mapped, run)
        expected = model.predict(next(iter(mapped.test))[0], verbose=0)
        zoo.evaluate_model(model, mapped, run)
        zoo.export_model(model, mapped, run)
    built = zoo.build(weights="run")
    assert not any("lora" in weight.path for weight in built.weights)
    found = built.predict(next(iter(mapped.test))[0], verbose=0)
    assert_close(found, expected, KERNELS)


def test_a_flipped_byte_anywhere_is_found_by_name(export):
    for path in sorted(p for p in export.rglob("*") if p.is_file()):
        content = path.read_bytes()
        positions = range(0, len(content), max(1, len(content) // 40))
        for position in {*positions, len(content) - 1}:
            changed = bytearray(content)
            changed[position] ^= 0x20
            path.write_bytes(changed)
            with pytest.raises(manifest.DamagedModelError, match=path.name):
                zoo.load(export)
        path.write_bytes(content)
    assert zoo.load(export)


def test_missing_and_added_files_are_found_by_name(export):
    (export / "extra.py").write_text("print('hello')")
    with pytest.raises(manifest.DamagedModelError, match="extra.py does not belong there"):
        zoo.load(export)
    (export / "extra.py").unlink()
    (export / "assets.extra/golden.npz").unlink()
    with pytest.raises(manifest.DamagedModelError, match="golden.npz is missing"):
        zoo.verify(export)
    (export / "assets.extra/manifest.json").unlink()
    with pytest.raises(manifest.DamagedModelError, match="has no assets.extra/manifest.json"):
        zoo.verify(export)


def test_verify_notices_other_outputs_and_signatures(export):
    golden_path = export / "assets.extra/golden.npz"
    golden = dict(np.load(golden_path))
    for change, words in [
        (
            {"serving_default/probabilities": golden["serving_default/probabilities"] + 1e-3},
            "probabilities differs",
        ),
        ({"embed/embedding": golden["embed/embedding"] * np.nan}, "embedding differs"),
        ({"serve/label": golden["serve/label"][::-1].copy() + "x"}, "label differs"),
        ({"decode/x": np.zeros(3)}, "its signatures are"),
    ]:
        np.savez_compressed(golden_path, **{**golden, **change})
        manifest.write(export)
        with pytest.raises(manifest.DamagedModelError, match=words):
            zoo.verify(export)


@pytest.mark.parametrize(
    ("task", "settings", "words"),
    [
        ("classification", {}, "; the epoch is chosen by the validation loss"),
        ("classification", {"monitor": "accuracy"}, "chosen by the validation accuracy"),
        ("classification", {"use_validation": True}, "; the last epoch is kept, as the validation"),
        ("generation", {"binarize": "dynamic"}, "for the test once; nll by 100 importance samples"),
        ("translation", {"beam_width": 2}, "; any listed answer is right; beam of 2"),
    ],
)
def test_a_card_says_how_its_scores_were_measured(digits_run, tmp_path, task, settings, words):
    shutil.copy(digits_run / "score.json", tmp_path)
    made_by = yaml.safe_load((digits_run / "config.yaml").read_text())["made_by"]
    config = TrainConfig().replace(**settings)
    (tmp_path / "config.yaml").write_text(config.to_yaml() + yaml.safe_dump({"made_by": made_by}))
    splits = door.load_dataset("digits")
    info = dataclasses.replace(splits.info, task=task)
    preparation = SimpleNamespace(input_range=None, steps=[])
    splits = dataclasses.replace(splits, info=info, preparation=preparation)
    run = SimpleNamespace(folder=tmp_path, config=config)
    signatures = cards.read(store.find(digits_run)).signatures
    card = cards.make(splits, None, run, signatures)
    assert words in card.protocol
    without = dataclasses.replace(card.runs[0], interval=None)  # too few examples, or an old run
    shown = card_page.render(dataclasses.replace(card, runs=(*card.runs, without)))
    assert words in shown
    assert "nan" not in shown
    assert ("- classes: 0, 1" in shown) == (task != "generation")


def test_weights_go_on_training_with_another_number_of_classes(digits_run):
    same, other = zoo.build(weights=digits_run), zoo.build(weights=digits_run, num_classes=4)
    assert same.output_shape == (None, 10)
    assert other.output_shape == (None, 4)
    for layer in same.layers:
        if layer.name != "logits":
            for a, b in zip(layer.get_weights(), other.get_layer(layer.name).get_weights()):
                np.testing.assert_array_equal(a, b)
    for options, words in [
        ({"dropout": 0.1}, "together with weights"),
        ({"model": "dense"}, "leave family and size out"),
    ]:
        with pytest.raises(zoo.InputError, match=words):
            zoo.build(weights=digits_run, **options)


def test_a_users_own_model_is_loaded_not_rebuilt(in_tmp):
    own = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Activation("linear")], name="own"
    )
    x = np.random.default_rng(0).normal(size=(50, 3))
    trained = zoo.train(own, (x, x[:, 0] > 0), epochs=1, batch_size=8, quiet=True)
    assert "embed" not in zoo.load(trained.export).signatures  # no dense layer last
    with pytest.raises(zoo.InputError, match="its maker's own"):
        zoo.build(weights=trained.export)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_models_verify(name):
    result = zoo.verify(SHIPPED / name)
    assert result["largest_difference"] <= golden_check.TOLERANCE


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_a_golden_output_is_compared_by_its_own_scale(unit):
    golden, rounded = np.array([[0.5, -2.0]], "float32"), [[0.5 + 1e-6, -2.0]]
    for found, is_same in ((rounded, True), ([[0.5001, -2.0]], False), ([[np.nan, -2.0]], False), ([[0.5]], False)):  # fmt: skip
        share = golden_check.difference(np.array(found, "float32") * unit, golden * unit)
        assert (share <= golden_check.TOLERANCE) is is_same
    zeros = np.zeros((2, 3), "float32")
    assert golden_check.difference(zeros + 0.1, zeros) == pytest.approx(0.1)


def test_a_changed_weight_shows_in_small_outputs_too(tmp_path):
    """Outputs of about 1e-5, of which one weight in a thousandth of its value changes a thousandth."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.layers[0].set_weights([np.full((3, 1), 1e-5), np.zeros(1)])
    (tmp_path / "assets.extra").mkdir()
    signature = tf.function(
        lambda x: {"y": model(x)}, input_signature=[tf.TensorSpec((None, 3), "float32", name="x")]
    )
    golden = {"inputs/x": np.eye(3, dtype="float32")}
    golden["serving_default/y"] = model(golden["inputs/x"]).numpy()
    np.savez(tmp_path / "assets.extra" / "golden.npz", **golden)
    model.layers[0].kernel.assign([[1e-5], [1.001e-5], [1e-5]])
    tf.saved_model.save(model, tmp_path, {"serving_default": signature})
    found = json.loads(alone.run(golden_check.__file__, tmp_path).stdout)
    assert re.fullmatch(
        "serving_default: y differs from .* by a share of 0.001", *found["problems"]
    )
