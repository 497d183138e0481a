"""Small searches for the tests."""

import json
import zlib

import keras
import numpy as np

import zoo
from zoo.tuning import results, search
from zoo.tuning import tuner as engine


def rows(n=120, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


def tune(model="dense:tiny", data=None, **options):
    settings = {"tuner": "random", "trials": 2, "epochs": 1, "quiet": True, **options}
    return zoo.tune(model, rows() if data is None else data, **settings)


def build(hp, input_shape, num_classes):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(hp.Int("width", 2, 8), activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(hidden))


def quick_trials(monkeypatch):
    """Trials that train nothing; their score is told from the values."""

    def run(problem, folder, hp, *, epochs=None, parent=None, deadline=None):
        values = {key: value for key, value in hp.values.items() if not key.startswith("tuner/")}
        score = (
            zlib.crc32(json.dumps(values, sort_keys=True).encode()) % 1000 + (epochs or 0)
        ) / 2000
        folder.mkdir(exist_ok=True)
        result = results.Result(dict(hp.values), score=score, best_epoch=0, loss=1.0, epochs=1)
        results.write(folder, result)
        return result

    monkeypatch.setattr(engine.trials, "run", run)
    monkeypatch.setattr(search.report, "write", lambda *_: None)
