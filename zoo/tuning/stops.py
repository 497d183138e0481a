"""Ending trials early: those without hope, and the last one when time is up."""

import statistics
import time

import keras

from zoo.tuning import results

ENOUGH = 5  # finished trials to compare with


class StopHopeless(keras.callbacks.Callback):
    """Ends a trial that is worse than most, from the middle of its epochs on.

    The median stopping rule of Golovin et al. 2017: its best value so far is worse than the median of what the
    finished trials had reached by the same epoch.

    Args:
        monitor: The logged value.
        sign: 1 where more is better, otherwise -1.
        others: Values by epoch of each of the finished trials.
        epochs: How many the trial has.
    """

    def __init__(self, monitor, sign, others, epochs):
        super().__init__()
        self.monitor, self.sign, self.epochs = monitor, sign, epochs
        self.bars = _medians([[sign * value for value in curve] for curve in others], epochs)
        self.is_asked = len(others) >= ENOUGH
        self.best, self.pruned = None, False

    def on_epoch_end(self, epoch, logs=None):
        value = self.sign * float(logs[self.monitor])
        self.best = value if self.best is None else max(self.best, value)
        is_time = self.is_asked and 2 * (epoch + 1) >= self.epochs > epoch + 1
        if is_time and self.best < self.bars[epoch]:
            self.model.stop_training = self.pruned = True


def _medians(curves_so_far, epochs):
    """Of each epoch, the median of the best values up to it."""
    ends = range(1, epochs + 1) if curves_so_far else ()
    return [statistics.median(max(curve[:end]) for curve in curves_so_far) for end in ends]


class StopInTime(keras.callbacks.Callback):
    """Ends a trial at the end of an epoch when time is up.

    Args:
        deadline: Of `time.monotonic`, or `None`.
    """

    def __init__(self, deadline):
        super().__init__()
        self._deadline = [lambda: deadline]  # a plain number would be restored when a trial goes on
        self.cut = False

    def on_epoch_end(self, epoch, logs=None):
        deadline = self._deadline[0]()
        is_last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if deadline is not None and time.monotonic() > deadline and not is_last:
            self.model.stop_training = self.cut = True


def callbacks(problem, deadline):
    """The callbacks that may end a trial; always the same kinds, as a trial that goes on must have those it began with."""
    found = [StopInTime(deadline)]
    objective = problem.objective
    if problem.prune:
        others = results.curves(problem.folder, objective.name)
        epochs = problem.config.run.epochs
        found.append(StopHopeless(objective.name, objective.sign, others, epochs))
    return found
