"""What `zoo info` says of an architecture: layers, parameters, floating-point operations, a drawing."""

import keras
import tensorflow as tf

from zoo import families
from zoo.models import checks


def build_for_info(name, input_shape=None, num_classes=10, vocabulary_size=None):
    """Builds a size of the table; without a shape for grey images of 28x28 pixels, or for texts of 200 tokens.

    Texts are what a size with an embedding and a call with a `vocabulary_size` are for; 20,000 tokens by default.
    """
    arguments = families.arguments(name)
    if vocabulary_size is None and "embedding_dim" in arguments:
        vocabulary_size = 20_000
    if vocabulary_size is not None:
        arguments = families.arguments(name, {"vocabulary_size": vocabulary_size})
    default = (28, 28, 1) if vocabulary_size is None else (200,)
    build = families.family(families.split_name(name)[0]).build
    return build(tuple(input_shape or default), num_classes, **arguments)


def count_flops(model):
    """Counts the floating-point operations of one prediction, batch 1; a multiplication with addition counts as two.

    Args:
        model: A built Keras model with one input.

    Returns:
        The number, from TensorFlow's own profiler of the model's graph.

    Example:

    >>> from zoo.models.dense import build_dense
    >>> count_flops(build_dense((10,), 5, units=()))  # 2 * 10 * 5 multiplications and additions + 5 for the bias
    105
    """
    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), model.inputs[0].dtype)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    tf_log = tf.get_logger()
    level = tf_log.level
    tf_log.setLevel(
        "ERROR"
    )  # the profiler warns that it calls a deprecated function of TensorFlow's own
    try:
        return tf.compat.v1.profiler.profile(graph=graph, options=options).total_float_ops
    finally:
        tf_log.setLevel(level)


def describe(model):
    """The model's layers and parameters as Keras lists them, and its FLOPs, as text."""
    lines = []
    model.summary(print_fn=lines.append, line_length=100)
    lines.append(f"floating-point operations per example: {count_flops(model):,}")
    return "\n".join(lines)


def plot(model, path):
    """Draws the layers as a PNG file with `keras.utils.plot_model`.

    Raises:
        InputError: pydot or graphviz is missing; the message says how to install them.
    """
    try:
        keras.utils.plot_model(model, to_file=path, show_shapes=True, show_layer_names=True)
    except ImportError as error:
        raise checks.InputError(
            "Drawing needs graphviz and pydot: install your system's package graphviz, "
            "and pip install 'keras-zoo[plot]'."
        ) from error
