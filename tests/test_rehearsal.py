"""What would fail in the export fails before the training; and a training is not lost where the export fails all the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import api

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
QUICK = {"epochs": 1, "batch_size": 8}


def model_with(layer):
    layers = [keras.Input((3,)), layer, keras.layers.Dense(2)]
    return keras.Sequential(layers, name="mine")


class ForTrainingAlone(keras.layers.Layer):
    def call(self, x, training=None):
        if training is False:
            raise ValueError("there is nothing to answer")
        return x


class InPython(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(np.abs, [x], tf.float32), x.shape)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_a_model_that_cannot_be_exported_is_not_trained(in_tmp, monkeypatch):
    def fit(*args, **kwargs):
        raise AssertionError("training started")

    monkeypatch.setattr(keras.Model, "fit", fit)
    wanted = "mine would train, but cannot be exported .* there is nothing to answer"
    with pytest.raises(zoo.InputError, match=wanted):
        zoo.train(model_with(ForTrainingAlone()), (X, Y), **QUICK)
    assert not list(in_tmp.glob("runs/*"))


def test_operations_that_loading_refuses_are_told_of_before_the_training(in_tmp):
    trained = zoo.train(model_with(InPython()), (X, Y), **QUICK)
    log = (trained.report.folder / "log.txt").read_text()
    told = log.index("its export is loaded with allow=['PyFunc'] (--allow) only")
    assert told < log.index("epoch 1")
    with pytest.raises(zoo.InputError, match="PyFunc"):
        zoo.load(trained.export)


def test_a_training_whose_export_fails_is_kept_and_exported_later(in_tmp, monkeypatch):
    def no_export(*args):
        raise OSError("the disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(api, "export_model", no_export)
        with pytest.raises(OSError, match="the disk is away"):
            zoo.train("dense:tiny", (X, Y), out="run", **QUICK)
    assert (
        "the training is kept: --resume run exports it again"
        in (in_tmp / "run/log.txt").read_text()
    )
    score = (in_tmp / "run/score.json").read_text()
    trained = zoo.train("dense:tiny", (X, Y), resume="run", **QUICK)
    assert (in_tmp / "run/score.json").read_text() == score
    assert len(zoo.load(trained.export).predict(X)["label"]) == 60
