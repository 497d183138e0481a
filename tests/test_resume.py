"""Runs that were stopped and go on: the same weights, the same history, or a clear word why not."""

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from swallowing import BOTH_WAYS, two_layers
from tolerances import TRAINED, assert_close

import zoo
from zoo import files
from zoo.config.config import TrainConfig
from zoo.training import checkpoints, signals
from zoo.training.command_line import from_command_line

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
PIXELS = RNG.integers(0, 256, (200, 8, 8, 1)).astype("uint8")
EVERY = {"epochs": 3, "batch_size": 16, "quiet": True}  # 144 training examples: 9 steps in an epoch


@pytest.fixture
def only_fit(in_tmp, monkeypatch):
    """Runs end after the training, which is what most of these tests look at."""
    monkeypatch.setattr("zoo.api.evaluate_model", lambda *_: None)
    monkeypatch.setattr("zoo.api.export_model", lambda *_: None)
    return in_tmp


class Ended(BaseException):
    """As if the process had ended: nothing but a signal is answered."""


class StopAt(keras.callbacks.Callback):
    """Ends a run by an exception before a step of the whole run, or at an epoch's end; once."""

    def __init__(self, step):
        super().__init__()
        self.step, self.count = step, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.step is not None and self.count == self.step:
            raise Ended
        self.count += 1

    def on_epoch_end(self, epoch, logs=None):
        if self.step == f"epoch {epoch}":
            raise Ended


def stopped_and_resumed(step, model, data, extra=list, **options):
    """Trains a run in one go and another in two pieces; returns both, as (weights, metrics.csv, History, seconds)."""
    ends = []
    for folder, stops in (("whole", [None]), ("pieces", [step, None])):
        for piece, stop in enumerate(stops):
            place = {"resume": folder} if piece else {"out": folder}
            with contextlib.suppress(Ended):
                trained = zoo.train(
                    model, data, callbacks=[StopAt(stop), *extra()], **place, **{**EVERY, **options}
                )
        weights = [v.numpy() for v in trained.network.variables]
        with open(f"{folder}/metrics.csv") as file:
            ends.append((weights, file.read(), trained))
    return ends


def assert_alike(whole, pieces):
    for a, b in zip(whole[0], pieces[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole[1] == pieces[1]
    assert whole[2].history.history == pieces[2].history.history
    assert whole[2].history.best_epoch == pieces[2].history.best_epoch


DROPOUT = {"model_args": {"dropout": 0.3}, "checkpoint_steps": 4}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.9, "patience": 2},
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in (
                {"schedule": "one_cycle", "weight_decay": 0.01, "class_weight": "balanced"},
                {"precision": "mixed_float16"},
                {"strategy": "mirrored", "replicas": 2, "clip_norm": 1.0},
            )
        ),
    ],
    ids=["plain", "ema", "cycle", "float16", "mirrored"],
)
@pytest.mark.parametrize("step", [15, pytest.param(2, marks=pytest.mark.slow)])
def test_the_weights_are_those_of_an_unbroken_run(step, options, only_fit):
    assert_alike(*stopped_and_resumed(step, "dense:tiny", (X, Y), **DROPOUT, **options))


def ended(stop, where=None, **place):
    """Trains until an exception before a step, or at the first call of a function."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Ended):
        if where:
            patch.setattr(where, lambda *_, **__: (_ for _ in ()).throw(Ended))
        zoo.train("dense:tiny", (X, Y), callbacks=[StopAt(stop)], **place)


def test_a_run_ended_again_and_again_goes_on_as_one_that_was_not(only_fit):
    """At prime-numbered steps, while a checkpoint is put in its place, and while the run is taken up."""
    whole = zoo.train("dense:tiny", (X, Y), **EVERY, **DROPOUT, out="whole")
    ended(3, **EVERY, **DROPOUT, out="pieces")
    ended(None, "os.replace", resume="pieces")
    for step in (7, 11):
        ended(step, resume="pieces")
        ended(None, "zoo.training.resume.Checkpoints.set_state", resume="pieces")
    last = zoo.train("dense:tiny", (X, Y), resume="pieces", callbacks=[StopAt(None)])
    for a, b in zip(last.network.variables, whole.network.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert Path("pieces/metrics.csv").read_text() == Path("whole/metrics.csv").read_text()


@pytest.mark.parametrize(
    "options", [{}, {"strategy": "mirrored", "replicas": 2}], ids=["one", "mirrored"]
)
def test_several_steps_in_a_call_are_the_same_steps(options, only_fit):
    options = {"model_args": {"dropout": 0.3}, "checkpoint_steps": 2, **options}
    whole, pieces = stopped_and_resumed(5, "dense:tiny", (X, Y), steps_per_execution=3, **options)
    assert "after 1 epochs and 3 of 9 steps" in Path("pieces/log.txt").read_text()
    assert_alike(whole, pieces)
    single = zoo.train("dense:tiny", (X, Y), **{**EVERY, **options})
    for variable, weight in zip(single.network.variables, whole[0], strict=True):
        assert_close(variable, weight, TRAINED, scale=1)  # another program


def test_steps_in_a_call_must_divide_those_of_an_epoch(only_fit):
    with pytest.raises(zoo.InputError, match="does not divide the 9 steps.*one of 1, 3, 9"):
        zoo.train("dense:tiny", (X, Y), steps_per_execution=4, **EVERY)


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["none", "digits+mixup"])
@pytest.mark.parametrize("cache_mb", [256, None], ids=["memory", "stream"])
def test_images_in_memory_and_from_disk_go_on_alike(augment, cache_mb, only_fit, monkeypatch):
    if cache_mb is None:
        monkeypatch.setattr("zoo.data.examples.example_bytes", lambda spec: 2**30)
    np.savez("d.npz", x_train=PIXELS, y_train=Y, x_test=PIXELS[:40] // 2, y_test=Y[:40])
    assert_alike(*stopped_and_resumed(14, "cnn:tiny", "d.npz", augment=augment, checkpoint_steps=4))


def test_callbacks_of_keras_and_of_the_caller_go_on(only_fit):
    class Counts(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.steps, self.ends, self.means = 0, [], np.zeros(2)

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(self.steps)
            self.means = self.means + logs["loss"]

    made = []

    def extra():
        made.append(
            [
                Counts(),
                keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=10.0, cooldown=1),
                keras.callbacks.EarlyStopping("val_loss", patience=3, min_delta=10.0, restore_best_weights=True),
            ]
        )  # fmt: skip
        return made[-1]

    assert_alike(
        *stopped_and_resumed(31, "dense:tiny", (X, Y), extra, epochs=9, checkpoint_steps=4)
    )
    whole, _, rest = made
    assert whole[0].ends == rest[0].ends == [9, 18, 27, 36]  # stopped early
    np.testing.assert_array_equal(whole[0].means, rest[0].means)
    for a, b in zip(whole[1:], rest[1:]):
        assert (a.wait, a.best, getattr(a, "cooldown_counter", 0)) == (
            b.wait, b.best, getattr(b, "cooldown_counter", 0),
        )  # fmt: skip
    for a, b in zip(whole[2].best_weights, rest[2].best_weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_at_an_epoch_s_end_the_row_is_written_once(only_fit):
    whole, pieces = stopped_and_resumed("epoch 1", "dense:tiny", (X, Y))
    assert_alike(whole, pieces)
    assert len(pieces[1].splitlines()) == 4


def test_a_finished_run_stays_as_it_is(in_tmp):
    first = zoo.train("dense:tiny", (X, Y), out="run", **EVERY)
    score = (in_tmp / "run/score.json").read_bytes()
    again = zoo.train("dense:tiny", (X, Y), resume="run")
    assert first.export == again.export
    assert sorted(p.name for p in (in_tmp / "run/export").iterdir()) == ["1"]
    assert (in_tmp / "run/score.json").read_bytes() == score
    assert first.history.history == again.history.history


@pytest.mark.slow
def test_more_epochs_at_a_constant_rate_are_those_of_a_longer_run(in_tmp):
    zoo.train("dense:tiny", (X, Y), out="short", **{**EVERY, "epochs": 2})
    longer = zoo.train("dense:tiny", (X, Y), resume="short", epochs=4)
    whole = zoo.train("dense:tiny", (X, Y), out="whole", **{**EVERY, "epochs": 4})
    for a, b in zip(longer.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert longer.export.name == "2"
    assert TrainConfig.of_run("short").run.epochs == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": 0.1}, "begun with learning_rate=0.001 and cannot go on with 0.1"),
        ({"seed": 1}, "begun with seed=0"),
        ({"model": "dense:small"}, "begun with model='dense:tiny'"),
        ({"data": (X[::-1], Y)}, "examples are not those that it began with"),
        ({"callbacks": [keras.callbacks.TerminateOnNaN()]}, "began with the callbacks"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_go_on_says_why(options, words, only_fit):
    zoo.train("dense:tiny", (X, Y), out="run", **EVERY)
    before = {p: p.read_bytes() for p in (only_fit / "run").rglob("*") if p.is_file()}
    given = {"model": "dense:tiny", "data": (X, Y), **options}
    with pytest.raises(zoo.InputError, match=words):
        zoo.train(**given, resume="run")
    for path, content in before.items():
        assert path.read_bytes() == content or path.name in ("log.txt", ".lock"), path


def test_epochs_of_a_cycle_cannot_change(only_fit):
    zoo.train("dense:tiny", (X, Y), out="run", schedule="cosine", **EVERY)
    with pytest.raises(zoo.InputError, match="its schedule was made for them"):
        zoo.train("dense:tiny", (X, Y), resume="run", epochs=9)


def test_a_model_that_has_changed_is_named(only_fit):
    def builder(units):
        def build(input_shape, num_classes):
            return zoo.build("dense:tiny", input_shape=input_shape, num_classes=num_classes, units=units)  # fmt: skip

        return build

    zoo.train(builder((4,)), (X, Y), out="run", **EVERY)
    with pytest.raises(zoo.InputError, match=r"shape \[6, 4\].* is now .*\[6, 5\]"):
        zoo.train(builder((5,)), (X, Y), resume="run")
    with pytest.raises(zoo.InputError, match="A variable of shape|variables, and now has"):
        zoo.train(builder((4, 4)), (X, Y), resume="run")


def test_a_folder_that_is_no_run_is_refused(only_fit):
    with pytest.raises(zoo.InputError, match="nowhere is not the folder of a run"):
        zoo.train("dense:tiny", (X, Y), resume="nowhere")
    with pytest.raises(zoo.InputError, match="needs the folder of a run"):
        from_command_line(TrainConfig(), "", ["--resume"])


def test_the_command_line_takes_the_settings_of_the_run(only_fit):
    zoo.train("dense:tiny", "wine", out="run", learning_rate=0.03, **EVERY)
    config = from_command_line(TrainConfig(), "", ["--resume=run", "--quiet"])
    assert (config.model, config.optimizer.learning_rate) == ("dense:tiny", 0.03)
    assert config.checkpoints.resume == "run"


# Checkpoint files


STATE = {"number": 7, "epoch": 0, "step": 7, "best": None}
ARRAYS = [np.arange(60, dtype="float32"), np.array(3), np.zeros((2, 2), "uint32")]


def test_no_changed_byte_of_a_checkpoint_goes_unnoticed(tmp_path):
    checkpoints.write(tmp_path, STATE, ARRAYS)
    path = checkpoints.path_of(tmp_path, 7)
    content, harmless = path.read_bytes(), 0
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])  # fmt: skip
        with contextlib.suppress(checkpoints.DamagedCheckpointError):
            state, arrays = checkpoints.read(path)  # dates and the like, which nothing reads
            assert {key: state[key] for key in STATE} == STATE
            for a, b in zip(arrays, ARRAYS, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)
            harmless += 1
    assert harmless < len(content) / 4


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_cut_checkpoint_is_put_aside_and_the_one_before_is_used(size, tmp_path, caplog):
    for number in (3, 7):
        checkpoints.write(tmp_path, {**STATE, "number": number}, ARRAYS)
    path = checkpoints.path_of(tmp_path, 7)
    path.write_bytes(path.read_bytes()[:size])
    with caplog.at_level("WARNING", "zoo"):
        state, _ = checkpoints.newest(tmp_path)
    assert state["number"] == 3
    assert "step-000000007.npz cannot be read" in caplog.text
    assert path.with_suffix(".damaged").exists()
    checkpoints.path_of(tmp_path, 3).write_bytes(b"")
    with pytest.raises(checkpoints.DamagedCheckpointError, match="No checkpoint in"):
        checkpoints.newest(tmp_path)


def test_the_newest_and_the_best_are_kept(only_fit):
    zoo.train("dense:tiny", (X, Y), out="run", keep_checkpoints=2, **{**EVERY, "epochs": 6})
    names = {p.name for p in (only_fit / "run/checkpoints").iterdir()}
    state, _ = checkpoints.newest("run/checkpoints")
    best = checkpoints.path_of("", state["best"]["number"]).name
    assert names == {best, "step-000000054.npz", "step-000000045.npz"}


def test_a_lost_best_epoch_goes_back_to_a_checkpoint_that_has_its_own(tmp_path, caplog):
    best = {"epoch": 0, "number": 3}
    for number, of in ((3, best), (6, best), (9, {"epoch": 2, "number": 9})):
        checkpoints.write(tmp_path, {**STATE, "number": number, "best": of}, ARRAYS)
    checkpoints.write(tmp_path, {**STATE, "number": 11, "best": {"epoch": 2, "number": 9}}, ARRAYS)
    checkpoints.path_of(tmp_path, 9).write_bytes(b"")
    with caplog.at_level("WARNING", "zoo"):
        assert checkpoints.newest(tmp_path)[0]["number"] == 6
    checkpoints.path_of(tmp_path, 3).unlink()
    with caplog.at_level("WARNING", "zoo"):
        state, _ = checkpoints.newest(tmp_path)
    assert (state["number"], state["best"]) == (11, None)
    assert "epoch 3, the best so far, is lost" in caplog.text


# Locks and signals


def test_a_folder_in_use_is_refused_with_the_holder_s_process(only_fit):
    zoo.train("dense:tiny", (X, Y), out="run", **EVERY)
    with (
        files.locked("run"),
        pytest.raises(zoo.InputError, match=f"run is in use by process {os.getpid()} on "),
    ):
        zoo.train("dense:tiny", (X, Y), resume="run")
    (only_fit / "run/.lock").write_text("1 on elsewhere")  # of a process that is dead
    zoo.train("dense:tiny", (X, Y), resume="run")


class SignalAt(keras.callbacks.Callback):
    def __init__(self, number, step):
        super().__init__()
        self.number, self.step = number, step

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_a_signal_saves_the_step_and_leaves(number, raised, only_fit):
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(raised) as error, signals.of_a_command():
        zoo.train("dense:tiny", (X, Y), out="run", callbacks=[SignalAt(number, 12)], **EVERY)
    if raised is SystemExit:
        assert error.value.code == 143
    state, _ = checkpoints.newest("run/checkpoints")
    assert (state["number"], state["epoch"], state["step"]) == (12, 1, 3)
    assert "go on with --resume run" in (only_fit / "run/log.txt").read_text()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers


def test_an_ignored_signal_stays_ignored(only_fit):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        zoo.train("dense:tiny", (X, Y), out="run", callbacks=[SignalAt(signal.SIGINT, 12)], **EVERY)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_works_in_a_thread_which_cannot_handle_signals(in_tmp):
    done = []

    def work():
        done.append(zoo.train("dense:tiny", (X, Y), **EVERY))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done[0].report.num_test == 40


NOTICED = {
    "swallowed": "A weight holds NaN or infinity after epoch 2",
    "passed on": "The loss is nan at step 13 .epoch 2",
}


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_steps_with_nan_are_not_saved(way, only_fit):
    class Poison(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 12:
                weight = self.model.trainable_weights[0]
                weight.assign(np.full(weight.shape, np.nan))

    model = two_layers(BOTH_WAYS[way], num_inputs=X.shape[1])
    with pytest.raises(zoo.InputError, match=NOTICED[way]):
        zoo.train(model, (X, Y), out="run", callbacks=[Poison()], checkpoint_steps=1, **EVERY)
    state, arrays = checkpoints.newest("run/checkpoints")
    assert state["number"] == 11
    assert all(np.isfinite(a).all() for a in arrays)


def test_the_state_of_a_run_is_json(only_fit):
    zoo.train("dense:tiny", (X, Y), out="run", **EVERY)
    state, _ = checkpoints.newest("run/checkpoints")
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("learning_rate: 0.001", "learning_rate: 0.01", "made with learning_rate=0.001, but its config.yaml says 0.01: it was edited"),
        ("seed: 0", "seed: 1", "made with seed=0, but its config.yaml says 1"),
        ("batch_size: 16", "batch_size: 24", "made with batch_size=16, but its config.yaml says 24"),
        ("made_by:", "was_made_by:", "has no key|Unknown key"),
        ("  command: ", "  comand: ", "was cut or edited: below `made_by` it lacks command"),
    ],
    ids=["rate", "seed", "batches", "no entry", "cut"],
)  # fmt: skip
def test_a_config_that_was_edited_is_noticed_before_a_step(before, after, words, only_fit):
    with contextlib.suppress(Ended):
        zoo.train("dense:tiny", (X, Y), callbacks=[StopAt("epoch 1")], out="run", **EVERY)
    path = Path("run/config.yaml")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(zoo.InputError, match=words):
        zoo.train("dense:tiny", (X, Y), callbacks=[StopAt(None)], resume="run", quiet=True)
