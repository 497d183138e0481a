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


def outputs_of_replicas(name, task, index, seed=0):
    """What each of two devices makes of the same examples in training, in each of two steps."""
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
    return [
        [np.array(value) for value in strategy.experimental_local_results(run())] for _ in range(2)
    ]


# The vae's noise is in its loss alone: tests/test_vae.py.
NOISY = quick_of([param for param in KINDS if param.values[0] != "vae"], "dense", "transformer")


@pytest.mark.parametrize(("name", "task", "index"), NOISY)
def test_noise_differs_between_replicas_and_steps_and_repeats_by_seed(name, task, index):
    outputs = outputs_of_replicas(name, task, index)
    (first, second), later = outputs
    assert np.abs(first - second).max() > 1e-3
    assert np.abs(later[0] - first).max() > 1e-3
    np.testing.assert_array_equal(outputs_of_replicas(name, task, index), outputs)
    others, _ = outputs_of_replicas(name, task, index, seed=1)
    assert np.abs(others[0] - first).max() > 1e-3
