"""Calibration: one temperature for all logits, so that probabilities say how often they are right."""

import logging

import numpy as np
from scipy import optimize

from zoo.training import scores
from zoo.training import strategy as strategies

log = logging.getLogger("zoo")


def fit_temperature(model, splits):
    """Fits the temperature by which logits are divided (Guo et al. 2017), on the validation split.

    Args:
        model: The trained model.
        splits: The `Splits`, mapped to what the model takes.

    Returns:
        The temperature; 1 where every validation example is right, as then none is best.
    """
    logits = strategies.predict(model, splits, "validation")
    targets = splits.targets("validation")[: len(logits)]
    return best_temperature(targets, np.asarray(logits, "float64"))


def best_temperature(targets, logits):
    """The temperature that makes the cross-entropy of class ids `[N]` and logits `[N, K]` least."""
    if np.all(logits.argmax(-1) == targets):
        log.warning(
            "all %d validation examples are right, so no temperature fits best: it stays 1",
            len(targets),
        )
        return 1.0
    found = optimize.minimize_scalar(
        lambda exponent: scores.example_losses(targets, logits / np.exp(exponent)).mean(),
        bounds=np.log([0.01, 100]),
        method="bounded",
    )
    return float(np.exp(found.x))
