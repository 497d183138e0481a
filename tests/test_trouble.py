"""Trouble under a run: what is said, what is left. The quick twins of `tests/faults/`, which has real processes and disks."""

import errno
import os
import random
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import files
from zoo.config.config import TrainConfig
from zoo.tasks import pictures
from zoo.training import checkpoints
from zoo.training.run import start_run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
EVERY = {"epochs": 3, "batch_size": 16, "quiet": True}
RUN = TrainConfig().replace(out="run", quiet=True)


def train(**options):
    return zoo.train("dense:tiny", (X, Y), **{**EVERY, **options})


@pytest.fixture
def only_fit(in_tmp, monkeypatch):
    monkeypatch.setattr("zoo.api.evaluate_model", lambda *_: None)
    monkeypatch.setattr("zoo.api.export_model", lambda *_: None)
    return in_tmp


class At(keras.callbacks.Callback):
    """Does something when an event comes for the `number`-th time."""

    def __init__(self, event, action, number=1):
        super().__init__()
        self.left = number

        def act(*_, **__):
            self.left -= 1
            if not self.left:
                action()

        setattr(self, event, act)


# Which folders stay


def test_a_refused_resume_leaves_the_folder_of_a_run_that_has_not_trained_yet(in_tmp):
    with pytest.raises(KeyboardInterrupt), start_run(RUN):
        raise KeyboardInterrupt
    with pytest.raises(zoo.InputError), start_run(RUN.replace(out=None, resume="run")):
        raise zoo.InputError("the data are damaged")
    assert (in_tmp / "run/config.yaml").exists()


def test_a_new_run_that_cannot_write_leaves_no_folder(in_tmp, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(zoo.InputError, match="No space left.* begin the run again"), start_run(RUN):
        pass
    assert not (in_tmp / "run").exists()


def test_a_lock_that_is_a_folder_is_named(in_tmp):
    with pytest.raises(KeyboardInterrupt), start_run(RUN):
        raise KeyboardInterrupt
    (in_tmp / "run/.lock").unlink()
    (in_tmp / "run/.lock").mkdir()
    with (
        pytest.raises(zoo.InputError, match=r"run/\.lock is a folder.*remove it"),
        start_run(RUN.replace(out=None, resume="run")),
    ):
        pass


# What is said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Cannot write into run: No space left on device. Mend that, then go on with --resume run"),
        (OSError(errno.EFBIG, "File too large"), "Cannot write into run: File too large. Mend that, then go on with --resume run"),
        (PermissionError(errno.EACCES, "Permission denied", "run/.lock"), "Cannot write into run: Permission denied"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "Cannot use /data/x: Permission denied"),
        (tf.errors.ResourceExhaustedError(None, None, "run/export/v; No space left on device"), "Cannot write into run: No space"),
        (tf.errors.DataLossError(None, None, "{{node}} corrupted record at 7 [Op:Next]"), r"data set digits is damaged, cut or gone \(corrupted record at 7\)"),
        (tf.errors.NotFoundError(None, None, "{{node}} /data/x; No such file or directory"), r"damaged, cut or gone \(/data/x; No such file"),
    ],
    ids=["full", "large", "lock", "data", "export", "record", "file"],
)  # fmt: skip
def test_trouble_is_named(error, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words), start_run(RUN.replace(dataset="digits")):
        (in_tmp / "run/checkpoints").mkdir()  # it has begun
        raise error


@pytest.mark.parametrize(
    ("name", "is_folder", "use", "words"),
    [
        ("score.json", True, lambda path: files.write_atomic(path, "{}"), r"run/score\.json is a folder, and should be a file"),
        ("log", True, lambda path: path.write_text("x"), "run/log is a folder, and should be a file"),
        ("export", False, lambda path: files.new_version(path).__enter__(), "run/export is a file, and should be a folder"),
        ("checkpoints", False, lambda path: path.mkdir(exist_ok=True), "run/checkpoints is a file, and should be a folder"),
        ("checkpoints", False, lambda path: (path / "step").write_text("x"), "run/checkpoints is a file, and should be a folder"),
        ("loop", None, lambda path: path.write_text("x"), "run/loop is a link that leads to itself"),
    ],
)  # fmt: skip
def test_a_folder_in_place_of_a_file_is_named(name, is_folder, use, words, in_tmp):
    with pytest.raises(zoo.InputError, match=f"{words}.*go on with --resume run"), start_run(RUN):
        path = in_tmp / "run" / name
        if is_folder:
            (path / "inside").mkdir(parents=True)
        elif is_folder is None:
            path.symlink_to(name)
        else:
            path.write_text("")
        (in_tmp / "run/metrics.csv").touch()  # it has begun
        use(Path("run") / name)


def test_what_the_caller_s_own_code_raises_is_not_taken_for_a_folder_that_is_gone(in_tmp):
    class Broken(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, number):
            if number == 2:
                raise OSError("no tape")
            return X[number::4], Y[number::4]

    with pytest.raises(zoo.InputError, match="The train Broken fails while it is read: OSError: no tape"):  # fmt: skip
        zoo.train("dense:tiny", Broken(), **EVERY)
    with pytest.raises(OSError, match="no tape"), start_run(RUN):
        raise OSError("no tape")
    assert not (in_tmp / "run").exists()


def test_a_disk_without_inodes_is_told_from_a_full_one(in_tmp, monkeypatch):
    left = os.statvfs_result((1, 1, 9, 9, 9, 7, 0, 0, 0, 255))  # 9 blocks, none of 7 inodes
    monkeypatch.setattr(os, "statvfs", lambda path: left)
    monkeypatch.setattr(files, "check_space", lambda *_: None)
    with pytest.raises(zoo.InputError, match=r"No space left on device \(no inode is free"), start_run(RUN):  # fmt: skip
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_errors_are_not_swallowed(in_tmp):
    with pytest.raises(tf.errors.InvalidArgumentError), start_run(RUN):
        raise tf.errors.InvalidArgumentError(None, None, "shapes differ")


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_stop_outside_of_the_training_says_how_to_go_on(end, in_tmp):
    with pytest.raises(end), start_run(RUN):
        raise end
    assert "stopped; go on with --resume run" in (in_tmp / "run/log.txt").read_text()


# Signals and checkpoints


def test_a_signal_after_the_last_step_is_not_lost(only_fit):
    action = At("on_train_end", lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stop:
        train(out="run", callbacks=[action])
    assert stop.value.code == 143


def test_checkpoints_that_are_all_damaged_stay_refused(tmp_path):
    for number in (3, 7):
        checkpoints.path_of(tmp_path, number).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(checkpoints.DamagedCheckpointError, match="No checkpoint in"):
            checkpoints.newest(tmp_path)


def test_a_finished_run_that_lost_its_best_epoch_keeps_the_last(only_fit, caplog):
    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float(epoch)

    train(out="run", callbacks=[Worse()])
    (best,) = only_fit.glob("run/checkpoints/step-000000009.npz")
    best.write_bytes(b"")
    with caplog.at_level("WARNING", "zoo"):
        again = train(resume="run", callbacks=[Worse()])
    assert again.history.best_epoch == 2
    assert "the best epoch's weights are lost" in (only_fit / "run/log.txt").read_text()


def test_a_removed_checkpoint_folder_is_made_again(only_fit):
    def remove():
        for path in only_fit.glob("run/checkpoints/*"):
            path.unlink()
        (only_fit / "run/checkpoints").rmdir()

    train(out="run", callbacks=[At("on_train_batch_begin", remove, 12)])
    assert len(checkpoints.paths("run/checkpoints")) == 2


def test_the_space_that_a_resumed_run_takes_already_counts(only_fit, monkeypatch):
    asked = []
    monkeypatch.setattr(files, "check_space", lambda folder, size: asked.append(size))
    train(out="run")
    held = sum(path.stat().st_size for path in checkpoints.paths("run/checkpoints"))
    train(resume="run")
    assert asked == [asked[0], asked[0] - held]


# What a process that was killed leaves, and what it did not come to


def test_a_half_drawn_picture_is_taken_for_a_leftover(in_tmp, monkeypatch):
    def killed(*_):
        raise SystemExit

    monkeypatch.setattr(os, "replace", killed)
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **__: None)  # nor does a killed process
    with pytest.raises(SystemExit):
        pictures.confusion(Y, Y, ("a", "b"), in_tmp / "confusion.png")
    monkeypatch.undo()
    assert len(list(in_tmp.iterdir())) == 1
    files.remove_leftovers(in_tmp)
    assert not list(in_tmp.iterdir())


def test_the_augmented_examples_are_drawn_by_the_resumed_run(only_fit, monkeypatch):
    pixels = RNG.integers(0, 256, (100, 8, 8, 1)).astype("uint8")
    options = {**EVERY, "epochs": 1, "augment": "digits"}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "augmented", stop)
        with pytest.raises(KeyboardInterrupt):
            zoo.train("dense:tiny", (pixels, Y[:100]), out="run", **options)
    zoo.train("dense:tiny", (pixels, Y[:100]), resume="run", **options)
    assert (only_fit / "run/augmented.png").exists()


def test_preparing_a_data_set_leaves_the_seeds_of_weights_alone(in_tmp, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp))
    before = random.getstate()
    zoo.load_dataset("wine")
    assert random.getstate() == before
