"""Images: uint8 pixels `[H, W, C]`, the same from files and arrays, in training, in `zoo predict` and in the exported graph."""

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import numbers
from zoo.data.kinds.row import Kind, Prepared
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
        examples.log.warning("%d unreadable images left out, first %s", len(bad), bad[0])
    return {path: seen for path, seen in found.items() if seen is not None}


def common_size(shapes):
    """Returns (height, width) for images of these shapes: their own, or for differing ones the median, in bounds."""
    sizes = np.array([shape[:2] for shape in shapes])
    if (sizes == sizes[0]).all():
        return tuple(map(int, sizes[0]))
    median = np.median(sizes, 0)
    height, width = np.maximum(8, np.round(median * min(1, _LARGEST / median.max()) / 8) * 8)
    examples.log.info(
        "images of %d sizes are brought to %dx%d; image_size (--image-size) sets another",
        len(np.unique(sizes, axis=0)), height, width,
    )  # fmt: skip
    return int(height), int(width)


@dataclasses.dataclass(frozen=True)
class Files(examples.Stream):
    """Image files with their class ids; `records` and `count` come from them.

    Attributes:
        files: The files in order, and the id of each.
        hashes: A hash of the content of each file, by which repeats are found.
    """

    files: tuple = ()
    hashes: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, files, size, channels, hashes):
        """Files as examples (uint8 `[*size, channels]`, int64), in the given order."""
        paths, ids = zip(*files) if files else ((), ())
        records = tf.data.Dataset.from_tensor_slices(
            (list(map(str, paths)), np.array(ids, "int64"))
        )

        def load(path, label):
            return _decode_in_graph(tf.io.read_file(path), size, channels), label

        return cls(records, len(files), load, tuple(files), hashes)

    @property
    def targets(self):
        """The class ids, int64 `[N]`."""
        return np.array([label for _, label in self.files], "int64")

    @property
    def is_indexed(self):
        return True

    def where(self, index):
        """The path of a file."""
        return str(self.files[index][0])

    def keys(self):
        """The hash of each file's content."""
        return [self.hashes[path] for path, _ in self.files]

    def take(self, indices):
        """The files at these indices."""
        files = tuple(self.files[i] for i in indices)
        paths, ids = zip(*files) if files else ((), ())
        records = tf.data.Dataset.from_tensor_slices(
            (list(map(str, paths)), np.array(ids, "int64"))
        )
        return dataclasses.replace(self, records=records, count=len(files), files=files)

    def held(self, cache_mb):
        """The files as `Arrays` or as a plain `Stream`, in an order that mixes the classes: a stream is shuffled within a buffer only."""
        mixed = self.take(np.random.default_rng(0).permutation(len(self)))
        return examples.Stream(mixed.records, mixed.count, mixed.read).held(cache_mb)


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


def _of_folder(path, files, labels, options):
    """Image files in folders named after classes: the `DataInfo` and split → `Files`."""
    seen = scan([p for pairs in files.values() for p, _ in pairs], skip_bad=options.skip_bad)
    shapes = [shape for shape, _ in seen.values()]
    channels = 1 if all(shape[-1] <= 2 for shape in shapes) else 3
    size = tuple(options.image_size or common_size(shapes))
    info = examples.DataInfo(
        name=path.stem, kind="image", task="classification",
        input_shape=(*size, channels), input_dtype="uint8", labels=labels,
    )  # fmt: skip
    hashes = {p: content for p, (_, content) in seen.items()}
    kept = {split: [pair for pair in pairs if pair[0] in seen] for split, pairs in files.items()}
    for split, pairs in kept.items():
        if not pairs:
            raise checks.InputError(f"No {split} image of {path} is left.")
    return info, {s: Files.of(pairs, size, channels, hashes) for s, pairs in kept.items()}


def _recognises(x):
    return not hasattr(x, "columns") and x.dtype == np.uint8 and x.ndim in (3, 4)


def _describe(parts, options):
    numbers.check_alike(parts)
    x = parts["train"].x
    if x.ndim == 3:
        examples.log.info("uint8 inputs of shape %s: grey images, one channel added", x.shape[1:])
        shape = (*x.shape[1:], 1)
    elif x.shape[-1] in (1, 3, 4):
        shape = x.shape[1:]
    else:
        raise checks.InputError(
            f"uint8 images must have 1, 3 or 4 channels, last. Received: shape {x.shape}. "
            "Pass other arrays as floats."
        )
    fields = {"kind": "image", "input_shape": shape, "input_dtype": "uint8"}
    return fields, lambda part: part.x.reshape(-1, *shape)


def _of_feature(name, feature, key, options):
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Image):
        return None
    height, width, channels = feature.shape
    if feature.np_dtype != np.uint8:
        raise checks.InputError(f"The images of {name!r} are {feature.np_dtype}: expected uint8.")
    if options.image_size is None and None in (height, width):
        raise checks.InputError(
            f"The images of {name!r} differ in size: pass the height and width to bring them to, "
            "for example --image-size 32 32."
        )
    size = tuple(options.image_size or (height, width))
    shape = (*size, channels)

    def convert(
        encoded,
    ):  # TFDS leaves decoding to it, so that each of several workers decodes its own
        pixels = feature.decode_example(encoded)
        if size != (height, width):
            pixels = resize(pixels, size)
        return tf.ensure_shape(pixels, shape)

    return {"kind": "image", "input_shape": shape, "input_dtype": "uint8"}, convert


def _resize(info, splits, size):
    if tuple(size) == info.input_shape[:2]:
        return info, splits

    def bring(data):
        batches = np.array_split(data.inputs, -(-len(data) // 1024))
        pixels = [resize(batch, tuple(size)).numpy() for batch in batches]
        return examples.Arrays(np.concatenate(pixels), data.targets)

    info = dataclasses.replace(info, input_shape=(*size, info.input_shape[-1]))
    return info, {split: bring(data) for split, data in splits.items()}


def _prepare(splits, fixed_length):
    layer = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescale")
    steps = [f"pixels 0..255 multiplied by {layer.scale:.6g}"]
    return Prepared(numbers.as_model(layer, splits.info), steps)


def _specs(info):  # any height and width
    shape = (None, None, None, *info.input_shape[-1:])
    return {"image": tf.TensorSpec(shape, info.input_dtype, name="image")}


def _signatures(info, serve, images):
    """`serving_bytes`: images as files hold them."""
    if info.input_shape[-1] not in CHANNELS:
        return {}

    def run(given):
        pixels = decode_all(given["image_bytes"], info.input_shape[:2], info.input_shape[-1])
        return serve({"image": pixels})

    spec = tf.TensorSpec((None,), tf.string, name="image_bytes")
    encoded = np.array([tf.io.encode_png(pixels).numpy() for pixels in images])
    return {"serving_bytes": (run, {"image_bytes": spec}, {"image_bytes": encoded})}


def _check_raw(inputs, card, vocabulary):
    try:
        values, channels = np.asarray(inputs), card.input_shape[-1]
    except ValueError:
        raise checks.InputError(
            f"{card.name} received images of several sizes: a batch has one; call it once for each size."
        ) from None
    if channels == 1 and values.ndim == 3 and values.shape[-1] in (3, 4):
        raise checks.InputError(
            f"{card.name} takes grey images. Received: {values.dtype} of shape {values.shape}, as of one in colour."
        )
    if channels == 1 and values.ndim == 3 and values.shape[-1] == 1:
        raise checks.InputError(
            f"Received one image of shape {values.shape}: pass a batch, image[None]."
        )
    if channels == 1 and values.ndim == 3:
        values = values[..., None]
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[-1] != channels:
        is_array = values.dtype.kind in "biufc"
        raise checks.InputError(
            f"{card.name} takes a batch of uint8 images (N, height, width, {channels}) with pixels "
            f"0..255. Received: {f'{values.dtype} of shape {values.shape}' if is_array else type(inputs).__name__}"
        )
    if 0 in values.shape[1:]:
        raise checks.InputError(f"Images of no pixels: received shape {values.shape}.")
    return {"image": values}


def _of_file(path, content, card):
    try:
        return decode(content, card.input_shape[-1]).numpy()[None]
    except tf.errors.OpError as error:
        raise checks.InputError(
            f"{path} cannot be read as an image (PNG, JPEG, BMP or GIF): it is damaged or no image."
        ) from error


KIND = Kind(
    name="image",
    meaning="pixels 0..255, any height and width (resized in the graph to {height}x{width}), {channels} channel(s)",
    rank=3,
    is_drawn=True,
    recognises=_recognises,
    describe=_describe,
    of_feature=_of_feature,
    file_endings=ENDINGS,
    of_folder=_of_folder,
    resize=_resize,
    prepare=_prepare,
    policies=lambda channels: ["photographs", "erase"] if channels == 3 else ["digits", "erase"],
    specs=_specs,
    to_model=lambda raw, info, inputs: inputs(resize(raw["image"], info.input_shape[:2])),
    signatures=_signatures,
    check_raw=_check_raw,
    overview=numbers.overview,
    example_of_file=_of_file,
    reads_any_file=True,
)
