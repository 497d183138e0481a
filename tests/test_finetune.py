"""Going on from a trained model."""

import keras
import numpy as np
import pytest

import zoo


def images(count=60, size=8):
    rng = np.random.default_rng(0)
    classes = np.arange(count) % 3
    return (rng.integers(0, 80, (count, size, size)) + 80 * classes[:, None, None]).astype(
        "uint8"
    ), classes


def test_a_trained_model_goes_on_with_other_classes_and_sizes(in_tmp):
    trained = zoo.train("digits_cnn", images(size=11), epochs=1, batch_size=16, quiet=True)
    assert trained.network.input_shape == (None, 8, 8, 1)
    assert trained.network.output_shape == (None, 3)
    card = zoo.load(trained.export).card
    assert (card.builder.family, card.builder.size) == ("cnn", "base")
    assert card.builder.arguments["num_classes"] == 3
    again = zoo.build(weights=trained.export)
    for a, b in zip(again.get_weights(), trained.network.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_without_a_step_the_weights_are_the_trained_ones(in_tmp):
    # A learning rate that changes nothing: what is left is what was loaded.
    data = (zoo.load_dataset("digits").examples["train"].inputs[:200], np.arange(200) % 10)
    trained = zoo.train("digits_cnn", data, learning_rate=1e-30, epochs=1, quiet=True)
    loaded = zoo.build(weights="digits_cnn")
    for weight, other in zip(loaded.trainable_weights, trained.network.trainable_weights):
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)


def test_freeze_trains_the_last_layer_only(in_tmp):
    trained = zoo.train("digits_cnn", images(), epochs=2, batch_size=16, freeze=True, quiet=True)
    before = {
        w.path: keras.ops.convert_to_numpy(w) for w in zoo.build(weights="digits_cnn").weights
    }
    for weight in trained.network.weights:
        same = weight.path in before and np.array_equal(weight, before[weight.path])
        assert same != weight.path.startswith("logits/"), weight.path


@pytest.mark.slow
def test_a_fine_tuned_run_goes_on_after_a_stop(in_tmp):
    whole = zoo.train("digits_cnn", images(), epochs=3, batch_size=16, quiet=True, out="whole")
    options = {"batch_size": 16, "quiet": True}

    class Stop(keras.callbacks.Callback):
        last = 1

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.last:
                raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        zoo.train("digits_cnn", images(), epochs=3, out="run", callbacks=[Stop()], **options)
    Stop.last = None
    ended = zoo.train("digits_cnn", images(), resume="run", quiet=True, callbacks=[Stop()])
    for a, b in zip(ended.network.get_weights(), whole.network.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_the_config_takes_family_arguments_and_image_size_from_the_card():
    config = zoo.from_weights(zoo.TrainConfig(weights="mnist_dense"))
    assert config.model == "dense:large"
    assert config.data.image_size == (28, 28)
    assert "num_classes" not in config.model_args
    assert zoo.from_weights(zoo.TrainConfig()) == zoo.TrainConfig()
    other = zoo.TrainConfig(weights="mnist_dense").replace(image_size=(8, 8))
    assert zoo.from_weights(other).data.image_size == (8, 8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "digits_cn"}, "'digits_cnn'|Unknown family"),
        ({"model": "cnn:base", "weights": "nothing_like_it"}, "nothing_like_it"),
        ({"model": "cnn:base", "freeze": True}, "pass weights="),
        ({"model": "digits_cnn", "data": "wine"}, "takes images|shape|image_size"),
        ({"model": "wine_dense", "data": "breast_cancer"}, "takes inputs of shape"),
    ],
)
def test_what_cannot_go_on_says_why(options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        zoo.train(
            options.pop("model"), options.pop("data", "digits"), quiet=True, epochs=1, **options
        )
    assert not list(in_tmp.rglob("metrics.csv"))


@pytest.mark.slow
def test_a_model_of_texts_keeps_its_vocabulary_to_itself(in_tmp):
    texts = [f"word{i % 7} and word{i % 3} number{i}" for i in range(60)]
    trained = zoo.train("cnn:tiny", (texts, np.arange(60) % 2), epochs=1, quiet=True)
    with pytest.raises(zoo.InputError, match="vocabulary of its own"):
        zoo.train(str(trained.export), (texts, np.arange(60) % 2), quiet=True)
