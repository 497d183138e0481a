"""Images and folders"""

from pathlib import Path

import numpy as np
import pandas as pd
import pictures
from PIL import Image

from odd import odd
from zoo.data import load as door


def counts(splits):
    return {split: len(data) for split, data in splits.items()}


def one(content, name="odd.png"):
    """What a file becomes beside files of noise: its pixels, uint8 `[H, W, C]`."""
    pictures.classes("p", ("other",), 5, value=None, shape=(6, 9, 3))
    Path("p/odd").mkdir()
    for i in range(5):
        Path(f"p/odd/{i}{name}").write_bytes(content)
    _, splits = door.read("p", repeats="keep", image_size=(6, 9))
    inputs = np.concatenate([data.inputs for data in splits.values()])
    targets = np.concatenate([data.targets for data in splits.values()])
    return inputs[targets == 0][0]


@odd("icons that differ in their transparency alone")
def _():
    for name, alpha in (("faint", 60), ("full", 255)):
        for i in range(10):
            icon = np.full((8, 8, 4), [5 * i, 0, 0, alpha], "uint8")
            Path(f"p/{name}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(icon).save(f"p/{name}/{i}.png")
    _, splits = door.read("p")
    inputs, targets = splits["train"].inputs, splits["train"].targets
    assert inputs[targets == 0].min() > 150
    assert inputs[targets == 1].max() < 50


@odd("a palette PNG whose background is transparent")
def _():
    found = one(pictures.ALONE["PNG, palette with transparent colours"])
    assert found.shape == (6, 9, 3)


@odd("grey PNG files of 16 bits")
def _():
    for name, level in (("dark", 10_000), ("light", 60_000)):
        for i in range(10):
            Path(f"p/{name}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), level + i * 300, "uint16")).save(f"p/{name}/{i}.png")
    _, splits = door.read("p")
    assert splits["train"].inputs[splits["train"].targets == 1].min() >= 233


@odd("images of 16 bits of which 12 are used")
def _():
    for name in "ab":
        for i in range(10):
            Path(f"p/{name}").mkdir(parents=True, exist_ok=True)
            levels = np.random.default_rng(i + 100 * ord(name)).integers(0, 4096, (8, 8))
            Image.fromarray(levels.astype("uint16")).save(f"p/{name}/{i}.png")
    _, splits = door.read("p")
    assert splits["train"].inputs.max() == 16


@odd("photographs that a telephone has turned by EXIF")
def _():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = pictures.content(pictures.COLOURED.transpose(Image.Transpose.ROTATE_90), "png", exif=exif)  # fmt: skip
    np.testing.assert_array_equal(one(content), pictures.RGB)


@odd("a BMP with a palette, named .png")
def _():
    wanted = np.asarray(pictures.PALETTE.convert("RGB"))
    np.testing.assert_array_equal(one(pictures.BY_PILLOW["BMP, palette"]), wanted)


@odd("an animated WebP")
def _():
    assert one(pictures.ALONE["WebP, animated"], ".webp").shape == (6, 9, 3)


@odd("a TIFF in CMYK")
def _():
    np.testing.assert_array_equal(one(pictures.BY_PILLOW["TIFF, CMYK"], ".TIF"), pictures.RGB)


@odd("an archive that unpacks to a folder in a folder")
def _():
    pictures.classes("p/pets-master/pets/images")
    info, _ = door.read("p")
    assert info.labels == ("cat", "dog")


@odd("train/train and test/test, as Kaggle's archives unpack")
def _():
    pictures.classes("p/train/train")
    pictures.classes("p/test/test")
    assert counts(door.read("p")[1]) == {"train": 20, "test": 20}


@odd("a test folder of images without classes")
def _():
    pictures.classes("p/train")
    pictures.classes("p", ("test",), 5)
    assert counts(door.read("p")[1]) == {"train": 16, "test": 4}


@odd("train/unsup beside train/pos and train/neg, as in aclImdb")
def _():
    for split, names in (("train", ("neg", "pos", "unsup")), ("test", ("neg", "pos"))):
        for name in names:
            for i in range(5):
                path = Path(f"p/{split}/{name}/{i}.txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"a {split} text, {name}, number {i}")
    Path("p/train/urls_neg.txt").write_text("none")
    info, splits = door.read("p")
    assert info.labels == ("neg", "pos", "unsup")
    assert counts(splits) == {"train": 15, "test": 10}


@odd("images beside the folders of the classes, and notes among the images")
def _():
    pictures.classes("p")
    pictures.write("p/overview.png")
    Path("p/cat/notes.md").write_text("none")
    assert counts(door.read("p")[1]) == {"train": 16, "test": 4}


@odd("classes that test writes with other capitals")
def _():
    pictures.classes("p/train", ("Cat", "Dog"))
    pictures.classes("p/test")
    info, splits = door.read("p")
    assert info.labels == ("Cat", "Dog")
    assert sorted(splits["test"].targets) == [0] * 10 + [1] * 10


@odd("a folder of images alone, to generate more")
def _():
    pictures.classes(".", ("p",), 10)
    assert counts(door.read("p", task="generation")[1]) == {"train": 8, "test": 2}


def named(names, count=20):
    for i in range(count):
        pictures.write(f"images/{i:03d}.png")
    rows = {"id": [names.format(f"{i:03d}") for i in range(count)], "kind": ["a", "b"] * 10}
    pd.DataFrame(rows).to_csv("t.csv", index=False)
    return door.read("t.csv", files="id", target=("kind",))


@odd("a table that names images without their ending")
def _():
    assert named("{}")[0].kind == "image"


@odd("a table that names images with Windows' separators")
def _():
    assert named("images\\{}.png")[0].kind == "image"


@odd("a test.csv without the target, as Kaggle gives it")
def _():
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(size=20), "kind": ["a", "b"] * 10})
    Path("p").mkdir()
    table[:15].to_csv("p/train.csv", index=False)
    table[15:][["x"]].to_csv("p/test.csv", index=False)
    assert counts(door.read("p", target=("kind",))[1]) == {"train": 12, "test": 3}


@odd("the pixels of a face in one cell, as in fer2013")
def _():
    faces = np.random.default_rng(0).integers(0, 256, (20, 48 * 48))
    cells = [" ".join(map(str, face)) for face in faces]
    pd.DataFrame({"emotion": [0, 1] * 10, "pixels": cells}).to_csv("t.csv", index=False)
    info, _ = door.read("t.csv", target=("emotion",))
    assert (info.kind, info.input_shape) == ("image", (48, 48, 1))


@odd("seg_train/seg_train, seg_test/seg_test and seg_pred/seg_pred")
def _():
    pictures.classes("p/seg_train/seg_train")
    pictures.classes("p/seg_test/seg_test", count=5)
    pictures.classes("p/seg_pred", ("seg_pred",), 5)
    info, splits = door.read("p")
    assert info.labels == ("cat", "dog")
    assert counts(splits) == {"train": 20, "test": 10}


@odd("train_images/ and test_images/, each with classes")
def _():
    pictures.classes("p/train_images")
    pictures.classes("p/test_images", count=5)
    assert counts(door.read("p")[1]) == {"train": 20, "test": 10}


@odd("train and test below each class, as in MVTec's sets")
def _():
    pictures.classes("p", ("bottle/train", "cable/train"))
    pictures.classes("p", ("bottle/test", "cable/test", "cable/ground_truth"), 5)
    info, splits = door.read("p")
    assert info.labels == ("bottle", "cable")
    assert counts(splits) == {"train": 20, "test": 10}


@odd("classes named bus, car and train")
def _():
    pictures.classes("p", ("bus", "car", "train"))
    assert door.read("p")[0].labels == ("bus", "car", "train")


@odd("a folder of files without classes beside train and test")
def _():
    pictures.classes("p/train")
    pictures.classes("p/test", count=5)
    pictures.classes("p", ("unlabelled",), 5)
    assert counts(door.read("p")[1]) == {"train": 20, "test": 10}


@odd("class folders whose accents have two codes, as from a Mac and from Linux")
def _():
    pictures.classes("p/train", ("caf\u00e9", "bar"))
    pictures.classes("p/test", ("cafe\u0301", "bar"), 5)
    info, splits = door.read("p")
    assert info.labels == ("bar", "caf\u00e9")
    assert counts(splits) == {"train": 20, "test": 10}


@odd("a table that names images without their ending, some .jpg and some .PNG")
def _():
    for i in range(20):
        pictures.write(f"images/{i}.{'jpg' if i % 2 else 'PNG'}")
    rows = {"id": range(20), "kind": ["a", "b"] * 10}
    pd.DataFrame(rows).to_csv("t.csv", index=False)
    assert door.read("t.csv", files="id", target=("kind",))[0].kind == "image"
