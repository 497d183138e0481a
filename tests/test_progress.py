"""What a run says while it goes on: nothing of a folder before the data are sound, a line an epoch, and what takes long."""

import logging
import re
import time

import pytest
from test_cli import here

import zoo
from zoo.data import notes
from zoo.training import progress
from zoo.training.run import logging_to

LIMITS = {"limit": 100, "batch_size": 16, "quiet": True}
LINE = (
    r"epoch {} of 2: loss [\d.]+, accuracy [\d.]+, val_loss [\d.]+, val_accuracy [\d.]+, \d+\.\d s$"
)


@pytest.mark.parametrize("table", ["a,b\n1,x\n2,y\n", "a,b\n" + "1,x\n" * 40])
def test_no_folder_is_made_or_announced_before_an_error_of_the_input(table, in_tmp):
    (in_tmp / "t.csv").write_text(table)
    child = here("train", "--dataset", "t.csv", "--target", "b", "--model", "dense:tiny")
    assert child.returncode == 2
    assert "run" not in child.stderr.decode().lower().replace("t.csv", "")
    assert [path.name for path in in_tmp.iterdir()] == ["t.csv"]


def test_the_runs_of_others_stay_where_a_run_is_refused(in_tmp):
    (in_tmp / "runs/other").mkdir(parents=True)
    (in_tmp / "t.csv").write_text("a,b\n1,x\n")
    assert here("train", "--dataset", "t.csv", "--target", "b").returncode == 2
    assert [path.name for path in (in_tmp / "runs").iterdir()] == ["other"]


def test_the_log_holds_a_line_for_each_epoch_from_1_and_the_folder_before_them(in_tmp):
    trained = zoo.train("dense:tiny", "digits", epochs=2, **LIMITS)
    lines = (trained.folder / "log.txt").read_text().splitlines()
    found = [line for line in lines if " epoch " in line and " of 2: " in line]
    assert len(found) == 2
    for number, line in enumerate(found, 1):
        assert re.search(LINE.format(number), line)
    (folder,) = [line for line in lines if "run folder" in line]
    assert lines.index(folder) < lines.index(found[0])
    rows = (trained.folder / "metrics.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["0", "1"]  # as in Keras, and as ever
    assert "numbered from 0" in (trained.folder / "report.md").read_text()


def test_beside_a_progress_bar_the_line_of_an_epoch_is_in_the_file_alone(tmp_path, capsys):
    log = logging.getLogger("zoo.test_progress")
    for has_bar in (True, False):
        with logging_to(tmp_path / "log.txt", quiet=False, level=logging.INFO, log=log):
            log.info("epoch 1", extra=progress.Progress(1, has_bar).aside)
        assert ("epoch 1" in capsys.readouterr().err) != has_bar
    assert (tmp_path / "log.txt").read_text().count("epoch 1") == 2


def test_keras_draws_the_bar_on_a_terminal_alone(in_tmp, monkeypatch, capsys):
    for name in ("rehearse", "evaluate_model", "export_model"):  # which say nothing of epochs
        monkeypatch.setattr(f"zoo.api.{name}", lambda *_: None)
    for has_terminal in (False, True):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_one=has_terminal: is_one, raising=False)
        zoo.train("dense:tiny", "digits", epochs=2, **LIMITS | {"quiet": False})
        said = capsys.readouterr()
        assert ("Epoch 2/2" in said.out) == has_terminal
        assert ("epoch 2 of 2" in said.err) != has_terminal


def test_what_takes_long_is_told_and_is_no_note_of_the_data(monkeypatch, caplog):
    monkeypatch.setattr(notes, "MOMENT", 0.05)
    caplog.set_level(logging.INFO, "zoo")
    monkeypatch.setattr(logging.getLogger("zoo"), "propagate", True)
    with notes.heard() as lines:
        with notes.timed("reading 3 examples"):
            time.sleep(0.2)
        with notes.timed("nothing"):
            pass
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "reading 3 examples ..."
    assert re.fullmatch(r"reading 3 examples took 0\.\d s", told[1])
    assert len(told) == 2
    assert not lines


@pytest.mark.parametrize("quiet", [False, True])
def test_of_what_is_kept_aside_only_the_time_is_shown(quiet, monkeypatch, capsys):
    monkeypatch.setattr(notes, "MOMENT", 0.05)
    with notes.kept_aside(quiet), notes.heard() as lines:
        logging.getLogger("zoo").info("a note")
        with notes.timed("reading"):
            time.sleep(0.2)
    assert list(lines) == ["a note"]
    said = capsys.readouterr().err
    assert ("reading took" in said) != quiet
    assert "a note" not in said
