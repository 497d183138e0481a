"""Training steps other than Keras's own: what they leave of the caller's model, and that they are steps of Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import tiny

import zoo
from zoo.config.options import DistillConfig
from zoo.keras_fixes import sparse_gradients
from zoo.training import distill, step

RNG = np.random.default_rng(0)
# Of 60 examples the last batch of 16 has but 12.
X = RNG.normal(size=(60, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def compiled(**options):
    keras.utils.set_random_seed(0)
    model = zoo.build("dense:tiny", input_shape=(5,), num_classes=2, dropout=0.3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], **options)
    return model


def fitted(model, **options):
    history = model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0, **options)
    return [*model.get_weights(), *(np.array(values) for values in history.history.values())]


def assert_same_bits(ones, others):
    for a, b in zip(ones, others, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "options",
    [{}, {"steps_per_execution": 2}, {"run_eagerly": True}],
    ids=["plain", "steps together", "eager"],
)
def test_a_step_of_one_part_is_that_of_keras_bit_for_bit(options):
    one = compiled(**options)
    step.use(one)
    assert_same_bits(fitted(one), fitted(compiled(**options)))


def test_the_settings_of_compile_hold():
    def eager(loss, *others):
        seen.append(tf.executing_eagerly())
        return loss

    for run_eagerly in (False, True):
        model, seen = compiled(run_eagerly=run_eagerly), []
        step.use(model, distillation=eager)
        model.train_on_batch(X, Y)
        assert set(seen) == {run_eagerly}

    def of_texts(loss, *others):
        return loss + tf.cast(tf.strings.length(tf.strings.as_string(loss)), loss.dtype)

    model = compiled(jit_compile=True)
    step.use(model, distillation=of_texts)
    with pytest.raises(tf.errors.OpError, match="XLA"):  # which knows no texts
        model.train_on_batch(X, Y)


@pytest.mark.parametrize(("name", "task"), [("vae", "generation"), ("seq2seq", "translation")])
def test_models_with_losses_or_outputs_of_their_own_have_the_same_steps(name, task):
    def trained(by_step):
        keras.utils.set_random_seed(0)
        model, sample = tiny(name, task)
        is_vae = sample.targets is None
        loss = None if is_vae else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # A step adds up the slices of an embedding's gradient, as the optimizers of the zoo do.
        model.compile(sparse_gradients.add_up(keras.optimizers.SGD(0.01)), loss)
        if by_step:
            step.use(model)
        examples = [sample.inputs] if is_vae else [sample.inputs, sample.targets]
        model.fit(*examples, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    assert_same_bits(trained(True), trained(False))


def test_the_model_stays_the_callers_own(tmp_path):
    model, teacher = compiled(), compiled()
    before = {key: id(value) for key, value in vars(model).items() if key != "train_function"}
    variables, layers = [id(v) for v in model.variables], [id(one) for one in model.layers]
    step.use(model, parts=2, distillation=distill.Distillation(teacher, DistillConfig("x")))
    assert {key: id(value) for key, value in vars(model).items() if key != "train_function"} == before  # fmt: skip
    assert [id(v) for v in model.variables] == variables
    assert [id(one) for one in model.layers] == layers
    file, seen = tmp_path / "model.keras", []
    saver = keras.callbacks.ModelCheckpoint(file)
    fitted(model, callbacks=[saver, keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append(saver.model))])  # fmt: skip
    assert seen == [model]
    loaded = keras.models.load_model(file)
    assert_same_bits(loaded.get_weights(), model.get_weights())
    assert loaded.count_params() == model.count_params()


def test_compiling_again_gives_the_step_of_keras_back():
    model, teacher = compiled(), compiled()
    step.use(model, distillation=distill.Distillation(teacher, DistillConfig("x")))
    assert step.teacher_of(model) is teacher
    model.compile("sgd", "mse")
    assert step.teacher_of(model) is None
    step.use(model, parts=2)
    assert step.teacher_of(model) is None


def test_weights_without_a_part_in_the_loss_stay_as_they_are():
    inputs = keras.Input((5,))
    aside = keras.layers.Dense(3, name="aside")
    outputs = keras.layers.Dense(2)(inputs) + 0 * keras.ops.stop_gradient(
        keras.ops.sum(aside(inputs), axis=-1, keepdims=True)
    )
    model = keras.Model(inputs, outputs)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = aside.get_weights()
    step.use(model, parts=2)
    fitted(model)
    assert_same_bits(aside.get_weights(), before)
