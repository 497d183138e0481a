"""Rejects models whose inputs or outputs do not fit the data: Keras would broadcast, or train to nonsense."""

import dataclasses
import weakref

import keras
import tensorflow as tf

from zoo.keras_fixes.tensor_origin import origin
from zoo.models import checks
from zoo.models.layers import quantized

# Functions whose output is no logit, and what may follow them without changing a value; in Keras's spelling, without `_`.
SQUASHING = (
    "softmax", "logsoftmax", "sparsemax", "sigmoid", "logsigmoid", "hardsigmoid", "sparsesigmoid", "tanh", "hardtanh",
    "softsign",
)  # fmt: skip
VALUE_KEEPING = ("identity", "reshape", "flatten", "dropout", "cast")


# Model of a class of the caller's → its outputs when it was called on symbolic inputs, as shapes: Keras keeps none.
_SHAPES = weakref.WeakKeyDictionary()


def build_on(model, inputs):
    """Builds a model on prepared inputs, unless its shapes are known: one of a class of the caller's, or without an input layer.

    Args:
        model: A Keras model.
        inputs: What it will be given, as Keras tensors.

    Raises:
        InputError: It cannot be called on them.
    """
    if getattr(model, "outputs", None):
        return
    given = keras.tree.map_structure(
        lambda t: keras.Input(batch_shape=t.shape, dtype=t.dtype), inputs
    )
    try:
        outputs = model(given)
    # What Keras, TensorFlow and a caller's own `call` raise on inputs that do not fit.
    except (TypeError, ValueError, AttributeError, NotImplementedError, tf.errors.OpError) as error:
        shapes = keras.tree.map_structure(lambda t: (t.shape, t.dtype), inputs)
        raise checks.InputError(
            f"The model {model.name!r} cannot be called on the prepared inputs, {shapes} with the batch first: {checks.plainly(error)}"
        ) from error
    _SHAPES[model] = keras.tree.map_structure(lambda t: _Shape(t.shape), outputs)


@dataclasses.dataclass(frozen=True)
class _Shape:
    """An output of which nothing but its shape is known."""

    shape: tuple


def check_built(model):
    """Raises `InputError` unless the shapes of a model are known."""
    if not getattr(model, "outputs", None) and model not in _SHAPES:
        raise checks.InputError(
            f"The shapes of the model {model.name!r} are not known, as it is subclassed or has no keras.Input: pass it to zoo.train, which "
            "builds it on the prepared inputs, or make it a functional one, keras.Model(inputs, outputs)."
        )


def check_trainable(model):
    """Raises `InputError` where weights of a model are rounded to whole numbers: only what is left of the others would be trained."""
    if (layer := quantized(model)) is not None:
        raise checks.InputError(
            f"The layer {layer.name!r} of the model {model.name!r} holds weights in {layer.quantization_mode}, which cannot be trained: "
            "go on from the model that it was made of, and quantize what comes of it."
        )


def outputs_of(model):
    """The outputs of a model in a list: Keras tensors, or nothing but their shapes for one of a class of the caller's."""
    return keras.tree.flatten(getattr(model, "outputs", None) or _SHAPES[model])


def input_names(model):
    """The names of a functional model's inputs in the order in which they were given to it; of a subclassed model none."""
    inputs = getattr(model, "inputs", None) or ()
    struct = model.input if len(inputs) > 1 else None
    return list(struct) if isinstance(struct, dict) else [tensor.name for tensor in inputs]


def check_several_inputs(model, shapes):
    """Raises `InputError` unless a model takes prepared inputs of these names and shapes.

    Args:
        model: A Keras model.
        shapes: Name → shape of an example.
    """
    if model in _SHAPES:
        return  # it was called on them
    struct = getattr(model, "input", None)
    tensors = struct.values() if isinstance(struct, dict) else getattr(model, "inputs", ())
    taken = dict(zip(input_names(model), (tuple(tensor.shape[1:]) for tensor in tensors)))
    wanted = ", ".join(f"keras.Input({shape}, name={name!r})" for name, shape in shapes.items())
    if set(taken) != set(shapes):
        raise checks.InputError(
            f"The model {model.name!r} takes {_shown(taken)}; the data have {_shown(shapes)}: both need the same names. Give it {wanted}."
        )
    strings = [tensor.name for tensor in getattr(model, "inputs", ()) if tensor.dtype == "string"]
    if strings:
        raise checks.InputError(
            f"The input {strings[0]!r} of the model {model.name!r} takes texts, but the zoo prepares them, texts to ids and categories of "
            f"a table to numbers: give it {wanted}."
        )
    for name, shape in shapes.items():
        if not _fits(taken[name], tuple(shape)):
            raise checks.InputError(
                f"The input {name!r} of the model {model.name!r} takes shape {taken[name]}; the prepared data have shape {shape} per "
                f"example. Give it keras.Input({shape}, name={name!r})."
            )


def _shown(shapes):
    return ", ".join(f"{name} of shape {shape}" for name, shape in shapes.items())


def _fits(taken, shape):
    return len(taken) == len(shape) and all(None in (a, b) or a == b for a, b in zip(taken, shape))


def check_inputs(model, shape):
    """Raises `InputError` unless a model takes prepared inputs of a shape: Keras drops or adds a last dimension of 1.

    Args:
        model: A Keras model.
        shape: Of an example; of several inputs a dict of shapes.
    """
    if isinstance(shape, dict):
        check_several_inputs(model, shape)
        return
    shape = tuple(shape)
    shapes = [tuple(tensor.shape[1:]) for tensor in getattr(model, "inputs", None) or ()]
    fits = len(shapes) == 1 and len(shapes[0]) == len(shape)
    if len(shapes) > 1:
        raise checks.InputError(
            f"The model {model.name!r} takes {len(shapes)} inputs, {', '.join(input_names(model))}; the prepared data are one, of shape "
            f"{shape} per example. Pass a dict of arrays by these names; one-dimensional columns alone are one table."
        )
    if shapes and not (fits and _fits(shapes[0], shape)):
        same_channels = fits and len(shape) == 3 and shapes[0][-1] == shape[-1]
        hint = f", or pass image_size={shapes[0][:2]}" if same_channels else ""
        raise checks.InputError(
            f"The model {model.name!r} takes inputs of shape {shapes}; the prepared data have shape {shape} per "
            f"example. Give it keras.Input({shape}){hint}."
        )


def check_logits(model, info):
    """Raises `InputError` unless a model has one output of the width that the data need, and no function after it."""
    named = named_outputs(model)
    if named:
        raise checks.InputError(
            f"The model {model.name!r} gives a dict of outputs, {', '.join(named)}; {info.name} is a {info.task}, which takes one "
            "output. Return that one, choose another family, or task='generation' (--task) for a vae."
        )
    shapes = [tuple(output.shape[1:]) for output in outputs_of(model)]
    if len(shapes) > 1:
        raise checks.InputError(
            f"The model {model.name!r} gives {len(shapes)} outputs, of shapes {[(None, *s) for s in shapes]}; the zoo trains models of one "
            f"output, (batch, {info.num_outputs}) for the {info.task} {info.name}: return that one, or train each in a model of its own."
        )
    if shapes != [(info.num_outputs,)]:
        wanted = f"one output of shape (batch, {info.num_outputs}) for the {info.task} {info.name}"
        number = " To predict a number pass task='regression'." if shapes == [(1,)] else ""
        raise checks.InputError(
            f"The model {model.name!r} gives outputs of shape {[(None, *s) for s in shapes]}; expected {wanted}. "
            f"Let its last layer have so many units, Dense({info.num_outputs}).{number}"
        )
    applied = _last_function(outputs_of(model)[0])
    if applied in SQUASHING:
        raise checks.InputError(
            f"The last layer of {model.name!r} applies {applied}; the losses here take logits: remove it."
        )


def check_numbers(model, info):
    """Does what `check_logits` does, for outputs that are numbers without bounds."""
    outputs = outputs_of(model)
    applied = _last_function(outputs[0]) if len(outputs) == 1 else None
    if (
        not named_outputs(model)
        and outputs[0].shape[1:] == (info.num_outputs,)
        and applied in SQUASHING
    ):
        raise checks.InputError(
            f"The last layer of {model.name!r} applies {applied}, but targets are standardised and reach beyond its "
            "range: remove it."
        )
    check_logits(model, info)


def named_outputs(model):
    """The outputs of a model that gives a dict of them; otherwise none. A `Sequential` knows no structure of its own."""
    is_known = getattr(model, "outputs", None)
    output = getattr(model, "output", None) if is_known else _SHAPES.get(model)
    return output if isinstance(output, dict) else {}


def _last_function(output):
    """The name of what made a Keras tensor: an activation, or a layer; looks into models and past what keeps values."""
    while not isinstance(output, _Shape):  # of which only a batch tells
        layer, index, before = origin(output)
        if getattr(layer, "outputs", None):  # a model
            output = keras.tree.flatten(layer.outputs)[index]
            continue
        # A layer of the caller's own may have an activation that is not its last step.
        of_keras = type(layer).__module__.startswith("keras.")
        function = (getattr(layer, "activation", None) if of_keras else None) or layer
        name = getattr(function, "__name__", type(function).__name__).lower().replace("_", "")
        if name == "linear" and isinstance(layer, keras.layers.Activation):
            name = "identity"
        if name not in VALUE_KEEPING:
            return name
        output = before
    return ""
