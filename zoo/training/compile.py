"""Compiling: the optimizer with its schedule, the task's loss and metrics, the choice of XLA."""

import logging
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.config import config as configs
from zoo.keras_fixes import clip_before_reduce, sparse_gradients
from zoo.keras_fixes.tensor_origin import origin
from zoo.models import checks
from zoo.tasks import check_options, model_checks, of_keras
from zoo.tasks import task as row_of
from zoo.training import distill, fused, own_models, step
from zoo.training import own as own_parts
from zoo.training import strategy as strategies
from zoo.training.replicas import prepare_loss, prepare_model
from zoo.training.schedules import make_schedule

log = logging.getLogger("zoo")

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "adafactor": keras.optimizers.Adafactor,
    "adagrad": keras.optimizers.Adagrad,
    "lion": keras.optimizers.Lion,
    "muon": keras.optimizers.Muon,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def make_optimizer(config, total_steps, *, replicas=1, learning_rate=None, outputs=("logits",)):
    """Makes the optimizer that an `OptimizerConfig` describes.

    Args:
        config: The `OptimizerConfig`.
        total_steps: Training steps in the whole run, for the schedule.
        replicas: Devices that share a step; clipping must then happen after their gradients are added up.
        learning_rate: A number or a Keras schedule in place of the config's.
        outputs: Names of the layers that give a model's outputs, which Muon leaves to Adam.

    Raises:
        InputError: The name is unknown, with the nearest ones.
    """
    checks.one_of("optimizer", config.name, OPTIMIZERS)
    kind = OPTIMIZERS[config.name]
    options = {}
    if config.name == "sgd":
        options = {"momentum": config.momentum, "nesterov": config.nesterov}
    elif config.name == "muon":  # Jordan 2024: not for the last layer
        options = {"exclude_layers": [rf"(^|/){re.escape(name)}/" for name in outputs]}
    if config.beta_2 is not None and config.name in ("adam", "adamw", "nadam"):
        options["beta_2"] = config.beta_2
    if config.weight_decay is not None:
        options["weight_decay"] = config.weight_decay
        if config.name == "muon":  # what it leaves to Adam has a decay of its own
            options["adam_weight_decay"] = config.weight_decay
    if config.ema is not None:
        options |= {"use_ema": True, "ema_momentum": config.ema}
    optimizer = kind(
        make_schedule(config, total_steps) if learning_rate is None else learning_rate,
        global_clipnorm=config.clip_norm,
        clipvalue=config.clip_value,
        **options,
    )
    # Found anywhere in a weight's name; `scale` is that of RMS normalization.
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma", "^scale$"])
    return _mended(optimizer, replicas)


def _mended(optimizer, replicas):
    """An optimizer without the faults of Keras's that would train something else."""
    clips = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue
    if replicas > 1 and clips:
        clip_before_reduce.reduce_then_clip(optimizer)
    return sparse_gradients.add_up(optimizer)


def check_class_weight(asked, info):
    """Raises `InputError` unless the weights asked for fit the classes; Keras would take 1 for a missing one.

    Args:
        asked: `"none"`, `"balanced"`, or a dict from label to weight.
        info: The `DataInfo`.
    """
    if asked == "none":
        return
    if not row_of(info.task).weighs_classes:
        raise checks.InputError(
            f"class_weight={asked!r} is for classification; {info.name} is a {info.task}. Leave it out."
        )
    if asked == "balanced":
        return
    given = [_label_of(key, info.labels) for key in asked]
    for label in given:
        checks.one_of("label in class_weight", label, info.labels)
    if double := sorted({label for label in given if given.count(label) > 1}):
        raise checks.InputError(f"class_weight names the label {double[0]!r} twice: {list(asked)}")
    missing = [label for label in info.labels if label not in given]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise checks.InputError(
            f"class_weight lacks a weight for {', '.join(map(repr, missing[:5]))}{more}: give every label one."
        )


def _label_of(key, labels):
    """The label that a key of `class_weight` stands for: `1.0` and `True` for `1`, `0` for `False`; the key as text without one."""
    text = str(key)
    if text in labels:
        return text
    try:
        number = float({"true": 1, "false": 0}.get(text.lower(), text))
    except ValueError:
        return text
    others = [f"{number:.0f}", *{0.0: ["False"], 1.0: ["True"]}.get(number, [])]
    same = [label for label in others if label in labels and number.is_integer()]
    return same[0] if same else text


def class_weights(asked, splits):
    """What an example of each class counts in the training loss.

    Args:
        asked: `"none"`, `"balanced"`, or a dict from label to weight.
        splits: The `Splits`; only the labels of `train` are read, and those for `"balanced"` alone.

    Returns:
        float32 `[K]`, or `None` where all count the same.
    """
    info = splits.info
    check_class_weight(asked, info)
    if asked == "none":
        return None
    if isinstance(asked, dict):
        given = {_label_of(key, info.labels): weight for key, weight in asked.items()}
        return np.array([given[label] for label in info.labels], "float32")
    counts = np.bincount(splits.targets("train"), minlength=len(info.labels))
    # A class without examples needs no weight; the mean over the training examples is 1 either way.
    even = counts.sum() / np.count_nonzero(counts)
    return np.where(counts > 0, even / np.maximum(counts, 1), 0.0).astype("float32")


def check_output(model, info):
    """Raises `InputError` unless the model's output fits the data: a wrong width would broadcast or give NaN."""
    model_checks.check_built(model)
    row_of(info.task).check_model(model, info)


def compile_model(
    model, info, config=None, *, steps_per_epoch=None, learning_rate=None, teacher=None, own=None
):
    """Compiles a model for its task; call it inside the strategy's scope.

    Args:
        model: A Keras model whose output is logits, or one number for a regression.
        info: The `DataInfo` of the data set: task and width of the output.
        config: The `TrainConfig`; defaults to `TrainConfig()`.
        steps_per_epoch: Training steps in an epoch, `splits.steps_per_epoch`; needed unless the rate is constant.
        learning_rate: A number or a Keras schedule in place of the config's rate and schedule.
        teacher: Where the config names one, the model to distil from: `zoo.teacher(splits, run)`.
        own: The `zoo.training.own.Own`: optimizer, loss and metrics of the caller's in place of the config's.

    Returns:
        The model.

    Raises:
        InputError: The output does not fit the task, or options exclude each other.
    """
    config, own = config or configs.TrainConfig(), own or own_parts.Own()
    strategy = tf.distribute.get_strategy()
    strategies.check_together(strategy, config)
    has_schedule = isinstance(
        make_schedule(config.optimizer, 100), keras.optimizers.schedules.LearningRateSchedule
    )
    if steps_per_epoch is None and learning_rate is None and has_schedule:
        raise checks.InputError(
            f"A {config.optimizer.schedule} schedule needs steps_per_epoch=splits.steps_per_epoch."
        )
    own_parts.check_given(own, config)
    check_output(model, info)
    model_checks.check_trainable(model)
    task, options = row_of(info.task), config.optimizer
    loss = prepare_loss(of_keras.loss_of(own.loss, task, options), strategy)
    metrics, weighted = _metrics(task, info, options, own)
    check_class_weight(options.class_weight, info)
    _check_asked(config, info, model, teacher)
    prepare_model(model, strategy)
    (fused.unfuse if config.run.jit == "on" else fused.fuse)(model)  # XLA fuses by itself
    model.compile(
        optimizer=_optimizer(model, config, own, steps_per_epoch, learning_rate),
        loss=loss,
        metrics=[*task.metrics(), *metrics],
        weighted_metrics=weighted or None,
        run_eagerly=bool(own.compiled.get("run_eagerly")),
        jit_compile={"auto": "auto", "on": True, "off": False}[config.run.jit],
        steps_per_execution=config.run.steps_per_execution,
    )
    own_parts.note(model, own, (*metrics, *weighted))
    distillation = None if teacher is None else distill.Distillation(teacher, config.distill)
    if distillation or options.accumulate > 1:
        step.use(model, parts=options.accumulate, distillation=distillation)
    return model


def _metrics(task, info, options, own):
    """The caller's metrics, and those of them that weigh examples, as lists of Keras metrics."""
    given = [
        options.metrics if own.metrics is None else own.metrics,
        options.weighted_metrics if own.weighted_metrics is None else own.weighted_metrics,
    ]
    metrics = of_keras.metrics_of(given[0], task, info, own.scale)
    names = [metric.name for metric in metrics]
    return metrics, of_keras.metrics_of(given[1], task, info, own.scale, names, weighted=True)


def _optimizer(model, config, own, steps_per_epoch, learning_rate):
    """The caller's optimizer, or that of the config."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if own.optimizer is None:
        outputs = _output_layers(model)
        if config.optimizer.name == "muon":
            _check_muon(model, outputs)
        return make_optimizer(
            config.optimizer,
            (steps_per_epoch or 1) * config.run.epochs,
            replicas=replicas,
            learning_rate=learning_rate,
            outputs=sorted(outputs),
        )
    if learning_rate is not None:
        found = own_parts.copied(own.optimizer, learning_rate=learning_rate)
    else:
        found = own_parts.ready_optimizer(own.optimizer, model, replicas)
    return _mended(found, replicas)


def _output_layers(model):
    """The names of the last layers with weights before each of a model's outputs."""
    names = {"logits"}
    for tensor in keras.tree.flatten(getattr(model, "outputs", None) or ()):
        while tensor is not None:
            layer, index, before = origin(tensor)
            if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
                tensor = keras.tree.flatten(layer.outputs)[index]
                continue
            if layer.weights:
                names.add(layer.name)
                break
            tensor = before
    return names


def _check_muon(model, outputs):
    """Says which weights Muon updates; raises `InputError` where it would be Adam for all of them."""
    weights = model.trainable_variables
    inner = [
        w.path
        for w in weights
        if len(w.shape) == 2
        and "embedding" not in w.path.lower()
        and not outputs & set(w.path.split("/"))
    ]
    if not inner:
        raise checks.InputError(
            f"optimizer='muon' is for matrices between the first and the last layer, and {model.name} has none (its kernels of convolutions "
            "are no matrices): pass 'adam' or 'adamw'."
        )
    log.info(
        "muon updates %d of %d weights, matrices within the network (%s); adam updates the others",
        len(inner), len(weights), ", ".join(inner[:4]) + ", ..." * (len(inner) > 4),
    )  # fmt: skip


def _check_asked(config, info, model, teacher):
    """Raises `InputError` for settings that the task or the model has no use for."""
    task = row_of(info.task)
    check_options(info, config)
    distill.check(config, info, teacher)
    if config.report.calibrate and task.calibrate is None:
        raise checks.InputError(
            f"calibrate is for classification; the task of {info.name} is {info.task}."
        )
    if task.linear is None and (config.report.baseline or config.diagnose.overfit_batch):
        raise checks.InputError(
            "baseline and overfit_batch are for models that predict a class or a number; this is a "
            f"{info.task}. Leave them out."
        )
    if own_models.has_own_step(model) and (teacher or config.optimizer.accumulate > 1):
        raise checks.InputError(
            f"The model {model.name!r} has a train_step of its own, which accumulate and teacher would take the place of: "
            "leave them out."
        )
