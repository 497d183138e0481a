"""Saving the whole state of a training run, and taking it up again exactly where it was."""

import contextlib
import logging
import signal
import time
from pathlib import Path

import keras
import numpy as np

from zoo import files
from zoo.keras_fixes import monitor_op, start_within_epoch, symbolic_build
from zoo.models import checks
from zoo.training import checkpoints, packing, signals, workers
from zoo.training.settings import check_settings, recorded

log = logging.getLogger("zoo")


class Checkpoints(keras.callbacks.Callback):
    """Saves the state of a run, takes it up again, keeps the best epoch, and writes `metrics.csv`.

    Goes last in the list of callbacks: it then sees what the others made of an event. A state is that before a step
    within an epoch, or that after an epoch. Of equally good epochs that with the lower validation loss counts as better, and
    where that is equal, too, the later.

    A run is taken up within an epoch by letting Keras's loop pass over the steps that are done, without work, so that
    every callback counts the right steps; then everything is set to the state.

    Args:
        folder: The run's folder.
        watched: Name of the logged value that decides, and `"max"` or `"min"`, as `Task.watched` gives them.
        config: The `CheckpointConfig`.
        splits: The `Splits`.
        others: The callbacks before this one; their plain values (numbers, texts, arrays) are saved too.
        asked: List of the signals that ask the process to end, from `signals.deferring`.
        keep_last: Whether the last epoch is kept in place of the best.
        settings: The `TrainConfig`; what must not change of it stands in each checkpoint.
        compiled: What the caller's optimizer, loss and metrics are, in words, by what they are for.
        strategy: The strategy. Of several workers only the chief's checkpoints are kept.
    """

    def __init__(
        self,
        folder,
        watched,
        config,
        *,
        splits,
        strategy,
        others=(),
        asked=(),
        keep_last=False,
        compiled=(),
        settings=None,
    ):
        super().__init__()
        self.run, self.folder, self.config = Path(folder), Path(folder) / "checkpoints", config
        self.monitor, self.sign = watched[0], 1 if watched[1] == "max" else -1
        self.splits, self.strategy, self.keep_last = splits, strategy, keep_last
        self.compiled, self.settings = dict(compiled), settings
        self.agreement = workers.Agreement(strategy, asked)
        # What TensorBoard has open ends with the process; it begins another file.
        self.others = [c for c in others if not isinstance(c, keras.callbacks.TensorBoard)]
        self.best, self.rows, self.seconds = None, [], 0.0
        self._taken_up = None  # (state, arrays), until everything is set to them
        self._epoch = 0
        self._fingerprint = splits.fingerprint()

    @property
    def best_epoch(self):
        """Number of the best epoch so far, from 0; `None` before the first."""
        return None if self.best is None else self.best["epoch"]

    def take_up(self, model, element_spec):
        """Reads the newest checkpoint, if there is one; call it before `fit`.

        Args:
            model: The compiled model.
            element_spec: That of the training batches.

        Returns:
            The epoch to go on with, the steps of it that are done, and whether training is over.

        Raises:
            InputError: The model, the data or the callbacks are not those of the checkpoint.
        """
        self.folder.mkdir(exist_ok=True)
        found = self._newest()
        workers.check_alike(self.strategy, {"training or validation examples": self._fingerprint})
        if found is None:
            return 0, 0, False
        state = found[0]
        self.set_model(model)
        symbolic_build.build_from_spec(model, element_spec)
        self._check(state)
        self.best, self.rows, self.seconds = state["best"], state["rows"], state["seconds"]
        checkpoints.write_metrics(self.run, self.rows)
        self._taken_up = found
        steps = (
            f" and {state['step']} of {self.splits.steps_per_epoch} steps" if state["step"] else ""
        )
        log.info("%s: going on after %d epochs%s", self.run, state["epoch"], steps)
        return state["epoch"], state["step"], state["stopped"]

    def _check(self, state, *, with_callbacks=True):
        if state["data"] != self._fingerprint:
            raise checks.InputError(
                f"{self.run} cannot go on: the training or validation examples are not those that it began with."
            )
        names = [type(callback).__name__ for callback in self.others]
        saved = [name for name, _ in state["callbacks"]]
        if with_callbacks and saved != names:
            raise checks.InputError(
                f"{self.run} cannot go on: it began with the callbacks {saved}, and now has {names}."
            )
        if self.settings is not None:
            check_settings(self.settings, state.get("settings", {}))
        before = state.get("compiled", {})  # none in checkpoints of earlier versions
        for key in before.keys() | self.compiled.keys():
            then, found = (str(one.get(key, "the zoo's own")) for one in (before, self.compiled))
            if then != found:
                raise checks.InputError(
                    f"{self.run} cannot go on: its {key} has changed. It began with {then}, and now has {found}."
                )
        now = [[list(v.shape), v.dtype, v.path] for v in self._variables()]
        for (*then, path), (*found, new_path) in zip(state["variables"], now):
            if then != found:
                raise checks.InputError(
                    f"{self.run} cannot go on: the model or optimizer has changed. A variable of shape {then[0]} and "
                    f"dtype {then[1]}, {path}, is now {new_path} of shape {found[0]} and dtype {found[1]}."
                )
        if len(now) != len(state["variables"]):
            raise checks.InputError(
                f"{self.run} cannot go on: the model or optimizer has changed. It had {len(state['variables'])} "
                f"variables, and now has {len(now)}."
            )

    def take_best(self, model, element_spec):
        """Reads the newest checkpoint, so that `restore_best` can follow without any training.

        Args:
            model, element_spec: As in `take_up`.

        Returns:
            As `take_up`: training is over.

        Raises:
            InputError: No epoch has ended, or model or data are not those of the checkpoint.
        """
        found = self._newest() if self.folder.exists() else None
        if found is None or not found[0]["rows"]:
            raise checks.InputError(
                f"{self.run} has not ended an epoch, so it has no best one: go on with it, resume={str(self.run)!r} "
                f"(--resume {self.run})."
            )
        state = found[0]
        self.set_model(model)
        symbolic_build.build_from_spec(model, element_spec)
        self._check(state, with_callbacks=False)
        self.best, self.rows, self.seconds = state["best"], state["rows"], state["seconds"]
        self._taken_up, self.others = found, []
        log.info("%s: no further training after %d epochs", self.run, len(self.rows))
        return state["epoch"], state["step"], True

    @contextlib.contextmanager
    def stopping(self, *, keeps_best):
        """Within the block a first Ctrl-C ends the training after its step; what comes then is as after the last epoch.

        Args:
            keeps_best: Whether that is wanted; otherwise, and before the first epoch has ended, `KeyboardInterrupt` goes on.
        """
        asked = self.agreement.asked
        try:
            yield
        except KeyboardInterrupt:
            asked[:] = asked or [signal.SIGINT]  # no signal: raised by a callback
            if not self._may_stop(keeps_best):
                raise
        if self._may_stop(keeps_best):
            asked.clear()
            log.info(
                "stopped by Ctrl-C in epoch %d: the best so far is kept, judged and exported; resume=%r (--resume) goes on training",
                self._epoch + 1, str(self.run),
            )  # fmt: skip

    def _may_stop(self, keeps_best):
        by_hand = self.agreement.is_alone and list(self.agreement.asked) == [signal.SIGINT]
        return keeps_best and by_hand and self.best is not None

    def on_train_begin(self, logs=None):
        self._counted_at = self._saved_at = time.monotonic()
        self._at_first = [packing.plain(callback, None) for callback in self.others]
        if self._taken_up:
            step = self._taken_up[0]["step"]
            if step:
                executions = step // self.model.steps_per_execution
                start_within_epoch.pass_over(self.model, executions, self._taken_up[0]["logs"])
            else:
                self.set_state()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        is_passing = self._taken_up is not None
        if is_passing and batch == self._taken_up[0]["step"]:
            self.set_state()
        waited = time.monotonic() - self._saved_at  # unlike the time of day, never set back
        asked, is_due = self._agreed(waited >= 60 * self.config.checkpoint_minutes)
        every = self.config.checkpoint_steps
        is_at_step = every and batch % every < self.model.steps_per_execution
        if batch and not is_passing and (asked or is_due or is_at_step):
            self._save(self._epoch, batch)
        if asked:
            signals.leave_if(asked)

    def on_epoch_end(self, epoch, logs=None):
        number = (epoch + 1) * self.splits.steps_per_epoch
        self.rows.append({"epoch": epoch, **_floats(logs)})
        value = self._monitored(self.rows[-1])
        if self.keep_last or self.best is None or self._is_better():
            self.best = {"epoch": epoch, "value": value, "number": number}
        self._save(epoch + 1, 0)
        checkpoints.write_metrics(self.run, self.rows)
        if asked := self._agreed(now=True)[0]:
            signals.leave_if(asked)

    def _agreed(self, is_due=False, *, now=False):
        """The signal to leave by, and whether a checkpoint is due: what all workers agree on, or this one alone decides."""
        asked = self.agreement.asked
        if self.agreement.is_alone:
            return (asked[0] if asked else None), is_due
        return self.agreement.reach(is_due, now=now)

    def _monitored(self, row):
        if self.monitor not in row:
            raise checks.InputError(
                f"An epoch has logged {', '.join(row)}, but {self.monitor} decides which epoch is kept: the model's own train_step and "
                "test_step must return compute_metrics(x, y, y_pred), or super().test_step(data)."
            )
        return row[self.monitor]

    def _is_better(self):
        """Whether the epoch that ended last is at least as good as the best so far."""
        last, best = (
            (self.sign * row[self.monitor], -row.get("val_loss", 0.0))
            for row in (self.rows[-1], self.rows[self.best["epoch"]])
        )
        return last >= best

    def restore_best(self):
        """Puts the best epoch's weights back into the model."""
        if self.best is None:
            log.warning("the best epoch's weights are lost: those of the last are kept")
            self.best = {"epoch": self.rows[-1]["epoch"]}
            return
        state, arrays = checkpoints.read(checkpoints.path_of(self.folder, self.best["number"]))
        for variable, array in zip(self.model.variables, arrays[: state["num_model"]], strict=True):
            variable.assign(array)
        log.info("kept epoch %d: %s %.5g", self.best_epoch + 1, self.monitor, self.best["value"])

    def set_state(self):
        """Sets variables and callbacks to what `take_up` found."""
        state, arrays = self._taken_up
        variables = self._variables()
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        held = arrays[len(variables) :]
        for callback, (_, values) in zip(self.others, state["callbacks"]):
            monitor_op.find_direction(callback)  # which would change other values later
            vars(callback).update((k, packing.unpacked(v, held)) for k, v in values.items())
        self._taken_up = None

    def history(self):
        """Keras's `History` of the whole run."""
        history = keras.callbacks.History()
        history.set_model(self.model)
        history.on_train_begin()
        for row in self.rows:
            history.on_epoch_end(row["epoch"], {key: row[key] for key in row if key != "epoch"})
        return history

    def _variables(self):
        """All of a run's variables. Seeds are not among a model's `weights`, but among its `variables`."""
        model = self.model
        every = model.variables + model.optimizer.variables + model.metrics_variables
        return list({id(variable): variable for variable in every}.values())

    def _newest(self):
        """The newest checkpoint that can be used; of several workers the chief's, of which the others get copies."""
        place = workers.place(self.strategy)
        found = checkpoints.newest(self.folder) if place.is_chief else None
        if place.count == 1:
            return found
        numbers = {found[0]["number"], (found[0]["best"] or found[0])["number"]} if found else ()
        (how_many, *_), *_ = workers.gather(self.strategy, [len(numbers)])
        numbers = sorted(numbers) if place.is_chief else [0] * how_many
        for number in workers.gather(self.strategy, numbers)[0]:
            path = checkpoints.path_of(self.folder, number)
            content = workers.from_chief(
                self.strategy, path.read_bytes() if place.is_chief else b""
            )
            if not place.is_chief:
                files.write_atomic(path, content)
        return found if place.is_chief else checkpoints.newest(self.folder)

    def _save(self, epoch, step):
        """Saves the state in which `step` steps of epoch `epoch` are done."""
        now = time.monotonic()
        self.seconds, self._counted_at = self.seconds + now - self._counted_at, now
        variables = self._variables()
        arrays = [keras.ops.convert_to_numpy(variable) for variable in variables]
        number = epoch * self.splits.steps_per_epoch + step
        is_float = [keras.backend.is_float_dtype(variable.dtype) for variable in variables]
        if not all(np.isfinite(a).all() for a, is_one in zip(arrays, is_float) if is_one):
            log.warning("NaN or infinity after step %d: that state is not saved", number)
            return
        held, callbacks = [], []
        for callback, first in zip(self.others, self._at_first):
            values = packing.plain(callback, held)
            changed = {key: value for key, value in values.items() if first.get(key, self) != value}
            callbacks.append([type(callback).__name__, changed])
        state = {
            "number": number,
            "epoch": epoch,
            "step": step,
            "stopped": bool(self.model.stop_training),
            "seconds": self.seconds,
            "best": self.best,
            "rows": self.rows,
            "logs": _floats(self.model.get_metrics_result()) if step else {},
            "callbacks": callbacks,
            "data": self._fingerprint,
            "compiled": self.compiled,
            "settings": {} if self.settings is None else recorded(self.settings),
            "variables": [[list(v.shape), v.dtype, v.path] for v in variables],
            "num_model": len(self.model.variables),
        }
        checkpoints.write(self.folder, state, arrays + held)
        best = self.best and self.best["number"]
        checkpoints.keep(self.folder, number, newest=self.config.keep_checkpoints, best=best)
        self._saved_at = time.monotonic()


def _floats(logs):
    return {name: float(keras.ops.convert_to_numpy(value)) for name, value in logs.items()}
