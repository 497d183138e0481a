"""A caller's own model: what a builder function or a Keras model must be, and how it is built on the prepared inputs."""

import inspect

import keras

from zoo.keras_fixes.tensor_origin import origin
from zoo.models import checks
from zoo.models.layers import all_layers
from zoo.tasks import model_checks


def make(model, config, preparation, strategy):
    """The caller's model, built on the prepared inputs; call it inside the strategy's scope.

    Args:
        model: A Keras model, built or not, or a builder function `(input_shape, num_classes) → keras.Model`.
        config: The `TrainConfig`.
        preparation: The `Preparation` of the data.
        strategy: The strategy.

    Raises:
        InputError: It is neither of these, or does not take the prepared inputs.
    """
    arguments = dict(preparation.builder_arguments)
    if isinstance(model, keras.Model):
        _check_ready(model, config, strategy)
    else:
        model = _call_builder(model, {**arguments, **config.model_args})
    model_checks.build_on(model, preparation.inputs.output)
    return _check_inputs(model, arguments)


def has_own_step(model):
    """Whether a model's class has a training step in place of Keras's."""
    return type(model).train_step is not keras.Model.train_step


def loss_of(model, x, y, outputs, weights, training):
    """The loss of a batch as the model computes it; a `compute_loss` of the caller's may not take `training`."""
    takes = "training" in inspect.signature(model.compute_loss).parameters
    more = {"training": training} if takes else {}
    return model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weights, **more)


def _check_ready(model, config, strategy):
    """Refuses settings that would have to be known before a model is built."""
    created = strategy.extended.variable_created_in_scope
    if strategy.num_replicas_in_sync > 1 and not all(created(v.value) for v in model.variables):
        raise checks.InputError(
            "A model for several devices must be built inside of the strategy: pass a builder function in its place."
        )
    if config.run.precision != "float32":
        raise checks.InputError(
            f"precision={config.run.precision!r} cannot reach a model that is already built: pass a builder function."
        )


def _call_builder(builder, arguments):
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


def _looks_inputs_up(model):
    """The name of an embedding that takes an input of a model as it comes; `None` where there is none."""
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, keras.layers.Embedding) and getattr(model, "inputs", None):
            before = origin(layer.output)[2]
            if any(before is tensor for tensor in model.inputs):
                return layer.name
    return None


def _check_inputs(model, arguments):
    """Returns a caller's model, unless it would take prepared inputs for something else without an error."""
    layers = all_layers(model, include_self=False)  # nested models' too
    for layer in layers:
        if isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
            raise checks.InputError(
                f"The model {model.name!r} scales its inputs itself (layer {layer.name!r}), but the zoo prepares "
                "inputs, in training and in the export: remove that layer (of some of keras.applications: include_preprocessing=False)."
            )
    model_checks.check_inputs(model, arguments["input_shape"])
    words = arguments.get("vocabulary_size", 0)
    if not words and (name := _looks_inputs_up(model)):
        raise checks.InputError(
            f"The embedding {name!r} of the model {model.name!r} looks its inputs up by whole numbers, but inputs that are numbers are standardised "
            "here: pass texts, of which the zoo makes ids, or train this model with model.fit."
        )
    for layer in layers:
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim < words:
            raise checks.InputError(  # an id beyond the table is silent under XLA and on GPUs
                f"The embedding {layer.name!r} has {layer.input_dim} rows, but the texts have {words} different words: "
                f"give it {words}, or a smaller vocabulary with text_size."
            )
    return model
