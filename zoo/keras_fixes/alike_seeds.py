"""Noise that is alike on all replicas.

Fault: a `SeedGenerator`'s state is mirrored, so that dropout drops the same units on every device of a strategy.
Upstream: no issue known; other gaps under `tf.distribute` are keras-team/keras#20582.
Seen in: Keras 3.15.
Way round: the generators of a model get a class whose `next()` folds the replica's number into the seed.
"""

import keras
import tensorflow as tf


class _ReplicaSeeds(keras.random.SeedGenerator):
    def next(self, ordered=True):
        seed = super().next(ordered)
        context = tf.distribute.get_replica_context()
        if context is None:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, context.replica_id_in_sync_group)


def make_unlike(layer):
    """Makes the noise of a layer differ between replicas; its seeds, which checkpoints hold, stay what they are."""
    for value in list(vars(layer).values()):
        if type(value) is keras.random.SeedGenerator:
            # Another generator in its place would have another state in another place among the model's variables.
            value.__class__ = _ReplicaSeeds
