"""Augmentation policies: Keras's random layers, with noise that depends on the run's seed and the step alone."""

import keras
import tensorflow as tf

from zoo.data import kinds
from zoo.models import checks
from zoo.tasks import task


class CutMix(keras.layers.CutMix):
    """Keras's CutMix with labels mixed by the pixels really cut.

    Keras takes the area of the box before it is brought to whole pixels: on 8x8 images that is several pixels off.
    """

    def get_random_transformation(self, data, training=True, seed=None):
        noise = super().get_random_transformation(data, training, seed)
        cut = keras.ops.mean(keras.ops.cast(noise["batch_masks"], "float32"), axis=(1, 2, 3))
        return noise | {"mix_weight": 1 - cut}


class RandAugment:
    """Random operations for each image, one after the other (Cubuk et al. 2019).

    Keras's own layer takes no seed from its caller, picks the same operations for the whole batch, equalizes
    all images by one histogram, and its posterization leaves fewer bits the weaker it is asked to be.

    Args:
        layers: Keras's layers to pick from.
        num_ops: Operations per image.
    """

    def __init__(self, layers, num_ops=2):
        self.layers, self.num_ops = layers, num_ops

    def get_random_transformation(self, images, training=True, seed=None):
        """Draws, for each operation in turn, which layer changes which image, and every layer's noise."""
        shape = (keras.ops.shape(images)[0], 1, 1, 1)
        return [
            (
                keras.random.randint(shape, 0, len(self.layers), seed=seed),
                [layer.get_random_transformation(images, seed=seed) for layer in self.layers],
            )
            for _ in range(self.num_ops)
        ]

    def transform_images(self, images, transformation, training=True):
        """Applies what was drawn; every layer changes the whole batch, and the images that picked it are kept."""
        for picks, noise in transformation:
            before = images
            for i, (layer, drawn) in enumerate(zip(self.layers, noise)):
                changed = layer.transform_images(before, drawn, training=True)
                images = keras.ops.where(picks == i, changed, images)
        return images


_FLOAT = {"dtype": "float32"}
_BLACK = {"fill_mode": "constant", **_FLOAT}


def _of_colours(channels, factor):
    """Less colour, for images that have some."""
    return [keras.layers.RandomColorDegeneration(factor, **_FLOAT)] if channels == 3 else []


# Name → layers made anew for each pipeline, for images of so many channels; names can be joined: "digits+mixup".
POLICIES = {
    "none": lambda channels: [],
    # Never flipped: a mirrored 2 is no digit.
    "digits": lambda channels: [
        keras.layers.RandomTranslation(0.1, 0.1, **_BLACK),
        keras.layers.RandomRotation(0.035, **_BLACK),  # share of a full turn: 12.6 degrees
        keras.layers.RandomZoom(0.1, **_BLACK),
    ],
    "photographs": lambda channels: [
        keras.layers.RandomFlip("horizontal", **_FLOAT),
        # Pad and crop (He et al. 2016: 4 of 32 pixels). Keras's RandomCrop takes one place for the whole batch.
        keras.layers.RandomTranslation(0.125, 0.125, interpolation="nearest", **_BLACK),
        keras.layers.RandomBrightness(0.1, **_FLOAT),
        keras.layers.RandomContrast((0.2, 0.2), **_FLOAT),  # one number would only raise it
        *_of_colours(channels, 0.3),
    ],
    # Strengths are drawn evenly up to about those of the paper's largest magnitude.
    "randaugment": lambda channels: [
        RandAugment(
            [
                keras.layers.RandomShear(0.3, 0.3, **_BLACK),
                keras.layers.RandomTranslation(0.3, 0.3, **_BLACK),
                keras.layers.RandomRotation(1 / 12, **_BLACK),  # 30 degrees
                keras.layers.RandomBrightness(0.5, **_FLOAT),
                keras.layers.RandomContrast((0.9, 0.9), **_FLOAT),
                keras.layers.RandomSharpness((0.05, 0.95), **_FLOAT),
                keras.layers.RandomPosterization((4, 8), **_FLOAT),  # bits left: 4 to 7
                keras.layers.Solarization(threshold_factor=1.0, **_FLOAT),
                keras.layers.AutoContrast(**_FLOAT),
                *_of_colours(channels, 0.9),
            ]
        )
    ],
    # Half of the images, as in Zhong et al. 2017.
    "erase": lambda channels: [keras.layers.RandomErasing((0.5, 0.5), **_FLOAT)],
    "mixup": lambda channels: [keras.layers.MixUp(0.2, **_FLOAT)],
    # Yun et al. 2019 draw the shares evenly: Beta(1, 1). Keras's default draws the 1 anew for each batch.
    "cutmix": lambda channels: [CutMix((1.0, 1.0), **_FLOAT)],
}
MIXING = (keras.layers.MixUp, keras.layers.CutMix)


class _StepSeed(keras.random.SeedGenerator):
    """Seeds that are a function of (run seed, step), so that a batch looks the same whenever it is made.

    Has no state, so Keras's constructor, which would make a variable inside of the pipeline, is left out.
    """

    def __init__(self, seed, step):
        self._run_and_step = tf.cast(tf.stack([seed, step]), tf.int32)
        self._calls = 0

    def next(self, ordered=True):
        self._calls += 1
        return tf.random.experimental.stateless_fold_in(self._run_and_step, self._calls)


def _layers(policy, channels):
    return [layer for name in policy.split("+") for layer in POLICIES[name](channels)]


def check(policy, info, batch_size):
    """Raises `InputError` unless the policy exists and fits the data.

    Args:
        policy: Keys of `POLICIES`, joined by `+`.
        info: The `DataInfo`.
        batch_size: Examples in a batch; those that mix take their partners from it.
    """
    for name in policy.split("+"):
        checks.one_of("augmentation policy", name, POLICIES)
    if policy == "none":
        return
    if not kinds.kind(info.kind).is_drawn:
        raise checks.InputError(
            f"The augmentation {policy!r} is for images; {info.name} holds {info.kind} inputs."
        )
    if not any(isinstance(layer, MIXING) for layer in _layers(policy, info.input_shape[-1])):
        return
    if not task(info.task).mixes_labels:
        raise checks.InputError(
            f"The augmentation {policy!r} mixes the labels of classes; {info.name} is a {info.task}. "
            "Leave out mixup and cutmix."
        )
    if batch_size < 2:
        raise checks.InputError(
            f"The augmentation {policy!r} mixes examples of a batch: batch_size must be at least 2."
        )


def check_weights(policy, data):
    """Raises `InputError` where examples are mixed that have weights of their own.

    Args:
        policy: As in the config.
        data: The training examples.
    """
    if {"mixup", "cutmix"} & {*policy.split("+")} and data.weights is not None:
        raise checks.InputError(
            f"The augmentation {policy!r} mixes examples, whose weights (sample_weight) cannot be mixed: leave one out."
        )


def augmenter(policy, seed, info, *, share=1.0, binarize=False):
    """Returns a function `(images, targets, step) → (images, targets)` of batches, or `None` for `"none"`.

    Images come back as float32 in 0..255. Policies that mix examples turn class ids into shares of the classes,
    float32 `[B, K]`; targets that are `[B, K]` already are mixed as they are.

    Call it outside of pipeline functions: the layers have variables, which those may not create.

    Args:
        policy: Keys of `POLICIES`, joined by `+`, applied in that order.
        seed: The run's seed.
        info: The `DataInfo`: number of channels and of classes.
        share: Of the images, the share that the policy changes.
        binarize: Make pixels 255 with the probability that their grey level is, otherwise 0; after the policy.
    """
    if policy == "none" and not binarize:
        return None
    layers = _layers(policy, info.input_shape[-1])
    mixes = any(isinstance(layer, MIXING) for layer in layers)

    def augment(images, targets, step):
        seeds = _StepSeed(seed, step)
        images = tf.cast(images, tf.float32)
        if mixes and targets.shape.rank == 1:
            targets = tf.one_hot(targets, info.num_outputs)
        elif mixes:
            targets = tf.cast(targets, tf.float32)
        before = images, targets
        for layer in layers:
            noise = layer.get_random_transformation(images, training=True, seed=seeds)
            images = layer.transform_images(images, noise, training=True)
            if isinstance(layer, MIXING):
                targets = layer.transform_labels(targets, noise, training=True)
        if layers and share < 1:
            is_changed = tf.random.stateless_uniform(tf.shape(images)[:1], seeds.next()) < share
            images, targets = (
                tf.where(tf.reshape(is_changed, [-1] + [1] * (after.shape.rank - 1)), after, kept)
                for after, kept in zip((images, targets), before)
            )
        if binarize:
            level = tf.random.stateless_uniform(tf.shape(images), seeds.next(), maxval=255.0)
            images = tf.where(level < images, 255.0, 0.0)
        return images, targets

    return augment
