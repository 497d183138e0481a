"""Callbacks that Keras lacks: the best epoch kept on disk, and a stop at numbers that are none."""

import logging

import keras
import numpy as np
import tensorflow as tf

from zoo.models import checks

log = logging.getLogger("zoo")


class NotFiniteError(checks.InputError):
    """The loss or a weight became NaN or infinite in training."""


class StopAtNotFinite(keras.callbacks.Callback):
    """Raises `NotFiniteError` after the first epoch that leaves a NaN or an infinity in the loss or a weight.

    Keras's `TerminateOnNaN` looks at the loss alone, which can stay finite when all weights are NaN.
    """

    def on_epoch_end(self, epoch, logs=None):
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        where = f"after epoch {epoch + 1}, at a learning rate of {rate:.3g}"
        advice = "Try a lower learning rate, clip_norm=1.0, or look for odd values in the inputs."
        if not np.isfinite(logs["loss"]):
            raise NotFiniteError(f"The loss is {logs['loss']} {where}. {advice}")
        for weight in self.model.weights:
            if weight.dtype.startswith(("float", "bfloat")) and not _all_finite(weight):
                raise NotFiniteError(
                    f"The weight {weight.path} holds NaN or infinity {where}. {advice}"
                )


def _all_finite(weight):
    return bool(tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(weight.value))))


class LearningRate(keras.callbacks.Callback):
    """Adds the learning rate to the logs of each epoch; goes before the loggers."""

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = float(
            keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        )


class BestCheckpoint(keras.callbacks.Callback):
    """Keeps the weights of the best epoch in a TensorFlow checkpoint, and puts them back when training ends.

    Of equal epochs the later counts as better. TensorFlow writes a checkpoint beside the old one and checks its
    sums when it reads; Keras's `ModelCheckpoint` overwrites in place.

    Args:
        folder: Where the checkpoint goes.
        monitor: The logged value that decides.
        mode: `"max"` or `"min"`.
    """

    def __init__(self, folder, monitor, mode):
        super().__init__()
        self.folder, self.monitor, self.sign = folder, monitor, 1 if mode == "max" else -1
        self.best, self.best_epoch = -np.inf, None

    def on_train_begin(self, logs=None):
        # As a list: the object graph of a Keras model leaves out the state of seed generators.
        checkpoint = tf.train.Checkpoint(variables=[v.value for v in self.model.variables])
        self.manager = tf.train.CheckpointManager(checkpoint, self.folder, max_to_keep=1)

    def on_epoch_end(self, epoch, logs=None):
        value = self.sign * logs[self.monitor]
        if value >= self.best:
            self.best, self.best_epoch = value, epoch
            self.manager.save(checkpoint_number=epoch + 1)

    def restore(self):
        """Puts the best epoch's weights back into the model."""
        status = self.manager.checkpoint.restore(self.manager.latest_checkpoint)
        status.assert_existing_objects_matched()
        best = self.sign * self.best
        log.info("kept epoch %d: %s %.5g", self.best_epoch + 1, self.monitor, best)
