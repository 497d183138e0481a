"""Low-rank adaptation: training few new weights beside a trained model's own, which stay as they are."""

import keras

from zoo.models import checks
from zoo.models.layers import all_layers, quantized

# The name of a weight, and the attribute that holds the matrix that starts at 0 beside it.
_PARTS = (("kernel", "lora_kernel_b"), ("embeddings", "lora_embeddings_b"))


def enable_lora(model, rank):
    """Freezes a model but for its last layer, and adds a trainable product of two thin matrices to each kernel.

    For every dense, convolution and embedding layer it calls Keras's own `layer.enable_lora(rank)`; other layers, biases
    and normalizations keep their weights. Right after it the outputs are the same: the product starts at 0. The layer
    `logits` is trained as a whole, because another task needs another one. Compile the model afterwards.

    Reference: Hu et al. 2021, "LoRA: Low-rank adaptation of large language models".

    Args:
        model: A built Keras model.
        rank: Columns of the first matrix and rows of the second one, for example 4.

    Returns:
        The model.

    Raises:
        InputError: `rank` is out of its range, no layer can be adapted, or one holds quantized weights.

    Example:

    >>> from zoo.models.dense import build_dense
    >>> model = enable_lora(build_dense((20,), 3, units=(64,)), rank=2)  # 2 * (20 + 64), and 64 * 3 + 3 of the logits
    >>> sum(weight.numpy().size for weight in model.trainable_weights)
    363
    """
    checks.positive_int("rank", rank)
    if (layer := quantized(model)) is not None:
        raise checks.InputError(
            f"The layer {layer.name!r} of {model.name} holds weights in {layer.quantization_mode}: what is trained beside them would be rounded "
            "away when both are added up. Adapt the model that it was made of, and quantize what comes of it."
        )
    adapted = 0
    for layer in all_layers(model, include_self=False):
        if layer.name == "logits" or all_layers(layer, include_self=False):
            continue
        for weight in layer.weights:
            weight.trainable = False
        if hasattr(layer, "enable_lora"):
            layer.enable_lora(rank)
            adapted += 1
        else:
            layer.trainable = False
    if not adapted:
        raise checks.InputError(
            f"{model.name} has no dense, convolution or embedding layer but its last: there is nothing to adapt."
        )
    return model


def merge_lora(model):
    """Adds what was trained to the weights it was trained beside, and sets it back to 0; the outputs stay the same.

    Args:
        model: A Keras model, perhaps with adapted layers.
    """
    for layer in all_layers(model, include_self=False):
        for name, factor in _PARTS:
            if getattr(layer, "lora_enabled", False) and hasattr(layer, factor):
                (own,) = (weight for weight in layer.weights if weight.name == name)
                own.assign(getattr(layer, name))  # the sum of the weight and the product
                getattr(layer, factor).assign(keras.ops.zeros_like(getattr(layer, factor)))
