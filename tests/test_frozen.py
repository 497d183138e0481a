"""What earlier versions wrote: their models answer, their runs and searches go on, their settings mean what they meant."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from frozen import kept
from tolerances import KERNELS, TRAINED, assert_close

import zoo
from zoo.saving import card as cards
from zoo.saving import golden_check
from zoo.training import checkpoints

MOST = 3_000_000  # bytes of all of them together
ENDED = "result.json"  # of a trial


def each(kind, slow=()):
    """A parameter for each artifact of a kind: its version and its name."""
    every = [
        pytest.param(version, name, marks=[pytest.mark.slow] * (name in slow))
        for version in kept.VERSIONS
        for name in kept.names(version, kind)
    ]
    return pytest.mark.parametrize(("version", "name"), every)


def assert_same(found, wanted, version, tolerance, scale=None):
    """Equal bits on the machine that made them, otherwise close."""
    if kept.is_made_here(version):
        np.testing.assert_array_equal(found, wanted)
    assert_close(found, wanted, tolerance, scale)


def inputs_of(golden, signature):
    """The golden inputs of a signature, by name: those of its own, or those that most have."""
    own = {key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"inputs:{signature}/")}  # fmt: skip
    return own or {key.partition("/")[2]: golden[key] for key in golden if key.startswith("inputs/")}  # fmt: skip


def assert_answers(found, golden, signature):
    """Compares outputs by name with the golden ones of a signature."""
    wanted = {key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"{signature}/")}  # fmt: skip
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        got = np.asarray(found[name])
        got = np.char.decode(got.astype(bytes), "utf-8") if got.dtype == object else got
        if values.dtype.kind == "f":
            assert_close(got, values, KERNELS, err_msg=f"{signature}: {name}")
        else:
            np.testing.assert_array_equal(got, values, err_msg=f"{signature}: {name}")


@each("exports")
def test_a_model_of_an_earlier_version_answers_as_it_did(version, name, tmp_path):
    folder = kept.unpack(version, f"exports/{name}", tmp_path / "1")
    model = zoo.load(folder)
    golden = np.load(folder / "assets.extra/golden.npz")
    for signature, function in model.signatures.items():
        found = function(**{key: keras.ops.convert_to_tensor(values) for key, values in inputs_of(golden, signature).items()})  # fmt: skip
        assert_answers(found, golden, signature)
    raw = inputs_of(golden, "serving_default")
    given = raw if model.card.input_kind == "table" else next(iter(raw.values()))
    assert_answers(model.predict(given), golden, "serving_default")
    assert model.card.name == name
    assert model.labels == model.card.labels
    assert name in repr(model)


@pytest.mark.slow
@each("exports")
def test_a_model_of_an_earlier_version_proves_itself_with_tensorflow_alone(version, name, tmp_path):
    folder = kept.unpack(version, f"exports/{name}", tmp_path / "1")
    assert zoo.verify(folder)["largest_difference"] <= golden_check.TOLERANCE


def probabilities(model, inputs, card):
    logits = model(inputs)
    if card.task == "multilabel":
        return keras.ops.sigmoid(logits)
    return keras.ops.softmax(logits / card.temperature)


# Kind of input, or columns of several kinds → from the golden inputs of `tensors` to what the model takes.
PREPARED = {
    "image": lambda given: given["image"] / 255,
    "text": lambda given: given["ids"],
    "mixed": lambda given: given["features"],
}
REBUILT = {
    "classification": ("tensors/probabilities", probabilities),
    "multilabel": ("tensors/probabilities", probabilities),
    "generation": (
        "tensors/mean",
        lambda model, x, _: keras.Model(model.input, model.get_layer("mean").output)(x),
    ),
}


@each("exports")
def test_a_model_of_an_earlier_version_is_built_again(version, name, tmp_path):
    folder = kept.unpack(version, f"exports/{name}", tmp_path / "1")
    card = cards.read(folder)
    if card.builder is None:
        with pytest.raises(zoo.InputError, match="made from a model of its maker's own"):
            zoo.build(weights=folder)
        return
    model = zoo.build(weights=folder)
    assert model.count_params() > 0
    kind = "mixed" if card.column_kinds else card.input_kind
    if kind in PREPARED and card.task in REBUILT:
        golden = np.load(folder / "assets.extra/golden.npz")
        key, answer = REBUILT[card.task]
        inputs = PREPARED[kind](inputs_of(golden, "tensors"))
        assert_close(answer(model, inputs, card), golden[key], KERNELS, scale=1)


@each("stopped", slow=("recurrent", "distilled"))
def test_a_run_of_an_earlier_version_goes_on_to_the_same_end(version, name, in_tmp, monkeypatch):
    monkeypatch.setattr(
        "zoo.api.export_model", lambda *_: None
    )  # the models have a test of their own
    kept.unpack(version, f"stopped/{name}", ".")
    config = zoo.TrainConfig.of_run("run")
    if config.distill.teacher:
        kept.unpack(version, "exports/image-cnn", config.distill.teacher)
    state, _ = checkpoints.newest("run/checkpoints")
    assert state["step"]  # it was stopped within an epoch
    trained = zoo.train(config.model, kept.load_data("data.npz"), resume="run")
    went_on = f"going on after {state['epoch']} epochs and {state['step']} of"
    assert went_on in Path("run/log.txt").read_text()  # and did not begin anew
    wanted = np.load("weights.npz")
    for found, key in zip(trained.network.get_weights(), wanted, strict=True):
        assert_same(found, wanted[key], version, TRAINED, scale=1)
    scores = json.loads(Path("score.json").read_text())["scores"]
    assert list(trained.report.scores) == list(scores)
    assert_same(list(trained.report.scores.values()), list(scores.values()), version, TRAINED, 1)
    rows = [np.genfromtxt(path, delimiter=",", names=True) for path in ("run/metrics.csv", "metrics.csv")]  # fmt: skip
    assert rows[0].dtype.names == rows[1].dtype.names
    for column in rows[1].dtype.names:
        assert_same(rows[0][column], rows[1][column], version, TRAINED, 1)


@pytest.mark.parametrize("version", kept.VERSIONS)
def test_a_search_of_an_earlier_version_goes_on_to_the_same_trials(version, in_tmp):
    kept.unpack(version, "search", ".")
    ended = {path: path.read_text() for path in Path("part").glob(f"trial_*/{ENDED}")}
    wanted = json.loads(Path("trials.json").read_text())
    assert 0 < len(ended) < len(wanted)
    tuned = zoo.tune(kept.build, kept.load_data("data.npz"), out="part", **kept.SEARCH)
    for path, text in ended.items():
        assert path.read_text() == text, f"{path.parent} was run again"
    went_on = [
        path
        for path in Path("part").glob("trial_*/run/log.txt")
        if "going on after 3 epochs" in path.read_text()
    ]
    assert len(went_on) == 1  # the one that was stopped
    assert len(tuned.trials) == len(wanted)
    for row, then in zip(tuned.trials, wanted):
        same = ("trial", "values", "reason", "epochs", "pruned", "cut", "parameters")
        assert {key: row[key] for key in same} == {key: then[key] for key in same}
        for key in ("score", "loss"):
            assert_same(row[key], then[key], version, TRAINED, 1)


def flat(config):
    """All fields of a config by their own names, as JSON gives them back."""
    return json.loads(json.dumps(config.flat()))


@each("configs")
def test_settings_of_an_earlier_version_mean_what_they_meant(version, name):
    path = kept.HERE / version / "configs" / f"{name}.yaml"
    wanted = json.loads((kept.HERE / version / "configs.json").read_text())[name]
    found, new = flat(zoo.TrainConfig.from_yaml(path)), flat(zoo.TrainConfig())
    # What came later has its default, or what was done before it could be said.
    assert found == new | {"monitor": "task"} | wanted


@pytest.mark.parametrize("version", kept.VERSIONS)
def test_each_setting_is_away_from_its_default_in_a_frozen_config(version):
    configs = json.loads((kept.HERE / version / "configs.json").read_text())
    default = configs["options-defaults"]
    moved = {key for config in configs.values() for key in config if config[key] != default[key]}
    assert moved == set(default)


def test_what_is_frozen_is_small():
    every = [path for version in kept.VERSIONS for path in (kept.HERE / version).rglob("*")]
    sizes = [path.stat().st_size for path in every if path.is_file()]
    assert 0 < sum(sizes) < MOST


def test_an_archive_depends_on_names_and_contents_alone(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "run/inner").mkdir(parents=True)
        for name in ("z", "inner/y", "inner/x", ".lock") if place == "a" else ("inner/x", "inner/y", "z"):  # fmt: skip
            (tmp_path / place / "run" / name).write_text(name)
        kept.pack([tmp_path / place / "run"], tmp_path / f"{place}.tar.xz")
    assert (tmp_path / "a.tar.xz").read_bytes() == (tmp_path / "b.tar.xz").read_bytes()
