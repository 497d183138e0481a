"""A search that ends at any moment goes on to the same trials."""

import json
import shutil
from pathlib import Path
from unittest import mock

import keras
import pytest
from searches import build, quick_trials, rows, tune

import zoo
from zoo import files
from zoo.tuning import results, search
from zoo.tuning import tuner as engine


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


NARROW = {
    "bayesian": {"fix": {"units": 32, "num_layers": 1, "batch_normalization": False, "dropout": 0.0,
                         "schedule": "cosine", "batch_size": 16, "label_smoothing": 0.0}},
    "grid": {"fix": {"learning_rate": 1e-3, "weight_decay": 1e-3, "schedule": "cosine"},
             "space": {"units": [32, 64], "dropout": [0.0, 0.1]}},
}  # fmt: skip


@pytest.mark.parametrize("kind", engine.ORACLES)
def test_a_search_killed_at_any_write_ends_with_the_same_trials(kind, in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    options = {"tuner": kind, "trials": 8, "epochs": 9, **NARROW.get(kind, {})}
    write, calls = files.write_atomic, []
    monkeypatch.setattr(files, "write_atomic", lambda *file: calls.append(file) or write(*file))
    whole = tune(out="whole", **options)
    wanted = [(row["trial"], row["values"], row["score"]) for row in whole.trials]
    assert len(wanted) == 8
    count = len(calls)

    def killed(at, is_late):
        """A search that is killed before or after the write of a file."""

        def killing(path, content):
            calls.append(path)
            if len(calls) == at and not is_late:
                raise Killed
            write(path, content)
            if len(calls) == at:
                raise Killed

        shutil.rmtree("s", ignore_errors=True)
        calls.clear()
        monkeypatch.setattr(files, "write_atomic", killing)
        with pytest.raises(Killed):
            tune(out="s", **options)
        monkeypatch.setattr(files, "write_atomic", write)

    for at in range(
        count - 5, 1, -11
    ):  # odd and even; between the last, slow trials of a Bayesian search, too
        killed(at, is_late=at % 2)
        found = tune(out="s", **options)
        assert [(row["trial"], row["values"], row["score"]) for row in found.trials] == wanted


def test_damaged_and_missing_trial_files_are_made_again(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    wanted = [row["values"] for row in tune(out="s", trials=4).trials]
    Path("s/trial_1/trial.json").write_text('{"trial_id": "1", "hyp')
    Path("s/trial_2/trial.json").unlink()
    Path("s/trial_2/result.json").write_text("{")
    shutil.rmtree("s/trial_3")
    assert [row["values"] for row in tune(out="s", trials=4).trials] == wanted
    state = json.loads(Path("s/oracle.json").read_text())
    assert sorted(state["end_order"]) == state["start_order"] == ["0", "1", "2", "3"]
    Path("s/oracle.json").write_text("{")
    with pytest.raises(zoo.InputError, match="s/oracle.json cannot be read"):
        tune(out="s", trials=4)


def test_more_trials_go_on_with_a_search_other_settings_do_not(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    first = tune(out="s", trials=3).trials
    assert [row["values"] for row in tune(out="s", trials=5).trials[:3]] == [row["values"] for row in first]  # fmt: skip
    with pytest.raises(
        zoo.InputError, match="begun with config.run.epochs=1 and cannot go on with 2"
    ):
        tune(out="s", trials=5, epochs=2)
    with pytest.raises(zoo.InputError, match="begun with tuner='random'"):
        tune(out="s", tuner="grid")
    Path("other").mkdir()
    Path("other/file").touch()
    with pytest.raises(zoo.InputError, match="holds other files and no search"):
        tune(out="other")


def test_a_refused_search_does_not_keep_its_folder(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    for wrong in ({"objective": "val_accurate"}, {"fix": {"dropout": 0.9}}, {"task": "generation"}):
        with pytest.raises(zoo.InputError):
            tune(out="s", **wrong)
    assert len(tune(out="s").trials) == 2


def test_a_trial_that_time_was_up_for_goes_on_exactly(in_tmp, monkeypatch):
    options = {"trials": 1, "epochs": 6, "prune": False}
    whole = tune(out="whole", **options).trials[0]
    now, end = [0.0], engine.trials.stops.StopInTime.on_epoch_end
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])

    def slow(self, epoch, logs=None):
        now[0] += 50
        end(self, epoch, logs)

    monkeypatch.setattr(engine.trials.stops.StopInTime, "on_epoch_end", slow)
    for _ in range(2):  # the second one has no time left
        (cut,) = tune(out="s", max_minutes=2, **options).trials
        assert (cut["cut"], cut["epochs"]) == (True, 3)
        assert "ended early: time was up" in Path("s/report.md").read_text()
    (more,) = tune(out="s", max_minutes=3.9, **options).trials
    assert (more["cut"], more["epochs"]) == (True, 4)
    (ended,) = tune(out="s", **options).trials
    assert (ended["cut"], ended["epochs"]) == (False, 6)
    assert (ended["score"], ended["loss"]) == (whole["score"], whole["loss"])
    assert not list(Path("s").glob("trial_*/run/checkpoints"))


def test_dimensions_that_a_trial_brings_outlive_its_process(in_tmp, monkeypatch):
    def deep(hp, input_shape, num_classes):
        hidden = [hp.Int(f"width_{i}", 2, 64) for i in range(hp.Int("depth", 1, 3))]
        return keras.Sequential([keras.Input(input_shape), *map(keras.layers.Dense, hidden), keras.layers.Dense(num_classes)])  # fmt: skip

    whole = [row["values"] for row in tune(deep, out="whole", trials=4).trials]
    for values in whole:
        assert {f"width_{i}" for i in range(values["depth"])} <= values.keys()
    write = results.write

    def killed(folder, result):
        write(folder, result)
        if folder.name == "trial_1":
            raise Killed

    monkeypatch.setattr(results, "write", killed)
    with pytest.raises(Killed):
        tune(deep, out="s", trials=4)
    monkeypatch.setattr(results, "write", write)
    assert [row["values"] for row in tune(deep, out="s", trials=4).trials] == whole


def test_other_data_or_another_space_do_not_go_on_with_a_search(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    tune(build, out="s", objective="val_accuracy")
    tune(build, out="s", trials=3)  # by the same objective, the usual one

    def other(hp, input_shape, num_classes):
        hp.Int("depth", 1, 3)
        return build(hp, input_shape, num_classes)

    other.__name__ = build.__name__
    with pytest.raises(zoo.InputError, match="begun with other training or validation examples"):
        tune(build, rows(seed=1), out="s", trials=3)
    with pytest.raises(zoo.InputError, match="begun with searched.depth.* and cannot go on"):
        tune(other, out="s", trials=3)


def test_another_best_trial_is_trained_again(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    trained = mock.Mock()

    def train(model, data, *, config, **parts):
        trained(config)
        Path(config.run.out, "export/1").mkdir(parents=True)
        Path(config.run.out, "score.json").write_text('{"scores": {"accuracy": 0.5}}')

    monkeypatch.setattr(search.final.api, "train", train)
    found = [tune(out="s", trials=number, retrain=True) for number in (1, 1, 9)]
    assert found[0].config != found[2].config, "no later trial was better: choose another seed"
    assert trained.call_count == 6
    assert found[0].retrained.folders == found[1].retrained.folders
    assert trained.call_args.args[0].optimizer == found[2].config.optimizer


def test_ctrl_c_says_how_to_go_on(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    run = engine.trials.run
    monkeypatch.setattr(engine.trials, "run", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        tune(out="s")
    assert "stopped; the same command goes on with it" in Path("s/log.txt").read_text()
    monkeypatch.setattr(engine.trials, "run", run)
    assert len(tune(out="s").trials) == 2


def test_two_searches_in_one_folder_are_refused(in_tmp):
    Path("s").mkdir()
    with files.locked("s"), pytest.raises(zoo.InputError, match="s is in use by process"):
        tune(out="s")


def test_the_search_ends_in_time_and_goes_on_with_more(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    now = [0.0]
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])
    run = engine.trials.run

    def slow(*arguments, **options):
        now[0] += 50
        return run(*arguments, **options)

    monkeypatch.setattr(engine.trials, "run", slow)
    assert len(tune(out="s", trials=9, max_minutes=2).trials) == 3
    assert len(tune(out="s", trials=9, max_minutes=2).trials) == 3
    assert len(tune(out="s", trials=9, max_minutes=3).trials) == 4
