"""What a person sees of a training while it goes on: one line of the log an epoch, and how long the first step takes."""

import logging
import time

import keras

from zoo.data.notes import MOMENT

log = logging.getLogger("zoo")


class Progress(keras.callbacks.Callback):
    """Puts each epoch into the log, with its number from 1, the loss, the metrics and the seconds.

    Goes after the callbacks that add to the logs.

    Args:
        epochs: How many there are.
        has_bar: Whether Keras draws a progress bar with the same values on the terminal: the line goes into the file alone.
    """

    def __init__(self, epochs, has_bar):
        super().__init__()
        self.epochs, self.aside = epochs, {"is_on_bar": has_bar}
        self.first = None  # when the first step began; False when it is over

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        if self.first is None:
            self.first = time.monotonic()
        elif self.first:
            self._tell_of_first()

    def on_epoch_end(self, epoch, logs=None):
        if self.first:
            self._tell_of_first()
        names = sorted(logs.keys() - {"learning_rate"}, key=_place)
        values = ", ".join(f"{name} {float(logs[name]):.4g}" for name in names)
        seconds = time.monotonic() - self.begun
        told = "epoch %d of %d: %s, %.1f s"
        log.info(told, epoch + 1, self.epochs, values, seconds, extra=self.aside)

    def _tell_of_first(self):
        seconds, self.first = time.monotonic() - self.first, False
        if seconds > MOMENT:
            log.info("the first step took %.1f s: TensorFlow compiles the training", seconds)


def _place(name):
    """Where a value stands in the line: training before validation, the loss before the metrics."""
    return name.startswith("val_"), not name.endswith("loss"), name
