"""Files of images as examples: looked at once, then read from disk at every pass, or held in memory."""

import dataclasses
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import pixels
from zoo.models import checks

_DIM = 32  # of 255: what is darker everywhere was stored with fewer levels than its type has


@dataclasses.dataclass(frozen=True)
class Scanned:
    """A file that was decoded once.

    Attributes:
        path: The file.
        shape: Of its pixels; `None` where it cannot be decoded.
        shown: A hash of its pixels.
        brightest: Its largest pixel.
        is_read_alone, is_plain: Whether TensorFlow alone reads it as it is meant; and by `pixels.decode_plain`.
        why_not: Why it cannot be decoded.
    """

    path: Path
    shape: tuple[int, ...] | None = None
    shown: bytes = b""
    brightest: int = 255
    is_read_alone: bool = True
    is_plain: bool = True
    why_not: str = ""

    @classmethod
    def of(cls, path):
        """Decodes a file."""
        try:
            content = Path(path).read_bytes()
            encoded = pixels.encoded(content)
            found = pixels.decode(encoded, 0).numpy()
        except (checks.InputError, OSError) as error:
            return cls(path, why_not=str(getattr(error, "strerror", None) or error))
        shown = hashlib.blake2b(found.tobytes(), digest_size=16).digest()
        return cls(
            path,
            found.shape,
            shown,
            int(found.max(initial=0)),
            encoded is content,
            pixels.is_plain(content),
        )


def scan(paths):
    """Decodes every file once: an object array of `Scanned`."""
    with ThreadPoolExecutor(4) as pool:
        return np.array([*pool.map(Scanned.of, paths), None], object)[:-1]


def warn_of_dim(files):
    """Warns of files that are all but black, as 12 bits in files of 16 are."""
    brightest = max(file.brightest for file in files)
    if brightest < _DIM:
        examples.log.warning(
            "the brightest pixel of all %d images is %d of 255: their files may hold fewer bits than their type has (16 bits are "
            "divided by 257); save them with the whole range", len(files), brightest,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Files(examples.Stream):
    """Image files with their targets; `records` and `count` come from them.

    Attributes:
        files: The `Scanned` files in order.
        targets: The target of each.
    """

    files: tuple = ()
    targets: np.ndarray = None

    @classmethod
    def of(cls, files, size, channels):
        """Files as examples (uint8 `[*size, channels]`, target), in the given order; their targets follow."""
        alone = all(file.is_read_alone for file in files)
        is_plain = all(file.is_plain for file in files)
        decode = (
            functools.partial(pixels.decode_plain, channels=channels)
            if is_plain
            else pixels.decoder(channels)
        )

        def load(path, target):
            content = tf.io.read_file(path)
            if not alone:
                content = tf.ensure_shape(
                    tf.numpy_function(pixels.encoded, [content], tf.string), ()
                )
            return _fitted(decode(content), size, channels), target

        found = cls(None, len(files), load)
        return found._with(tuple(files), np.zeros(len(files), "int64"))

    def _with(self, files, targets):
        paths = [str(file.path) for file in files]
        records = tf.data.Dataset.from_tensor_slices((tf.constant(paths, tf.string), targets))
        return dataclasses.replace(
            self, records=records, count=len(files), files=files, targets=targets,
            names=np.array(paths, object),
        )  # fmt: skip

    def with_targets(self, targets):
        """The files with these targets."""
        return self._with(self.files, targets)

    @property
    def is_indexed(self):
        return True

    def where(self, index):
        """The path of a file."""
        return str(self.files[index].path)

    def keys(self):
        """The hash of each file's pixels."""
        return [file.shown for file in self.files]

    def take(self, indices):
        """The files at these indices."""
        return self._with(tuple(self.files[i] for i in indices), self.targets[indices])

    def held(self, cache_mb):
        """The files as `Arrays` or as a plain `Stream`, in an order that mixes the classes: a stream is shuffled within a buffer only."""
        mixed = self.take(np.random.default_rng(0).permutation(len(self)))
        return examples.Stream(mixed.records, mixed.count, mixed.read, mixed.names).held(cache_mb)


def resize(images, size):
    """Resizes uint8 images to (height, width) with antialiasing; the same pixels in training and in serving.

    Images that have that size already come back unchanged.
    """
    resized = tf.image.resize(tf.cast(images, tf.float32), size, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


@keras.saving.register_keras_serializable(package="zoo")
class Resize(keras.layers.Layer):
    """`resize` as a layer: uint8 images `[B, H, W, C]` of any height and width → uint8 `[B, *size, C]`.

    Keras's `Resizing` rounds otherwise, so that its pixels are not those of training.

    Args:
        size: (height, width).
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, images):
        return resize(images, self.size)

    def compute_output_spec(self, images):
        return keras.KerasTensor((images.shape[0], *self.size, images.shape[-1]), "uint8")

    def get_config(self):
        return super().get_config() | {"size": list(self.size)}


def _fitted(image, size, channels):
    return tf.ensure_shape(resize(image, size), (*size, channels))


def decode_all(contents, size, channels):
    """Decodes and resizes the contents of files, string `[B]`, with TensorFlow alone, to uint8 `[B, *size, channels]`."""

    def decode(content):
        return _fitted(pixels.decode_in_graph(content, channels), size, channels)

    spec = tf.TensorSpec((*size, channels), tf.uint8)
    return tf.map_fn(decode, contents, fn_output_signature=spec)
