"""How many inputs of other kinds are found to be novel, and how many of the test split are by mistake.

    python -m benchmarks.novelty [MODEL ...]

Each model's training and validation examples are embedded as an export does with `novelty=True`; the energy score of Liu et al.
2020 gets its threshold in the same way. Noise is uniform, letters are drawn by Pillow, photographs are cut from the two that
scikit-learn has, grey; inverted digits are those of the test split. A threshold that 95 % of validation are below calls about 5 % of the test
split novel.
"""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

import zoo
from zoo.saving import novelty

MODELS = ("digits_cnn", "digits_dense", "mnist_cnn")
COUNT = 500
RNG = np.random.default_rng(0)


def noise(size):
    return RNG.integers(0, 256, (COUNT, *size, 1), dtype="uint8")


def letters(size):
    """Capitals but for I and O, which are 1 and 0, in white on black, moved a little."""
    font, found = ImageFont.load_default(size=40), []
    for i in range(COUNT):
        image = Image.new("L", (56, 56))
        place = tuple(28 + RNG.integers(-3, 4, 2))
        letter = "ABCDEFGHJKLMNPQRSTUVWXYZ"[i % 24]
        ImageDraw.Draw(image).text(place, letter, fill=255, font=font, anchor="mm")
        found.append(np.array(image))
    return as_images(found, size)


def photographs(size):
    found = []
    for i in range(COUNT):
        pixels = np.array(Image.fromarray(load_sample_images().images[i % 2]).convert("L"))
        width = RNG.integers(60, 300)
        y, x = (RNG.integers(0, side - width) for side in pixels.shape)
        found.append(pixels[y : y + width, x : x + width])
    return np.concatenate([as_images([pixels], size) for pixels in found])


def as_images(found, size):
    resized = tf.image.resize(np.stack(found)[..., None], size, antialias=True)
    return np.round(resized.numpy()).clip(0, 255).astype("uint8")


def energy(model, embeddings):
    """The negative logarithm of the sum of the exponentials of the logits (Liu et al. 2020, equation 4)."""
    network = zoo.build(weights=str(model.path))
    return -tf.reduce_logsumexp(network.layers[-1](embeddings), -1).numpy()


def measured(name):
    """Yields (what was given, share that is called novel by neighbours, by energy) of a shipped model of digits."""
    model = zoo.load(name)
    splits = zoo.load_dataset(model.card.data.name)
    run = model.signatures["embed"]

    def embed(raw):
        return run(**{key: tf.constant(values) for key, values in raw.items()})

    train = novelty.embeddings_of(embed, splits, "train", novelty.REFERENCES)
    validation = novelty.embeddings_of(embed, splits, "validation", novelty.VALIDATION)
    neighbours = novelty.Novelty.of(train, validation)
    limit = np.quantile(energy(model, validation), novelty.SHARE)
    size = model.card.input_shape[:2]
    test = splits.pick("test", np.arange(min(2000, len(splits.examples["test"]))))
    given = {
        "test split": test,
        "noise": noise(size),
        "letters": letters(size),
        "photographs": photographs(size),
        "inverted digits": 255 - test[:COUNT],
    }
    for what, images in given.items():
        embeddings = model.embed(images)
        flagged = neighbours.answers(embeddings)["is_novel"]
        yield what, flagged.mean(), (energy(model, embeddings) > limit).mean()


def main(names):
    print("| model | given | called novel, nearest neighbours | called novel, energy |")
    print("| --- | --- | --- | --- |")
    for name in names or MODELS:
        for what, by_neighbours, by_energy in measured(name):
            print(f"| `{name}` | {what} | {by_neighbours:.1%} | {by_energy:.1%} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
