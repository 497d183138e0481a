"""What the shipped models' cards say, found again from the SavedModels alone on the whole test split.

    python -m benchmarks.recompute                     # all of them
    python -m benchmarks.recompute mnist_vae imdb_lstm

Accuracies and word error rates have to be those of the cards; a negative log-likelihood is estimated with the same noise, and
has to be the card's in the four decimals that it prints.
"""

import argparse
import math
import sys

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import shipped
from zoo.models import checks
from zoo.saving.runtimes import convert
from zoo.tasks import text_to_text as translation

BATCH = 256
IMAGES, AT_ONCE = 100, 100  # of the likelihood: images, and samples of each, in memory together
SAME = {"accuracy": 1e-9, "sequence_error": 1e-9, "nll": 5e-5}


def recompute(name, *, samples=5000):
    """The first score of a model's first run, computed again.

    Args:
        name: As in `zoo.load`.
        samples: Importance samples for each image, where the score is a likelihood.

    Returns:
        The metric, its value, and that of the card.

    Raises:
        InputError: The data are not here, or the model's task is none that this module can judge.
    """
    model = zoo.load(name)
    metric, said = next(iter(model.card.runs[0].scores.items()))
    splits = convert.splits_of(model.card)
    raw = splits.pick("test", np.arange(len(splits.examples["test"])))
    if metric == "accuracy":
        given = dict(zip(model.card.columns, raw.T)) if model.card.columns else raw
        found = np.mean(model.predict(given)["class_id"] == splits.targets("test"))
    elif metric == "sequence_error":
        found = _word_error_rate(model, raw, splits)
    elif metric == "nll":
        found = _negative_log_likelihood(model, raw, samples)
    else:
        raise checks.InputError(
            f"Recomputable scores are {', '.join(SAME)}. Received: {metric} of {name}"
        )
    return metric, float(found), said


def _word_error_rate(model, texts, splits):
    answer = model.signatures["serving_default"]
    wrong = 0
    for start in range(0, len(texts), BATCH):
        given = answer(text=tf.constant(texts[start : start + BATCH]))["answer"].numpy()
        targets = splits.targets("test")[start : start + BATCH]
        for text, target in zip(given, targets, strict=True):
            wrong += translation.judge(text.decode(), target, splits.info.target_unit)[0]
    return wrong / len(texts)


def _negative_log_likelihood(model, images, samples):
    """In nats, of black and white images, by importance sampling (Burda et al. 2016, equation 8).

    The noise is that of `vae.log_likelihood`: Keras's with seed 0, for each hundred samples one draw per batch.
    """
    encode, decode = model.signatures["encode"], model.signatures["decode"]
    noise = keras.random.SeedGenerator(0)

    @tf.function
    def log_mean_weight(given):
        """The logarithm of the mean of `AT_ONCE` importance weights `[B]`."""
        statistics = encode(image=given)
        mean, log_variance = (
            tf.repeat(statistics[name], AT_ONCE, axis=0) for name in ("mean", "log_variance")
        )
        drawn = keras.random.normal(tf.shape(mean), dtype="float32", seed=noise)
        latent = mean + tf.exp(log_variance / 2) * drawn
        pixels = tf.reshape(decode(latent=latent)["image"], [len(given), AT_ONCE, -1])
        white = tf.reshape(given > 127, [len(given), 1, -1])
        right = tf.math.log(tf.maximum(tf.where(white, pixels, 1 - pixels), 1e-8))
        rest = tf.reduce_sum(drawn**2 + log_variance - latent**2, -1) / 2
        weights = tf.reduce_sum(right, -1) + tf.reshape(rest, [-1, AT_ONCE])
        return tf.reduce_logsumexp(weights, 1) - math.log(AT_ONCE)

    total, rounds = np.full(len(images), -np.inf), max(samples // AT_ONCE, 1)
    for _ in range(rounds):
        parts = [
            log_mean_weight(tf.constant(images[start : start + IMAGES]))
            for start in range(0, len(images), IMAGES)
        ]
        total = np.logaddexp(total, np.concatenate(parts).astype("float64"))
    return math.log(rounds) - total.mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="default: all that ship")
    parser.add_argument(
        "--samples", type=int, default=5000, help="importance samples of each image"
    )
    options = parser.parse_args()
    differ = False
    for name in options.models or shipped.names():
        metric, found, said = recompute(name, samples=options.samples)
        same = abs(found - said) <= SAME[metric]
        differ |= not same
        print(f"{name}: {metric} {found:.6g}, on its card {said:.6g}: {'the same' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
