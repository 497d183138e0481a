"""Means of scalars over several workers.

Fault: under `MultiWorkerMirroredStrategy` Keras takes the mean of what the workers computed over an axis, which scalars
such as losses do not have, so that the first step fails.
Upstream: keras-team/keras#20585.
Seen in: Keras 3.15.
Way round: the function of Keras's TensorFlow trainer that does so is replaced, for the whole process.
"""

import keras
from keras.src.backend.tensorflow import trainer

from zoo.models import checks

MADE_FOR = "3.15"  # the Keras version whose function is replaced

_reduce_of_keras = trainer.reduce_per_replica


def repair():
    """Replaces the function of Keras that reduces what the workers computed.

    Raises:
        InputError: Another version of Keras is installed.
    """
    if not keras.__version__.startswith(MADE_FOR + "."):
        raise checks.InputError(
            f"Training on several workers mends a function of Keras {MADE_FOR}; Keras {keras.__version__} is installed. "
            f"Install keras~={MADE_FOR}.0."
        )
    trainer.reduce_per_replica = _reduce


def _reduce(values, strategy, reduction):
    if trainer._collective_all_reduce_multi_worker(strategy) and reduction in ("auto", "mean"):
        return keras.tree.map_structure(
            lambda value: strategy.reduce("MEAN", value, axis=None), values
        )
    return _reduce_of_keras(values, strategy, reduction)
