"""A training that is stopped gives its best epoch so far: at once in Python, later by `zoo finish`."""

import os
import signal

import keras
import numpy as np
import pytest

import zoo
from zoo import cli

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype("float32")
Y = np.where(X[:, 0] > 0, "up", "down")
QUICK = {"epochs": 9, "batch_size": 16, "quiet": True}  # 58 training examples: 3 steps in an epoch


class InterruptAt(keras.callbacks.Callback):
    """Sends Ctrl-C before a step of the whole run."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_in_python_gives_the_best_epoch_so_far(in_tmp):
    stopped = zoo.train("dense:tiny", X, Y, out="run", callbacks=InterruptAt(7), **QUICK)
    assert len(stopped.history.epoch) == 2
    assert stopped.predict(X)["label"].shape == (80,)
    log = (in_tmp / "run/log.txt").read_text()
    assert "stopped by Ctrl-C in epoch 3: the best so far is kept" in log
    assert f"kept epoch {stopped.history.best_epoch + 1}" in log
    longer = zoo.train("dense:tiny", X, Y, resume="run", callbacks=InterruptAt(None))
    whole = zoo.train("dense:tiny", X, Y, out="whole", callbacks=InterruptAt(None), **QUICK)
    for ours, theirs in zip(longer.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_ctrl_c_before_an_epoch_has_ended_stops_the_run(in_tmp):
    with pytest.raises(KeyboardInterrupt):
        zoo.train("dense:tiny", X, Y, out="run", callbacks=InterruptAt(1), **QUICK)
    with pytest.raises(zoo.InputError, match="has not ended an epoch, so it has no best one"):
        zoo.finish("run", X, Y)


def test_ctrl_c_of_a_command_ends_it_and_finish_exports_the_best_epoch(in_tmp, monkeypatch, capsys):
    given = "train --dataset wine --model dense:tiny --epochs 3 --batch-size 32 --out run --quiet"
    fit = zoo.import_quietly("zoo.api").fit_model

    def interrupted(*arguments, extra_callbacks, **options):
        return fit(*arguments, extra_callbacks=[InterruptAt(9)], **options)

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr("zoo.api.fit_model", interrupted)
        cli.main(given.split())
    assert stop.value.code == 130
    log = (in_tmp / "run/log.txt").read_text()
    assert (
        "stopped; go on with --resume run, or export its best epoch so far with zoo finish run"
        in log
    )
    assert zoo.runs("run")["state"].tolist() == ["stopped"]
    capsys.readouterr()
    cli.main(["finish", "run"])
    assert "exported run/export/1" in capsys.readouterr().out
    assert zoo.load_run("run").report.num_test == 36
    with open("run/metrics.csv") as file:
        assert len(file.readlines()) == 3  # nothing was trained: a header and two epochs


def test_a_run_with_data_of_the_callers_own_is_finished_with_them(in_tmp):
    def own(input_shape, num_classes):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_classes)])

    class Stop(InterruptAt):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("the machine fails")

    with pytest.raises(RuntimeError):
        zoo.train(own, X, Y, out="run", callbacks=Stop(None), checkpoint_steps=1, **QUICK)
    with pytest.raises(zoo.InputError, match="has not ended an epoch"):
        zoo.finish("run", X, Y, model=own)
    with pytest.raises(RuntimeError):
        zoo.train(own, X, Y, out="other", callbacks=AtEpoch(2), **QUICK)
    with pytest.raises(
        zoo.InputError, match=r"with data in memory: pass the same, zoo.finish\('other', data\)"
    ):
        zoo.finish("other")
    with pytest.raises(
        zoo.InputError, match="a model of the caller's own: pass its builder function"
    ):
        zoo.finish("other", X, Y)
    with pytest.raises(zoo.InputError, match="examples are not those that it began with"):
        zoo.finish("other", X + 1, Y, model=own)
    finished = zoo.finish("other", X, Y, model=own)
    assert len(finished.history.epoch) == 2
    assert finished.model.predict(X, verbose=0).shape == (80, 2)
    with pytest.raises(zoo.InputError, match="is not the folder of a run"):
        zoo.finish("nowhere")


class AtEpoch(keras.callbacks.Callback):
    """Fails at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise RuntimeError("the machine fails")
