"""Noise of every family: it differs between replicas and steps, repeats by seed, and is training's alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import EXTREME, KINDS, quick_of, sample_of, tiny

import zoo
from zoo import families
from zoo.training import replicas

# Of the recurrent family, the noise of the cells inside, and for token ids that of the embedding.
NOISE = {"recurrent": {"dropout": 0.0, "recurrent_dropout": 0.5}}
NOISE_OF_TOKENS = {"recurrent": {"dropout": 0.0, "embedding_dropout": 0.5}}


def outputs_of_replicas(name, task, index, seed=0, steps=1):
    """What each of two devices makes of the same examples in training; the last of some steps."""
    strategy = zoo.make_strategy("mirrored", replicas=2)
    with strategy.scope():
        keras.utils.set_random_seed(seed)
        noise = (
            NOISE_OF_TOKENS
            if sample_of(name, task, index).arguments["input_shape"] == families.TOKENS
            else NOISE
        )
        model, sample = tiny(name, task, index, **{**EXTREME[name], **noise.get(name, {})})
        replicas.prepare_model(model, strategy)
        rng = np.random.default_rng(0)
        for weight in model.trainable_weights:
            weight.assign(rng.normal(size=weight.shape) * 0.4)
    inputs = keras.tree.map_structure(tf.constant, sample.inputs)
    run = tf.function(lambda: strategy.run(lambda: model(inputs, training=True)))
    for _ in range(steps):
        outputs = run()
    return [np.array(value) for value in strategy.experimental_local_results(outputs)]


# The vae's noise is in its loss alone: tests/test_vae.py.
NOISY = quick_of([param for param in KINDS if param.values[0] != "vae"], "dense", "transformer")


@pytest.mark.parametrize(("name", "task", "index"), NOISY)
def test_noise_differs_between_replicas_and_steps_and_repeats_by_seed(name, task, index):
    first, second = outputs_of_replicas(name, task, index)
    assert np.abs(first - second).max() > 1e-3
    for again, once in zip(outputs_of_replicas(name, task, index), (first, second)):
        np.testing.assert_array_equal(again, once)
    for change in ({"seed": 1}, {"steps": 2}):
        assert np.abs(outputs_of_replicas(name, task, index, **change)[0] - first).max() > 1e-3
