"""How a variational autoencoder is judged: in nats, by what it says of test images that it has not seen.

Outputs, one row for each image: the negative logarithm of its probability (NLL, estimated with importance samples), the
negative evidence lower bound (ELBO), the divergence in it, then the posterior means.
"""

import dataclasses

import numpy as np

from zoo.models import latent, vae
from zoo.training import pictures, scores

NUM_STATISTICS = 3
ELBO_SAMPLES = 10
SHOWN = 64  # samples
PAIRS = 10  # images beside their reconstructions
ACTIVE = 0.01  # variance of a posterior mean over the images above which a unit is active (Burda et al. 2016)


def outputs(model, splits, preparation, run):
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


def draw(model, splits, outputs, folder):
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
    targets = splits.targets("test")
    labels = splits.info.labels
    pictures.latent(
        outputs[:, NUM_STATISTICS:], targets if labels else None, labels, folder / "latent.png"
    )
    return ["samples.png", "reconstructions.png", "latent.png"]
