"""Searches: what is proposed, what is refused, what fails, what is left, and that the same comes again."""

import csv
import dataclasses
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import keras
import keras_tuner
import numpy as np
import pytest
import runs
import test_cli
import yaml
from searches import build, quick_trials, rows, tune
from swallowing import Swallow, two_layers

import zoo
from zoo import tasks
from zoo.data.examples import Arrays
from zoo.data.load import make_splits
from zoo.tuning import objectives, results, search, stops, trial
from zoo.tuning import tuner as engine


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search of twelve trials, one of which is too big, with everything that it leaves."""
    with runs.made_once(tmp_path_factory, "search") as (folder, _):  # one that has ended is read
        return tune(data=rows(200), trials=12, epochs=2, out=str(folder), max_params=20_000, seed=3, retrain=True)  # fmt: skip


def test_the_best_trial_is_a_config_that_trains_to_its_score(finished, in_tmp):
    config = zoo.TrainConfig.from_yaml(finished.folder / "best.yaml")
    assert config == finished.config
    sound = [row for row in finished.trials if row["reason"] is None]
    assert finished.score == max(row["score"] for row in sound)
    again = zoo.train(finished.model, rows(200), config=config)
    assert max(again.history.history["val_accuracy"]) == finished.score


def test_the_report(finished):
    folder = finished.folder
    for name in ("parallel.png", "importance.png", "curves.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    with open(folder / "trials.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["trial"] for row in table] == [row["trial"] for row in finished.trials]
    assert float(table[0]["learning_rate"]) == finished.trials[0]["values"]["learning_rate"]
    page = (folder / "report.md").read_text()
    big = [row for row in finished.trials if row["reason"]]
    assert big, "no trial was too big: choose another seed"
    for row in big:
        assert row["reason"].startswith("too big: ")
        assert row["epochs"] == 0
        assert row["reason"] in page
    assert page.index(f"| {finished.trials[-1]['trial']} |") > 0
    events = [path.parent.name for path in (folder / "tensorboard").glob("*/events*")]
    assert len(events) == len(finished.trials) - len(big)
    assert not list(folder.glob("trial_*/run/checkpoints"))


def test_the_best_settings_are_trained_again_on_train_and_validation(finished):
    assert len(finished.retrained.folders) == 3
    assert "± " in str(finished)
    for seed, folder in enumerate(finished.retrained.folders, 3):
        assert folder.parent.name == f"trial_{finished.best_trial}-epochs_{finished.best_epoch + 1}"
        config = zoo.TrainConfig.from_yaml(folder / "config.yaml")
        assert (config.run.seed, config.data.use_validation) == (seed, True)
        assert config.run.epochs == finished.best_epoch + 1
        assert (folder / "report.md").read_text().count("the last, as the validation examples")
        zoo.load(folder)


def test_a_search_that_has_ended_answers_at_once(finished, monkeypatch):
    monkeypatch.setattr(engine.trials, "run", None)
    monkeypatch.setattr(zoo.tuning.search.final.api, "train", None)
    again = tune(data=rows(200), trials=12, epochs=2, out=str(finished.folder), max_params=20_000, seed=3, retrain=True)  # fmt: skip
    assert (again.score, again.config) == (finished.score, finished.config)
    assert again.retrained.scores == finished.retrained.scores


def test_importance_finds_what_mattered():
    hp, rng = keras_tuner.HyperParameters(), np.random.default_rng(0)
    for name in ("matters", "does_not"):
        hp.Float(name, 0.0, 1.0)
    found = [
        {"values": dict(zip(("matters", "does_not"), rng.random(2).tolist())), "epochs": 3}
        for _ in range(30)
    ]
    for row in found:
        row["score"] = row["values"]["matters"] ** 2
    mean, deviation = search.report.importance(hp, found, ["matters", "does_not"])
    assert mean[0] > 10 * abs(mean[1])
    assert (deviation >= 0).all()


def test_what_is_fixed_is_no_axis_of_the_pictures_even_where_it_is_not_active():
    hp = keras_tuner.HyperParameters()
    hp.Choice("augment", ["none", "digits"])
    hp.Fixed("augment_share", 0.5, parent_name="augment", parent_values=["digits"])
    found = [
        {"values": {"augment": "none"}},
        {"values": {"augment": "digits", "augment_share": 0.5}},
    ]
    assert search.report.searched(hp, found) == ["augment"]
    assert search.report.coordinates(hp, found, ["augment"]).shape == (2, 1)


@pytest.mark.parametrize("best", ["defaults", "others"])
def test_a_search_says_when_its_best_trial_is_the_defaults(best, in_tmp, monkeypatch):
    def run(problem, folder, hp, **_):
        is_first = not any(results.read(path) for path in problem.folder.glob("trial_*"))
        folder.mkdir(exist_ok=True)
        score = float(is_first == (best == "defaults"))
        results.write(folder, results.Result(dict(hp.values), score=score, best_epoch=0, loss=1.0))
        return results.read(folder)

    monkeypatch.setattr(engine.trials, "run", run)
    monkeypatch.setattr("zoo.tuning.report._pictures", lambda *_: [])
    tuned = tune(trials=3)
    assert tuned.is_default == (best == "defaults")
    for text in (str(tuned), (tuned.folder / "report.md").read_text()):
        assert ("he best settings are the defaults" in text) == tuned.is_default


def test_the_same_seed_proposes_the_same_trials_with_the_same_scores(in_tmp, monkeypatch):
    def found(out, seed):
        tuned = tune(out=out, seed=seed)
        return [(row["values"], row["score"], row["loss"]) for row in tuned.trials]

    first = found("a", 0)  # 0 means any seed to KerasTuner
    assert found("b", 0) == first
    quick_trials(monkeypatch)
    assert found("c", 1)[1][0] != first[1][0]


def test_hyperband_goes_on_with_the_best_trials_exactly(in_tmp):
    found = tune(tuner="hyperband", trials=None, epochs=3, out="s", fix={"schedule": "cosine"})
    by_name = {row["trial"]: row for row in found.trials}
    children = [row for row in found.trials if "tuner/trial_id" in row["values"]]
    assert children
    for row in children:
        parent = by_name[row["values"]["tuner/trial_id"]]
        curves = [
            results.curve(Path("s") / f"trial_{r['trial']}", "val_loss") for r in (parent, row)
        ]
        assert curves[1][: len(curves[0])] == curves[0]
        assert row["epochs"] == row["values"]["tuner/epochs"] > parent["epochs"]
    whole = zoo.train(found.model, rows(), config=found.config)
    best = results.curve(Path("s") / f"trial_{best_of(found)}", "val_loss")
    assert whole.history.history["val_loss"][: len(best)] == pytest.approx(best, abs=0)


def test_hyperband_goes_on_with_the_best_third_of_those_that_did_not_fail(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    run = engine.trials.run

    def failing(problem, folder, hp, **options):
        if not 0 < int(folder.name.removeprefix("trial_")) <= 6:
            return run(problem, folder, hp, **options)
        results.write(folder, results.Result(dict(hp.values), reason="too big"))
        return results.read(folder)

    monkeypatch.setattr(engine.trials, "run", failing)
    found = tune(tuner="hyperband", trials=12, epochs=9, out="s").trials
    assert [row["values"]["tuner/round"] for row in found[1:]] == [0] * 9 + [1, 2]
    assert [row["values"]["tuner/epochs"] for row in found[-2:]] == [3, 9]
    best = max(found[7:10], key=lambda row: row["score"])["trial"]
    assert [row["values"]["tuner/trial_id"] for row in found[-2:]] == [best, found[-2]["trial"]]


def best_of(found):
    return next(row["trial"] for row in found.trials if row["loss"] == min(
        r["loss"] for r in found.trials if r["score"] == found.score))  # fmt: skip


# What fails


def raising(reason):
    def build_wrong(hp, input_shape, num_classes):
        model = build(hp, input_shape, num_classes)
        if hp.Choice("works", ["no", "yes"]) == "no":
            raise reason
        return model

    return build_wrong


def nan(hp, input_shape, num_classes):
    model = build(hp, input_shape, num_classes)
    if hp.Choice("works", ["no", "yes"]) == "no":
        model.layers[-1].set_weights([w * np.nan for w in model.layers[-1].get_weights()])
    return model


def swallowed(hp, input_shape, num_classes):
    model = two_layers(Swallow, num_classes, *input_shape)
    if hp.Choice("works", ["no", "yes"]) == "no":
        model.layers[0].set_weights([w * np.nan for w in model.layers[0].get_weights()])
    return model


CASES = {
    "a builder that raises": (
        raising(RuntimeError("no such layer")),
        "RuntimeError: no such layer",
    ),
    "out of memory": (raising(MemoryError("cannot allocate")), "out of memory: cannot allocate"),
    "a loss of NaN": (nan, "The loss is nan at step 1"),
    "weights of NaN": (swallowed, "A weight holds NaN or infinity after epoch 1"),
}


@pytest.mark.parametrize(("builder", "reason"), CASES.values(), ids=CASES)
def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(builder, reason, in_tmp):
    width = {} if builder is swallowed else {"width": 4}
    found = tune(builder, tuner="grid", fix={**width, "learning_rate": 1e-3, "schedule": "cosine", "batch_size": 16, "weight_decay": 1e-4, "label_smoothing": 0.0}, out="s")  # fmt: skip
    first, second = found.trials
    assert reason in first["reason"]
    assert second["reason"] is None
    assert found.score == second["score"]
    assert reason in Path("s/report.md").read_text().replace("\\|", "|")
    assert "Traceback" in first["trace"]


def test_when_all_trials_fail_the_search_fails_with_the_first_reason(in_tmp):
    def wrong(hp, input_shape, num_classes):
        raise RuntimeError(f"width {hp.Int('width', 1, 9)}")

    with pytest.raises(zoo.InputError, match="All 10 trials failed, the first one with: RuntimeError: width"):  # fmt: skip
        tune(wrong, trials=30, out="s")
    assert len(Path("s/trials.csv").read_text().splitlines()) == 11  # then it gives up
    assert not Path("s/best.yaml").exists()


def test_limits_of_size_and_time(in_tmp):
    with pytest.raises(zoo.InputError, match="too big: .* parameters, max_params=1\n"):
        tune(max_params=1, out="a")
    with pytest.raises(
        zoo.InputError, match="too slow: .* ms for one example, max_latency_ms=1e-06"
    ):
        tune(max_latency_ms=1e-6, out="b")
    assert tune(max_latency_ms=1e3, out="c", trials=1).trials[0]["latency_ms"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "val_acuracy"}, "Did you mean 'val_accuracy'"),
        ({"tuner": "hyperbnd"}, "Did you mean 'hyperband'"),
        ({"trials": 0}, "`trials` must be a whole number above 0"),
        ({"max_minutes": -1}, "`max_minutes` must be a number above 0"),
        ({"fix": {"dropout": 0.9}}, "dropout is searched as a number 0.0..0.6"),
        ({"fix": {"filters": 3}}, "Unknown hyperparameter 'filters'"),
        ({"space": {"num_layers": 3}}, "(lowest, highest) or a list"),
        ({"model_args": {"dropout": 0.1}}, "model_args holds dropout, which the space"),
        ({"strategy": "multi_worker"}, "multi_worker inside a trial does not go together"),
        ({"weights": "digits_dense"}, "weights fixes the model"),
        ({"resume": "somewhere"}, "the same command is run again"),
        ({"find_lr": True}, "find_lr is for a single training"),
        ({"likelihood_samples": 9}, "is for a generation"),
        ({"retrain": True, "schedule": "plateau"}, "leave retrain out"),
        ({"smoke": True, "learning_rates": 3}, "Did you mean 'learning_rate'"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "leaves nothing to search"),
        ({"model": "dens"}, "Did you mean 'dense'"),
    ],
)
def test_what_no_search_can_use_is_refused_before_a_trial(options, words, in_tmp):
    with pytest.raises(zoo.InputError) as error:
        tune(**options)
    assert words in str(error.value)
    assert not list(in_tmp.glob("runs/*/trial_*"))


def test_a_compiled_model_and_a_fit_of_its_own_are_refused(in_tmp):
    def compiled(hp, input_shape, num_classes):
        model = build(hp, input_shape, num_classes)
        model.compile("adam", "mse")
        return model

    class Fits(keras_tuner.HyperModel):
        def fit(self, hp, model, *args, **kwargs):
            return model.fit(*args, **kwargs)

    with pytest.raises(zoo.InputError, match="return it uncompiled"):
        tune(compiled)
    with pytest.raises(zoo.InputError, match="Fits has a fit of its own"):
        tune(Fits())


def test_a_hypermodel_of_ones_own(in_tmp):
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            inputs = keras.Input((4,))
            hidden = keras.layers.Dense(hp.Int("width", 2, 8), "relu")(inputs)
            return keras.Model(inputs, keras.layers.Dense(2)(hidden))

    found = tune(Own(), fix={"width": 5}, trials=1)
    assert found.model((4,), 2).layers[1].units == 5


def test_a_disk_that_fails_ends_the_search_not_the_trial(in_tmp, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trial, "fit_model", full)
    with pytest.raises(zoo.InputError, match="No space left on device"):
        tune(out="s")
    assert results.read("s/trial_0") is None


def test_a_trial_that_ends_its_process_each_time_counts_as_failed(tmp_path):
    for _ in range(trial.STARTS):
        trial._note_start(tmp_path)
    with pytest.raises(zoo.InputError, match="memory"):
        trial._note_start(tmp_path)
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    (tmp_path / "run/checkpoints/step-000000003.npz").touch()
    trial._note_start(tmp_path)  # it got further


def test_trials_worse_than_the_median_end_in_the_middle():
    others = [[0.1, 0.5, 0.6, 0.7]] * 3 + [[0.1, 0.2, 0.3, 0.4]] * 2

    def stopped(values, curves=others, sign=1):
        callback = stops.StopHopeless("value", sign, curves, epochs=4)
        model = keras.Sequential([keras.layers.Dense(1)])
        callback.set_model(model)
        model.stop_training = False
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"value": value})
            if model.stop_training:
                return epoch
        return None

    assert stopped([0.1, 0.4, 0.5, 0.6]) == 1
    assert stopped([0.0, 0.5, 0.6, 0.6]) is None
    assert stopped([0.6, 0.4, 0.6, 0.6]) is None  # its best so far counts
    assert stopped([0.0, 0.0], others[:4]) is None  # too few to compare with
    assert stopped([9.0, 9.0], sign=-1) == 1


# The parts of the recipe that searches use


def test_validation_examples_are_trained_on_and_the_last_epoch_is_kept(in_tmp):
    splits = zoo.load_dataset("wine")
    joined = zoo.load_dataset("wine", use_validation=True)
    sizes = {name: len(data) for name, data in splits.examples.items()}
    assert len(joined.examples["train"]) == sizes["train"] + sizes["validation"]
    assert len(joined.examples["test"]) == sizes["test"]
    found = zoo.train("dense:tiny", "wine", use_validation=True, epochs=4, learning_rate=0.3, quiet=True)  # fmt: skip
    assert found.history.best_epoch == 3
    for options in ({"patience": 2}, {"schedule": "plateau"}, {"calibrate": True}):
        with pytest.raises(zoo.InputError, match="use_validation leaves no examples"):
            zoo.TrainConfig().replace(use_validation=True, **options).check()


def test_a_share_of_the_images_is_augmented():
    x = np.full((64, 8, 8, 1), 200, "uint8")
    y = np.arange(64) % 2
    info = dataclasses.replace(zoo.load_dataset("digits").info, labels=("a", "b"))
    examples = {name: Arrays(x, y) for name in ("train", "validation", "test")}

    def changed(share):
        made = make_splits(info, examples, batch_size=64, augment="digits", augment_share=share)
        images = next(iter(made.train))[0].numpy()
        return (images != 200).any(axis=(1, 2, 3)).mean()

    assert changed(1.0) == 1
    assert 0.25 < changed(0.5) < 0.75
    mixed = make_splits(info, examples, batch_size=64, augment="cutmix", augment_share=0.5)
    labels = next(iter(mixed.train))[1].numpy()
    is_pure = labels.max(-1) == 1
    assert 0.3 < is_pure.mean() < 1


def test_a_trial_under_a_strategy_of_two_devices(in_tmp):
    found = tune(trials=1, strategy="mirrored", replicas=2)
    assert found.trials[0]["reason"] is None
    assert found.config.data.batch_size % 2 == 0


# The commands


def test_the_command(in_tmp):
    printed = test_cli.ok("tune", "dense:tiny", "--dataset", "wine", "--tuner", "random", "--trials", 2,
                          "--fix", "dropout=0.2", "--space", "num_layers=1..2", "units=32,64",
                          "--epochs", 1, "--quiet", "--out", "s")  # fmt: skip
    assert printed.startswith("best of 2 trials: val_accuracy ")
    config = yaml.safe_load(Path("s/best.yaml").read_text())
    assert config["model_args"]["dropout"] == 0.2
    assert set(config["model_args"]["units"]) <= {32, 64}
    child = test_cli.here("tune", "dense:tiny", "--fix", "dropout=0.9", "--quiet")
    assert child.returncode == 2
    assert b"dropout is searched as a number 0.0..0.6; 0.9 is outside" in child.stderr
    child = test_cli.here("tune", "dense:tiny", "--model=cnn:tiny", "--fix", "dropout=0.9")
    assert child.returncode == 2
    assert b"here dense:tiny: leave --model out" in child.stderr
    trained = test_cli.ok("train", "--config", "s/best.yaml", "--epochs", 1)
    assert "exported" in trained


@pytest.mark.slow
def test_the_page_of_tuning(in_tmp):
    page = (Path(zoo.__file__).parents[1] / "docs/tuning.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(compile(snippet, "tuning.md", "exec"), {})
    for name in tasks.TASKS:
        row = page.partition(f"\n| {name} | `")[2].partition("\n")[0]
        assert re.findall("`?(val_[a-z_]+)`", row) == [one.name for one in objectives.choices(name)]


@pytest.mark.slow
def test_the_recipe(in_tmp):
    script = str(Path(zoo.__file__).parents[1] / "recipes/tune_images.py")
    assert len(Path(script).read_text().splitlines()) <= 60
    with mock.patch.object(sys, "argv", [script, "--smoke", "--quiet"]):
        runpy.run_path(script, run_name="__main__")
    assert len(list(Path("runs/tune-digits-cnn_tiny/retrained").glob("*/seed-*"))) == 3
