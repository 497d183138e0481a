"""Image generation: the images are learned alone. A variational autoencoder is judged in nats, by what it says of test images that it has not seen.

Outputs, one row for each image: the negative logarithm of its probability (NLL, estimated with importance samples), the
negative evidence lower bound (ELBO), the divergence in it, then the posterior means.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from zoo.data import kinds
from zoo.models import checks, latent, vae
from zoo.tasks import losses, model_checks, pictures, scores, target_checks
from zoo.tasks import targets as conversions
from zoo.tasks.row import Task

NUM_STATISTICS = 3
GOLDEN = 8  # latent vectors that an export is proved with
ELBO_SAMPLES = 10
SHOWN = 64  # samples
PAIRS = 10  # images beside their reconstructions
ACTIVE = 0.01  # variance of a posterior mean over the images above which a unit is active (Burda et al. 2016)


def outputs(model, splits, run):
    """The outputs for the test split, float64 `[N, 3 + L]`."""
    count = len(splits.examples["test"])
    replicas = model.distribute_strategy.num_replicas_in_sync
    x = np.concatenate([batch.numpy() for batch in splits.test_inputs_for(replicas)])
    mean, log_variance = vae.encode(model, x)
    nll = -vae.log_likelihood(model, x, run.config.report.likelihood_samples)
    bounds = [vae.log_likelihood(model, x, 1, seed=seed) for seed in range(ELBO_SAMPLES)]
    divergence = np.asarray(latent.divergence(mean, log_variance))
    columns = np.stack([nll, -np.mean(bounds, 0), divergence], axis=1)
    return np.concatenate([columns, mean], axis=1).astype("float64")[:count]


def score(targets, outputs):
    """Test scores in nats, and how many units of the latent space carry anything."""
    nll, bound, divergence = outputs[:, :NUM_STATISTICS].mean(0)
    found = {"nll": float(nll), "negative_elbo": float(bound), "kl": float(divergence)}
    active = int((outputs[:, NUM_STATISTICS:].var(0) > ACTIVE).sum())
    return found | {"active_units": active}


def interval(targets, outputs):
    """Of the NLL."""
    nll = outputs[:, 0]
    return scores.bootstrap(lambda held: nll @ held / len(nll), len(nll))


def constant(splits, model):
    """The outputs where each pixel is drawn by its training mean, whatever the others are."""
    all_of_train = dataclasses.replace(splits, examples={"test": splits.examples["train"]})
    total = sum(x.numpy().astype("float64").sum(0) for x, _ in all_of_train.test)
    mean = np.clip(total / len(splits.examples["train"]), 1e-4, 1 - 1e-4)
    bound = model.get_layer("bound")
    if bound.likelihood == "bernoulli":
        mean = np.log(mean / (1 - mean))  # the decoder's outputs are logits
    mean = mean.astype("float32")
    nll = [-bound.log_likelihood(x, np.broadcast_to(mean, x.shape)).numpy() for x, _ in splits.test]
    nll = np.concatenate(nll).astype("float64")
    return np.stack([nll, nll, np.zeros_like(nll)], axis=1)


def draw(model, splits, targets, outputs, folder):
    """Draws samples, reconstructions and the latent space; returns the files' names."""
    pictures.images(
        vae.sample(model, SHOWN, seed=0), 8, folder / "samples.png", "drawn from the prior"
    )
    x = next(iter(splits.test))[0].numpy()[:PAIRS]
    pairs = np.concatenate([x, vae.reconstruct(model, x)])
    pictures.images(
        pairs,
        PAIRS,
        folder / "reconstructions.png",
        "test images, and what the model makes of them",
    )
    labels = splits.info.labels
    pictures.latent(
        outputs[:, NUM_STATISTICS:], targets if labels else None, labels, folder / "latent.png"
    )
    return ["samples.png", "reconstructions.png", "latent.png"]


def _loss(options):
    """The model adds its own."""
    losses.refuse_of_classes(options, "a generation, whose loss is the model's own")


def _check_model(model, info):
    if set(model_checks.named_outputs(model)) != {"logits", "mean", "log_variance"}:
        raise checks.InputError(
            f"To generate like {info.name} a model of the family vae is needed, for example 'vae:small'. "
            f"Received: {model.name!r}"
        )
    if not kinds.kind(info.kind).is_drawn:
        raise checks.InputError(
            f"The task generation is for images; {info.name} holds {info.kind} inputs."
        )


def _protocol(config):
    pixels = {
        "none": "as they are",
        "static": "drawn black or white once",
        "dynamic": "drawn black or white, for training anew at each step, for the test once",
    }
    return (
        f"pixels {pixels[config.data.binarize]}",
        f"nll by {config.report.likelihood_samples:,} importance samples",
    )


def _pixels_of(model):
    """Returns a function from a decoder's outputs to pixels, float32 in 0..1."""
    is_bernoulli = model.get_layer("bound").likelihood == "bernoulli"

    def finish(outputs):
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if is_bernoulli else outputs

    return finish


def _predict(model, info, preparation, serving):
    finish, decoder = _pixels_of(model), model.get_layer("decoder")
    layers = {name: model.get_layer(name).output for name in ("mean", "log_variance")}
    encoder = keras.Model(model.inputs, layers)  # without the layer that draws samples

    def encode(features, raw, in_words=True):
        moments = encoder(features, training=False)
        decoded = finish(decoder(moments["mean"], training=False))
        moments = {name: tf.cast(values, tf.float32) for name, values in moments.items()}
        return {"reconstruction": decoded, **moments}

    return encode


def _signatures(model, preparation, serving, features, answers, specs, raw):
    """The parts of a variational autoencoder."""
    decoder, width = model.get_layer("decoder"), model.get_layer("mean").units
    finish = _pixels_of(model)

    def part(*names):
        def run(given):
            outputs = answers(features(given), given)
            return {name: outputs[name] for name in names}

        return run, specs, None

    def decode(given):
        return {"image": finish(decoder(given["latent"], training=False))}

    def sample(given):
        seed = tf.stack([given["seed"], 0])
        latent = tf.random.stateless_normal((given["count"], width), seed)
        return {"image": finish(decoder(latent, training=False)), "latent": latent}

    points = np.random.default_rng(0).standard_normal((GOLDEN, width)).astype("float32")
    latents = {"latent": tf.TensorSpec((None, width), tf.float32, name="latent")}
    numbers = {name: tf.TensorSpec((), tf.int32, name=name) for name in ("count", "seed")}
    drawn = {"count": np.int32(GOLDEN), "seed": np.int32(0)}
    return {
        "encode": part("mean", "log_variance"),
        "reconstruct": part("reconstruction"),
        "decode": (decode, latents, {"latent": points}),
        "sample": (sample, numbers, drawn),
    }


TASK = Task(
    name="generation",
    targets="none",
    convert=conversions.of_classes,  # where there are classes, pictures show them
    check_targets=target_checks.check_finite,
    prepare_targets=lambda splits: conversions.Unchanged(splits, {}),
    check_model=_check_model,
    loss=_loss,
    metrics=list,
    outputs=outputs,
    score=score,
    interval=interval,
    interval_by=scores.BOOTSTRAP,
    constant=constant,
    constant_is="each pixel by its mean in the training split, independently of the others",
    objectives=("negative_elbo", "nll"),
    draw=draw,
    options=("likelihood_samples",),
    protocol=_protocol,
    predict=_predict,
    signatures=_signatures,
    key="reconstruction",
    in_words=lambda row: ", ".join(f"{mean:.3f}" for mean in row["mean"]),
    columns=lambda row: {f"mean_{i}": mean for i, mean in enumerate(row["mean"])},
)
