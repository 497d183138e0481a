"""Augmentation policies: Keras's random layers, with noise that depends on the run's seed and the step alone."""

import keras
import tensorflow as tf

from zoo.models import checks

# Name → layers made anew for each pipeline. Digits are never flipped: a mirrored 2 is no digit.
_OPTIONS = {"fill_mode": "constant", "dtype": "float32"}
POLICIES = {
    "none": lambda: [],
    "digits": lambda: [
        keras.layers.RandomTranslation(0.1, 0.1, **_OPTIONS),
        keras.layers.RandomRotation(0.035, **_OPTIONS),  # share of a full turn: 12.6 degrees
        keras.layers.RandomZoom(0.1, **_OPTIONS),
    ],
}


class _StepSeed(keras.random.SeedGenerator):
    """Seeds that are a function of (run seed, step), so that a batch looks the same whenever it is made.

    Has no state, so Keras's constructor, which would make a variable inside of the pipeline, is left out.
    """

    def __init__(self, seed, step):
        self._run_and_step = tf.cast(tf.stack([seed, step]), tf.int32)
        self._calls = 0

    def next(self, ordered=True):
        self._calls += 1
        return tf.random.experimental.stateless_fold_in(self._run_and_step, self._calls)


def augmenter(policy, seed):
    """Returns a function `(images, step) → images` of batches, or `None` for the policy `"none"`.

    Call it outside of pipeline functions: the layers have variables, which those may not create.

    Args:
        policy: A key of `POLICIES`.
        seed: The run's seed.
    """
    checks.one_of("augmentation policy", policy, POLICIES)
    layers = POLICIES[policy]()
    if not layers:
        return None

    def augment(images, step):
        seeds = _StepSeed(seed, step)
        images = tf.cast(images, tf.float32)
        for layer in layers:
            noise = layer.get_random_transformation(images, training=True, seed=seeds)
            images = layer.transform_images(images, noise, training=True)
        return images

    return augment
