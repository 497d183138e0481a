"""Images and folders as people leave them: one reading in training, `zoo predict`, `zoo.load` and plain TensorFlow."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pictures
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from tolerances import JPEG, KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import image_files, pixels
from zoo.saving import inputs

OPTIONS = {"epochs": 1, "batch_size": 8, "quiet": True}
ALONE = {**pictures.ALONE, **pictures.JPEG}
FILES = {**ALONE, **pictures.BY_PILLOW}


def seen(content):
    """A file as Pillow shows it on white, uint8 `[H, W, 3]`."""
    image = Image.open(io.BytesIO(content))
    image.load()
    if image.mode.startswith("I;16"):
        return np.repeat(np.round(np.asarray(image) / 257).astype("uint8")[..., None], 3, -1)
    image = image.convert("RGBA" if image.has_transparency_data else "RGB").convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB"))


# Decoding


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_decoded_as_it_is_seen(name):
    found = pixels.decode(FILES[name], 3).numpy()
    if name in pictures.JPEG:
        assert_close(found.astype(float), seen(FILES[name]).astype(float), JPEG, scale=255)
    else:
        np.testing.assert_array_equal(found, seen(FILES[name]))


def test_files_in_a_graph_have_the_pixels_of_training_or_are_refused():
    graph = tf.function(image_files.decode_all, autograph=False)
    for name, content in ALONE.items():
        wanted = image_files.resize(pixels.decode(content, 3), (6, 9))
        np.testing.assert_array_equal(graph(tf.constant([content]), (6, 9), 3)[0], wanted, name)
    for name, content in pictures.BY_PILLOW.items():
        with pytest.raises(tf.errors.InvalidArgumentError):
            print(name, graph(tf.constant([content]), (6, 9), 3))


def test_ordinary_files_have_the_pixels_that_they_had():
    for name in ("PNG, RGB", "PNG, grey", "BMP, RGB", "BMP, grey", "GIF", *pictures.JPEG):
        for channels in (1, 3):
            before = pixels.decode_as_before(FILES[name], channels)
            np.testing.assert_array_equal(pixels.decode(FILES[name], channels), before, name)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says(form, orientation):
    options = {"lossless": True} if form == "webp" else {}
    plain = pixels.decode(pictures.content(pictures.SMOOTH, form, **options), 3).numpy()
    image = Image.fromarray(plain)
    image.getexif()[0x0112] = orientation
    wanted = np.asarray(ImageOps.exif_transpose(image))
    for endian in "<>":
        exif = Image.Exif()
        exif[0x0112] = orientation
        if form != "tiff":
            exif.endian = endian
            exif[0x010F] = "a maker of some length"
            exif[0x8769] = {0x9003: "2020:01:01 00:00:00"}
        found = pixels.decode(pictures.content(pictures.SMOOTH, form, exif=exif, **options), 3)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])  # fmt: skip
def test_exif_that_is_damaged_turns_nothing(exif):
    plain = pixels.decode(pictures.JPEG["JPEG"], 3)
    content = pictures.content(pictures.SMOOTH, "jpeg", exif=exif)
    np.testing.assert_array_equal(pixels.decode(content, 3), plain)


def test_16_bits_of_colour_are_scaled_by_their_type():
    deep = np.random.default_rng(0).integers(0, 65536, (6, 9, 3)).astype("uint16")
    content = tf.io.encode_png(deep).numpy()
    np.testing.assert_array_equal(pixels.decode(content, 3), np.round(deep / 257))
    assert pixels.decode(tf.io.encode_png(np.full((1, 1, 1), 65535, "uint16")).numpy(), 1) == 255


def test_transparency_is_kept_where_a_model_takes_it():
    both = np.asarray(pictures.CLEAR)
    np.testing.assert_array_equal(pixels.decode(pictures.ALONE["PNG, RGBA"], 4), both)
    opaque = pixels.decode(pictures.ALONE["PNG, grey"], 4).numpy()
    assert (opaque[..., 3] == 255).all()


# A model of files that differ in their transparency alone


@pytest.fixture(scope="module")
def icons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("icons")
    rng = np.random.default_rng(0)
    for name, alpha in (("clear", 40), ("opaque", 255)):
        (folder / "icons" / name).mkdir(parents=True)
        for i in range(24):
            colours = rng.integers(0, 60, (8, 8, 3))
            rows = np.concatenate([colours, np.full((8, 8, 1), alpha)], -1).astype("uint8")
            Image.fromarray(rows).save(folder / "icons" / name / f"{i}.png")
    options = {**OPTIONS, "epochs": 25, "learning_rate": 1e-2}
    return folder, zoo.train("cnn:tiny", folder / "icons", out=str(folder / "run"), **options)


def test_transparency_is_learned_and_predicted_everywhere(icons):
    folder, trained = icons
    assert trained.report.scores["accuracy"] == 1
    files = [str(folder / "icons" / name / "0.png") for name in ("clear", "opaque")]
    contents = [Path(file).read_bytes() for file in files]
    model, wanted = zoo.load(trained.export), ["clear", "opaque"]
    assert [row["label"] for row in inputs.predict_files(model, files)] == wanted
    assert model.predict(files)["label"].tolist() == wanted
    assert model.predict(contents)["label"].tolist() == wanted
    serve = tf.saved_model.load(str(trained.export)).signatures["serving_bytes"]
    found = serve(image_bytes=tf.constant(contents))
    assert found["label"].numpy().tolist() == [b"clear", b"opaque"]
    assert_close(model.predict(files)["probabilities"], found["probabilities"], KERNELS, scale=1)


def test_files_of_every_form_are_predicted(icons, in_tmp):
    _, trained = icons
    model = zoo.load(trained.export)
    for i, content in enumerate(FILES.values()):
        Path(f"{i}.png").write_bytes(content)
    rows = list(inputs.predict_files(model, [f"{i}.png" for i in range(len(FILES))]))
    alone = model.predict(list(FILES.values()))["probabilities"]
    assert_close(np.array([row["probabilities"] for row in rows]), alone, KERNELS, scale=1)


def test_a_table_of_names_is_predicted_and_hidden_files_are_not(icons, in_tmp):
    folder, trained = icons
    model = zoo.load(trained.export)
    shutil.copytree(folder / "icons", "icons")
    Path("icons/__MACOSX").mkdir()
    for hidden in ("icons/__MACOSX/0.png", "icons/clear/._0.png", "icons/README.txt"):
        Path(hidden).write_bytes(b"none")
    assert len(list(inputs.predict_files(model, ["icons"]))) == 48
    table = pd.DataFrame({"icon": ["clear/1.png", "opaque\\1.png"], "price": [1, 2]})
    table.to_csv("icons/new.csv", index=False)
    found = [(row["input"], row["label"]) for row in inputs.predict_files(model, ["icons/new.csv"])]
    assert found == [("icons/new.csv:2", "clear"), ("icons/new.csv:3", "opaque")]
    Path("icons/new.csv").write_text("icon\nclear/1.png\nclear/none.png\n")
    with pytest.raises(
        zoo.InputError, match=r"1 of the 2 files .*clear/none.png in icons/new.csv, line 3"
    ):
        list(inputs.predict_files(model, ["icons/new.csv"]))


def test_a_model_of_before_reads_files_as_its_graph_does(in_tmp, caplog):
    model = zoo.load("digits_cnn")
    assert model.card.decoding is None
    clear = np.concatenate([np.zeros((8, 8, 3)), np.full((8, 8, 1), 9)], -1).astype("uint8")
    Image.fromarray(clear).save("clear.png")
    Image.fromarray(clear[..., :3]).save("opaque.png")
    with caplog.at_level("INFO", "zoo"):
        (one, other) = inputs.predict_files(model, ["clear.png", "opaque.png"])
    serve = model.signatures["serving_bytes"]
    wanted = serve(image_bytes=tf.constant([Path("clear.png").read_bytes()]))["probabilities"]
    assert_close(np.array([one["probabilities"]]), wanted.numpy(), KERNELS, scale=1)
    assert one["probabilities"] == other["probabilities"]
    told = [line for line in caplog.messages if "read as when this model was trained" in line]
    assert len(told) == 1
    assert told[0].startswith("clear.png: ")


# Images that teach nothing


def test_equal_images_are_refused_before_training(in_tmp):
    for name in "ab":
        for i in range(10):
            pictures.write(f"p/{name}/{i}.png", value=7)
    same = np.zeros((40, 8, 8, 1), "uint8")
    with pytest.raises(zoo.InputError, match="All 20 training images are equal"):
        door.read("p")
    with pytest.raises(zoo.InputError, match="All 40 training images are equal"):
        door.read((same, np.arange(40) % 2))
    same[::2] = 9
    door.read((same, np.arange(40) % 2), repeats="keep")
    with pytest.raises(zoo.InputError, match="of the class '2' are those of the class '0'"):
        door.read((same, np.arange(40) % 4), repeats="keep")


def test_a_few_equal_images_are_no_fault(in_tmp):
    noise = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype("uint8")
    noise[:4] = 0
    door.read((noise, np.arange(40) % 2), repeats="keep")
    door.read((noise, np.linspace(0, 1, 40)), repeats="keep")


# Folders


def flat(root, count=5):
    for i in range(count):
        pictures.write(f"{root}/{i}.png")


def in_splits(*names):
    for name in names:
        pictures.classes(f"p/{name}")


def wrapped():
    pictures.classes("p/pets/images/Train")
    pictures.classes("p/pets/images/TEST")


def unlabelled():
    pictures.classes("p/train")
    flat("p/test")


def in_one_folder():
    pictures.classes("p/train")
    flat("p/test/unknown")


def nested():
    pictures.classes("p/cat", ("2020", "2021"), 5)
    pictures.classes("p/dog", ("old",), 10)


@pytest.mark.parametrize(
    ("make", "counts", "words"),
    [
        (lambda: in_splits("Train", "Test", "Valid"), [20, 20, 20], ""),
        (lambda: in_splits("train", "val"), [16, 4, 20], ""),
        (lambda: in_splits("train/train", "test/test"), [20, 20], "holds nothing but the folder train"),
        (wrapped, [20, 20], "p holds nothing but the folder pets: that is read"),
        (unlabelled, [16, 4], "p/test has no labels: it can be predicted (zoo predict), not scored"),
        (in_one_folder, [16, 4], "p/test has no labels"),
        (nested, [16, 4], ""),
        (lambda: (pictures.classes("p"), flat("p")), [16, 4], "p: 5 files that are in no class are not read"),
        (lambda: pictures.classes("p", ending="PNG"), [16, 4], ""),
        (lambda: pictures.classes("p", ending="tif"), [16, 4], ""),
        (lambda: pictures.classes("p", ("Cat", "Dog")), [16, 4], ""),
    ],
)  # fmt: skip
def test_folders_are_read_as_they_lie(make, counts, words, in_tmp, caplog):
    make()
    with caplog.at_level("INFO", "zoo"):
        info, splits = door.read("p")
    assert [label.lower() for label in info.labels] == ["cat", "dog"]
    order = [split for split in ("train", "test", "validation") if split in splits]
    assert [len(splits[split]) for split in order] == counts
    assert words in caplog.text


def test_a_class_that_no_test_has_is_named(in_tmp, caplog):
    pictures.classes("p/train", ("neg", "pos", "unsup"))
    pictures.classes("p/test", ("neg", "pos"))
    info, _ = door.read("p")
    assert "the class 'unsup' has no test examples" in caplog.text
    assert info.labels == ("neg", "pos", "unsup")


def test_generation_needs_no_labels(in_tmp, caplog):
    flat("p", 20)
    info, splits = door.read("p", task="generation")
    assert (info.task, len(splits["train"])) == ("generation", 16)
    unlabelled_too = Path("q")
    pictures.classes(unlabelled_too / "train")
    flat(unlabelled_too / "test", 7)
    info, splits = door.read("q", task="generation")
    assert (len(splits["train"]), len(splits["test"])) == (20, 7)
    assert "no test examples" not in caplog.text


def test_files_that_pillow_reads_are_streamed(in_tmp):
    for i, name in enumerate(pictures.BY_PILLOW):
        Path(f"p/{'ab'[i % 2]}").mkdir(parents=True, exist_ok=True)
        Path(f"p/{'ab'[i % 2]}/{i}.png").write_bytes(pictures.BY_PILLOW[name])
    _, held = door.read("p", repeats="keep")
    _, streamed = door.read("p", repeats="keep", cache_mb=0)
    for split in ("train", "test"):
        images = np.stack([image for image, _ in streamed[split].examples.as_numpy_iterator()])
        np.testing.assert_array_equal(images, held[split].inputs)
