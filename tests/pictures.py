"""Files of images of every mode that programs write, for tests."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 9, 3)).astype("uint8")
ALPHA = RNG.integers(0, 256, (6, 9, 1)).astype("uint8")
SHAPE = np.where(ALPHA > 128, 255, 0).astype("uint8")
DEEP = RNG.integers(0, 65536, (6, 9)).astype("uint16")
SLOPES = np.add.outer(np.arange(48) * 3, np.arange(64) * 2)[..., None] + np.array([0, 20, 40])

COLOURED = Image.fromarray(RGB)
CLEAR = Image.fromarray(np.concatenate([RGB, ALPHA], -1))
CUT_OUT = Image.fromarray(np.concatenate([RGB, SHAPE], -1))
SMOOTH = Image.fromarray(np.clip(SLOPES, 0, 255).astype("uint8"))
GREY, PALETTE = COLOURED.convert("L"), COLOURED.convert("P")
LEVEL = int(np.asarray(GREY)[0, 0])


def content(image, form, **options):
    """The bytes of an image's file."""
    found = io.BytesIO()
    image.save(found, form, **options)
    return found.getvalue()


def write(path, seed=None, value=None, shape=(8, 8, 3), mode=None, **options):
    """Writes a file of noise, or of one value."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")
    image = Image.fromarray(
        noise if value is None else np.broadcast_to(value, shape).astype("uint8")
    )
    (image.convert(mode) if mode else image).save(path, **options)


def classes(root, names=("cat", "dog"), count=10, ending="png", **options):
    """Writes some files for each class, all of them different."""
    for name in names:
        for i in range(count):
            write(f"{root}/{name}/{i}.{ending}", **options)


def smaller_frame():
    """A GIF whose first frame covers a corner of the picture."""
    found = bytearray(content(COLOURED.resize((4, 3)).convert("P"), "gif"))
    found[6:10] = b"\x09\0\x06\0"
    return bytes(found)


LAYERS = {"save_all": True, "append_images": [COLOURED, GREY.convert("RGB")]}
# Files that TensorFlow alone reads as they are meant.
ALONE = {
    "PNG, RGB": content(COLOURED, "png"),
    "PNG, RGBA": content(CLEAR, "png"),
    "PNG, grey": content(GREY, "png"),
    "PNG, grey with transparency": content(CLEAR.convert("LA"), "png"),
    "PNG, palette": content(PALETTE, "png"),
    "PNG, palette of 2 bits": content(COLOURED.quantize(4), "png"),
    "PNG, palette with a transparent colour": content(PALETTE, "png", transparency=3),
    "PNG, palette with transparent colours": content(PALETTE, "png", transparency=bytes(range(256))),
    "PNG, black and white": content(COLOURED.convert("1"), "png"),
    "PNG, grey of 16 bits": content(Image.fromarray(DEEP), "png"),
    "PNG, animated": content(CLEAR, "png", **LAYERS),
    "BMP, RGB": content(COLOURED, "bmp"),
    "BMP, grey": content(GREY, "bmp"),
    "BMP, 32 bits": content(CLEAR, "bmp"),
    "GIF": content(PALETTE, "gif"),
    "GIF, animated": content(PALETTE, "gif", save_all=True, append_images=[GREY]),
    "WebP": content(COLOURED, "webp", lossless=True),
    "WebP, RGBA": content(CLEAR, "webp", lossless=True),
    "WebP, animated": content(CLEAR, "webp", lossless=True, **LAYERS),
}  # fmt: skip
# Files that Pillow brings to PNG first.
BY_PILLOW = {
    "PNG, RGB with a transparent colour": content(COLOURED, "png", transparency=tuple(map(int, RGB[0, 0]))),
    "PNG, grey with a transparent level": content(GREY, "png", transparency=LEVEL),
    "BMP, palette": content(PALETTE, "bmp"),
    "BMP, black and white": content(COLOURED.convert("1"), "bmp"),
    "GIF with a transparent colour": content(CUT_OUT, "gif"),
    "GIF whose first frame is a corner": smaller_frame(),
    "TIFF, RGB": content(COLOURED, "tiff"),
    "TIFF, RGBA": content(CLEAR, "tiff"),
    "TIFF, grey of 16 bits": content(Image.fromarray(DEEP), "tiff"),
    "TIFF, CMYK": content(COLOURED.convert("CMYK"), "tiff"),
    "TIFF, palette": content(PALETTE, "tiff", compression="tiff_lzw"),
    "TIFF, fax": content(COLOURED.convert("1"), "tiff", compression="group4"),
}  # fmt: skip
JPEG = {
    "JPEG": content(SMOOTH, "jpeg"),
    "JPEG, grey": content(SMOOTH.convert("L"), "jpeg"),
    "JPEG, progressive": content(SMOOTH, "jpeg", progressive=True),
    "JPEG, CMYK": content(SMOOTH.convert("CMYK"), "jpeg"),
    "JPEG, full colour resolution": content(SMOOTH, "jpeg", subsampling=0),
}
