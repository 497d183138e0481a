"""Models on CPUs, whose LSTM layers and batch normalizations run as one operation of TensorFlow's each.

What the operations are is in `keras_fixes/block_lstm.py` and `keras_fixes/fused_normalization.py`; here is where they fit.
"""

import keras
import tensorflow as tf

from zoo.keras_fixes import block_lstm, fused_normalization
from zoo.models.layers import all_layers
from zoo.models.recurrent import TokenEmbedding


def fuse(model):
    """Makes the layers of a model that can run as one operation do so, where CPUs train it; `unfuse` takes it back.

    Args:
        model: A built Keras model.
    """
    if tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"):
        return  # they have kernels of their own
    layers = all_layers(model)
    pads_ends_only = any(isinstance(layer, TokenEmbedding) for layer in layers) and not any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        for layer in layers
    )
    for layer in layers:
        if type(layer) is keras.layers.LSTM:
            block_lstm.fuse(layer, pads_ends_only=pads_ends_only)
        elif type(layer) is keras.layers.BatchNormalization:
            fused_normalization.fuse(layer)


def unfuse(model):
    """Gives the layers of a model Keras's own operations back, for formats that lack the others."""
    for layer in all_layers(model):
        if type(layer) is keras.layers.LSTM:
            block_lstm.unfuse(layer)
        elif type(layer) is keras.layers.BatchNormalization:
            fused_normalization.unfuse(layer)
