"""The shared recipe in one call: load, prepare, build, compile, fit, evaluate, export."""

import functools
import logging
import os
from collections.abc import Mapping

import keras
import tensorflow as tf

from zoo import families
from zoo.building import make_compiled
from zoo.config import constraints, needs
from zoo.config.config import AUTO, OWN, OWN_DATA, TrainConfig, check_field
from zoo.config.recommended import settings_of
from zoo.data import load as door
from zoo.data import notes
from zoo.data.inspection import check_named, first_model
from zoo.data.prepare import prepare
from zoo.data.user import forms
from zoo.data.user.pairs import paired
from zoo.data.user.weights import Weighted
from zoo.models import checks
from zoo.saving import places, store, trained, whole
from zoo.saving.export import export_model, rehearse
from zoo.saving.result import Trained
from zoo.training import own as own_parts
from zoo.training import signals
from zoo.training.diagnose import diagnose
from zoo.training.evaluate import evaluate_model
from zoo.training.fit import fit_model
from zoo.training.rehearsal import rehearse_step
from zoo.training.run import start_run

log = logging.getLogger("zoo")


def train(
    model=None,
    data=None,
    targets=None,
    *,
    validation=None,
    test=None,
    target=None,
    task=None,
    columns=None,
    config=None,
    callbacks=(),
    sample_weight=None,
    **options,
):
    """Trains, evaluates and exports a model with the shared recipe.

    Args:
        model: A name such as `"cnn:base"`, the name or path of a trained model to go on from, a builder function
            `(input_shape, num_classes) → keras.Model`, or a Keras model whose output is logits (one number, or several, for a regression),
            built or not, subclassed too. Where it is `None`, or left out, the inputs decide, as `zoo.inspect` says.
        data: A data set's name (by default the config's), a path (`load_dataset` lists what it may lead to), a pair of
            arrays `(x, y)` (or `x` alone, to generate images like it), a DataFrame (with `target`), or a
            `tf.data.Dataset` of pairs, which is read into memory once; tables, arrays, tensors and loaders of other libraries, too.
            The inputs may be several, `({"image": images, "columns": table}, y)`, for a model of your own with inputs of these names;
            a list of them is in the order of its inputs.
            Labels may be any integers or strings; uint8 inputs of rank 3 or 4, and whole pixels of other types, are images, strings are texts.
        targets: The targets, where `data` are the inputs alone: `zoo.train(model, x, y)`.
        validation: Validation data in the form of `data`; a tenth of the training data where it is `None`.
        test: Test data in the form of `data`; a fixed fifth of `data` where it is `None`.
        target: The table's target column; several columns of 0 and 1 for a multi-label task, of other numbers for a regression.
        task: `"classification"`, `"multilabel"`, `"regression"`, `"forecasting"`, `"generation"` or `"translation"`; told
            from the model and the targets where it is `None`.
        columns: The table's columns to learn from; all but the target where it is `None`.
        config: A `TrainConfig` to start from; also the path of a run's `config.yaml`, or a dict of options.
        callbacks: More Keras callbacks, or one.
        sample_weight: What each example counts in the loss and in weighted metrics: numbers `[N]` of at least 0 beside data in memory, or
            the title of a table's column; also the third of `(x, y, sample_weight)`, in tuples and `tf.data` sets.
        **options: Fields of `TrainConfig` by name; what is left out is as the model's size recommends, `zoo.config.recommended`, unless
            `config` is a `TrainConfig` or a file. For example `epochs=5, batch_size=64, learning_rate=1e-3`. `optimizer`, `loss`,
            `metrics` and `weighted_metrics` may be Keras's objects, and the last three functions of (y_true, y_pred), too; where one is
            left out, that of a compiled model is used. A run that goes on (`resume`) needs objects again.

    Returns:
        A `Trained`: the model, its history, the report and the exported SavedModel. Ctrl-C, or the stop button of a notebook, ends
        the training after its step, and the best epoch so far is judged, exported and returned.

    Raises:
        InputError: Data, model or options cannot be used; raised before training starts.
        NotFiniteError: The loss or a weight became NaN or infinite.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> trained = train("dense:tiny", (x, x[:, 0] > 0), epochs=3, quiet=True)
    >>> trained.report.num_test
    40
    """
    whole.refuse_as_model(model)
    model, data, targets = _in_their_places(model, data, targets)
    config = _begun_with(config, options, model)
    data = config.data.dataset if data is None else data
    data = paired(data, targets)
    data, validation, test = (forms.by_model(model, part) for part in (data, validation, test))
    data, options = _weighed(data, sample_weight, options)
    own = {"target": target, "columns": columns, "task": task}
    brought, options = own_parts.taken(options)
    parts, read = (validation, test), None
    goes_on = config.checkpoints.resume or config.weights or options.get("weights")
    if model is None and not goes_on:
        model, read = _chosen(data, config, own, options, parts)
    model = config.model if model is None else model
    model, config = settle(model, data, config, own, options, parts=parts)
    if not goes_on:
        needs.check(config)
    own_parts.check_given(brought, config)
    callbacks = keras.tree.flatten(callbacks or ())
    return run_recipe(model, data, config, read, parts, callbacks, own=brought)


def run_recipe(
    model, data, config, read=None, parts=(None, None), callbacks=(), *, own=None, goes_on=True
):
    """Trains, evaluates and exports, as `train` says, with what `settle` has settled.

    Args:
        model, data: As `train` takes them.
        config: The `TrainConfig`.
        read: What `data.load.read` made of the data; `None` where they are still to be read.
        parts: Validation and test data of the caller's own.
        callbacks: A list of more Keras callbacks.
        own: The `Own`: what the caller brings beside the model.
        goes_on: Whether a run that was stopped is trained further; otherwise its best epoch so far is taken.

    Returns:
        A `Trained`.
    """
    with start_run(config) as run:
        for line in read[0].notes if read else ():  # for the log of the run
            log.info("%s", line)
        if read is None:
            validation, test = parts
            read = door.read(data, run.config.data_options, validation=validation, test=test)
        check_named(model, read[0])
        splits = door.make_splits(*read, run.config.data_options)
        log.info("%s", splits.in_one_line)
        if run.config.weights:
            trained.check_columns(run.config.weights, splits.info)
        splits = splits.mapped(prepare(splits, fixed_length=not isinstance(model, str)))
        with notes.timed("building the model"):
            built = make_compiled(model, splits, run, own)
        rehearse_step(built, splits, run)
        if diagnose(built, splits, run):
            return Trained(built, _folder=run.folder)
        with notes.timed("trying the export before the training"):
            rehearse(built, splits, run)
        history = fit_model(
            built,
            splits,
            run,
            extra_callbacks=callbacks,
            keeps_best=not signals.is_command(),
            goes_on=goes_on,
        )
        report = evaluate_model(built, splits, run, history)
        try:
            export = export_model(built, splits, run)
            make = functools.partial(whole.of_export, built, splits, export)
            if isinstance(model, keras.Model):
                log.info(
                    "%r takes prepared inputs, and so do files that a callback saved of it: trained.model is the Keras model of raw ones",
                    model.name,
                )
            return Trained(built, history, report, export, make)
        except (
            Exception
        ):  # whatever it is: it goes on to the caller, who has to know that no training is lost
            log.error(
                "the export failed, but the training is kept: --resume %s exports it again",
                run.folder,
            )
            raise


def _in_their_places(model, data, targets):
    """Model, data and targets, where the model may have been left out: `train(table, target="y")`, `train(x, y)`."""
    is_model = isinstance(model, (str, os.PathLike)) or callable(model)
    if is_model or not hasattr(model, "__iter__") or isinstance(data, str):
        return model, data, targets
    if data is not None and targets is not None:
        raise checks.InputError(
            f"`model` must be a name, a Keras model or a builder function. Received: {type(model).__name__}. Data come second: "
            "zoo.train(model, x, y), or by their names, without a model: zoo.train(data=x, targets=y)."
        )
    return None, model, data


def _begun_with(config, options, model):
    """The config that the options of `train` come on top of: the caller's, that of the run that goes on, or the default.

    The default is that of the model's size. A `TrainConfig` and a file hold every setting, so nothing is put in their place.
    """
    default = TrainConfig().replace(**settings_of(model))
    if config is None:
        begun = check_field("resume", options.get("resume")) or AUTO
        return default if begun == AUTO else TrainConfig.of_run(begun)
    if isinstance(config, (str, os.PathLike)):
        return TrainConfig.from_yaml(config).replace(out=None)
    return default.replace(**config) if isinstance(config, Mapping) else config


def _chosen(data, config, own, options, parts):
    """The name of the model that suits the data, and the data, which have to be read for it."""
    _, settled = settle(families.SMALLEST, data, config, own, options, parts=parts)
    validation, test = parts
    with notes.kept_aside(settled.run.quiet):  # the run's log has it
        read = door.read(data, settled.data_options, validation=validation, test=test)
    model = first_model(read[0])
    said = f"no model is named: {model}, as the inputs are {read[0].kind} (model=..., --model)"
    return model, (read[0].with_notes([said]), read[1])


def _weighed(data, weights, options):
    """Data with the weights of their examples beside them, and the options; a column that holds them is an option."""
    if weights is None:
        return data, options
    is_named = isinstance(data, (str, os.PathLike))
    if is_named and hasattr(weights, "ndim"):
        raise checks.InputError(
            f"Weights as an array belong to data in memory. Received: {data!r}, which brings its own rows: pass the title of the column "
            "that holds them, sample_weight='weight'."
        )
    if isinstance(weights, str) or is_named or not hasattr(weights, "__len__"):
        return data, options | {"sample_weight": weights}
    if isinstance(data, tf.data.Dataset):
        raise checks.InputError(
            "The weights of a tf.data set's examples belong into it, as the third of (x, y, sample_weight): tf.data.Dataset.zip((data, "
            "tf.data.Dataset.from_tensor_slices(weights))).map(lambda pair, w: (*pair, w)), before it is shuffled and batched."
        )
    return Weighted(data, weights), options


def settle(model, data, config, own, options, *, parts=()):
    """The model and the config that `train` goes by.

    Args:
        model, data: As in `train`.
        config: A `TrainConfig` to start from.
        own: What is said of the data: `target`, `columns`, `task`; or `None`.
        options: Fields of `TrainConfig` by name.
        parts: Validation and test data of the caller's own.

    Raises:
        InputError: They cannot be used together.
    """
    is_named_data = isinstance(data, (str, os.PathLike))
    if is_named_data and any(part is not None for part in parts):
        raise checks.InputError(
            f"`validation` and `test` are for data in memory; {os.fspath(data)!r} brings its own splits."
        )
    options = {key: value for key, value in own.items() if value is not None} | options
    for key in {"target", "columns"} & options.keys():
        options[key] = constraints.as_titles(options[key])
    model = os.fspath(model) if isinstance(model, os.PathLike) else model
    is_named_model = isinstance(model, str)
    if isinstance(data, str) and not is_named_model and families.is_listed(data):
        raise checks.InputError(f"The model comes first: zoo.train({data!r}, data).")
    if is_named_model and _is_trained(model):
        model, options = config.model, {**options, "weights": model}
    elif is_named_model and not model.startswith(OWN) and not families.is_listed(model):
        places.check_named(model, families.FAMILIES)
    if is_named_model and "task" not in options and families.only_task(model):
        options["task"] = families.only_task(model)
    model_name = (
        model
        if is_named_model
        else OWN + getattr(model, "name", getattr(model, "__name__", "model"))
    )
    if is_named_model:
        _check_named(model, data if is_named_data else None)
    dataset = os.fspath(data) if is_named_data else OWN_DATA
    config = config.replace(**{"dataset": dataset, **options, "model": model_name}).check()
    return model, trained.from_weights(config) if config.weights else config


def _is_trained(name):
    """Whether a name that no family has is that of a trained model."""
    if name.startswith(OWN) or families.is_listed(name):
        return False
    try:
        return bool(store.find(name))
    except checks.InputError:
        return False


def _check_named(model, data):
    if model.startswith(OWN) or data == OWN_DATA:
        raise checks.InputError(
            "That run was begun from Python with a model or data of the caller's own. Go on with it there: "
            "zoo.train(model, data, resume=...)."
        )
    families.split_name(model)
