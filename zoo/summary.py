"""What `zoo info` says of an architecture: layers, parameters, floating-point operations, a drawing."""

import contextlib
import csv
import dataclasses
import inspect
import io

import keras
import tensorflow as tf

from zoo import catalogue, families
from zoo.models import checks
from zoo.models.layers import all_layers

STEPS = 200  # of a sequence of any length
COLUMNS = 20  # of a table, for sizes that embed its numbers


def build_for_info(name, input_shape=None, num_classes=10, vocabulary_size=None):
    """Builds a size of the table; without a shape for grey images of 28x28 pixels, tables of 20 columns or
    texts of 200 tokens.

    Texts are what a family of texts alone, a size with an embedding and a call with a `vocabulary_size` are for; 20,000 tokens
    by default.
    """
    row = families.family(families.split_name(name)[0])
    arguments = families.arguments(name)
    if vocabulary_size is None:
        of_texts = row.reads_texts_only and row.own_task is None
        words = 20_000 if "embedding_dim" in arguments or of_texts else None
        vocabulary_size = arguments.get("vocabulary_size", words)
    if vocabulary_size is not None:
        arguments = families.arguments(name, {"vocabulary_size": vocabulary_size})
    texts = vocabulary_size is not None or row.reads_texts_only
    table = (COLUMNS,) if arguments.get("embedding") else (28, 28, 1)
    default = (STEPS,) if texts else table
    classes = num_classes if row.has_classes else None
    return row.build(tuple(input_shape or default), classes, **arguments)


def _forward_graph(model):
    """TensorFlow's graph of one prediction, batch 1; sequences of any length get 200 steps."""
    specs = keras.tree.map_structure(
        lambda t: tf.TensorSpec([1, *(size or STEPS for size in t.shape[1:])], t.dtype), model.input
    )
    function = tf.function(lambda x: model(x, training=False))
    with _unrolled(model):
        return function.get_concrete_function(specs).graph


@contextlib.contextmanager
def _unrolled(model):
    """Within the block recurrent layers are traced step by step: of a loop only one step would be counted."""
    loops = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.RNN)]
    before = [layer.unroll for layer in loops]
    for layer in loops:
        layer.unroll = True
    try:
        yield
    finally:
        for layer, unroll in zip(loops, before):
            layer.unroll = unroll


def count_flops(model):
    """Counts the floating-point operations of one prediction, batch 1; a multiplication with addition counts as two.

    Args:
        model: A built Keras model.

    Returns:
        The number, from TensorFlow's own profiler of the model's graph.

    Example:

    >>> from zoo.models.dense import build_dense
    >>> count_flops(build_dense((10,), 5, units=()))  # 2 * 10 * 5 multiplications and additions + 5 for the bias
    105
    """
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    tf_log = tf.get_logger()
    level = tf_log.level
    tf_log.setLevel("ERROR")  # the profiler calls a function that TensorFlow has deprecated
    try:
        profile = tf.compat.v1.profiler.profile(graph=_forward_graph(model), options=options)
    finally:
        tf_log.setLevel(level)
    return profile.total_float_ops


# Operations whose output is no new memory, or no activation.
_FREE = {"Const", "ExpandDims", "Identity", "Placeholder", "ReadVariableOp", "Reshape", "Squeeze"}


def count_activations(model):
    """Counts the bytes of all operations' outputs in one prediction, batch 1, as if every one were kept.

    About what training keeps for the gradient, per example; the variables are not in it.

    Args:
        model: A built Keras model.

    Example:

    >>> from zoo.models.dense import build_dense
    >>> count_activations(build_dense((10,), 5, units=()))  # the product and the sum: twice 5 float32
    40
    """
    outputs = [
        tensor
        for operation in _forward_graph(model).get_operations()
        for tensor in operation.outputs
        if operation.type not in _FREE and tensor.dtype.is_floating
    ]
    return sum(t.shape.num_elements() * t.dtype.size for t in outputs if t.shape.is_fully_defined())


def describe(model):
    """The model's layers and parameters as Keras lists them, its FLOPs and activations, as text."""
    lines = []
    model.summary(print_fn=lines.append, line_length=100)
    lines.append(f"floating-point operations per example: {count_flops(model):,}")
    lines.append(f"activation memory at batch 1: {count_activations(model) / 1024:,.0f} KiB")
    return "\n".join(lines)


def measured():
    """The facts of `catalogue.sizes`, measured anew; takes a minute, as every size is built."""
    for name, row in families.FAMILIES.items():
        for size in row.sizes:
            model = build_for_info(f"{name}:{size}")
            shapes = [tuple(n or STEPS for n in tensor.shape[1:]) for tensor in model.inputs]
            yield catalogue.Size(
                model=f"{name}:{size}",
                tasks=", ".join(row.samples),
                inputs=", ".join(row.inputs),
                example=" and ".join(map(str, shapes)),
                parameters=model.count_params(),
                operations=count_flops(model),
                activations=round(count_activations(model) / 1024),
            )


def families_page():
    """The table of all families as Markdown, `docs/families.md`."""
    lines = [
        "# Families",
        "",
        "Printed by `zoo models --page`. Parameters, floating-point operations (a multiplication with addition is two) and",
        "activation memory (the outputs of all operations, as if all were kept) of one example of the size given, 10 classes.",
        "",
        "Every size, also those with a paper's name such as `resnet:50` or `transformer:bert_base`, is an architecture that starts",
        "from random weights: nothing is downloaded. Trained weights are those of the [trained models](../saved_models/README.md).",
    ]
    for name, row in families.FAMILIES.items():
        doc = inspect.getdoc(row.build).partition("\n")[0]
        lines += [
            "",
            f"## {name}",
            "",
            doc,
            "",
            f"- paper: {row.reference}",
            f"- tasks: {', '.join(row.samples)}",
        ]
        lines += [f"- in Python: `zoo.build_{name}`", ""]
        lines += [
            "| size | one example | parameters | operations | activations, KiB |",
            "| --- | --- | --- | --- | --- |",
        ]
        for size in catalogue.matching(family=name):
            lines.append(
                f"| {size.model.partition(':')[2]} | {size.example} | {size.parameters:,} | {size.operations:,} "
                f"| {size.activations:,} |"
            )
    return "\n".join(lines) + "\n"


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


def write_sizes():
    """Measures every size, and writes `zoo/sizes.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(catalogue.Size)])
    writer.writerows(dataclasses.astuple(size) for size in measured())
    catalogue.PATH.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    write_sizes()
