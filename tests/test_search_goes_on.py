"""A search that ends at any moment goes on to the same trials."""

import json
import shutil
from pathlib import Path
from unittest import mock

import pytest
from searches import quick_trials, tune

import zoo
from zoo import files
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
