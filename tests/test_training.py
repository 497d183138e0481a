"""The shared recipe: settings, schedules, checkpoints, reports, and the ways a run must stop."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from tolerances import decided

import zoo
from zoo import tasks
from zoo.config.config import DataConfig, TrainConfig
from zoo.tasks.row import mode_of
from zoo.training.command_line import from_command_line

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def quick(model="dense:tiny", data=(X, Y), **options):
    return zoo.train(model, data, **{"quiet": True, "epochs": 2, "batch_size": 16, **options})


def test_the_config_survives_yaml(tmp_path):
    config = TrainConfig().replace(
        model="dense:small",
        model_args={"units": [3, 4]},
        epochs=3,
        image_size=(8, 8),
        optimizer="sgd",
        ema=0.9,
    )
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    assert TrainConfig.from_yaml(tmp_path / "c.yaml") == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: cnn:base\ndata: {dataset: digits, batchsize: 3}", "Did you mean 'batch_size'"),
        ("models: cnn", "Did you mean 'model'"),
        ("- a list", "must hold a mapping"),
        ("a: [", "is not YAML"),
        ("run: {epochs: 0}", "epochs"),
        ("optimizer: adam", "must hold a mapping"),
        ("data: {image_size: 32}", "image_size"),
        ("model: 5", "must be a name"),
        ("optimizer: {learning_rate: -1}", "learning_rate"),
        ("run: {strategy: tpus}", "Unknown strategy"),
    ],
)
def test_a_wrong_config_file_is_refused(text, words, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(zoo.InputError, match=words):
        TrainConfig.from_yaml(tmp_path / "c.yaml")


def test_the_command_line_is_made_from_the_config(tmp_path):
    config = from_command_line(
        TrainConfig(),
        "",
        [
            "--model",
            "cnn:tiny",
            "--optimizer",
            "sgd",
            "--model-args",
            "filters=[8,16]",
            "dropout=0.1",
            "--seed",
            "3",
        ],
    )
    assert config.model_args == {"filters": [8, 16], "dropout": 0.1}
    assert (config.model, config.optimizer.name, config.run.seed) == ("cnn:tiny", "sgd", 3)
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    again = from_command_line(
        TrainConfig(), "", ["--config", str(tmp_path / "c.yaml"), "--epochs", "2"]
    )
    assert again == config.replace(epochs=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -4}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"optimizer": "adan"}, "Did you mean 'adam'"),
        ({"clip_norm": 1.0, "clip_value": 1.0}, "not both"),
        ({"patience": 0}, "patience"),
        ({"seed": -1}, "seed"),
        ({"ema": 1.0}, "ema"),
        ({"precision": "float16"}, "mixed_float16"),
        ({"strategy": "mirrored", "replicas": 2, "batch_size": 15}, "does not divide by 2"),
        ({"strategy": "mirrored", "replicas": 2, "jit": "on"}, "jit='on'"),
        ({"strategy": "mirrored", "replicas": 2, "precision": "mixed_float16"}, "mixed_bfloat16"),
        ({"strategy": "one", "replicas": 2}, "Use 'mirrored'"),
        ({"model": "dense:huge"}, "Unknown size of dense"),
        ({"data": "wine", "test": (X, Y)}, "brings its own"),
        ({"model_args": {"num_classes": 3}}, "comes with the data"),
        ({"image_size": (8, -1)}, "image_size"),
        ({"data": (X, np.arange(160.0) % 60)}, "task='regression'"),
        ({"model_args": {"unit": 3}}, "Did you mean 'units'"),
        ({"data": (X, X[:, 0]), "label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_unusable_options_are_refused_before_training(options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        quick(**options)
    assert not list(in_tmp.rglob("metrics.csv"))


def test_more_logical_devices_than_at_the_start_are_refused():
    with pytest.raises(zoo.InputError, match="first thing in the process"):
        zoo.make_strategy("mirrored", replicas=3)


def test_a_run_writes_a_folder_of_its_own(in_tmp):
    first, second = quick(), quick()
    assert first.report.folder != second.report.folder
    files = {path.name for path in first.report.folder.iterdir()}
    assert {
        "config.yaml",
        "metrics.csv",
        "curves.png",
        "confusion.png",
        "report.md",
        "score.json",
        "export",
    } <= files
    with pytest.raises(zoo.InputError, match="exists already"):
        quick(out=str(first.report.folder))
    rows = (first.report.folder / "metrics.csv").read_text().splitlines()
    assert len(rows) == 3
    assert "learning_rate" in rows[0]


def test_images_get_a_picture_of_the_mistakes(in_tmp):
    trained = quick("cnn:tiny", "digits", limit=64)
    assert (trained.report.folder / "mistakes.png").read_bytes().startswith(b"\x89PNG")
    assert "mistakes.png" in (trained.report.folder / "report.md").read_text()
    assert not (trained.report.folder / "augmented.png").exists()


def test_a_failed_run_does_not_look_finished(in_tmp):
    def broken(input_shape, num_classes):
        raise ZeroDivisionError("in the user's builder")

    with pytest.raises(ZeroDivisionError):
        quick(broken, out="failed")
    assert not (in_tmp / "failed" / "score.json").exists()
    assert not (in_tmp / "failed" / "export").exists()
    with pytest.raises(zoo.InputError, match="is a run without an export"):
        zoo.load("failed")


def test_the_config_of_a_run_repeats_it_to_the_last_bit(in_tmp):
    first = quick("dense:tiny", "wine", model_args={"dropout": 0.3})
    config = TrainConfig.from_yaml(first.report.folder / "config.yaml")
    second = zoo.train(config.model, config.data.dataset, config=config)
    for a, b in zip(first.network.get_weights(), second.network.get_weights()):
        np.testing.assert_array_equal(a, b)
    other = quick("dense:tiny", "wine", model_args={"dropout": 0.3}, seed=1)
    assert not np.array_equal(first.network.get_weights()[0], other.network.get_weights()[0])


def test_the_score_is_that_of_the_exported_model(in_tmp):
    trained = quick("dense:tiny", "breast_cancer", epochs=4)
    splits = zoo.load_dataset("breast_cancer")
    inputs = dict(zip(splits.info.columns, splits.pick("test", range(114)).T))
    served = zoo.load(trained.export).predict(inputs)
    right = served["class_id"] == splits.targets("test")
    sure = decided(served["probabilities"])
    hits = round(trained.report.scores["accuracy"] * 114)
    assert (right & sure).sum() <= hits <= (right | ~sure).sum()
    assert trained.report.scores["accuracy"] > 0.85


def test_a_regression_predicts_in_the_units_of_its_targets(in_tmp):
    trained = quick("dense:small", (X, 1000 + 50 * X[:, 0]), epochs=30, learning_rate=0.01)
    assert trained.report.scores["r2"] > 0.9
    served = zoo.load(trained.export).predict(X)["prediction"]
    assert 950 < served.mean() < 1050
    assert (trained.report.folder / "predicted.png").exists()


def test_a_users_own_keras_model_and_builder_train(in_tmp):
    own = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2)], name="mine"
    )

    def builder(input_shape, num_classes, width=3):
        inputs = keras.Input(input_shape)
        x = keras.layers.Dense(width, "relu")(inputs)
        return keras.Model(inputs, keras.layers.Dense(num_classes)(x))

    assert quick(own).network is own
    trained = quick(builder, model_args={"width": 6})
    assert trained.network.count_params() == 5 * 6 + 6 + 6 * 2 + 2
    zoo.verify(trained.export)
    with pytest.raises(zoo.InputError, match="'width'"):
        quick(builder, model_args={"widht": 6})


def test_settings_that_cannot_reach_a_built_model_are_refused(in_tmp):
    own = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    with pytest.raises(zoo.InputError, match="pass a builder function"):
        quick(own, precision="mixed_bfloat16")
    with pytest.raises(zoo.InputError, match="inside of the strategy"):
        quick(own, strategy="mirrored", replicas=2)


def test_outputs_that_do_not_fit_the_task_are_refused(in_tmp):
    def model(last, **options):
        return keras.Sequential([keras.Input((5,)), keras.layers.Dense(last, **options)])

    with pytest.raises(zoo.InputError, match=r"Dense\(2\)"):
        quick(model(1))
    with pytest.raises(zoo.InputError, match="take logits"):
        quick(model(2, activation="softmax"))
    with pytest.raises(zoo.InputError, match=r"Dense\(2\)"):
        quick(keras.Sequential([keras.layers.Dense(1)]))  # which is built on the inputs
    info = zoo.load_dataset("wine").info
    with pytest.raises(zoo.InputError, match="are not known, as it is subclassed"):
        zoo.compile_model(keras.Sequential([keras.layers.Dense(3)]), info)
    with pytest.raises(zoo.InputError, match="must return a keras.Model"):
        quick(lambda input_shape, num_classes: 3)


def test_the_best_epoch_is_kept_and_early_stopping_stops(in_tmp):
    class Spoil(keras.callbacks.Callback):
        """Ruins the weights after the second epoch, so that later epochs are worse."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.set_weights([w * 0 for w in self.model.get_weights()])
                self.model.optimizer.learning_rate.assign(1e-9)

    trained = quick(epochs=20, patience=3, learning_rate=0.02, callbacks=[Spoil()])
    assert trained.history.best_epoch == 1
    assert len(trained.history.epoch) == 5
    assert any(np.abs(w).max() > 0 for w in trained.network.get_weights())


@pytest.mark.parametrize(("monitor", "kept"), [("loss", 2), ("accuracy", 1), ("task", 1)])
def test_the_epoch_is_chosen_by_the_monitor_and_of_equals_by_the_lower_loss(
    monitor, kept, in_tmp, monkeypatch
):
    logged = [(0.8, 0.7), (0.9, 0.5), (0.7, 0.3), (0.9, 0.6)]  # accuracy, loss

    class Scripted(keras.callbacks.Callback):
        """Says what validation gave."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"], logs["val_loss"] = logged[epoch]

    trained = quick(epochs=4, monitor=monitor, callbacks=[Scripted()])
    assert trained.history.best_epoch == kept
    words = "loss" if monitor == "loss" else "accuracy"
    report = (trained.folder / "report.md").read_text()
    assert f"kept epoch {kept + 1} of 4, by the validation {words};" in report
    assert f"chosen by the validation {words}" in zoo.load(trained.export).card.protocol


def test_of_epochs_alike_in_the_monitor_and_the_loss_the_last_is_kept(in_tmp):
    class Scripted(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"], logs["val_loss"] = 1.0, 0.1

    trained = quick(epochs=3, monitor="accuracy", callbacks=[Scripted()])
    assert trained.history.best_epoch == 2


def test_a_metric_of_the_caller_s_may_be_the_monitor(in_tmp):
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2_accuracy")
    trained = quick(epochs=2, metrics=[metric], monitor="top_2_accuracy")
    assert "the validation top 2 accuracy" in (trained.folder / "report.md").read_text()


@pytest.mark.parametrize("key", ["clip_norm", "clip_value"])
def test_clipping_at_0_is_refused_and_was_none_in_configs_of_before(key, tmp_path):
    with pytest.raises(zoo.InputError, match=f"`{key}` must be a number above 0"):
        TrainConfig().replace(**{key: 0})
    content = TrainConfig().to_dict()
    content["optimizer"][key] = 0.0
    assert TrainConfig.from_mapping(content, "old") == TrainConfig()


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        ("auc", "max"), ("val_auc_1", "max"), ("f1_score", "max"), ("recall", "max"), ("precision_at_recall", "max"), ("r2_score", "max"),
        ("true_positives", "max"), ("weighted_accuracy", "max"), ("loss", "min"), ("scaled_mae", "min"), ("false_negatives", "min"),
        ("root_mean_squared_error", "min"), ("sparse_categorical_crossentropy", "min"), ("log_cosh_error", "min"),
    ],
)  # fmt: skip
def test_the_direction_of_a_metric_is_that_of_its_name(metric, mode):
    assert mode_of(metric) == mode


def test_the_best_epoch_by_a_rising_metric_is_the_highest(in_tmp):
    trained = quick(epochs=4, metrics=["auc"], monitor="auc", learning_rate=0.05)
    values = trained.history.history["val_auc"]
    assert values[trained.history.best_epoch] == max(values)
    with pytest.raises(zoo.InputError, match="its name does not say"):
        mode_of("my_number")


def test_a_monitor_that_the_task_has_not_is_refused(in_tmp):
    with pytest.raises(zoo.InputError, match="Unknown monitor of a classification 'acuracy'. Did"):
        quick(monitor="acuracy")
    assert not list(in_tmp.glob("runs/*"))


def test_a_whole_config_of_a_version_without_a_monitor_goes_by_that_of_the_task(tmp_path):
    """A run's config of version 0.1 has every part; what a person writes has few, and today's default."""
    written = TrainConfig().replace(epochs=3).to_dict()
    del written["run"]["monitor"]
    for content, monitor in ((written, "task"), ({"run": {"epochs": 3}}, "loss")):
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
        found = TrainConfig.from_yaml(tmp_path / "c.yaml")
        assert found == TrainConfig().replace(epochs=3, monitor=monitor)


def test_ema_weights_are_what_is_judged_and_exported(in_tmp):
    plain = quick(epochs=3, ema=None)
    averaged = quick(epochs=3, ema=0.999)
    drift = [
        np.abs(a - b).max()
        for a, b in zip(plain.network.get_weights(), averaged.network.get_weights())
    ]
    assert max(drift) > 1e-3
    # With a momentum near 1 the average stays by the first weights, and so does the exported model.
    keras.utils.set_random_seed(0)
    first = zoo.build("dense:tiny", input_shape=(5,), num_classes=2)
    moved = [
        np.abs(a - b).max() for a, b in zip(first.get_weights(), averaged.network.get_weights())
    ]
    assert max(moved) < max(
        np.abs(a - b).max() for a, b in zip(first.get_weights(), plain.network.get_weights())
    )
    saved = tf.saved_model.load(str(averaged.export))
    kernels = {v.name.partition(":")[0]: v.numpy() for v in saved.variables}
    np.testing.assert_array_equal(
        kernels["logits/kernel"], averaged.network.get_layer("logits").get_weights()[0]
    )


def test_the_config_names_the_data(in_tmp):
    config = TrainConfig().replace(dataset="wine", epochs=1, quiet=True, batch_size=16)
    assert zoo.train("dense:tiny", config=config).report.num_test == 36


def test_scores_by_hand():
    logits = np.log(np.array([[0.5, 0.5 - 1e-9], [0.1, 0.9]]))
    scores = tasks.TASKS["classification"].score(np.array([0, 0]), logits)
    assert scores["accuracy"] == 0.5
    assert scores["cross_entropy"] == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)
    scores = tasks.TASKS["regression"].score(np.array([1.0, 3.0]), np.array([[2.0], [3.0]]))
    assert scores == pytest.approx({"rmse": np.sqrt(0.5), "mae": 0.5, "r2": 0.5})


@pytest.mark.slow
def test_mirrored_trains_a_whole_recipe(in_tmp):
    trained = quick("cnn:tiny", "digits", limit=64, strategy="mirrored", replicas=2, batch_size=16)
    assert trained.network.distribute_strategy.num_replicas_in_sync == 2
    zoo.verify(trained.export)


def test_precision_is_restored_after_a_run(in_tmp):
    before = keras.config.dtype_policy()
    trained = quick(precision="mixed_bfloat16")
    assert keras.config.dtype_policy() is before
    assert trained.network.get_layer("dense_1").compute_dtype == "bfloat16"
    assert json.loads((trained.export / "assets.extra/card.json").read_text())["signatures"][
        "embed"
    ]["outputs"] == {"embedding": ["float32", [None, 16]]}


def test_inputs_are_prepared_in_float32_whatever_the_precision(in_tmp):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for name in ("digits", "wine"):
            splits = zoo.load_dataset(name, augment="digits" if name == "digits" else "none")
            x, _ = next(iter(splits.mapped(zoo.prepare(splits)).train))
            assert x.dtype == tf.float32
            assert len(np.unique(x)) > 300  # bfloat16 keeps about 256 steps between 0.5 and 1
    finally:
        keras.config.set_dtype_policy(before)


def test_tensorboard_logs_are_written(in_tmp):
    trained = quick(tensorboard=True)
    assert list((trained.report.folder / "tensorboard").rglob("events.*"))


@pytest.mark.slow
def test_xla_trains(in_tmp):
    assert np.isfinite(quick(jit="on").report.scores["accuracy"])


def test_data_config_has_the_arguments_of_load_dataset():
    import inspect

    parameters = inspect.signature(zoo.load_dataset).parameters
    options = zoo.data_options(TrainConfig(data=DataConfig()))
    assert set(options) == set(parameters)
    for name, parameter in parameters.items():
        default = () if name in ("target", "columns") else parameter.default  # none of several
        assert default in (options[name], inspect.Parameter.empty), name
