"""Distillation: a student's training loss is that of its labels and of a teacher's probabilities."""

import dataclasses

import keras
import numpy as np
import pytest
from tolerances import ORDER, TRAINED, assert_close

import zoo
from zoo.config.options import DistillConfig
from zoo.tasks import losses
from zoo.training import distill, step

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
OPTIONS = {"epochs": 2, "batch_size": 16, "quiet": True}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pair(**options):
    models = [zoo.build("dense:tiny", input_shape=(5,), num_classes=2) for _ in range(2)]
    models[0].compile(keras.optimizers.SGD(), losses.Crossentropy())
    student, teacher = models
    options = DistillConfig(teacher="x", **options)
    step.use(student, distillation=distill.Distillation(teacher, options))
    return student, teacher


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 64).astype("float32")])
def test_the_loss_is_the_formula(weights):
    student, teacher = pair(teacher_weight=0.3, teacher_temperature=2.0)
    s, t = (keras.ops.convert_to_numpy(model(X)).astype("float64") for model in (student, teacher))
    p, q = softmax(t / 2), softmax(s / 2)
    each = -np.log(softmax(s)[np.arange(64), Y]) * 0.7
    each += 0.3 * 4 * (p * np.log(p / q)).sum(-1)
    wanted = (each * (1 if weights is None else weights)).mean()
    assert_close(student.test_on_batch(X, Y), -np.log(softmax(s)[np.arange(64), Y]).mean(), ORDER)
    assert_close(student.train_on_batch(X, Y, sample_weight=weights), wanted, ORDER)


@pytest.mark.parametrize("replicas", [1, 2])
def test_penalties_of_the_student_count_whole(replicas):
    """Keras's `Distiller` leaves them out; of the share of the labels they are no part."""
    strategy = (
        zoo.make_strategy("mirrored", replicas=2) if replicas > 1 else zoo.make_strategy("one")
    )
    with strategy.scope():
        student, teacher = pair(teacher_weight=1.0, teacher_temperature=2.0)
        before = student.get_weights()
        student.get_layer("logits").kernel.regularizer = keras.regularizers.L2(0.5)
        student.optimizer.learning_rate = 1.0
        for own, weight in zip(teacher.weights, before, strict=True):
            own.assign(
                weight
            )  # so that the teacher changes nothing, and the share of the labels is 0
        loss = student.fit(X, Y, batch_size=64, epochs=1, verbose=0).history["loss"][0]
    logits = student.get_layer("logits")
    (kernel,) = [w for w, of in zip(before, student.weights) if of is logits.kernel]
    assert_close(loss, 0.5 * (kernel.astype("float64") ** 2).sum(), ORDER)
    assert_close(logits.kernel.numpy(), np.zeros_like(kernel), ORDER, scale=1)  # 1 - 2 * 0.5 of it


def test_a_student_of_the_teacher_alone_becomes_like_it():
    keras.utils.set_random_seed(2)  # one that is there after 300 steps
    student, teacher = pair(teacher_weight=1.0, teacher_temperature=1.0)
    before = [w.copy() for w in teacher.get_weights()]
    student.optimizer.learning_rate = 0.5
    for _ in range(300):
        student.train_on_batch(X, 1 - Y)  # the labels count nothing
    p, q = (softmax(keras.ops.convert_to_numpy(model(X))) for model in (teacher, student))
    assert np.abs(p - q).max() < 0.05
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    zoo.train("dense:small", (X, Y), **OPTIONS, out=str(folder))
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"accumulate": 2}, {"strategy": "mirrored", "replicas": 2}],
)
def test_parts_and_devices_give_the_update_of_the_whole_batch(options, teacher, in_tmp):
    options = {**options, "optimizer": "sgd", "learning_rate": 0.1}
    whole = zoo.train(
        "dense:tiny", (X, Y), **OPTIONS, teacher=teacher, optimizer="sgd", learning_rate=0.1
    )
    parts = zoo.train("dense:tiny", (X, Y), **OPTIONS, teacher=teacher, **options)
    plain = zoo.train("dense:tiny", (X, Y), **OPTIONS, optimizer="sgd", learning_rate=0.1)
    for a, b in zip(whole.network.get_weights(), parts.network.get_weights(), strict=True):
        assert_close(a, b, TRAINED)
    differ = [
        np.abs(a - b).max()
        for a, b in zip(whole.network.get_weights(), plain.network.get_weights(), strict=True)
    ]
    assert max(differ) > 1e-3  # the teacher is heard


@pytest.mark.slow
def test_a_distilled_run_goes_on_exactly(teacher, in_tmp):
    whole = zoo.train("dense:tiny", (X, Y), **{**OPTIONS, "epochs": 4}, teacher=teacher, out="a")
    zoo.train("dense:tiny", (X, Y), **OPTIONS, teacher=teacher, out="b")
    ended = zoo.train("dense:tiny", (X, Y), resume="b", epochs=4)
    for a, b in zip(ended.network.get_weights(), whole.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_shipped_model_teaches(in_tmp):
    options = {"epochs": 3, "quiet": True, "precision": "mixed_bfloat16"}
    taught = zoo.train("dense:small", "digits", teacher="digits_cnn", teacher_weight=1.0, **options)
    assert taught.report.scores["accuracy"] > 0.8  # the labels count nothing


@pytest.mark.parametrize(
    "asked", ["overfit_batch", pytest.param("find_lr", marks=pytest.mark.slow)]
)
def test_a_student_can_be_diagnosed(asked, teacher, in_tmp):
    trained = zoo.train("dense:tiny", (X, Y), **OPTIONS, teacher=teacher, **{asked: True})
    assert trained.report is None
    assert step.teacher_of(trained.network).count_params() > trained.network.count_params()


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("digits", {"teacher": "mnist_cnn"}, "size of input"),
        ("wine", {"teacher": "digits_cnn"}, "kind of input"),
        ((X, Y), {"teacher": "wine_dense"}, "kind of input"),
        ("digits", {"teacher": "nobody"}, "nobody"),
        ("digits", {"teacher": "digits_cnn", "teacher_weight": 1.5}, "teacher_weight"),
        ("digits", {"teacher": "digits_cnn", "teacher_temperature": 0.0}, "teacher_temperature"),
        ("diabetes", {"teacher": "wine_dense"}, "task"),
    ],
)
def test_a_teacher_of_something_else_is_refused(data, options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        zoo.train("dense:tiny", data, quiet=True, **options)


def test_a_teacher_prepared_on_other_numbers_is_refused(teacher, in_tmp):
    with pytest.raises(zoo.InputError, match="prepared in another way"):
        zoo.train("dense:tiny", (X * 3, Y), **OPTIONS, teacher=teacher)


def test_a_preparation_that_gives_nan_is_another_one(in_tmp):
    splits = zoo.load_dataset("wine")
    preparation = zoo.prepare(splits)
    broken = dataclasses.replace(preparation, inputs=lambda x: preparation.inputs(x) * np.nan)
    config = zoo.TrainConfig().replace(dataset="wine", teacher="wine_dense", quiet=True)
    with zoo.start_run(config) as run:
        assert zoo.teacher(splits.mapped(preparation), run) is not None
        with pytest.raises(zoo.InputError, match="prepared in another way"):
            zoo.teacher(splits.mapped(broken), run)


def test_a_recipe_that_forgets_its_teacher_is_told():
    config = zoo.TrainConfig().replace(teacher="digits_cnn")
    info = zoo.load_dataset("digits").info
    model = zoo.build("dense:tiny", input_shape=(8, 8, 1), num_classes=10)
    with pytest.raises(zoo.InputError, match=r"zoo\.teacher"):
        zoo.compile_model(model, info, config, steps_per_epoch=1)
