"""Images as files: the same pixels in training, in `zoo predict` and in the exported graph."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.data import sources
from zoo.models import checks

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
CHANNELS = (1, 3)  # of images from files
_LARGEST = 128  # pixels of the longer side, where the caller names no size


def decode(content, channels):
    """Decodes PNG, JPEG, BMP or GIF (its first frame) to uint8 pixels with 1 or 3 channels; transparency is left out.

    Args:
        content: The bytes of a file.
        channels: 1 or 3; 0 keeps what the file has.
    """
    pixels = tf.io.decode_image(content, channels=0, expand_animations=False)
    pixels = pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels
    if channels == 1 and pixels.shape[-1] == 3:
        return tf.image.rgb_to_grayscale(pixels)
    return tf.image.grayscale_to_rgb(pixels) if channels == 3 and pixels.shape[-1] == 1 else pixels


def resize(images, size):
    """Resizes uint8 images to (height, width) with antialiasing; the same pixels in training and in serving.

    Images that have that size already come back unchanged.
    """
    resized = tf.image.resize(tf.cast(images, tf.float32), size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def scan(paths, *, skip_bad=False):
    """Decodes every file once.

    Args:
        paths: Files.
        skip_bad: Leave unreadable files out in place of an error.

    Returns:
        Dict from path to (shape, hash of the content), without unreadable files.

    Raises:
        InputError: Names the first unreadable file and counts them.
    """

    def look(path):
        try:
            content = Path(path).read_bytes()
            return tuple(decode(content, 0).shape), hashlib.blake2b(
                content, digest_size=16
            ).digest()
        except (tf.errors.OpError, OSError):
            return None

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(paths, pool.map(look, paths), strict=True))
    bad = [path for path, seen in found.items() if seen is None]
    if bad and not skip_bad:
        raise checks.InputError(
            f"{len(bad)} of {len(found)} images cannot be read, first {bad[0]}: damaged, or no PNG, JPEG, BMP or GIF.\n"
            "Mend or remove them, or pass skip_bad (--skip-bad) to go on without."
        )
    if bad:
        sources.log.warning("%d unreadable images left out, first %s", len(bad), bad[0])
    return {path: seen for path, seen in found.items() if seen is not None}


def common_size(shapes):
    """Returns (height, width) for images of these shapes: their own, or for differing ones the median, in bounds."""
    sizes = np.array([shape[:2] for shape in shapes])
    if (sizes == sizes[0]).all():
        return tuple(map(int, sizes[0]))
    median = np.median(sizes, 0)
    height, width = np.maximum(8, np.round(median * min(1, _LARGEST / median.max()) / 8) * 8)
    sources.log.info(
        "images of %d sizes are brought to %dx%d; image_size (--image-size) sets another",
        len(np.unique(sizes, axis=0)), height, width,
    )  # fmt: skip
    return int(height), int(width)


def stream_of(paths, ids, size, channels):
    """A `Stream` of (uint8 [*size, channels], int64) read from files in the given order."""

    def load(path, label):
        return _decode_in_graph(tf.io.read_file(path), size, channels), label

    files = tf.data.Dataset.from_tensor_slices((list(map(str, paths)), np.array(ids, "int64")))
    return sources.Stream(files, len(paths), load)


def decode_all(contents, size, channels):
    """Decodes and resizes the contents of files, string `[B]`, to uint8 `[B, *size, channels]`."""
    spec = tf.TensorSpec((*size, channels), tf.uint8)
    return tf.map_fn(
        lambda c: _decode_in_graph(c, size, channels), contents, fn_output_signature=spec
    )


def _decode_in_graph(content, size, channels):
    pixels = tf.io.decode_image(content, channels=0, expand_animations=False)
    return tf.ensure_shape(resize(_in_graph(pixels, channels), size), (*size, channels))


def _in_graph(pixels, channels):
    """`decode`'s channels where the file's own number is known only when it is read."""
    found = tf.shape(pixels)[-1]
    colours = tf.where(tf.logical_or(found == 2, found == 4), found - 1, found)
    pixels = pixels[..., :colours]
    if channels == 3:
        return tf.cond(colours == 1, lambda: tf.repeat(pixels, 3, -1), lambda: pixels)
    return tf.cond(
        colours == 3,
        lambda: tf.image.rgb_to_grayscale(tf.ensure_shape(pixels, (None, None, 3))),
        lambda: pixels,
    )
