"""The ways a run must stop: at numbers that are none, at outputs that are no logits, at callbacks that wait for nothing."""

import re

import keras
import numpy as np
import pytest
from swallowing import BOTH_WAYS, Swallow, two_layers

import zoo
from zoo import cli
from zoo.config.config import TrainConfig
from zoo.data import examples as sources
from zoo.saving import export
from zoo.training import callbacks
from zoo.training.callbacks import NotFiniteError
from zoo.training.compile import check_output

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def quick(model="dense:tiny", data=(X, Y), **options):
    return zoo.train(model, data, **{"quiet": True, "epochs": 3, "batch_size": 16, **options})


class AtEpoch(keras.callbacks.Callback):
    """Keeps the weights at the end of each epoch, and does something at the start of one."""

    def __init__(self, epoch, action):
        super().__init__()
        self.epoch, self.action, self.kept = epoch, action, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.action(self.model)

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append(self.model.get_weights())


def own(*layers):
    return keras.Sequential([keras.Input((5,)), *layers], name="own")


def assert_weights(model, expected):
    for weight, value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, value)


# Numbers that are none


@pytest.mark.parametrize("options", [{}, {"quiet": False}, {"ema": 0.5}, {"strategy": "mirrored", "replicas": 2}])  # fmt: skip
def test_a_huge_learning_rate_stops_at_the_step_and_gives_the_last_good_weights_back(
    options, in_tmp
):
    built = []

    def builder(input_shape, num_classes):
        model = zoo.build("dense:tiny", input_shape=input_shape, num_classes=num_classes)
        return built.append(model) or model

    watch = AtEpoch(1, lambda model: model.optimizer.learning_rate.assign(1e38))
    with pytest.raises(NotFiniteError) as error:
        quick(builder, out="run", optimizer="sgd", callbacks=[watch], **options)
    # 115 training examples: 7 steps in an epoch.
    step = re.match(
        r"The loss is (nan|inf) at step (\d+) \(epoch 2\), at a learning", str(error.value)
    )
    assert step, error.value
    assert 8 <= int(step[2]) <= 14
    assert "first layer with a weight of NaN or infinity: 'dense_1', dense_1/kernel" in str(
        error.value
    )
    assert "The weights of epoch 1 are restored, from run/checkpoints" in str(error.value)
    assert len(str(error.value).splitlines()) == 3
    assert len(watch.kept) == 1
    assert_weights(built[0], watch.kept[0])
    assert not (in_tmp / "run" / "export").exists()


def test_the_stop_names_the_step_that_went_wrong():
    model = own(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    inputs = X.copy()
    inputs[37] = np.nan
    with pytest.raises(NotFiniteError, match=r"loss is nan at step 38 \(epoch 1\)"):
        model.fit(inputs, Y, batch_size=1, shuffle=False, verbose=0, callbacks=[callbacks.StopAtNotFinite()])  # fmt: skip


def test_a_stop_on_the_command_line_ends_with_2(in_tmp, capsys):
    options = "--dataset wine --model dense:tiny --optimizer sgd --learning-rate 1e38 --quiet"
    with pytest.raises(SystemExit) as error:
        cli.main(["train", *options.split()])
    assert error.value.code == 2
    assert re.match(r"error: .* is (nan|inf) .*step", capsys.readouterr().err)


def test_no_good_epoch_leaves_nothing_to_restore(in_tmp):
    with pytest.raises(NotFiniteError, match="No epoch before it was good"):
        quick(learning_rate=1e38, optimizer="sgd", data=(X, X[:, 0]))


NOTICED = {
    "swallowed": "A weight holds NaN or infinity after epoch 3 (step 21), at",
    "passed on": "The loss is nan at step 15 (epoch 3), at",
}


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_nan_weights_are_noticed_whether_or_not_the_loss_tells(way, in_tmp):
    model = two_layers(BOTH_WAYS[way])

    def spoil(model):
        model.layers[0].kernel.assign(np.full((5, 4), np.nan))

    watch = AtEpoch(2, spoil)
    with pytest.raises(NotFiniteError) as error:
        quick(model, callbacks=[watch])
    assert str(error.value).startswith(NOTICED[way])
    assert "NaN or infinity: 'first', " in str(error.value)
    assert re.search("The weights of epoch [12] are restored", str(error.value))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_the_weights_of_no_layer_count_too(in_tmp):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.logits = keras.layers.Dense(2)
            self.shift = self.add_weight(shape=(5,), name="shift", initializer="zeros")

        def call(self, x):
            return self.logits(Swallow()(x + self.shift))

    model = Own()
    model(X[:1])
    assert callbacks.bad_weight(model) is None
    model.shift.assign([0.0, np.inf, 0.0, 0.0, 0.0])
    name, path = callbacks.bad_weight(model)
    assert (name, path.split("/")[-1]) == (model.name, "shift")


def test_an_optimizer_that_overflows_stops_the_run(in_tmp):
    """The square of a gradient above 1.8e19 is infinite in float32, while that step changes no weight."""

    class Overflow(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            if self.model.optimizer.iterations.numpy() == 14:
                self.model.optimizer.variables[-1].assign([np.inf, 0.0])

    with pytest.raises(NotFiniteError) as error:
        quick(two_layers(Swallow), callbacks=[Overflow()], optimizer="adam")
    assert re.match(
        r"The optimizer's .*velocity holds NaN or infinity after epoch 2 \(step 14\), at",
        str(error.value),
    )
    assert "all weights are finite" in str(error.value)
    assert "The weights of epoch 1 are restored" in str(error.value)


def fit_with(splits, run, model, metric=None):
    preparation = zoo.prepare(splits)
    splits = splits.mapped(preparation)
    zoo.compile_model(model, splits.info, run.config)
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy"), metric]
    model.compile("sgd", model.loss, metrics=[m for m in metrics if m is not None])
    return zoo.fit_model(model, splits, run)


@pytest.fixture
def run(in_tmp):
    with zoo.start_run(TrainConfig().replace(quiet=True, epochs=1)) as run:
        yield run


def test_a_metric_of_nan_stops_the_run(run):
    def odd(y_true, y_pred):
        return keras.ops.sum(y_pred) * float("nan")

    with pytest.raises(
        NotFiniteError, match="odd is nan after epoch 1 .*all weights are finite; so are all layers"
    ):
        fit_with(zoo.load_dataset("wine"), run, zoo.build_dense((13,), 3), odd)


def test_the_first_layer_with_a_bad_output_is_named():
    inputs = keras.Input((5,))
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(1e38, name="much"), keras.layers.Rescaling(10, name="too_much")], name="inner")  # fmt: skip
    model = keras.Model(
        inputs, keras.layers.Dense(2, name="last")(inner(keras.layers.Dense(4)(inputs)))
    )
    words = callbacks.bad_output(model, 100 * X)
    assert words.endswith("on a training batch: 'much'")
    assert "call" not in vars(inner.layers[0])  # as before
    assert "so are all" in callbacks.bad_output(own(keras.layers.Dense(2)), X)
    assert "the inputs" in callbacks.bad_output(own(keras.layers.Dense(2)), X * np.nan)


def test_a_model_with_nan_is_not_exported(run):
    model = zoo.build_dense((13,), 3)
    model.layers[-1].bias.assign([np.nan, 0.0, 0.0])
    splits = zoo.load_dataset("wine")
    (run.folder / "score.json").write_text("{}")
    with pytest.raises(
        zoo.InputError, match="logits/bias holds NaN or infinity: this model is not exported"
    ):
        export.export_model(model, splits, zoo.prepare(splits), run)
    assert not (run.folder / "export").exists()


# Outputs that are no logits


def info(task="classification"):
    labels = () if task == "regression" else ("no", "yes")
    return sources.DataInfo("made", "features", task, (5,), "float32", labels)


def functional(*layers):
    x = inputs = keras.Input((5,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def dense(width, activation=None):
    return keras.layers.Dense(width, activation)


SQUASHED = {
    "softmax": lambda: own(dense(2, "softmax")),
    "log_softmax": lambda: own(dense(2, "log_softmax")),
    "tanh": lambda: own(dense(2, "tanh")),
    "hard_sigmoid": lambda: own(dense(2, "hard_sigmoid")),
    "a Softmax layer": lambda: own(dense(2), keras.layers.Softmax()),
    "an Activation layer": lambda: own(dense(2), keras.layers.Activation("sigmoid")),
    "before a cast": lambda: own(dense(2, "softmax"), keras.layers.Activation("linear")),
    "before a reshape": lambda: own(dense(2, "tanh"), keras.layers.Reshape((2,))),
    "no layer of the model's": lambda: functional(dense(2), keras.ops.softmax),
    "in an inner model": lambda: functional(dense(5), own(dense(2), keras.layers.Softmax())),
    "recurrent": lambda: own(keras.layers.Reshape((5, 1)), keras.layers.LSTM(2)),
}


@pytest.mark.parametrize("case", SQUASHED)
def test_outputs_that_are_no_logits_are_refused(case):
    for task in ("classification", "multilabel"):
        with pytest.raises(zoo.InputError, match="applies .*take logits: remove it"):
            check_output(SQUASHED[case](), info(task))


def test_squashed_outputs_cannot_reach_the_targets_of_a_regression():
    with pytest.raises(zoo.InputError, match="applies tanh, but targets are standardised"):
        check_output(own(dense(1, "tanh")), info("regression"))


def test_logits_are_let_through():
    class Head(keras.layers.Layer):
        """Its activation is not its last step."""

        def __init__(self):
            super().__init__()
            self.activation, self.last = keras.activations.tanh, dense(2)

        def call(self, x):
            return self.last(self.activation(x))

    for model in (own(dense(2)), functional(dense(2, "tanh"), dense(2)), own(Head())):
        for task in ("classification", "multilabel"):
            check_output(model, info(task))
    check_output(own(dense(1)), info("regression"))


# Callbacks that wait for what never comes


def test_a_monitor_that_is_never_logged_is_refused(in_tmp):
    for monitor in ("val_acc", "accurracy", "val_learning_rate"):
        with pytest.raises(zoo.InputError, match="monitor of EarlyStopping .*'val_accuracy'"):
            quick(callbacks=[keras.callbacks.EarlyStopping(monitor)])
    assert not list(in_tmp.rglob("metrics.csv"))


def test_monitors_that_are_logged_are_let_through(in_tmp):
    class Logs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_mine"] = 1.0

    watched = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate")
    stops = [keras.callbacks.EarlyStopping(name, mode="min", patience=9) for name in watched]
    late = keras.callbacks.EarlyStopping("val_mine", mode="max", patience=2)
    assert len(quick(callbacks=[*stops, Logs(), late], epochs=5).history.epoch) == 3


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_keyboard_interrupt_of_a_callback_gives_the_best_epoch_as_ctrl_c_does(epoch, in_tmp):
    def interrupt(model):
        raise KeyboardInterrupt

    stops = AtEpoch(epoch, interrupt)
    if not epoch:  # no epoch has ended
        with pytest.raises(KeyboardInterrupt):
            quick(callbacks=[stops])
        return
    trained = quick(callbacks=[stops])
    assert len(stops.kept) == 2
    kept = stops.kept[trained.history.best_epoch]
    for own, wanted in zip(trained.network.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(own, wanted)
    assert trained.predict(X[:2])["label"].shape == (2,)
