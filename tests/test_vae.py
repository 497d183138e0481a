"""The variational autoencoder: its bound against NumPy, its likelihood against a closed form, its functions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from tolerances import DRAWS, KERNELS, ORDER, assert_close

import zoo
from zoo.models import latent, vae
from zoo.training import replicas

RNG = np.random.default_rng(0)
PIXELS = RNG.random((6, 4, 4, 1)).astype("float32")


def built(**options):
    keras.utils.set_random_seed(0)
    model = zoo.build_vae((4, 4, 1), **{"units": (8,), "latent_dim": 3, **options})
    for weight in model.trainable_weights:  # new biases are 0, and so are many mistakes
        weight.assign(RNG.normal(size=weight.shape) * 0.5)
    return model


def log_normal(x, mean, log_variance):
    terms = (x - mean) ** 2 / np.exp(log_variance) + log_variance + np.log(2 * np.pi)
    return -0.5 * terms.sum(-1)


def bound_in_numpy(x, decoded, mean, log_variance, z, likelihood, scale, beta):
    """The negative bound of each example; z is [B, k, L] and decoded [B, k, D]."""
    x = x.reshape(len(x), 1, -1)
    if likelihood == "bernoulli":
        p = 1 / (1 + np.exp(-decoded))
        log_p = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1)
    else:
        log_p = log_normal(x, decoded, np.full_like(decoded, 2 * np.log(scale)))
    if z.shape[1] == 1:
        kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(-1)
        return -(log_p[:, 0] - beta * kl)
    weights = log_p + log_normal(z, 0, np.zeros_like(z))
    weights -= log_normal(z, mean[:, None], log_variance[:, None])
    return -(logsumexp(weights, axis=1) - np.log(z.shape[1]))


@pytest.mark.parametrize("options", [
    {}, {"beta": 3.0}, {"likelihood": "gaussian", "scale": 0.7}, {"num_samples": 5}, {"filters": (3,), "units": ()},
    {"likelihood": "gaussian", "num_samples": 4, "scale": 2.0},
])  # fmt: skip
def test_the_loss_is_the_bound_of_numpy(options):
    model = built(**options)
    k = options.get("num_samples", 1)
    probe = keras.Model(
        model.input,
        {
            "z": model.get_layer("sampling").output,
            "decoded": model.get_layer("decoder")(model.get_layer("sampling").output),
            **model.output,
        },
    )
    outputs = {name: np.asarray(value, "float64") for name, value in probe(PIXELS).items()}
    loss = float(sum(probe.losses))
    expected = bound_in_numpy(
        PIXELS.astype("float64"),
        outputs["decoded"].reshape(6, k, -1),
        outputs["mean"],
        outputs["log_variance"],
        outputs["z"].reshape(6, k, 3),
        options.get("likelihood", "bernoulli"),
        options.get("scale", 1.0),
        options.get("beta", 1.0),
    )
    assert_close(loss, expected.mean(), ORDER)


def test_the_divergence_of_the_prior_is_0():
    zeros = np.zeros((2, 3), "float32")
    np.testing.assert_array_equal(latent.divergence(zeros, zeros), 0)
    assert (np.asarray(latent.divergence(zeros + 0.1, zeros)) > 0).all()
    assert (np.asarray(latent.divergence(zeros, zeros - 0.1)) > 0).all()


@pytest.mark.slow
def test_more_samples_tighten_the_bound():
    def loss(k):
        keras.utils.set_random_seed(0)
        model = built(num_samples=k)
        model.set_weights(reference.get_weights())
        model.compile("sgd")
        x = np.repeat(PIXELS, 400, axis=0)
        return model.evaluate(x, batch_size=1200, verbose=0)

    reference = built()
    one, five, fifty = loss(1), loss(5), loss(50)
    assert one > five + 0.1 > fifty + 0.2
    exact = -vae.log_likelihood(reference, PIXELS, 20_000).mean()
    assert exact < fifty + 0.05


@pytest.mark.slow
def test_the_likelihood_of_a_linear_gaussian_model_is_the_closed_form():
    """x = z W + b + s ε is a Gaussian with mean b and covariance Wᵀ W + s² I."""
    model = zoo.build_vae((5,), units=(), latent_dim=2, likelihood="gaussian", scale=0.8)
    weights = np.array([[1.0, 0.5, 0.0, 0.0, -0.5], [0.0, 0.0, 0.7, -0.3, 0.0]])  # orthogonal
    bias = RNG.normal(size=5)
    variance = 1 / (1 + (weights**2).sum(1) / 0.8**2)  # of the posterior, which the encoder can be
    kernel = weights.T * variance / 0.8**2
    model.get_layer("decoder").set_weights([weights, bias])
    model.get_layer("mean").set_weights([kernel, -bias @ kernel])
    model.get_layer("log_variance").set_weights([np.zeros((5, 2)), np.log(variance)])
    x = RNG.normal(size=(7, 5)).astype("float32")
    covariance = weights.T @ weights + 0.8**2 * np.eye(5)
    away = x - bias
    exact = -0.5 * (np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
                    + np.linalg.slogdet(2 * np.pi * covariance)[1])  # fmt: skip
    for num_samples in (1, 150):  # with the true posterior one sample is enough
        found = vae.log_likelihood(model, x, num_samples, batch_size=4)
        assert_close(found, exact, ORDER)
    model.get_layer("mean").set_weights([kernel, 0.3 - bias @ kernel])
    worse = vae.log_likelihood(model, x, 3000, batch_size=4)
    assert_close(worse, exact, DRAWS, scale=np.sqrt(20_000 / 3000))
    np.testing.assert_array_equal(vae.log_likelihood(model, x, 3000, batch_size=4), worse)
    assert not np.array_equal(vae.log_likelihood(model, x, 3000, seed=1), worse)


@pytest.mark.slow
def test_it_learns_to_draw_like_its_data():
    keras.utils.set_random_seed(0)
    corners = np.zeros((200, 4, 4, 1), "float32")
    corners[:100, :2], corners[100:, 2:] = 1.0, 1.0  # white above, or white below
    model = zoo.build_vae((4, 4, 1), units=(32,), latent_dim=2)
    model.compile(keras.optimizers.Adam(0.01))
    losses = model.fit(corners, epochs=60, batch_size=50, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert np.abs(vae.reconstruct(model, corners) - corners).mean() < 0.1
    drawn = vae.sample(model, 300, seed=0)
    is_corner = [np.abs(drawn - corners[i]).mean((1, 2, 3)) < 0.2 for i in (0, 199)]
    assert all(0.2 < share.mean() < 0.8 for share in is_corner)
    path = vae.interpolate(model, corners[0], corners[-1], steps=5)
    assert_close(path[0], vae.reconstruct(model, corners[:1])[0], KERNELS, scale=1)
    assert_close(path[-1], vae.reconstruct(model, corners[-1:])[0], KERNELS, scale=1)


def test_samples_repeat_by_seed_and_outputs_have_no_noise():
    model = built()
    np.testing.assert_array_equal(vae.sample(model, 4, seed=1), vae.sample(model, 4, seed=1))
    assert not np.array_equal(vae.sample(model, 4, seed=1), vae.sample(model, 4, seed=2))
    first, again = (model.predict(PIXELS, verbose=0) for _ in range(2))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert set(first) == {"logits", "mean", "log_variance"}
    assert_close(vae.encode(model, PIXELS)[0], first["mean"], KERNELS)


@pytest.mark.parametrize("shape", [(5, 7, 2), (8, 8, 1), (3, 3, 1)])
def test_convolutions_give_the_size_back(shape):
    model = zoo.build_vae(shape, filters=(3, 4), units=(6,), latent_dim=2)
    assert model.output["logits"].shape == (None, *shape)


def test_noise_differs_between_replicas_and_repeats_by_seed():
    strategy = zoo.make_strategy("mirrored", replicas=2)

    def noises():
        with strategy.scope():
            keras.utils.set_random_seed(0)
            model = zoo.build_vae((4,), units=(), latent_dim=8)
            replicas.prepare_model(model, strategy)
        layer = model.get_layer("sampling")
        zeros = tf.zeros((1, 8))
        run = tf.function(lambda: strategy.run(lambda: layer([zeros, zeros])))
        return [value.numpy() for value in strategy.experimental_local_results(run())]

    first, second = noises(), noises()
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: zoo.build_vae((4, 4, 1), 10), "leave num_classes out"),
        (lambda: zoo.build_vae((4,), filters=(3,)), r"3 dimensions.*\(28, 28, 1\)"),
        (lambda: zoo.build_vae((4,), likelihood="bernouli"), "Did you mean 'bernoulli'"),
        (lambda: zoo.build_vae((4,), beta=2.0, num_samples=5), "pass beta=1, or num_samples=1"),
        (lambda: zoo.build_vae((4,), latent_dim=0), "latent_dim"),
        (lambda: zoo.build_vae((4,), scale=0), "scale"),
        (lambda: vae.encode(built(), PIXELS[0]), r"shape \(count, 4, 4, 1\)"),
        (lambda: vae.decode(built(), np.zeros((2, 4))), r"shape \(count, 3\)"),
        (lambda: vae.sample(built(), 0), "`n`"),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()


def test_the_sizes_of_the_papers():
    iwae = zoo.build("vae:iwae", input_shape=(784,))
    encoder = 784 * 200 + 200 + 200 * 200 + 200 + 2 * (200 * 50 + 50)
    decoder = 50 * 200 + 200 + 200 * 200 + 200 + 200 * 784 + 784
    assert iwae.count_params() == encoder + decoder
    base = zoo.build("vae", input_shape=(784,))
    assert base.count_params() == 784 * 500 + 500 + 2 * (500 * 20 + 20) + 20 * 500 + 500 + 500 * 784 + 784  # fmt: skip
