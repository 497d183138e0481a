"""Models by their names, with trained weights or the caller's own: built, and compiled for a run."""

import inspect

import keras

from zoo import families
from zoo.config import constraints
from zoo.models import checks
from zoo.saving import trained, whole
from zoo.training import own as own_parts
from zoo.training import own_models
from zoo.training.compile import compile_model


def build(model=None, *, size=None, weights=None, **arguments):
    """Builds an uncompiled Keras model by name, or from a trained model's card and weights.

    A name is an architecture with random weights, also one of a paper such as `"resnet:50"` or `"transformer:bert_base"`:
    nothing is downloaded. Trained weights come with `weights=` alone.

    Args:
        model: Family and perhaps size: `"cnn"`, `"cnn:small"`. Leave it out with `weights`.
        size: The size, where the name has none; `"base"` by default.
        weights: Name or path of a SavedModel of this project. Size and arguments come from its card; only
            `num_classes` and `name` may differ. With another `num_classes` the last layer starts anew.
        **arguments: Arguments of the family's builder: `input_shape`, `num_classes` and hyperparameters.

    Returns:
        A `keras.Model` that returns logits: compile it with `keras.losses.SparseCategoricalCrossentropy(from_logits=True)` where
        you train it without `zoo.train`. Models with weights take prepared inputs, as their card's `preprocessing` says.

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


def load_model(path, **options):
    """Loads a `.keras` file that holds parts of the zoo, such as `trained.save("m.keras")` and `model.save("m.keras")` write.

    It is `keras.saving.load_model`, which alone knows the classes only that are imported already, and not those of a module that waits
    for its first use, as `import zoo` leaves them.

    Args:
        path: The file. Parts of your own must be registered before, with `keras.saving.register_keras_serializable`.
        **options: As there: `compile`, `custom_objects`, `safe_mode`.

    Returns:
        The `keras.Model`; of `trained.save` one that takes raw inputs, with `labels` and `card`.

    Raises:
        InputError: There is no such file.

    Example:

    >>> build("vit:tiny", input_shape=(8, 8, 1), num_classes=2).save("m.keras")
    >>> load_model("m.keras").name
    'vit'
    """
    return whole.load_file(path, **options)


def _build_for(config, preparation):
    """The model of a config, for data that a `Preparation` describes."""
    if config.weights is None:
        built = build(config.model, **preparation.arguments_of(config.model, config.model_args))
        return preparation.adapt(built, config.model)
    classes = preparation.builder_arguments.get("num_classes")
    model = build(weights=config.weights, num_classes=classes)
    for layer in model.layers[:-1]:
        layer.trainable = not config.freeze
    return model


def make_compiled(model, splits, run, own=None):
    """Builds and compiles the model of a run, inside its strategy's scope.

    Args:
        model: As in `train`.
        splits, run: As in a recipe.
        own: The `Own`: what the caller brings beside the model.
    """
    own = own_parts.Own() if own is None else own
    preparation, config = splits.preparation, run.config
    teacher = trained.teacher(splits, run) if config.distill.teacher else None
    with run.strategy.scope():
        if isinstance(model, str):
            built = _build_for(config, preparation)
        else:
            built = own_models.make(model, config, preparation, run.strategy)
            own = own_parts.with_compiled(own, built, config)
        compile_model(
            built,
            splits.info,
            config,
            steps_per_epoch=splits.steps_per_epoch,
            teacher=teacher,
            own=own.in_units_of(preparation),
        )
    return built
