"""One trial: settings from the space, trained and judged by the shared recipe, with what became of it in one file."""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import statistics
import time
import traceback
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo import building, files
from zoo.config.config import AUTO, TrainConfig
from zoo.data import augment
from zoo.data.batches import Splits
from zoo.models import checks
from zoo.training import strategy as strategies
from zoo.training.fit import fit_model
from zoo.training.run import start_run
from zoo.tuning import boards, results, spaces, stops
from zoo.tuning.objectives import Objective

STARTS = 10  # of a trial, without a step forward, before it counts as one that ends the process
LATENCY_CALLS = 30


@dataclasses.dataclass(frozen=True)
class Problem:
    """What all trials of a search share.

    Attributes:
        model: A name such as `"cnn:base"`, or a builder function whose first argument is a `HyperParameters`.
        config: The `TrainConfig` that a trial's settings come on top of.
        splits: The decoded data, with their `Preparation`.
        objective: What is judged.
        fix, space: How the caller narrows the space.
        max_params, max_latency_ms: What a model may have at most; `None` for anything.
        prune: Whether trials without hope end early.
        folder: The search's folder.
    """

    model: object
    config: TrainConfig
    splits: Splits
    objective: Objective
    fix: dict
    space: dict
    max_params: int | None
    max_latency_ms: float | None
    prune: bool
    folder: Path

    def narrowed(self, hp):
        """The `HyperParameters` as a builder gets to see them."""
        kept = spaces.already_said(self.config)
        first = spaces.first_values(self.config, isinstance(self.model, str))
        if self.objective.name == "val_loss" and "beta" in first:
            kept |= spaces.kept_beta(first["beta"], self.fix, self.space)
        return spaces.Narrowed(hp, self.fix, self.space, kept, first)

    def settings(self, narrowed, replicas=1):
        """The config of a trial, and the model that `zoo.train` would take with it.

        Args:
            narrowed: From `narrowed`, with the trial's values.
            replicas: Devices that share a batch.
        """
        options = spaces.training_space(
            narrowed,
            self.splits.info,
            self.config,
            objective=self.objective.name,
            num_train=len(self.splits.examples["train"]),
            replicas=replicas,
        )
        if not isinstance(self.model, str):
            build = functools.partial(self.build_own, narrowed)
            build.__name__ = getattr(self.model, "__name__", "build")
            return self.config.replace(**options), build
        arguments = spaces.family_space(narrowed, self.model)
        for key in self.config.model_args:
            if key in arguments:
                raise checks.InputError(
                    f"model_args holds {key}, which the space of {self.model} sets: narrow that with fix or space."
                )
        arguments = {**arguments, **self.config.model_args}
        return self.config.replace(**options, model_args=arguments), self.model

    def strategy(self):
        """The strategy that every trial runs under: always the same object."""
        return strategies.make_strategy(self.config.run.strategy, replicas=self.config.run.replicas)

    def build_own(self, narrowed, input_shape, num_classes=None, **others):
        """The model of the caller's builder for the values of a `HyperParameters`."""
        narrowed.taken = spaces.TRAINING
        arguments = {"input_shape": input_shape, "num_classes": num_classes, **others}
        model = spaces.build_own(self.model, narrowed, arguments)
        if isinstance(model, keras.Model) and model.compiled:
            raise spaces.SpaceError(
                "The builder returns a compiled model, but the recipe compiles it, with the learning rate, schedule and "
                "weight decay of the trial: return it uncompiled."
            )
        return model


def run(problem, folder, hp, *, epochs=None, parent=None, deadline=None):
    """Runs a trial, or goes on with it where it was when its process ended.

    Args:
        problem: The `Problem`.
        folder: The trial's folder.
        hp: The `HyperParameters` with its values.
        epochs: Epochs to train; all of the config's where it is `None`.
        parent: The folder of the trial that this one goes on from.
        deadline: Time of `time.monotonic` after which it ends at the end of an epoch.

    Returns:
        A `Result`, also of a failure.

    Raises:
        InputError: What fails is not the trial, but the disk or a file of the data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        found = results.read(folder)
        if found is not None and found.cut:
            _open_again(folder)
            found = None
        return found or _run(problem, folder, hp, epochs, parent, deadline)


def _open_again(folder):
    """Makes a trial that was ended because time was up go on, from the checkpoint before the one that calls it ended."""
    for path in sorted((folder / "run" / "checkpoints").glob("step-*.npz"))[-1:]:
        path.unlink()
    (folder / results.NAME).unlink()


@contextlib.contextmanager
def _alone(folder):
    """Waits while another worker has the trial, which a chief that was started again may give to a second one."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(files.locked(folder))
                break
            except checks.InputError:
                time.sleep(1)
        yield


def _run(problem, folder, hp, epochs, parent, deadline):
    begun, facts = time.monotonic(), {}
    try:
        _note_start(folder)
        _take_over(parent, folder)
        facts |= _train(problem, folder, hp, epochs, deadline, facts)
    except Exception as error:  # noqa: BLE001 - whatever a trial raises is its own failure
        if _is_of_the_machine(error):
            raise
        facts |= {"reason": _reason(error), "trace": traceback.format_exc()}
    facts["seconds"] = time.monotonic() - begun
    result = results.Result(dict(hp.values), **facts)  # the builder may have declared some
    if result.reason is None:
        boards.write(folder, problem.objective, result)
    results.write(folder, result)
    if epochs is None and not result.cut:  # nothing goes on from it
        shutil.rmtree(folder / "run" / "checkpoints", ignore_errors=True)
    return result


def _train(problem, folder, hp, epochs, deadline, facts):
    keras.backend.clear_session()  # the models of earlier trials
    strategy = problem.strategy()
    config, model = problem.settings(problem.narrowed(hp), strategy.num_replicas_in_sync)
    config = config.replace(out=str(folder / "run"), resume=AUTO, quiet=True)
    if (folder / "run" / "config.yaml").exists():  # perhaps of a version with another default
        config = config.replace(monitor=TrainConfig.of_run(folder / "run").run.monitor)
    splits = _splits(problem, config)
    with start_run(config) as run:
        built = building.make_compiled(model, splits, run)
        facts["parameters"] = built.count_params()
        facts["latency_ms"] = _check_limits(problem, built, splits)
        callbacks = stops.callbacks(problem, deadline)
        part = config.replace(epochs=epochs or config.run.epochs)
        history = fit_model(
            built,
            splits,
            dataclasses.replace(run, config=part),
            extra_callbacks=callbacks,
            draw=False,
        )
        judged = problem.objective.judge(built, splits, run, history)
    if not np.isfinite(judged["score"]):
        raise checks.InputError(f"{problem.objective.name} is {judged['score']}")
    ended = {key: any(getattr(c, key, False) for c in callbacks) for key in ("pruned", "cut")}
    return {**judged, "epochs": len(history.epoch), **ended}


def _splits(problem, config):
    """The shared data in a trial's own batches."""
    data = config.data
    augment.check(data.augment, problem.splits.info, data.batch_size)
    return dataclasses.replace(
        problem.splits,
        batch_size=data.batch_size,
        policy=data.augment,
        augment_share=data.augment_share,
    )


def _check_limits(problem, model, splits):
    """Raises `InputError` for a model over a limit; returns its latency where there is a limit for it."""
    most, found = problem.max_params, model.count_params()
    if most is not None and found > most:
        raise checks.InputError(f"too big: {found:,} parameters, max_params={most:,}")
    if problem.max_latency_ms is None:
        return None
    latency = latency_ms(model, splits)
    if latency > problem.max_latency_ms:
        raise checks.InputError(
            f"too slow: {latency:.2f} ms for one example, max_latency_ms={problem.max_latency_ms:g}"
        )
    return latency


def latency_ms(model, splits):
    """Milliseconds of a forward pass of one example in a compiled function: the median of some calls."""
    one = dataclasses.replace(splits, batch_size=1)
    inputs = next(iter(one.validation))[0]
    predict = tf.function(lambda x: model(x, training=False))
    seconds = []
    for _ in range(LATENCY_CALLS):
        begun = time.perf_counter()
        keras.tree.map_structure(lambda tensor: tensor.numpy(), predict(inputs))
        seconds.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(seconds[3:])


def _take_over(parent, folder):
    """Copies the run of an earlier trial, which this one goes on with, unless that is done."""
    target = folder / "run"
    if parent is None or target.exists():
        return
    staged = folder / f".staged-{os.getpid()}"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(parent / "run", staged, ignore=shutil.ignore_patterns(".lock", "log.txt"))
    os.rename(staged, target)


def _note_start(folder):
    """Counts the starts of a trial at the same checkpoint: one that ends its process each time must not do so for ever."""
    path, state = folder / "starts.json", {"number": None, "count": 0}
    if path.exists():
        state = json.loads(path.read_text())
    found = sorted(path.name for path in (folder / "run" / "checkpoints").glob("step-*.npz"))
    number = found[-1] if found else ""
    count = state["count"] + 1 if state["number"] == number else 1
    if count > STARTS:
        raise checks.InputError(
            f"its process was killed {STARTS} times at the same place, as happens where memory runs out"
        )
    files.write_atomic(path, json.dumps({"number": number, "count": count}))


def _is_of_the_machine(error):
    """Whether the disk or a data file failed, as `start_run` says: it would fail in every trial."""
    of_files = isinstance(error.__cause__, (OSError, tf.errors.OpError))
    return isinstance(error, checks.InputError) and of_files


def _reason(error):
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return f"out of memory: {str(error).strip().split(chr(10))[0] or type(error).__name__}"
    if isinstance(error, checks.InputError):
        return str(error)
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
