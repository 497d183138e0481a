"""The mean of a masked loss over several replicas.

Fault: Keras takes each replica's own mean over the steps that a mask leaves, and then the mean of the replicas': the steps
of a replica with less padding count less than those of another.
Upstream: no issue known; other gaps under `tf.distribute` are keras-team/keras#20582.
Seen in: Keras 3.15.
Way round: the loss is wrapped in one that weighs each replica by its steps.
"""

import keras
import tensorflow as tf

from zoo.keras_fixes.clip_before_reduce import replica_context
from zoo.keras_fixes.tensor_mask import mask_of


@keras.saving.register_keras_serializable(package="zoo")
class MeanOfAllReplicas(keras.losses.Loss):
    """A loss whose mean over the steps that a mask leaves is that of the global batch.

    Args:
        loss: The Keras loss of one replica.
    """

    def __init__(self, loss):
        super().__init__(name=loss.name, reduction=loss.reduction, dtype=loss.dtype)
        self.loss = loss

    def call(self, y_true, y_pred):
        return self.loss.call(y_true, y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        loss, context = self.loss(y_true, y_pred, sample_weight), replica_context()
        mask = mask_of(y_pred)
        if mask is None or context is None:
            return loss
        steps = tf.reduce_sum(tf.cast(mask, loss.dtype))
        of_all = context.all_reduce("SUM", steps)
        return loss * steps * context.num_replicas_in_sync / tf.maximum(of_all, 1)

    def get_config(self):
        return {"loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["loss"]))
