"""Variational autoencoders in the shared recipe: black and white pixels, scores in nats, signatures of their own."""

import numpy as np
import pytest
from tolerances import KERNELS, ORDER, assert_close

import zoo
from zoo.data import load as door
from zoo.saving import golden_check
from zoo.tasks import image_generation as generation


def stripes(count=200):
    """Grey 6x6 images of vertical or horizontal stripes."""
    rng = np.random.default_rng(0)
    on = np.arange(6) % 2 * 200
    images = np.where(rng.random((count, 1, 1)) < 0.5, on[None, None, :], on[None, :, None])
    return (images + rng.integers(0, 40, (count, 6, 6))).astype("uint8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = {"epochs": 30, "learning_rate": 0.02, "quiet": True, "out": str(folder)}
    return zoo.train("vae:tiny", stripes(), **options)


@pytest.mark.slow
def test_images_alone_train_a_generator(trained):
    scores = trained.report.scores
    assert next(iter(scores)) == "nll"
    assert scores["nll"] <= scores["negative_elbo"] + 1e-6
    assert scores["nll"] < trained.report.constant["nll"] - 1
    low, high = trained.report.interval
    assert low < scores["nll"] < high
    for name in ("samples", "reconstructions", "latent", "curves"):
        assert (trained.report.folder / f"{name}.png").exists()


def test_the_saved_model_encodes_decodes_reconstructs_and_samples(trained):
    model, images = zoo.load(trained.export), stripes()[:5]
    codes = model.encode(images)
    assert_close(model.reconstruct(images), model.decode(codes["mean"]), KERNELS, scale=1)
    assert_close(model.predict(images)["mean"], codes["mean"], KERNELS)
    drawn = model.sample(20, seed=3)
    np.testing.assert_array_equal(drawn, model.sample(20, seed=3))
    assert (drawn != model.sample(20, seed=4)).any()
    assert drawn.shape == (20, 6, 6, 1)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    # What it draws is either kind of stripes: rows alike, or columns alike.
    across = drawn[..., 0].std(axis=1).mean(-1), drawn[..., 0].std(axis=2).mean(-1)
    assert (np.minimum(*across) < 0.5 * np.maximum(*across)).mean() > 0.5
    with pytest.raises(zoo.InputError, match=r"shape \(N, 2\)"):
        model.decode(np.zeros((3, 5)))
    with pytest.raises(zoo.InputError, match="embed"):
        model.embed(images)
    assert zoo.verify(trained.export)["largest_difference"] <= golden_check.TOLERANCE


def test_weights_come_back_for_more_training(trained):
    model = zoo.build(weights=trained.export)
    x = stripes()[:4, ..., None] / 255
    expected = trained.network.predict(x, verbose=0)
    assert_close(model.predict(x, verbose=0)["mean"], expected["mean"], KERNELS)


def test_the_constant_guess_is_that_of_independent_pixels(trained):
    info, examples = door.read(stripes(), task="generation")
    splits = door.make_splits(info, examples, batch_size=20)
    splits = splits.mapped(zoo.prepare(splits))
    found = generation.constant(splits, trained.network)[:, 0]
    used = splits.examples["train"].inputs.reshape(-1, 36) / 255
    p = np.clip(used.mean(0), 1e-4, 1 - 1e-4)
    x = np.concatenate([x.numpy() for x, _ in splits.test]).reshape(-1, 36)
    assert_close(found, -(x @ np.log(p) + (1 - x) @ np.log(1 - p)), ORDER)


def split_images(binarize, split="train", epochs=2):
    info, examples = door.read(stripes(), task="generation")
    splits = door.make_splits(info, examples, batch_size=144, binarize=binarize)
    batches = splits.train_forever().take(epochs) if split == "train" else getattr(splits, split)
    return np.stack([np.sort(x.numpy().reshape(len(x), -1).astype(int), 0) for x, _ in batches])


@pytest.mark.parametrize("binarize", ["dynamic", "static"])
def test_pixels_become_black_and_white(binarize):
    both = split_images(binarize)
    assert set(np.unique(both)) == {0, 255}
    # Sorted within each pixel, so the order of the examples does not count.
    assert (both[0] == both[1]).all() == (binarize == "static")
    assert both.mean() == pytest.approx(split_images("none").mean(), rel=0.03)
    for split in ("validation", "test"):
        judged = split_images(binarize, split)
        assert set(np.unique(judged)) == {0, 255}
        np.testing.assert_array_equal(judged, split_images(binarize, split))


@pytest.mark.parametrize("binarize", ["dynamic", "static"])
def test_validation_images_trained_on_are_drawn_like_the_others(binarize):
    splits = door.make_splits(
        *door.read(stripes(), task="generation"),
        batch_size=16, binarize=binarize, use_validation=True,
    )  # fmt: skip
    is_grey = (splits.examples["train"].inputs % 255 > 0).any((1, 2, 3))
    assert len(is_grey) == 160
    assert is_grey.all() == is_grey.any() == (binarize == "dynamic")


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("cnn:tiny", {"task": "generation"}, "family vae"),
        ("vae:tiny", {"task": "classification"}, "task='generation'"),
        ("vae:tiny", {"baseline": True}, "this is a generation"),
        ("vae:tiny", {"overfit_batch": True}, "this is a generation"),
        ("vae:tiny", {"label_smoothing": 0.1}, "the model's own"),
        ("vae:tiny", {"augment": "mixup"}, "is a generation"),
        ("cnn:tiny", {"binarize": "static"}, "for generation"),
        ("vae:tiny", {"binarize": "sometimes"}, "'dynamic'"),
        ("vae:tiny", {"likelihood_samples": 0}, "likelihood_samples"),
    ],
)
def test_what_does_not_go_together_is_refused(model, options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        zoo.train(model, (stripes(), np.arange(200) % 2), quiet=True, **options)
    assert not list(in_tmp.rglob("config.yaml"))
