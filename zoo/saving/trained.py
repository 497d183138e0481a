"""The trainable Keras model of a SavedModel again: to go on from, or to teach another."""

import inspect
import logging

import keras
import numpy as np
import tensorflow as tf

from zoo import families
from zoo.data import kinds
from zoo.data.prepare import takes_splits_alone
from zoo.models import checks
from zoo.models.layers import all_layers
from zoo.saving import card as cards
from zoo.saving import gate, manifest, store
from zoo.saving.load import copy_weights, load
from zoo.tasks import task

log = logging.getLogger("zoo")


def build_trained(model, size, weights, arguments):
    """Rebuilds a trained model, as `zoo.build(model, size=size, weights=weights, **arguments)` says."""
    path = store.find(weights)
    with gate.checked(path) as folder:
        return _build(path, folder, model, size, weights, arguments)


def _build(path, folder, model, size, weights, arguments):
    card = cards.read(folder, shown=path)
    builder = card.builder
    if builder is None:
        raise checks.InputError(
            f"{weights} was made from a model of its maker's own: load it with zoo.load."
        )
    if model not in (None, builder.family, builder.model) or size not in (None, builder.size):
        raise checks.InputError(f"{weights} is a {builder.model}: leave family and size out.")
    for key in arguments:
        checks.one_of("argument together with weights", key, ("num_classes", "name"))
    saved = {k: tuple(v) if isinstance(v, list) else v for k, v in builder.arguments.items()}
    build = families.family(builder.family).build
    try:
        inspect.signature(build).bind(**saved)
    except TypeError as error:
        raise manifest.DamagedModelError(
            f"{path}: the builder's arguments in its card are none of {checks.shown(builder.family)}: {checks.shown(str(error))}"
        ) from None
    built = build(**{**saved, **arguments})
    classes = saved.get("num_classes")
    new = ("logits",) if arguments.get("num_classes", classes) != classes else ()
    if mode := builder.quantize:
        quantize(built, mode, leave_out=new)  # what is quantized cannot be trained
    copy_weights(built, folder, path, new)
    return built


def quantize(model, mode, leave_out=()):
    """Quantizes the weights of a model's dense layers and embeddings, in place.

    Keras quantizes these four kinds of layers. It leaves out their subclasses unless told otherwise, since a `call` of
    their own is not computed any more; those that have none are quantized here, too.

    Args:
        model: A built `keras.Model`.
        mode: `"int8"` or `"int4"`.
        leave_out: Names of layers that stay as they are.

    Returns:
        The share of the model's weights that are quantized, from 0 to 1.
    """
    layers = keras.layers
    kinds = (layers.Dense, layers.EinsumDense, layers.Embedding, layers.ReversibleEmbedding)

    def fits(layer):
        is_one = any(isinstance(layer, kind) and type(layer).call is kind.call for kind in kinds)
        # Each row of an embedding gets a scale of its own, which takes as much as four numbers of a byte.
        is_narrow = getattr(layer, "output_dim", 8) < 8
        return is_one and layer.name not in leave_out and not is_narrow

    total = model.count_params()
    quantized = sum(layer.count_params() for layer in all_layers(model) if fits(layer))
    model.quantize(mode, filters=fits, type_check=False)
    return quantized / total


def check_columns(weights, info):
    """Refuses a table whose columns are in another order than those of the model that a training goes on from.

    Args:
        weights: Name or path of the model.
        info: The `DataInfo`.

    Raises:
        InputError: The columns are the same ones in another order, and the weights would belong to others.
    """
    known = cards.read(store.find(weights)).columns
    if not known or not info.columns or tuple(known) == tuple(info.columns):
        return
    if set(known) == set(info.columns):
        raise checks.InputError(
            f"{weights} was trained on the same columns in another order: pass columns=... in its order, {', '.join(known)}."
        )
    log.warning("the columns are other ones than those of %s: %s", weights, ", ".join(known))


def from_weights(config):
    """Returns a config with the family, size and arguments of the trained model that its `weights` name.

    Images are brought to the size that the model was trained on, unless the config says another.

    Args:
        config: A `TrainConfig`; without `weights` it comes back as it is.

    Raises:
        InputError: There is no such model, or it was made from a model of its maker's own, or reads texts, whose ids are
            those of its own vocabulary.

    Example:

    >>> from zoo.config.config import TrainConfig
    >>> from_weights(TrainConfig(weights="digits_cnn")).data.image_size
    (8, 8)
    """
    if config.weights is None:
        return config
    path = store.find(config.weights)
    with gate.checked(path) as folder:
        card = cards.read(folder, shown=path)
    builder, kind = card.builder, kinds.kind(card.input_kind)
    if builder is None or kind.vocabulary is not None:
        why = (
            "reads texts by a vocabulary of its own"
            if builder
            else "was made from a model of its maker's own"
        )
        raise checks.InputError(
            f"{config.weights} {why}: it cannot go on training here. Use it with zoo.load."
        )
    data = {"input_shape", "num_classes", "vocabulary_size", "quantiles", "average", "columns"}
    given = {key: value for key, value in builder.arguments.items() if key not in data}
    size = config.data.image_size or (card.input_shape[:2] if kind.is_drawn else None)
    return config.replace(model=builder.model, model_args=given, image_size=size)


@takes_splits_alone
def teacher(splits, run):
    """Returns the trained model that the config's `teacher` names, to distil from, or `None` where it names none.

    Args:
        splits: The `Splits` of the data to learn, with their `Preparation`.
        run: The `Run`; call it outside of its strategy's scope.

    Raises:
        InputError: There is no such model, or it was made for other inputs, other preparation or other classes.
    """
    name = run.config.distill.teacher
    if name is None:
        return None
    info, taught = splits.info, load(name)
    card = taught.card
    same = {
        "task": (card.task, info.task),
        "kind of input": (card.input_kind, info.kind),
        "size of input": (card.input_shape, tuple(info.input_shape)),
        "classes": (card.labels, info.labels),
    }
    for what, (theirs, ours) in same.items():
        if theirs != ours:
            is_size = what == "size of input" and kinds.kind(info.kind).is_drawn
            hint = f" Pass image_size={theirs[:2]}." if is_size else ""
            raise checks.InputError(
                f"{name} cannot teach {info.name}: its {what} is {theirs!r}, but {ours!r} here.{hint}"
            )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # whatever the student computes in
    try:
        with run.strategy.scope():
            model = build_trained(None, None, name, {})
    finally:
        keras.config.set_dtype_policy(policy)
    _check_preparation(model, taught, splits)
    return model


def _check_preparation(model, taught, splits):
    """Refuses inputs that are prepared in another way than the model's own: it would teach nonsense."""
    examples = splits.pick("validation", np.arange(min(8, len(splits.examples["validation"]))))
    raw = {
        name: tf.constant(values)
        for name, values in splits.kind.named(examples, splits.info).items()
    }
    wanted = taught.signatures["serving_default"](**raw)["probabilities"]
    logits = model(splits.preparation.inputs(examples), training=False)
    temperature = taught.card.temperature
    answers = task(splits.info.task).answer(tf.cast(logits, tf.float32), temperature)
    found = answers["probabilities"]
    is_exact = taught.card.config["run"].get("precision", "float32") == "float32"
    # Written so that NaN counts as another answer.
    if not np.all(np.abs(found - wanted) <= (1e-3 if is_exact else 3e-2)):
        raise checks.InputError(
            f"{taught.card.name} cannot teach {splits.info.name}: it was trained on inputs prepared in another way "
            f"({'; '.join(taught.card.preprocessing)}), or scaled by other numbers. Train a teacher on the same data."
        )
