"""Diagnosis: what it finds, what it leaves behind, and that a model trains afterwards as if nothing had been."""

import keras
import numpy as np
import pytest
from swallowing import BOTH_WAYS
from tolerances import KERNELS, PRINTED, assert_close

import zoo
from zoo import cli
from zoo.config.config import TrainConfig
from zoo.training import callbacks
from zoo.training import diagnose as diagnosis

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def quick(model="dense:tiny", data=(X, Y), **options):
    return zoo.train(model, data, **{"quiet": True, "batch_size": 16, "out": "run", **options})


def names(folder):
    return {path.name for path in folder.iterdir() if path.name != ".lock"}


def test_find_lr_draws_and_suggests_and_trains_nothing(in_tmp):
    trained = quick(data=(X, X[:, 0]), find_lr=True, schedule="one_cycle", optimizer="sgd")
    assert (trained.history, trained.report, trained.export) == (None, None, None)
    assert names(in_tmp / "run") == {
        "config.yaml",
        "log.txt",
        "learning_rates.csv",
        "learning_rates.png",
    }
    assert (in_tmp / "run/learning_rates.png").read_bytes().startswith(b"\x89PNG")
    table = np.loadtxt(in_tmp / "run/learning_rates.csv", delimiter=",", skiprows=1)
    # Of 50 steps, the fewest: it ends once the loss has risen to four times its lowest.
    assert 30 < len(table) < 48
    assert_close(table[0, 0], 1e-7, PRINTED)
    ratios = table[1:, 0] / table[:-1, 0]
    assert_close(ratios, np.full(len(ratios), 10 ** (8 / 49)), PRINTED)
    said = (in_tmp / "run/log.txt").read_text()
    assert "where the loss fell fastest" in said
    assert "a tenth of where it was lowest" in said


def test_suggestions_on_a_curve_that_is_known():
    rates = np.logspace(-7, 1, 161)  # 20 a decade
    x = np.log10(rates)
    losses = 2 - 1.5 / (1 + np.exp(-6 * (x + 3))) + np.exp(4 * (x - 0.0))
    found = diagnosis.suggest(rates, losses)
    assert np.log10(found["where the loss fell fastest"]) == pytest.approx(-3, abs=0.1)
    lowest = rates[np.argmin(losses)]
    assert np.log10(found["a tenth of where it was lowest"]) == pytest.approx(
        np.log10(lowest / 10), abs=0.15
    )
    assert diagnosis.suggest(rates, np.full(161, 2.0) + 0.01 * RNG.normal(size=161)) == {}


@pytest.mark.slow
def test_the_suggested_rates_train_better_than_far_ones(in_tmp):
    quick(data="digits", batch_size=64, find_lr=True)
    rates = [
        float(word.split(":")[0])
        for word in (in_tmp / "run/log.txt").read_text().split("--learning-rate ")[1:]
    ]
    assert len(rates) == 2
    splits = zoo.load_dataset("digits", batch_size=64)
    splits = splits.mapped(zoo.prepare(splits))

    def loss(rate):
        keras.utils.set_random_seed(0)
        model = zoo.build("dense:tiny", input_shape=(8, 8, 1), num_classes=10)
        zoo.compile_model(model, splits.info, TrainConfig().replace(learning_rate=rate))
        fitted = model.fit(splits.train_forever(), steps_per_epoch=40, verbose=0, shuffle=False)
        return fitted.history["loss"][0]

    assert max(map(loss, rates)) < min(loss(min(rates) / 100), loss(10.0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked", ["find_lr", pytest.param("overfit_batch", marks=pytest.mark.slow)]
)
def test_a_diagnosed_model_trains_as_if_nothing_had_been(asked, in_tmp):
    def train(out, **options):
        config = TrainConfig().replace(
            dataset="wine", batch_size=16, epochs=2, schedule="one_cycle", quiet=True, out=out, **options
        )  # fmt: skip
        with zoo.start_run(config) as run:
            splits = zoo.load_dataset(**zoo.data_options(config))
            splits = splits.mapped(zoo.prepare(splits))
            model = zoo.build("dense:small", input_shape=(13,), num_classes=3, dropout=0.3)
            zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
            assert zoo.diagnose(model, splits, run) is bool(options)
            zoo.fit_model(model, splits, run)
        return model.get_weights()

    for a, b in zip(train("plain"), train("diagnosed", **{asked: True}), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["find_lr", "overfit_batch"])
def test_diagnosis_on_two_devices(asked, in_tmp):
    options = {"strategy": "mirrored", "replicas": 2, "learning_rate": 0.01}
    trained = quick(**{asked: True}, **options, model_args={"dropout": 0.2})
    assert trained.report is None


def test_a_loss_that_is_nan_from_the_start_is_no_suggestion(in_tmp):
    inputs = keras.Input((5,))
    broken = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.log(inputs - 1e6)))
    with pytest.raises(callbacks.NotFiniteError, match="at a learning rate of about 1e-07"):
        quick(broken, find_lr=True)


class Overflow(keras.layers.Layer):
    """Adds the root of weights that are 0: their gradient is infinite, and they are not finite after a step."""

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(input_shape[-1],), initializer="zeros")

    def call(self, x):
        return x + keras.ops.sqrt(self.shift)


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_weights_that_are_not_finite_are_said_whether_or_not_the_loss_tells(way, in_tmp):
    def broken():
        layers = [Overflow(), BOTH_WAYS[way](), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input((5,)), *layers])

    with pytest.raises(
        callbacks.NotFiniteError, match="loss or a weight is not finite after 1 step"
    ):
        quick(broken(), find_lr=True)
    with pytest.raises(zoo.InputError, match="not finite: lower the learning rate"):
        quick(broken(), overfit_batch=True, out="other")


def test_a_loss_that_never_falls_gives_no_suggestion(in_tmp):
    noise = RNG.integers(0, 2, 160)
    inputs = keras.Input((5,))
    deaf = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="zeros")(0 * inputs))
    quick(deaf, (X, noise), find_lr=True)
    assert "try --overfit-batch" in (in_tmp / "run/log.txt").read_text()


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ((X, Y), {"label_smoothing": 0.3, "class_weight": "balanced", "loss": "focal"}),
        ((X, 1000 + 50 * X[:, 0]), {"model_args": {"units": [32, 32]}}),
        ((X, (X[:, :3] > 0).astype(int)), {"task": "multilabel", "loss": "focal"}),
        (
            "digits",
            {"model": "cnn:tiny", "augment": "digits+mixup", "model_args": {"dropout": 0.5}},
        ),
    ],
    ids=["classes", "regression", "labels", "augmented, dropout"],
)
def test_a_sound_model_fits_one_batch(data, options, in_tmp):
    trained = quick(data=data, overfit_batch=True, learning_rate=0.01, **options)
    assert trained.export is None
    assert names(in_tmp / "run") == {"config.yaml", "log.txt", "overfit_batch.png"}
    assert "overfit_batch passed" in (in_tmp / "run/log.txt").read_text()


def test_noise_is_switched_off_and_on_again():
    inputs = keras.Input((6, 4))
    x = keras.layers.LSTM(3, dropout=0.1, recurrent_dropout=0.2)(inputs)
    x = keras.layers.GaussianNoise(0.3)(keras.layers.Dropout(0.4)(x))
    model = keras.Model(inputs, x)
    batch = RNG.normal(size=(2, 6, 4)).astype("float32")
    still = model(batch, training=False)
    assert not np.allclose(model(batch, training=True), still)
    with diagnosis._without_noise(model):
        assert_close(model(batch, training=True), still, KERNELS)
    assert not np.allclose(model(batch, training=True), still)
    cell = model.layers[1].cell
    assert (cell.dropout, cell.recurrent_dropout, model.layers[2].rate) == (0.1, 0.2, 0.4)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ((X, Y), {"learning_rate": 1e-9}, "hardly learns"),
        (
            (np.ones_like(X), Y),
            {"test": (X, Y), "validation": (X + 9, Y)},
            "have the inputs of another but not its label",
        ),
        ((X, X[:, 0]), {"learning_rate": 1e-9}, "wanted loss 0.0"),
        (
            (X, Y),
            {"learning_rate": 1e30, "optimizer": "sgd"},
            "not finite: lower the learning rate",
        ),
        ((X, X[:, 0]), {"learning_rate": 2e-4}, "learns, but not enough"),
    ],
)
def test_a_batch_that_cannot_be_fitted_is_said_with_advice(data, options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words) as error:
        quick(data=data, overfit_batch=True, **options)
    assert "overfit_batch failed" in str(error.value)
    assert len(str(error.value).splitlines()) <= 3
    assert (in_tmp / "run/overfit_batch.png").exists()


@pytest.mark.slow
def test_the_command_says_what_it_found_and_ends_with_0_or_2(in_tmp, capsys):
    def command(rate):
        cli.main(
            ["train", "--model", "dense:tiny", "--dataset", "wine", "--batch-size", "16", "--overfit-batch"]
            + ["--learning-rate", rate]
        )  # fmt: skip

    command("0.01")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--overfit-batch passed" in captured.err
    with pytest.raises(SystemExit) as stop:
        command("1e-9")
    assert stop.value.code == 2
    assert "--overfit-batch failed" in capsys.readouterr().err


def test_one_diagnosis_at_a_time():
    with pytest.raises(zoo.InputError, match="one at a time: find_lr or overfit_batch"):
        quick(find_lr=True, overfit_batch=True)


@pytest.mark.parametrize(
    "epochs", [1, 4]
)  # 7 steps, fewer than where the recording starts; 28 steps
def test_a_profile_is_written_and_training_goes_on(epochs, in_tmp):
    trained = quick(profile=True, epochs=epochs)
    (written,) = (in_tmp / "run/tensorboard").rglob("*.xplane.pb")
    assert written.stat().st_size > 1000
    assert "xprof --logdir" in (in_tmp / "run/log.txt").read_text()
    assert trained.report.num_test == 32
