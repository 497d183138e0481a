"""KerasTuner: its oracles propose trials, one tuner runs them by the shared recipe. The only file that imports it.

KerasTuner writes its files in place, so that a kill leaves half of one, and keeps part of some oracles' state in memory
alone. Here every file is written whole, `oracle.json` says what has begun and what has ended, and what it does not call
ended is run again, which a trial that has its result does at once.
"""

import itertools
import json
import logging
import math
import sys
import time
from pathlib import Path

import keras_tuner
import numpy as np
from keras_tuner.src import config as keras_tuner_config
from keras_tuner.src.distribute import oracle_client

from zoo import files
from zoo.models import checks
from zoo.training import cluster
from zoo.tuning import results, spaces
from zoo.tuning import trial as trials

log = logging.getLogger("zoo.tuning")

ORACLE = "oracle.json"
GIVE_UP = 10  # trials from the first on that may fail before the search does
CHIEF_WAIT = 300  # seconds that a worker waits for an answer of the chief


class _Kept:
    """What all oracles here share: whole files, a state that nothing is missing from, an end in time."""

    max_seconds = None
    before, begun = 0.0, None  # seconds of earlier processes, and when this one began

    def seconds(self):
        """Seconds that the search has taken so far."""
        return self.before + time.monotonic() - self.begun

    def create_trial(self, tuner_id):
        if self.max_seconds is not None and self.trials and self.seconds() > self.max_seconds:
            self.max_trials = len(self.trials)
            self._retry_queue.clear()
        return super().create_trial(tuner_id)

    def populate_space(self, trial_id):
        if self.has_failed():
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    def _random_values(self):
        """The first trial has each dimension's default, so that a search begins with what is trained without one."""
        if self.trials:
            return super()._random_values()
        first = keras_tuner.HyperParameters()
        for dimension in self.hyperparameters.space:
            first.merge([dimension])
            if first.is_active(dimension):
                first.values[dimension.name] = dimension.default
        self._tried_so_far.add(self._compute_values_hash(first.values))
        return first.values

    def has_failed(self):
        """Whether only failures came of so many trials that others would hardly do better."""
        ended = [self.trials[trial_id].status for trial_id in self.end_order]
        return len(ended) >= GIVE_UP and "COMPLETED" not in ended

    def _save_trial(self, trial):
        path = Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        files.write_atomic(path, json.dumps(trial.get_state()))

    def save(self):
        files.write_atomic(self._get_oracle_fname(), json.dumps(self.get_state()))

    def get_state(self):
        values = {key: trial.hyperparameters.values for key, trial in self.trials.items()}
        return super().get_state() | {"values": values, "seconds": self.seconds()}

    def reload(self):
        """Takes up the state of the search's folder."""
        state = _read(self._get_oracle_fname())
        lost = []
        for trial_id in state["start_order"]:
            try:
                found = _read(Path(self._get_trial_dir(trial_id)) / "trial.json")
                trial = keras_tuner.engine.trial.Trial.from_state(found)
            except (checks.InputError, KeyError, TypeError) as error:
                log.warning("trial %s is run again: %s", trial_id, error)
                trial = None
            result = results.read(self._get_trial_dir(trial_id))
            is_cut = result is not None and result.cut
            if trial is None or is_cut or trial_id not in state["end_order"]:
                lost.append(trial_id)
                trial = _anew(trial_id, state)
            self.trials[trial_id] = trial
        self.set_state(state)
        self.before = state["seconds"]
        self.end_order = [trial_id for trial_id in self.end_order if trial_id not in lost]
        self.ongoing_trials = {}
        self._retry_queue = lost[::-1]  # KerasTuner takes the last first


def _read(path):
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise checks.InputError(
            f"{path} cannot be read ({error}): begin the search again with another --out, or put a copy of it back."
        ) from error


def _anew(trial_id, state):
    """A trial with the values that it had."""
    hp = keras_tuner.HyperParameters.from_config(
        {**state["hyperparameters"], "values": state["values"][trial_id]}
    )
    return keras_tuner.engine.trial.Trial(hp, trial_id=trial_id)


class _Random(_Kept, keras_tuner.oracles.RandomSearchOracle):
    pass


class _Hyperband(_Kept, keras_tuner.oracles.HyperbandOracle):
    def populate_space(self, trial_id):
        # The default settings stand beside the brackets: what begins slowly would be left after a few epochs.
        if self.trials:
            return self._next_of_short_rounds(trial_id) or super().populate_space(trial_id)
        whole = {"epochs": self.max_epochs, "initial_epoch": 0, "bracket": 0, "round": 0}
        whole = {f"tuner/{key}": value for key, value in whole.items()}
        return {"status": "RUNNING", "values": {**self._random_values(), **whole}}

    def _next_of_short_rounds(self, trial_id):
        """The best trial that goes on from a round that has ended; `None` where none is left to.

        KerasTuner waits for as many scores as the whole round would have: with failures among them nothing would go on.
        """
        for bracket in self._brackets:
            number, rounds = bracket["bracket_num"], bracket["rounds"]
            wanted = self._get_size(number, 0)
            for i, (past, now) in enumerate(itertools.pairwise(rounds)):
                ids = [info["id"] for info in past]
                if len(ids) < wanted or any(past_id not in self.end_order for past_id in ids):
                    break
                sound = [one for one in map(self.trials.get, ids) if one.status == "COMPLETED"]
                wanted = math.ceil(
                    len(sound) * self._get_size(number, i + 1) / self._get_size(number, i)
                )
                if len(now) < wanted:
                    gone_on = [info["past_id"] for info in now]
                    left = [one for one in sound if one.trial_id not in gone_on]
                    return self._gone_on(trial_id, left, bracket, i + 1)
        return None

    def _gone_on(self, trial_id, trials, bracket, i):
        sign = -1 if self.objective.direction == "max" else 1
        best = min(trials, key=lambda trial: sign * trial.score)
        number = bracket["bracket_num"]
        bracket["rounds"][i].append({"past_id": best.trial_id, "id": trial_id})
        added = {
            "trial_id": best.trial_id,
            "epochs": self._get_epochs(number, i),
            "initial_epoch": self._get_epochs(number, i - 1),
            "bracket": number,
            "round": i,
        }
        added = {f"tuner/{key}": value for key, value in added.items()}
        return {"status": "RUNNING", "values": {**best.hyperparameters.values, **added}}


class _Bayesian(_Kept, keras_tuner.oracles.BayesianOptimizationOracle):
    def populate_space(self, trial_id):
        # KerasTuner does not store the state of this generator: a search that goes on would propose other trials.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        return super().populate_space(trial_id)


class _Grid(_Kept, keras_tuner.oracles.GridSearchOracle):
    """Its order and queue are not in KerasTuner's state: a search that goes on would end at once."""

    def get_state(self):
        linked, order = self._ordered_ids, []
        index = linked._next_index[None]
        while index is not None:
            order.append(linked._memory[index])
            index = linked._next_index[index]
        return super().get_state() | {"ordered_ids": order, "populate_next": self._populate_next}

    def set_state(self, state):
        super().set_state(state)
        for before, trial_id in zip([None, *state["ordered_ids"]], state["ordered_ids"]):
            self._ordered_ids.insert(trial_id, before)
        self._populate_next = state["populate_next"]


HyperModel = keras_tuner.HyperModel
ORACLES = {"hyperband": _Hyperband, "random": _Random, "grid": _Grid, "bayesian": _Bayesian}


def explore(problem):
    """The space of a search, as `HyperParameters`.

    Raises:
        InputError: It is empty, or the caller narrows what is not there.
    """
    hp = keras_tuner.HyperParameters()
    _declare(problem, hp).check()
    hp.values = {}
    return hp


def _declare(problem, hp):
    """Adds the dimensions that the builder declares with the values of a `HyperParameters`; returns what it is given."""
    narrowed = problem.narrowed(hp)
    _, build = problem.settings(narrowed, problem.strategy().num_replicas_in_sync)
    if not isinstance(build, str):
        try:
            build(**problem.splits.preparation.builder_arguments)
        except spaces.SpaceError:
            raise
        except Exception as error:  # noqa: BLE001 - the trials will tell whether it always raises
            log.warning("the builder raises with these values: %s: %s", hp.values, error)
    return narrowed


def described(hp):
    """The dimensions of a space, as plain values."""
    return {d.name: {"type": type(d).__name__, **spaces.declared(d.get_config())} for d in hp.space}


def make_oracle(kind, problem, *, trials):
    """Makes the oracle of a search.

    Args:
        kind: A key of `ORACLES`.
        problem: The `Problem`.
        trials: How many at most; without it hyperband makes one whole pass, grid tries everything.

    Raises:
        InputError: As `explore`.
    """
    objective = keras_tuner.Objective(problem.objective.name, problem.objective.mode)
    options = {
        "objective": objective,
        "hyperparameters": explore(problem),
        "seed": problem.config.run.seed + 1,  # KerasTuner takes 0 for any
        "max_consecutive_failed_trials": 10**9,  # has_failed decides
    }
    if kind == "hyperband":
        options["max_epochs"] = problem.config.run.epochs
        oracle = _Hyperband(hyperband_iterations=None if trials else 1, **options)
        _advise(oracle, trials)
    else:
        if kind == "bayesian":  # KerasTuner would count fixed dimensions, too
            free = [d for d in options["hyperparameters"].space if type(d).__name__ != "Fixed"]
            options["num_initial_points"] = 3 * len(free)
        oracle = ORACLES[kind](**options)
    oracle.max_trials = trials
    oracle.verbose = 0
    return oracle


def _advise(oracle, trials):
    """Says when hyperband would not even get to the end of its first bracket."""
    bracket = oracle._current_bracket
    first = sum(oracle._get_size(bracket, i) for i in range(oracle._get_num_rounds(bracket)))
    if trials is not None and trials - 1 < first:
        epochs = oracle._get_epochs(bracket, 0)
        log.warning(
            "hyperband with %d epochs has %d trials in its first bracket, which begin with %d epochs each: after %d trials "
            "few but the default settings have been trained for longer. Without --trials it makes one whole pass.",
            oracle.max_epochs, first, epochs, trials,
        )  # fmt: skip


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Runs the trials of an oracle.

    Args:
        oracle: From `make_oracle`.
        problem: The `Problem`.
        max_seconds: When the search ends; `None` for never.
    """

    def __init__(self, oracle, problem, max_seconds=None):
        self.problem, self.deadline, self._waits = problem, None, False
        oracle.max_seconds, oracle.begun = max_seconds, time.monotonic()
        oracle_client.TIMEOUT = CHIEF_WAIT
        # It would print each failure's traceback, which the results have.
        keras_tuner_config.DEBUG = False
        folder = problem.folder.absolute()
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)
        if not self._is_worker() and (folder / ORACLE).exists():
            oracle.reload()
            log.info("going on after %d trials", len(oracle.end_order))
        if max_seconds is not None:
            self.deadline = oracle.begun + max_seconds - oracle.before

    def save(self):
        if not self._is_worker():
            self.oracle.save()

    def search(self):
        """Runs trials until the oracle has no more; as a chief, answers until the workers have no more."""
        try:
            super().search()
        except keras_tuner.errors.FatalError as error:
            raise checks.InputError(str(error)) from error
        except Exception as error:
            if not type(error).__module__.startswith("grpc"):
                raise
            log.error("the chief has not answered for %d s: start this worker again", CHIEF_WAIT)
            sys.exit(cluster.LOST)

    def pre_create_trial(self):
        # KerasTuner asks again at once where there is nothing to do yet.
        time.sleep(0.5 if self._waits else 0)
        self._waits = True

    def on_trial_begin(self, trial):
        self._waits = False

    def run_trial(self, trial):
        """Trains and judges a trial; returns its score."""
        hp, folder = trial.hyperparameters, self.problem.folder
        parent = hp.values.get("tuner/trial_id")
        if results.read(folder / f"trial_{trial.trial_id}") is not None:
            _declare(self.problem, hp)  # it ended as the process did, before the oracle was told
        try:
            result = trials.run(
                self.problem,
                folder / f"trial_{trial.trial_id}",
                hp,
                epochs=hp.values.get("tuner/epochs"),
                parent=None if parent is None else folder / f"trial_{parent}",
                deadline=self.deadline,
            )
        except checks.InputError as error:  # of the machine: the search ends
            raise keras_tuner.errors.FatalRuntimeError(str(error)) from error
        if result.reason is not None:
            log.info("trial %s failed: %s", trial.trial_id, result.reason)
            raise keras_tuner.errors.FailedTrialError(result.reason)
        name = self.problem.objective.name
        log.info("trial %s: %s %.5g (%.0f s)", trial.trial_id, name, result.score, result.seconds)
        return {name: result.score}
