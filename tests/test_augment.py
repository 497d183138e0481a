"""Augmentation: noise of (seed, step) for every image, pixels in range, labels that stay right."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import ORDER, PRINTED, ROUNDING, assert_close

import zoo
from zoo.config.config import TrainConfig
from zoo.data import augment
from zoo.data import examples as sources
from zoo.data import load as door
from zoo.training.command_line import from_command_line

POLICIES = [name for name in augment.POLICIES if name != "none"]
MIXING = ("mixup", "cutmix")
RNG = np.random.default_rng(0)


def describe(channels=1, classes=10, task="classification", size=8):
    labels = tuple(f"class {i}" for i in range(classes))
    return sources.DataInfo("images", "image", task, (size, size, channels), "uint8", labels)


def pixels(count, channels=1, size=8):
    """Images that are not symmetric and hold black and white."""
    images = RNG.integers(0, 256, (count, size, size, channels))
    images[:, 0, 0], images[:, 0, 1] = 0, 255
    return images.astype("uint8")


def apply(policy, images, labels=None, *, seed=0, step=0, info=None):
    labels = np.zeros(len(images), "int64") if labels is None else labels
    noise = augment.augmenter(policy, seed, info or describe(images.shape[-1]))
    changed, targets = noise(tf.constant(images), tf.constant(labels), tf.constant(step, tf.int64))
    return changed.numpy(), targets.numpy()


@pytest.mark.parametrize("policy", [*POLICIES, "digits+mixup"])
def test_noise_is_a_function_of_seed_and_step(policy):
    images, labels = pixels(16), np.arange(16) % 10
    for part in range(2 if "mix" in policy else 1):  # the mixed labels, too
        first = apply(policy, images, labels, step=5)[part]
        np.testing.assert_array_equal(first, apply(policy, images, labels, step=5)[part])
        assert not np.array_equal(first, apply(policy, images, labels, step=6)[part])
        assert not np.array_equal(first, apply(policy, images, labels, step=5, seed=1)[part])


def test_every_draw_of_a_step_and_every_step_of_an_epoch_has_a_seed_of_its_own():
    seeds = augment._StepSeed(0, tf.constant(5, tf.int64))
    assert not np.array_equal(
        seeds.next(), seeds.next()
    )  # shifts to the right and down are not one
    data = sources.Arrays(np.repeat(pixels(1), 8, 0), np.arange(8) % 10)
    splits = {"train": data, "validation": data, "test": data}
    made = door.make_splits(describe(), splits, batch_size=4, augment="digits")
    steps = [x.tobytes() for x, _ in made.train_forever().take(6).as_numpy_iterator()]
    assert len(set(steps)) == 6  # three epochs; all images are alike, so the noise alone differs


@pytest.mark.parametrize("policy", POLICIES)
def test_every_image_of_a_batch_has_noise_of_its_own(policy):
    if policy in MIXING:
        _, targets = apply(policy, pixels(16), np.arange(16) % 10)
        assert len(np.unique(targets.max(1).round(4))) > 5  # of 16; shares are multiples of 1/64
        return
    changed, _ = apply(policy, np.repeat(pixels(1), 64, 0))
    kinds = len(np.unique(changed.reshape(64, -1), axis=0))
    # Half of the images are not erased; all others change in continuous ways or in hundreds.
    assert kinds > {"erase": 20}.get(policy, 40)


def test_randaugment_picks_other_operations_for_every_image():
    brighter = keras.layers.RandomBrightness((0.2, 0.2), dtype="float32")
    darker = keras.layers.RandomBrightness((-0.3, -0.3), dtype="float32")
    layer = augment.RandAugment([brighter, darker], num_ops=1)
    images = tf.fill((64, 4, 4, 1), 128.0)
    noise = layer.get_random_transformation(images, seed=keras.random.SeedGenerator(0))
    means = np.mean(layer.transform_images(images, noise), axis=(1, 2, 3))
    counts = np.unique(means.round(2), return_counts=True)
    assert_close(counts[0], [128 - 0.3 * 255, 128 + 0.2 * 255], PRINTED)
    assert min(counts[1]) > 16  # 32 expected, standard deviation 4


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("policy", POLICIES)
def test_pixels_stay_in_range_and_change(policy, channels):
    images = pixels(32, channels)
    for step in range(4):
        changed, _ = apply(policy, images, np.arange(32) % 10, step=step)
        assert changed.dtype == np.float32
        assert changed.shape == images.shape
        assert np.isfinite(changed).all()
        assert changed.min() >= 0
        assert changed.max() <= 255.001  # float32 rounding of 255 times a weight and its complement
        assert not np.array_equal(changed, images)


@pytest.mark.parametrize("policy", POLICIES)
def test_labels_stay_right(policy):
    classes = np.arange(64) % 10
    plain = np.broadcast_to(25 * classes[:, None, None, None], (64, 8, 8, 1)).astype("uint8")
    for step in range(3):
        changed, targets = apply(policy, plain, classes, step=step)
        if policy not in MIXING:
            np.testing.assert_array_equal(targets, classes)
            continue
        assert targets.shape == (64, 10)
        assert_close(targets.sum(1), np.ones(64), ROUNDING)
        # Every image of class k has pixels of 25 k, so the mean pixel tells the shares.
        assert_close(changed.mean((1, 2, 3)), targets @ np.arange(0, 250, 25), ORDER)
        assert (targets.max(1) < 0.99).any()


def test_labels_of_several_classes_are_mixed_as_they_are():
    several = RNG.integers(0, 2, (16, 10)).astype("int32")
    _, targets = apply("mixup", pixels(16), several)
    assert targets.dtype == np.float32
    assert targets.max() <= 1
    assert not np.array_equal(targets, several)
    assert targets.sum() == pytest.approx(several.sum(), rel=0.5)


def test_photographs_are_shifted_by_whole_pixels_and_sometimes_flipped():
    layers = augment.POLICIES["photographs"](1)
    shift = next(x for x in layers if isinstance(x, keras.layers.RandomTranslation))
    images = tf.cast(np.repeat(pixels(1, size=32), 16, 0), tf.float32)
    noise = shift.get_random_transformation(images, seed=keras.random.SeedGenerator(0))
    moved = shift.transform_images(images, noise).numpy()
    assert set(np.unique(moved)) <= set(np.unique(images))  # no pixel is blended with its neighbour
    inner = images[0, 8:24, 8:24].numpy()
    for image in moved:
        found = [
            np.array_equal(image[8 + y : 24 + y, 8 + x : 24 + x], inner)
            for y in range(-4, 5)
            for x in range(-4, 5)
        ]
        assert sum(found) == 1


def test_batches_are_the_same_whenever_they_are_made():
    splits = zoo.load_dataset("digits", batch_size=64, limit=256, augment="digits+cutmix")

    def batches(data):
        return [(x.numpy(), y.numpy()) for x, y in data]

    whole = batches(splits.train_forever().take(2 * splits.steps_per_epoch))
    resumed = batches(splits.train_forever(first_epoch=1).take(splits.steps_per_epoch))
    for (x, y), (again_x, again_y) in zip(whole[splits.steps_per_epoch :], resumed, strict=True):
        np.testing.assert_array_equal(x, again_x)
        np.testing.assert_array_equal(y, again_y)
    assert not np.array_equal(whole[0][0], whole[splits.steps_per_epoch][0])


def test_only_training_labels_are_mixed(in_tmp):
    splits = zoo.load_dataset("digits", limit=128, augment="mixup")
    assert next(iter(splits.train_forever()))[1].shape == (32, 10)
    for split in (splits.validation, splits.test):
        assert next(iter(split))[1].dtype == tf.int64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "digit"}, "Did you mean 'digits'"),
        ({"policy": "digits+"}, "Unknown augment ''"),
        ({"policy": "digits+mixupp"}, "Did you mean 'mixup'"),
        ({"policy": "digits+mixup", "task": "regression"}, "Leave out mixup and cutmix"),
        ({"policy": "cutmix", "batch_size": 1}, "at least 2"),
        ({"policy": "erase", "kind": "table"}, "is for images"),
    ],
)
def test_policies_that_do_not_fit_are_refused(options, words):
    options = {"task": "classification", "kind": "image", "batch_size": 4} | options
    info = sources.DataInfo(
        "x", options["kind"], options["task"], (4, 4, 1), "uint8", labels=("a", "b")
    )
    data = sources.Arrays(np.zeros((8, 4, 4, 1), "uint8"), np.arange(8) % 2)
    splits = {"train": data, "validation": data, "test": data}
    with pytest.raises(zoo.InputError, match=words):
        door.make_splits(info, splits, batch_size=options["batch_size"], augment=options["policy"])


def test_help_lists_every_policy(capsys):
    with pytest.raises(SystemExit):
        from_command_line(TrainConfig(), "", ["--help-all"])
    words = re.findall(r"\w+", capsys.readouterr().out)
    assert set(augment.POLICIES) <= set(words)
    assert set(augment.POLICIES) <= set(re.findall(r"\w+", zoo.load_dataset.__doc__))


@pytest.mark.slow
def test_a_run_with_augmentation_shows_what_it_trains_on(in_tmp):
    trained = zoo.train(
        "cnn:tiny", "digits", augment="randaugment+mixup", limit=64, epochs=1, quiet=True,
        label_smoothing=0.1,
    )  # fmt: skip
    picture = trained.report.folder / "augmented.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "augmented.png" in (trained.report.folder / "report.md").read_text()
    zoo.verify(trained.export)
