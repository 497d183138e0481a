"""LiteRT, once TensorFlow Lite: telephones and small machines. It wants shapes that are known before it runs."""

from pathlib import Path

EXAMPLE = """
def run(inputs):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(HERE / "{file}")).get_signature_runner("tensors")
    return runner(**inputs)
"""

# Input of the signature `tensors` → what brings it to what the model takes, where no statistics of the training data do.
PREPARED = {"image": lambda pixels: pixels / 255, "ids": lambda ids: ids}


def has_loop(card):
    """Whether a model steps through its inputs in a loop, which LiteRT takes only as traced for one example."""
    return card.builder is not None and card.builder.family == "recurrent"


def one_by_one(card):
    """Whether a model takes one example at a time: one with a loop, and one whose inputs have any length."""
    inputs = card.signatures["tensors"]["inputs"].values()
    return has_loop(card) or any(None in shape[1:] for _, shape in inputs)


def refusal(card, quantize):
    """Why a model cannot be converted, or `None`."""
    if not has_loop(card):
        return None
    if not set(card.signatures["tensors"]["inputs"]) <= set(PREPARED):
        return (
            f"{card.name} is a recurrent model of {card.input_kind}: LiteRT needs its loop traced for one example, "
            "which is done for images and texts only. Use onnx or openvino."
        )
    if quantize == "int8":
        return (
            f"{card.name} is a recurrent model, and LiteRT's calibration for int8 crashes on its loop. "
            "Use 'dynamic', which stores the weights in 8 bits."
        )
    return None


def convert(traced, path, quantize, examples):
    """Writes a model for LiteRT; see `Runtime.convert`."""
    import tensorflow as tf

    with traced.saved() as folder:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["tensors"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8":
            count = len(next(iter(examples.values())))
            converter.representative_dataset = lambda: (
                {name: values[i : i + 1] for name, values in examples.items()} for i in range(count)
            )
        Path(path).write_bytes(converter.convert())


def open_model(path, threads):
    """Opens a model; see `Runtime.open`."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path, num_threads=threads).get_signature_runner("tensors")
    return lambda inputs: runner(**inputs)
