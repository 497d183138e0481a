"""The few public calls that join the parts: build (with weights) and train."""

import functools
import inspect
import logging
import os
from collections.abc import Mapping

import keras
import tensorflow as tf

from zoo import families, own_models
from zoo.config import constraints
from zoo.config.config import AUTO, OWN, OWN_DATA, TrainConfig, check_field
from zoo.data import load as door
from zoo.data import notes
from zoo.data.inspection import first_model
from zoo.data.prepare import prepare
from zoo.models import checks
from zoo.saving import store, trained, whole
from zoo.saving.export import export_model, rehearse
from zoo.saving.result import Trained
from zoo.training import signals
from zoo.training.compile import compile_model
from zoo.training.diagnose import diagnose
from zoo.training.evaluate import evaluate_model
from zoo.training.fit import fit_model
from zoo.training.run import start_run

log = logging.getLogger("zoo")


def build(model=None, *, size=None, weights=None, **arguments):
    """Builds an uncompiled Keras model by name, or from a trained model's card and weights.

    Args:
        model: Family and perhaps size: `"cnn"`, `"cnn:small"`. Leave it out with `weights`.
        size: The size, where the name has none; `"base"` by default.
        weights: Name or path of a SavedModel of this project. Size and arguments come from its card; only
            `num_classes` and `name` may differ. With another `num_classes` the last layer starts anew.
        **arguments: Arguments of the family's builder: `input_shape`, `num_classes` and hyperparameters.

    Returns:
        A `keras.Model`. Models with weights take prepared inputs, as their card's `preprocessing` says.

    Raises:
        InputError: A name or an argument is unknown (with the nearest ones) or out of range.

    Example:

    >>> model = build("cnn", size="small", input_shape=(28, 28, 1), num_classes=10)
    >>> model.count_params()
    421642
    """
    if weights is not None:
        return trained.build_trained(model, size, weights, arguments)
    if model is None:
        raise checks.InputError(
            "Pass a family, for example zoo.build('cnn', ...), or weights='mnist_cnn'."
        )
    name = model if size is None else f"{model}:{size}"
    row = families.family(families.split_name(name)[0])
    parameters = inspect.signature(row.build).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.name not in arguments]
    if wanted:
        raise checks.InputError(
            f"Building {name} needs {' and '.join(wanted)}, for example input_shape=(28, 28, 1), num_classes=10."
        )
    arguments = keras.tree.map_structure(constraints.plain, arguments)  # of NumPy
    return row.build(**families.arguments(name, arguments))


def _build_for(config, arguments):
    """The model of a config, for data that the arguments of a `Preparation` describe."""
    if config.weights is None:
        return build(config.model, **{**arguments, **config.model_args})
    classes = arguments.get("num_classes")
    model = build(weights=config.weights, num_classes=classes)
    for layer in model.layers[:-1]:
        layer.trainable = not config.freeze
    return model


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
    **options,
):
    """Trains, evaluates and exports a model with the shared recipe.

    Args:
        model: A name such as `"cnn:base"`, the name or path of a trained model to go on from, a builder function
            `(input_shape, num_classes) → keras.Model`, or an uncompiled Keras model whose output is logits (one number for a regression).
            Where it is `None` the inputs decide, as `zoo.inspect` says.
        data: A data set's name (by default the config's), a path (`load_dataset` lists what it may lead to), a pair of
            arrays `(x, y)` (or `x` alone, to generate images like it), a DataFrame (with `target`), or a
            `tf.data.Dataset` of pairs, which is read into memory once; tables, arrays, tensors and loaders of other libraries, too.
            Labels may be any integers or strings; uint8 inputs of rank 3 or 4, and whole pixels of other types, are images, strings are texts.
        targets: The targets, where `data` are the inputs alone: `zoo.train(model, x, y)`.
        validation: Validation data in the form of `data`; a tenth of the training data where it is `None`.
        test: Test data in the form of `data`; a fixed fifth of `data` where it is `None`.
        target: The table's target column; several columns of 0 and 1 for a multi-label task.
        task: `"classification"`, `"multilabel"`, `"regression"`, `"forecasting"`, `"generation"` or `"translation"`; told
            from the model and the targets where it is `None`.
        columns: The table's columns to learn from; all but the target where it is `None`.
        config: A `TrainConfig` to start from; also the path of a run's `config.yaml`, or a dict of options.
        callbacks: More Keras callbacks, or one.
        **options: Fields of `TrainConfig` by name, for example `epochs=5, batch_size=64, learning_rate=1e-3`.

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
    if config is None:
        begun = check_field("resume", options.get("resume")) or AUTO
        config = TrainConfig() if begun == AUTO else TrainConfig.of_run(begun)
    elif isinstance(config, (str, os.PathLike)):
        config = TrainConfig.from_yaml(config).replace(out=None)
    elif isinstance(config, Mapping):
        config = TrainConfig().replace(**config)
    data = config.data.dataset if data is None else data
    data = paired(data, targets)
    own = {"target": target, "columns": columns, "task": task}
    parts, read = (validation, test), None
    goes_on = config.checkpoints.resume or config.weights or options.get("weights")
    if model is None and not goes_on:
        model, read = _chosen(data, config, own, options, parts)
    model, config = settle(model or config.model, data, config, own, options, parts=parts)
    return run_recipe(model, data, config, read, parts, keras.tree.flatten(callbacks or ()))


def run_recipe(model, data, config, read=None, parts=(None, None), callbacks=(), *, goes_on=True):
    """Trains, evaluates and exports, as `train` says, with what `settle` has settled.

    Args:
        model, data: As `train` takes them.
        config: The `TrainConfig`.
        read: What `data.load.read` made of the data; `None` where they are still to be read.
        parts: Validation and test data of the caller's own.
        callbacks: A list of more Keras callbacks.
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
        splits = door.make_splits(*read, run.config.data_options)
        log.info("%s", splits.in_one_line)
        if run.config.weights:
            trained.check_columns(run.config.weights, splits.info)
        splits = splits.mapped(prepare(splits, fixed_length=not isinstance(model, str)))
        built = make_compiled(model, splits, run)
        if diagnose(built, splits, run):
            return Trained(built)
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
            return Trained(built, history, report, export, make)
        except (
            Exception
        ):  # whatever it is: it goes on to the caller, who has to know that no training is lost
            log.error(
                "the export failed, but the training is kept: --resume %s exports it again",
                run.folder,
            )
            raise


def _chosen(data, config, own, options, parts):
    """The name of the model that suits the data, and the data, which have to be read for it."""
    _, settled = settle(families.SMALLEST, data, config, own, options, parts=parts)
    validation, test = parts
    with notes.kept_aside():  # the run's log has it
        read = door.read(data, settled.data_options, validation=validation, test=test)
    model = first_model(read[0])
    said = f"no model is named: {model}, as the inputs are {read[0].kind} (model=..., --model)"
    return model, (read[0].with_notes([said]), read[1])


def paired(data, targets):
    """The data of `train(model, data, targets)` as a pair; without targets as they are."""
    if targets is None:
        return data
    if isinstance(data, (str, os.PathLike, tuple, tf.data.Dataset)):
        what = repr(data) if isinstance(data, (str, os.PathLike)) else f"a {type(data).__name__}"
        raise checks.InputError(
            f"`targets` belong to inputs in memory, zoo.train(model, x, y). Received: {what}, which brings its own."
        )
    return data, targets


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


def make_compiled(model, splits, run):
    """Builds and compiles the model of a run, inside its strategy's scope.

    Args:
        model: As in `train`.
        splits, run: As in a recipe.
    """
    teacher = trained.teacher(splits, run) if run.config.distill.teacher else None
    with run.strategy.scope():
        built = _make_model(model, run.config, splits.preparation.builder_arguments)
        steps = splits.steps_per_epoch
        compile_model(built, splits.info, run.config, steps_per_epoch=steps, teacher=teacher)
    return built


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


def _make_model(model, config, arguments):
    if isinstance(model, keras.Model):
        own_models.check_built(model, config)
        return own_models.check_inputs(model, arguments)
    if isinstance(model, str):
        return _build_for(config, arguments)
    return own_models.check_inputs(
        own_models.call_builder(model, {**arguments, **config.model_args}), arguments
    )
