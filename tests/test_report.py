"""What a run says of itself: scores and their intervals, calibration, baselines, the task of many labels."""

import json
import re
import types

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from scipy import stats
from swallowing import BOTH_WAYS, two_layers
from tolerances import KERNELS, ORDER, ROUNDING, assert_close, decided

import zoo
from zoo import tasks
from zoo.config.config import OptimizerConfig, TrainConfig
from zoo.data import examples as sources
from zoo.data.load import make_splits
from zoo.tasks import classification as calibration
from zoo.tasks import scores
from zoo.training import report as reports
from zoo.training.callbacks import NotFiniteError
from zoo.training.command_line import from_command_line

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 5)).astype("float32")
NOISY = (X[:, 0] + RNG.normal(size=400) > 0.8).astype(int)  # no model can be sure of these
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0.5, X[:, 2] > 1.5], -1).astype("int64")


def quick(data=(X, NOISY), model="dense:tiny", **options):
    return zoo.train(model, data, **{"quiet": True, "epochs": 3, "batch_size": 16, **options})


def splits_of(
    inputs, targets, task="classification", labels=("no", "yes"), kind="features", **more
):
    info = sources.DataInfo("made", kind, task, inputs.shape[1:], "float32", tuple(labels), **more)
    ends = {"train": slice(0, 240), "validation": slice(240, 300), "test": slice(300, 400)}
    examples = {name: sources.Arrays(inputs[at], targets[at]) for name, at in ends.items()}
    return make_splits(info, examples, batch_size=16)


def judged(splits, folder, model=None, *, fit=False, export=False, **options):
    """Fits a model (if asked to), evaluates and exports it (if asked to); untrained ones do for most tests here."""
    options = {"learning_rate": 0.05, **options}
    config = TrainConfig().replace(out=str(folder), quiet=True, **options)
    with zoo.start_run(config) as run:
        splits, history = splits.mapped(zoo.prepare(splits)), None
        with run.strategy.scope():
            model = model or zoo.build_dense(
                splits.info.input_shape, splits.info.num_outputs, units=(16,)
            )
            zoo.compile_model(model, splits.info, config)
        if fit:
            history = zoo.fit_model(model, splits, run)
        report = zoo.evaluate_model(model, splits, run, history)
        path = zoo.export_model(model, splits, run) if export else None

    def logits(split):
        inputs = splits.preparation.inputs(splits.examples[split].inputs)
        return model.predict(inputs, verbose=0)

    return types.SimpleNamespace(report=report, export=path, logits=logits, history=history)


# Scores


def test_calibration_error_by_hand():
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.38, 0.62]])
    counts, confidence, accuracy = scores.confidence_bins(np.array([0, 1, 0, 1]), logits)
    assert counts.sum() == 4
    assert counts[13] == 2  # (13/15, 14/15]
    assert (confidence[13], accuracy[13]) == (pytest.approx(0.9), 0.5)
    error = scores.expected_calibration_error(np.array([0, 1, 0, 1]), logits)
    assert error == pytest.approx((2 * 0.4 + 0.8 + 0.38) / 4)


@pytest.mark.parametrize(("hits", "count"), [(355, 360), (0, 5), (36, 36), (1, 2)])
def test_the_interval_of_a_share_is_wilsons(hits, count):
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert scores.wilson(hits, count) == pytest.approx(tuple(expected), abs=1e-7)


def test_the_bootstrap_is_scipys_and_the_same_each_time():
    errors = np.random.default_rng(1).normal(size=300)
    low, high = scores.regression_interval(np.zeros(300), errors[:, None])
    assert (low, high) == scores.regression_interval(np.zeros(300), errors[:, None])
    theirs = stats.bootstrap(
        (errors,), lambda e, axis: np.sqrt(np.mean(e**2, axis)), method="percentile", rng=0, n_resamples=1000
    ).confidence_interval  # fmt: skip
    # The ends of 1,000 resamples scatter by about a tenth of the width.
    assert [low, high] == pytest.approx(list(theirs), abs=0.15 * (high - low))


def test_average_precision_is_scikit_learns_also_with_ties_and_weights():
    rng = np.random.default_rng(2)
    targets, outputs = rng.integers(2, size=(50, 4)), rng.integers(6, size=(50, 4)) / 6
    held = rng.integers(3, size=(50, 2))
    ours = scores.average_precisions(targets, outputs, held)
    for resample in range(2):
        for label in range(4):
            theirs = sklearn.metrics.average_precision_score(
                targets[:, label], outputs[:, label], sample_weight=held[:, resample]
            )
            assert ours[label, resample] == pytest.approx(theirs)
    nobody = scores.average_precisions(np.array([[0, 1], [0, 0]]), np.zeros((2, 2)))
    np.testing.assert_equal(nobody, [[np.nan], [0.5]])


def test_multilabel_scores_are_scikit_learns():
    rng = np.random.default_rng(3)
    targets, logits = rng.integers(2, size=(80, 3)), rng.normal(size=(80, 3))
    found = scores.multilabel(targets, logits)
    assert next(iter(found)) == "mean_average_precision"
    assert found == pytest.approx({
        "mean_average_precision": sklearn.metrics.average_precision_score(targets, logits),
        "macro_f1": sklearn.metrics.f1_score(targets, logits > 0, average="macro"),
        "micro_f1": sklearn.metrics.f1_score(targets, logits > 0, average="micro"),
        "subset_accuracy": sklearn.metrics.accuracy_score(targets, logits > 0),
    })  # fmt: skip
    low, high = scores.multilabel_interval(targets, logits)
    assert low < found["mean_average_precision"] < high


@pytest.mark.parametrize(
    ("interval", "text"),
    [((0.9683, 0.9931), "0.97 to 0.99"), ((0.99271, 0.99573), "0.993 to 0.996"), ((0.7951, 0.9946), "0.80 to 0.99"), ((52.14, 58.9), "52 to 59")],
)  # fmt: skip
def test_an_interval_has_no_more_decimals_than_it_has_use_for(interval, text):
    assert reports.interval_text(interval) == text


# Reports


def test_a_report_says_how_far_it_can_be_trusted(in_tmp):
    trained = quick(baseline=True, calibrate=True)
    report, folder = trained.report, trained.report.folder
    score = json.loads((folder / "score.json").read_text())
    assert list(score["scores"]) == ["accuracy", "cross_entropy", "ece"]
    hits = round(score["scores"]["accuracy"] * 80)
    assert score["interval"] == list(scores.wilson(hits, 80)) == list(report.interval)
    assert re.search(r"accuracy 0\.\d{4} \(95 % interval 0\.\d+ to \d\.\d+\), cross", str(report))
    text = (folder / "report.md").read_text()
    assert "| test score | model | linear baseline | boosted trees | constant guess |" in text
    assert f"{report.baseline.scores['accuracy']:.4f}" in text
    assert "Wilson" in text
    assert "LogisticRegression" in text
    for name in ("confusion", "reliability"):
        assert f"({name}.png)" in text
        assert (folder / f"{name}.png").exists()


def test_a_constant_guess_is_the_most_frequent_training_class(tmp_path):
    splits = splits_of(X, NOISY)
    report = judged(splits, tmp_path / "run").report
    train, test = splits.targets("train"), splits.targets("test")
    frequent = np.bincount(train).argmax()
    assert report.constant["accuracy"] == np.mean(test == frequent)
    assert f"| {report.constant['accuracy']:.4f} |" in (tmp_path / "run/report.md").read_text()


def test_a_constant_guess_of_a_regression_is_the_training_mean(tmp_path):
    splits = splits_of(X, 100 + 5 * X[:, 0], task="regression", labels=())
    report = judged(splits, tmp_path / "run", baseline=True).report
    train, test = splits.targets("train"), splits.targets("test")
    assert report.constant["rmse"] == pytest.approx(np.sqrt(np.mean((test - train.mean()) ** 2)))
    assert report.interval[0] < report.scores["rmse"] < report.interval[1]
    assert report.baseline.scores["rmse"] < 0.1 < report.constant["rmse"]  # the truth is linear
    assert report.temperature == 1.0


def test_classes_are_shown_with_precision_recall_and_f1(tmp_path):
    splits, model = splits_of(X, NOISY, labels=("no|ne", "yes", "never")), zoo.build_dense((5,), 3)
    model.layers[-1].bias.assign([0, 0, -1e4])
    predicted = judged(splits, tmp_path / "run", model).logits("test").argmax(-1)
    test = splits.targets("test")
    hits = np.sum((predicted == 1) & (test == 1))
    precision, recall = hits / np.sum(predicted == 1), hits / np.sum(test == 1)
    text = (tmp_path / "run/report.md").read_text()
    f1 = 2 * precision * recall / (precision + recall)
    count = np.sum(test == 1)
    assert (
        f"| yes | {precision:.3f} | {recall:.3f} | {f1:.3f} | {count} ({count / 100:.1%}) |" in text
    )
    assert "| no\\|ne |" in text
    assert "| never | – | – | – | 0 (0.0%) |" in text


def test_of_many_classes_the_worst_are_shown(tmp_path):
    many = np.arange(400) % 50
    inputs = np.where(many[:, None] < 25, np.eye(50)[many] * 9, 0).astype("float32")
    splits = splits_of(inputs, many, labels=map(str, range(50)))
    judged(splits, tmp_path / "run", fit=True)
    text = (tmp_path / "run/report.md").read_text()
    assert "the 20 of 50 with the lowest F1" in text
    shown = re.findall(r"^\| (\d+) \|", text, re.M)
    assert len(shown) == 20
    assert min(map(int, shown)) >= 25  # the first 25 can be told apart


def test_the_test_inputs_are_read_once(tmp_path):
    passes = []

    def examples():
        passes.append(1)
        yield from zip(X[300:], NOISY[300:])

    splits = splits_of(X, NOISY)
    spec = (tf.TensorSpec((5,), tf.float32), tf.TensorSpec((), tf.int64))
    stream = sources.Stream(tf.data.Dataset.from_generator(examples, output_signature=spec), 100)
    splits.examples["test"] = stream
    judged(splits, tmp_path / "run", calibrate=True)
    assert len(passes) == 2  # for the targets, and for the model


def test_an_output_of_nan_is_no_score(tmp_path):
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.log(inputs - 1e6)))
    with pytest.raises(NotFiniteError, match="for 100 of 100 test examples"):
        judged(splits_of(X, NOISY), tmp_path / "run", model)
    assert not (tmp_path / "run/score.json").exists()


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_weights_of_nan_are_not_judged_whether_or_not_the_outputs_tell(way, tmp_path):
    model = two_layers(BOTH_WAYS[way])
    model.layers[0].bias.assign([np.nan, 0.0, 0.0, 0.0])
    with pytest.raises(NotFiniteError, match="first/bias holds NaN .*: this model is not judged"):
        judged(splits_of(X, NOISY), tmp_path / "run", model)
    assert not (tmp_path / "run/score.json").exists()


# Baselines


def test_the_options_reach_the_config():
    config = from_command_line(TrainConfig(), "", ["--baseline", "--calibrate"])
    assert config == TrainConfig().replace(baseline=True, calibrate=True)
    assert not TrainConfig().report.baseline


def test_a_baseline_takes_a_limited_part_of_train_and_all_of_test():
    splits = splits_of(X, NOISY)
    whole, part = (
        tasks.task(splits.info.task).linear(splits),
        tasks.task(splits.info.task).linear(splits, limit=100),
    )
    assert (whole.num_train, part.num_train) == (240, 100)
    assert whole.scores != part.scores
    stream = tf.data.Dataset.from_tensor_slices((X[:240], NOISY[:240]))
    splits.examples["train"] = sources.Stream(stream, 240)
    assert tasks.task(splits.info.task).linear(splits, limit=100).num_train == 100


def test_a_baseline_of_one_class_is_left_out(caplog):
    splits = splits_of(X, np.arange(400) // 120 % 2)
    stream = tf.data.Dataset.from_tensor_slices((X[:240], np.arange(240) // 120))
    splits.examples["train"] = sources.Stream(stream, 240)
    assert tasks.task(splits.info.task).linear(splits, limit=50) is None
    assert "all of one class" in caplog.text


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_a_baseline_of_texts_sees_n_grams(unit):
    """The same units in another order: single ones would not tell the classes apart."""
    rng = np.random.default_rng(4)
    classes = np.arange(400) % 2
    between = " " if unit == "words" else ""
    pairs = [between.join("xy"), between.join("yx")]
    rows = [[chr(i) for i in rng.integers(97, 105, 4)] for _ in classes]
    texts = [between.join([*row[:2], pairs[c], *row[2:]]) for row, c in zip(rows, classes)]
    if unit == "words":
        texts = [text.replace("x", "Left!").replace("y", "right<br />") for text in texts]
    splits = splits_of(np.array(texts, object), classes, kind="text", text_unit=unit)
    assert tasks.task(splits.info.task).linear(splits).scores["accuracy"] > 0.95


# Calibration


def test_the_temperature_that_made_the_logits_too_sure_is_found():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(20_000, 4))
    targets = np.array([rng.choice(4, p=p) for p in scores.softmax(logits)])
    for temperature in (0.2, 1.0, 5.0):
        found = calibration.best_temperature(targets, logits * temperature)
        assert found == pytest.approx(
            temperature, rel=0.03
        )  # 20,000 draws: 1 / sqrt(20,000) is 0.7 %
    before = scores.expected_calibration_error(targets, logits * 5)
    assert scores.expected_calibration_error(targets, logits) < 0.02 < before


def test_no_temperature_fits_where_all_validation_examples_are_right(caplog):
    assert calibration.best_temperature(np.array([0, 1]), np.array([[2.0, 1], [0, 1]])) == 1
    assert "stays 1" in caplog.text


def test_the_temperature_reaches_the_exported_model(tmp_path):
    splits, model = splits_of(X, NOISY), zoo.build_dense((5,), 2)
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 30)  # much too sure
    done = judged(splits, tmp_path / "run", model, calibrate=True, export=True)
    report, logits, test = done.report, done.logits("test"), splits.targets("test")
    assert report.temperature > 1.2
    assert report.scores == pytest.approx(scores.classification(test, logits / report.temperature))
    assert report.uncalibrated == pytest.approx(scores.classification(test, logits))
    assert report.scores["accuracy"] == report.uncalibrated["accuracy"]
    assert report.scores["cross_entropy"] < report.uncalibrated["cross_entropy"]
    text = (tmp_path / "run/report.md").read_text()
    assert f"ece {report.uncalibrated['ece']:.4f} before, {report.scores['ece']:.4f} after" in text
    model = zoo.load(done.export)
    assert any(f"{report.temperature:.4g}" in step for step in model.card.preprocessing)
    served = model.predict(splits.examples["test"].inputs)
    expected = scores.softmax(logits / report.temperature)
    sure = decided(expected)
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(served["class_id"][sure], logits.argmax(-1)[sure])
    assert_close(served["probabilities"], expected, KERNELS, scale=1)
    assert np.abs(served["probabilities"] - scores.softmax(logits)).max() > 0.01


def test_a_temperature_never_changes_the_class(tmp_path, monkeypatch):
    x = keras.Input((1,))  # two logits that differ in the last bit
    logits = keras.layers.Concatenate()([x, x + x * np.float32(2**-24)])
    monkeypatch.setattr(calibration, "fit_temperature", lambda model, splits: 1.7)
    splits, model = splits_of(X[:, :1], NOISY), keras.Model(x, logits)
    done = judged(splits, tmp_path / "run", model, export=True, calibrate=True)
    served = zoo.load(done.export).predict(splits.examples["test"].inputs)
    np.testing.assert_array_equal(served["class_id"], done.logits("test").argmax(-1))
    divided = done.logits("test") / np.float32(1.7)
    assert (divided.argmax(-1) != served["class_id"]).any()  # what the division by itself would do
    hits = np.mean(served["class_id"] == splits.targets("test"))
    assert done.report.scores["accuracy"] == hits


def test_calibrating_what_has_no_classes_is_refused(in_tmp):
    with pytest.raises(zoo.InputError, match="calibrate is for classification"):
        quick((X, X[:, 0]), calibrate=True)
    assert not list(in_tmp.rglob("metrics.csv"))


# Many labels


def test_many_labels_train_and_are_judged(tmp_path):
    splits = splits_of(X, LABELS, task="multilabel", labels=("a", "b", "c"))
    done = judged(splits, tmp_path / "run", fit=True, baseline=True, epochs=30)
    report, logits, test = done.report, done.logits("test"), splits.targets("test")
    assert report.scores == pytest.approx(scores.multilabel(test, logits), abs=1e-6)
    assert report.scores["mean_average_precision"] > 0.9
    assert report.baseline.scores["mean_average_precision"] > 0.9
    assert report.interval[0] < report.scores["mean_average_precision"] <= report.interval[1]
    # One order for all examples finds each label as often as it occurs.
    assert report.constant["mean_average_precision"] == pytest.approx(test.mean(0).mean())
    validation = (done.logits("validation") > 0) == splits.targets("validation")
    best = done.history.best_epoch
    assert_close(done.history.history["val_binary_accuracy"][best], validation.mean(), ROUNDING)
    text = (tmp_path / "run/report.md").read_text()
    assert re.search(r"^\| c \| [01]\.\d{3} \|", text, re.M)
    assert (tmp_path / "run/labels.png").exists()


def test_many_labels_train_on_two_devices(tmp_path):
    splits = splits_of(X, LABELS, task="multilabel", labels=("a", "b", "c"))
    report = judged(
        splits, tmp_path / "run", fit=True, epochs=1, strategy="mirrored", replicas=2
    ).report
    assert np.isfinite(list(report.scores.values())).all()


def test_the_loss_of_many_labels_smooths_as_keras_does():
    loss = tasks.TASKS["multilabel"].loss(OptimizerConfig(label_smoothing=0.2))
    targets, logits = LABELS[:6], X[:6, :3]
    smooth = LABELS[:6] * 0.8 + 0.1
    by_hand = np.mean(np.log1p(np.exp(logits)) - smooth * logits)
    assert_close(loss(targets, logits), by_hand, ORDER)
