"""Gradient accumulation: the update of a whole batch from its parts."""

import numpy as np
import pytest
from tolerances import FLOAT16, TRAINED, assert_close

import zoo

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
PIXELS = RNG.integers(0, 255, (200, 6, 6), "uint8")
PLAIN = {"epochs": 2, "batch_size": 16, "quiet": True}


def trained(model, data, **options):
    return zoo.train(model, data, **PLAIN, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "learning_rate": 0.1},
        pytest.param(
            {"clip_norm": 0.1, "schedule": "cosine", "weight_decay": 0.01}, marks=pytest.mark.slow
        ),
        pytest.param({"class_weight": "balanced", "ema": 0.9}, marks=pytest.mark.slow),
        pytest.param(
            {"strategy": "mirrored", "replicas": 2, "optimizer": "sgd", "learning_rate": 0.1},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"precision": "mixed_float16", "optimizer": "sgd", "learning_rate": 0.1},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["sgd", "clip, schedule, decay", "weights, ema", "mirrored", "float16"],
)
def test_parts_give_the_update_of_the_whole_batch(options, in_tmp):
    whole = trained("dense:tiny", (X, Y), **options)
    parts = trained("dense:tiny", (X, Y), accumulate=4, **options)
    exact = options.get("precision") is None
    for a, b in zip(whole.network.get_weights(), parts.network.get_weights(), strict=True):
        assert_close(a, b, TRAINED if exact else FLOAT16)
    for name, values in whole.history.history.items():
        found = parts.history.history[name]
        assert_close(found, values, TRAINED if exact else FLOAT16, err_msg=name)


@pytest.mark.slow
def test_images_and_generators_train_in_parts_too(in_tmp):
    assert trained("cnn:tiny", (PIXELS, Y), accumulate=2, augment="mixup").report.num_test == 40
    assert trained("vae:tiny", PIXELS, accumulate=2).report.scores["nll"] < 40


@pytest.mark.slow
def test_a_run_in_parts_goes_on_exactly(in_tmp):
    options = {"model_args": {"dropout": 0.3}, "accumulate": 2}
    whole = zoo.train("dense:tiny", (X, Y), **{**PLAIN, **options, "epochs": 4}, out="whole")
    zoo.train("dense:tiny", (X, Y), **PLAIN, **options, out="run")
    ended = zoo.train("dense:tiny", (X, Y), resume="run", epochs=4)
    for a, b in zip(ended.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"accumulate": 0}, "accumulate"),
        ({"accumulate": 3}, "divides by 3"),
        ({"accumulate": 16, "strategy": "mirrored", "replicas": 2}, "divides by 32"),
    ],
)
def test_unequal_parts_are_refused(options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        trained("dense:tiny", (X, Y), **options)
    assert not list(in_tmp.iterdir())
