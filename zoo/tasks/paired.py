"""The difference of two models on the same test examples, with its interval. NumPy alone.

`accuracy`, `precision` and `zoo.tasks.scores.resampled_error` return a statistic for `bootstrap`: the headline of resamples of the test
examples.
"""

import numpy as np

from zoo.tasks.scores import bootstrap, mean_average_precision


def accuracy(targets, logits):
    """Of class ids."""
    right = (logits.argmax(-1) == targets).astype("float64")
    return lambda held: right @ held / len(right)


def precision(targets, logits):
    """The mean average precision of labels."""
    return lambda held: mean_average_precision(targets, logits, held)


def difference(resampled, targets, outputs, others):
    """How much more a headline is of some outputs than of others, and its 95 % interval by the paired bootstrap.

    Args:
        resampled: (targets, outputs) → a statistic for `bootstrap`.
        targets, outputs: Of the test split.
        others: The outputs of another model for the same examples.
    """
    ours, theirs = resampled(targets, outputs), resampled(targets, others)
    once = np.ones((len(targets), 1), "int32")
    value = float((ours(once) - theirs(once))[0])
    return value, *bootstrap(lambda held: ours(held) - theirs(held), len(targets))
