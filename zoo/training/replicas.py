"""Models on several replicas: what a step of one device has to become. Each way round is in `keras_fixes/`."""

import keras

from zoo.keras_fixes import alike_seeds, masked_loss, masked_moments, symbolic_build
from zoo.models.layers import all_layers


def prepare_model(model, strategy):
    """Makes a plain model right for several replicas, before its first training step.

    Dropout and other noise differ between replicas, batch normalization sees the global batch, and Keras builds
    from the data set's description instead of reading (and mixing up) a real batch.

    Args:
        model: An uncompiled Keras model.
        strategy: The strategy in whose scope it was built.

    Returns:
        The model.
    """
    if strategy.num_replicas_in_sync == 1:
        return model
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            masked_moments.synchronize(layer)
        alike_seeds.make_unlike(layer)
    symbolic_build.build_from_description(model)
    return model


def prepare_loss(loss, strategy):
    """Makes a loss's mean over the steps that a mask leaves that of the global batch.

    Args:
        loss: A Keras loss, or `None`.
        strategy: The strategy.

    Returns:
        The loss, or one around it.
    """
    if strategy.num_replicas_in_sync > 1 and isinstance(loss, keras.losses.Loss):
        return masked_loss.MeanOfAllReplicas(loss)
    return loss
