"""Models of the caller's own, built or as builder functions: called, and refused where they would train to nonsense."""

import inspect

import keras
import tensorflow as tf

from zoo.models import checks
from zoo.models.layers import all_layers
from zoo.tasks import model_checks


def check_built(model, config):
    """Refuses settings that would have to be known before a model is built."""
    strategy = tf.distribute.get_strategy()
    created = strategy.extended.variable_created_in_scope
    if strategy.num_replicas_in_sync > 1 and not all(created(v.value) for v in model.variables):
        raise checks.InputError(
            "A model for several devices must be built inside of the strategy: pass a builder function in its place."
        )
    if config.run.precision != "float32":
        raise checks.InputError(
            f"precision={config.run.precision!r} cannot reach a model that is already built: pass a builder function."
        )


def call_builder(builder, arguments):
    """What a caller's builder function makes of an input shape, a number of classes and further arguments by name."""
    home = (builder if inspect.isclass(builder) else type(builder)).__module__.partition(".")[0]
    if not callable(builder) or home in ("keras", "torch"):
        raise checks.InputError(
            "`model` must be a name, a Keras model, or a builder function that takes (input_shape, num_classes) and "
            f"returns a Keras model. Received: {builder!r}"
        )
    name, signature = getattr(builder, "__name__", "builder"), inspect.signature(builder)
    known = signature.parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    shapes = [arguments.pop("input_shape"), arguments.pop("num_classes", None)]
    for key in () if takes_any else arguments:
        checks.one_of(f"argument that {name} must take,", key, known)
    try:
        signature.bind(*shapes, **arguments)
    except TypeError as error:
        raise checks.InputError(
            f"A builder function takes (input_shape, num_classes), and by name: {', '.join(arguments) or 'nothing'}. "
            f"Received: {name}{signature}: {error}"
        ) from None
    built = builder(*shapes, **arguments)
    if not isinstance(built, keras.Model):
        raise checks.InputError(
            f"The builder {name} must return a keras.Model. It returned: {built!r}"
        )
    return built


def check_inputs(model, arguments):
    """Returns a caller's model, unless it would take prepared inputs for something else without an error."""
    layers = all_layers(model, include_self=False)  # nested models' too
    for layer in layers:
        if isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
            raise checks.InputError(
                f"The model {model.name!r} scales its inputs itself (layer {layer.name!r}), but the zoo prepares "
                "inputs, in training and in the export: remove that layer."
            )
    model_checks.check_inputs(model, tuple(arguments["input_shape"]))
    words = arguments.get("vocabulary_size", 0)
    for layer in layers:
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim < words:
            raise checks.InputError(  # an id beyond the table is silent under XLA and on GPUs
                f"The embedding {layer.name!r} has {layer.input_dim} rows, but the texts have {words} different words: "
                f"give it {words}, or a smaller vocabulary with text_size."
            )
    return model
