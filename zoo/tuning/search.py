"""`zoo.tune`: a search from its settings to its best config."""

import dataclasses
import hashlib
import logging
import os
import re
import shutil
import types
from pathlib import Path

import keras

from zoo import api, families, files
from zoo.config.config import OWN, TrainConfig
from zoo.data import load as door
from zoo.data.inspection import check_named
from zoo.data.prepare import prepare
from zoo.data.user.pairs import paired
from zoo.models import checks
from zoo.tasks import check_options
from zoo.training import cluster
from zoo.tuning import final, objectives, report, results, spaces
from zoo.tuning import folder as folders
from zoo.tuning import tuner as engine
from zoo.tuning.trial import Problem

log = logging.getLogger("zoo.tuning")

BEST = "best.yaml"
TRIALS = 30  # of a random or Bayesian search, unless the caller says how many


@dataclasses.dataclass(frozen=True, repr=False)
class Tuned:
    """What `zoo.tune` returns.

    Attributes:
        config: The `TrainConfig` of the best trial; `best.yaml` holds it.
        model: What `zoo.train` takes with it: the name, or for a builder of your own a function with the best values.
        score: The best trial's objective on the validation split.
        objective: Its name.
        trials: A dict for each trial, in the order of their beginning.
        folder: The search's folder, with `report.md`.
        best_trial: The best trial's name.
        best_epoch: The number of the best trial's best epoch, from 0.
        is_default: Whether the best trial is the one with the default settings.
        retrained: With `retrain`, a `Retrained`.
    """

    config: TrainConfig
    model: object
    score: float
    objective: str
    trials: list
    folder: Path
    best_trial: str
    best_epoch: int
    retrained: final.Retrained | None = None
    is_default: bool = False

    def __repr__(self):
        return f"<Tuned {self.objective} {self.score:.5g}, best of {len(self.trials)} trials, see {self.folder}>"

    def __str__(self):
        best = f"best of {len(self.trials)} trials: {self.objective} {self.score:.5g}"
        text = f"{best}; see {self.folder / 'report.md'}, train it with --config {self.folder / 'best.yaml'}"
        text += f"\n{report.ARE_DEFAULTS}" * self.is_default
        return text if self.retrained is None else f"{text}\n{self.retrained}"


def tune(
    model,
    data=None,
    targets=None,
    *,
    tuner="hyperband",
    trials=None,
    objective=None,
    fix=None,
    space=None,
    max_params=None,
    max_latency_ms=None,
    max_minutes=None,
    prune=True,
    retrain=False,
    validation=None,
    test=None,
    target=None,
    task=None,
    columns=None,
    config=None,
    **options,
):
    """Searches the settings that train a model best, by the shared recipe, and goes on where it was when called again.

    Best is the trial with the best objective among those within `max_params` and `max_latency_ms`. A trial that fails is
    recorded with its reason. Options of the config that differ from their defaults are kept as they are. The first trial
    has the default settings, as far as the space can say them (not with `"grid"`).

    Args:
        model: A name such as `"cnn"`, a builder function `(hp, input_shape, num_classes) → keras.Model`, or a
            `keras_tuner.HyperModel` whose `build` is such a function. Builders return models that are not compiled.
        data, targets: As in `zoo.train`.
        tuner: `"hyperband"`, `"random"`, `"grid"` or `"bayesian"`.
        trials: How many; without it one pass of hyperband, the whole grid, or 30.
        objective: A value that the task logs, such as `"val_accuracy"`, or a score of the validation split, such as
            `"val_nll"` or `"val_sequence_error"`; without it the task's usual one.
        fix: Name → value of hyperparameters that are not searched.
        space: Name → (lowest, highest) or a list of values, within the builder's range.
        max_params: Parameters that a model may have; a larger one is not trained.
        max_latency_ms: Milliseconds that a forward pass of one example may take here; a slower model is not trained.
        max_minutes: When the search ends; the trial that runs then ends after its epoch.
        prune: End trials that are worse than the median of the others from the middle of their epochs on, where the
            objective is logged; hyperband has its own rule.
        retrain: Train the best settings on train + validation with three seeds, and export.
        validation, test, target, task, columns: As in `zoo.train`.
        config: A `TrainConfig` to start from.
        **options: Fields of `TrainConfig` by name. `out` is the search's folder, by default runs/tune-<data>-<model>.

    Returns:
        A `Tuned`; `None` in a worker of several processes, whose chief has it.

    Raises:
        InputError: Something cannot be searched or trained, the folder is another search's, or all trials failed: with
            the first one's reason.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    >>> tuned = tune("dense:tiny", (x, x[:, 0] > 0), tuner="random", trials=2, epochs=2, quiet=True)
    >>> len(tuned.trials), tuned.objective
    (2, 'val_accuracy')
    """
    numbers = {
        "trials": trials,
        "max_params": max_params,
        "max_latency_ms": max_latency_ms,
        "max_minutes": max_minutes,
    }
    narrower = {"fix": fix or {}, "space": space or {}}
    given = keras.tree.map_structure(spaces.plain, {**numbers, **narrower})
    asked = Asked(tuner=tuner, objective=objective, prune=prune, **given)
    asked.check()
    config = config or TrainConfig()
    data = paired(config.data.dataset if data is None else data, targets)
    own = {"target": target, "columns": columns, "task": task}
    parts = {"validation": validation, "test": test}
    builder = _builder(model)
    _, config = api.settle(builder, data, config, own, options, parts=parts.values())
    config, asked = _checked(config, asked)
    if retrain:
        final.check(config)
    settings = folders.compared(config, asked.settings())
    with folders.opened(config, settings) as folder:
        found = _search(builder, data, parts, config, asked, folder, settings)
        if found is None or not retrain:
            return found
        return dataclasses.replace(found, retrained=final.retrain(found, data, parts))


@dataclasses.dataclass(frozen=True)
class Asked:
    """How is searched; the fields are arguments of `tune`."""

    tuner: str
    trials: int | None
    objective: str | None
    fix: dict
    space: dict
    max_params: int | None
    max_latency_ms: float | None
    max_minutes: float | None
    prune: bool

    def check(self):
        """Raises `InputError` for what no search can use."""
        checks.one_of("tuner", self.tuner, engine.ORACLES)
        for key in ("trials", "max_params"):
            if getattr(self, key) is not None:
                checks.positive_int(key, getattr(self, key))
        for key in ("max_latency_ms", "max_minutes"):
            if getattr(self, key) is not None:
                checks.positive(key, getattr(self, key))

    def settings(self):
        """What must be the same when a search goes on; the objective's name comes with the data."""
        free = ("trials", "max_minutes", "objective")
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in free}


def _builder(model):
    """The name, or the function that builds."""
    if isinstance(model, keras.Model):
        raise checks.InputError(
            "A model that is built leaves nothing to search: pass a name or a function (hp, input_shape, num_classes)."
        )
    if not isinstance(model, engine.HyperModel):
        return model
    if type(model).fit is not engine.HyperModel.fit:
        raise checks.InputError(
            f"{type(model).__name__} has a fit of its own, but the recipe fits: leave it out; options of zoo.tune take its "
            "place."
        )
    return types.MethodType(type(model).build, model)  # KerasTuner has wrapped model.build


def _checked(config, asked):
    """The config and the settings that are really used (`smoke` applied); refuses what a search cannot keep to."""
    if config.weights is not None:
        raise checks.InputError(
            "weights fixes the model, so there is none to search: leave it out."
        )
    for key in ("resume", "find_lr", "overfit_batch", "profile", "use_validation"):
        if config.flat()[key]:
            again = " A search goes on when the same command is run again." * (key == "resume")
            raise checks.InputError(f"{key} is for a single training, not for a search.{again}")
    if config.run.strategy == "multi_worker" or cluster.here().count > 1:
        raise checks.InputError(
            "multi_worker inside a trial does not go together with a search: every worker of a training would need its "
            "own copy of KerasTuner's oracle, in step with the others. Let each worker run trials of its own: zoo launch "
            "--tuner --workers N -- zoo tune ..., and inside a trial strategy='mirrored' for the devices of one machine."
        )
    if not config.model.startswith(OWN):
        families.check_task(config.model, config.data.task)
        families.arguments(config.model, config.model_args)
    if config.run.smoke:
        config = config.smoked().replace(smoke=False)
        asked = dataclasses.replace(asked, trials=2)
    if asked.trials is None and asked.tuner in ("random", "bayesian"):
        asked = dataclasses.replace(asked, trials=TRIALS)
    stem = f"tune-{Path(config.data.dataset).stem}-{config.model.removeprefix(OWN)}"
    out = config.run.out or os.path.join("runs", stem.replace(":", "_"))
    return config.replace(out=out), asked


def _search(model, data, parts, config, asked, folder, settings):
    """Runs the trials that are left; returns the `Tuned`, or `None` in a worker."""
    policy = keras.config.dtype_policy()
    try:
        splits = door.load(data, config.data_options, **parts)
        check_named(model, splits.info)
        check_options(splits.info, config)
        splits = splits.mapped(prepare(splits, fixed_length=not isinstance(model, str)))
        objective, logged = objectives.find(asked.objective, splits.info)
        metrics = dict.fromkeys((*config.optimizer.metrics, *logged))
        config = config.replace(metrics=tuple(metrics))
        problem = Problem(
            model=model,
            config=config,
            splits=splits,
            objective=objective,
            fix=asked.fix,
            space=asked.space,
            max_params=asked.max_params,
            max_latency_ms=asked.max_latency_ms,
            prune=asked.prune and asked.tuner != "hyperband" and not objective.is_scored,
            folder=folder,
        )
        oracle = engine.make_oracle(asked.tuner, problem, trials=asked.trials)
        told = {
            "objective": objective.name,
            folders.EXAMPLES: splits.fingerprint(),
            "searched": engine.described(oracle.hyperparameters),
        }
        if not isinstance(model, str):
            told[folders.CODE] = _code(model)
        folders.begin(folder, {**settings, **told})
        seconds = None if asked.max_minutes is None else 60 * asked.max_minutes
        engine.Tuner(oracle, problem, max_seconds=seconds).search()
        return None if folders.is_worker() else _conclude(problem, oracle)
    finally:
        keras.config.set_dtype_policy(policy)  # trials reset it


def _code(builder):
    """A digest of a builder function's code, so that a search does not go on with another function of the same name."""
    code = getattr(builder, "__code__", None)
    parts = [repr(type(builder))] if code is None else [code.co_code, code.co_consts, code.co_names]
    return hashlib.sha256(
        re.sub(r" at 0x[0-9a-f]+|, line \d+", "", repr(parts)).encode()
    ).hexdigest()


def _conclude(problem, oracle):
    """Finds the best trial; writes its config and the report."""
    folder, rows = problem.folder, []
    for trial_id in oracle.start_order:
        result = results.read(folder / f"trial_{trial_id}")
        if result is not None:
            rows.append({"trial": trial_id, **dataclasses.asdict(result)})
    sound = [row for row in rows if row["reason"] is None]
    best = max(sound, key=problem.objective.rank, default=None)
    report.write(problem, oracle.hyperparameters, rows, best)
    if best is None:
        raise checks.InputError(
            f"All {len(rows)} trials failed, the first one with: {rows[0]['reason']}\nAll reasons: {folder / report.TABLE}"
        )
    cut = [f"trial_{row['trial']}" for row in rows if row["cut"]]
    for path in folder.glob("trial_*/run/checkpoints"):
        if path.parent.parent.name not in cut:
            shutil.rmtree(path)
    hp = oracle.trials[best["trial"]].hyperparameters
    replicas = problem.strategy().num_replicas_in_sync
    config, model = problem.settings(problem.narrowed(hp), replicas)
    config = config.replace(out=None, resume=None)
    files.write_atomic(folder / BEST, config.to_yaml())
    name = problem.objective.name
    log.info("best: trial %s, %s %.5g", best["trial"], name, best["score"])
    return Tuned(
        config, model, best["score"], name, rows, folder, best["trial"], best["best_epoch"],
        is_default=report.are_defaults(oracle.hyperparameters, best),
    )  # fmt: skip
