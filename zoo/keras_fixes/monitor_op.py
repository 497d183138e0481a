"""Which way is better for a callback that watches a value.

Fault: `EarlyStopping` and `ReduceLROnPlateau` find out only at the end of an epoch whether more or less is better, and set
other values back as they do: the state of a callback that was restored before would be lost.
Upstream: no issue known.
Seen in: Keras 3.15.
Way round: the private method that finds out is called before the state is restored.
"""


def rising(metric):
    """A metric of which more is better, so that callbacks that watch it know it; only Keras's own say it."""
    metric._direction = "up"
    return metric


def as_in(metric, other):
    """A metric of which more is better where that is so of another."""
    if is_known(other):
        metric._direction = other._direction
    return metric


def is_known(metric):
    """Whether Keras knows if more of a metric is better."""
    return getattr(metric, "_direction", None) is not None


def find_direction(callback):
    """Lets a callback with a model find out which way is better, if it is of those that do and has not yet."""
    if getattr(callback, "monitor_op", callback) is None:
        callback._set_monitor_op()
