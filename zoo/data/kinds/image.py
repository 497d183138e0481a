"""Images: uint8 pixels `[H, W, C]`, the same from files and arrays, in training, in `zoo predict` and in the exported graph."""

import dataclasses
import hashlib
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, naming
from zoo.data.kinds import cells, image_files, numbers, pixels
from zoo.data.kinds.image_files import resize
from zoo.data.kinds.row import Kind, Prepared
from zoo.models import checks

CHANNELS = (1, 3)  # of images from files
_LARGEST = 128  # pixels of the longer side, where the caller names no size


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


def _of_files(paths):
    """Files of images as the inputs of a part."""
    return np.array([*paths, None], object)[:-1]


def _are_files(x):
    return x.dtype == object and len(x) > 0 and isinstance(x[0], (Path, image_files.Scanned))


def _problems(part):
    """Why files cannot be used; the files are decoded once."""
    if not _are_files(part.x):
        return {}
    part.x = image_files.scan(part.x)
    reasons = np.array([file.why_not for file in part.x])
    return {reason: reasons == reason for reason in sorted(set(reasons) - {""})}


def _check_differ(keys, targets):
    """Raises `InputError` for training images that cannot tell the classes apart: all are equal, or those of two classes are."""
    if len(keys) > 1 and len(set(keys)) == 1:
        raise checks.InputError(
            f"All {len(keys)} training images are equal once decoded to 8 bits a channel, on white: there is nothing to learn from. "
            "(16 bits are divided by 257: save fewer of them as 8-bit images.)"
        )
    targets = targets.reshape(len(targets), -1)
    if targets.dtype.kind == "f" or targets.shape[1] > 1:
        return
    by_class, by_images = {}, {}
    for key, target in zip(keys, targets[:, 0].tolist(), strict=True):
        by_class.setdefault(target, []).append(key)
    for target, own in by_class.items():
        other = by_images.setdefault(frozenset(own), target) if len(own) > 2 else target
        if other != target:
            raise checks.InputError(
                f"The {len(own)} training images of the class {str(target)!r} are those of the class {str(other)!r} once decoded to 8 "
                "bits a channel, on white: nothing tells the two apart."
            )


def _recognises(x):
    if hasattr(x, "columns"):
        return False
    return x.dtype == np.uint8 and x.ndim in (3, 4) or _are_files(x)


def _describe(parts, options):
    train = parts["train"]
    if _are_files(train.x):
        _check_differ([file.shown for file in train.x], train.y)
        return _describe_files(parts, options)
    numbers.check_alike(parts)
    x = train.x
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
    _check_differ(
        [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in x], train.y
    )
    fields = {"kind": "image", "input_shape": shape, "input_dtype": "uint8"}
    return fields, lambda part: part.x.reshape(-1, *shape)


def _describe_files(parts, options):
    files = [file for part in parts.values() for file in part.x]
    image_files.warn_of_dim(parts["train"].x)
    channels = 1 if all(file.shape[-1] == 1 for file in files) else 3
    size = tuple(options.image_size or common_size([file.shape for file in files]))
    fields = {"kind": "image", "input_shape": (*size, channels), "input_dtype": "uint8"}
    return fields, lambda part: image_files.Files.of(part.x, size, channels)


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
        return dataclasses.replace(data, inputs=np.concatenate(pixels))

    info = dataclasses.replace(info, input_shape=(*size, info.input_shape[-1]))
    return info, {split: bring(data) for split, data in splits.items()}


def _prepare(splits, fixed_length):
    layer = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescale")
    steps = [f"pixels 0..255 multiplied by {layer.scale:.6g}"]
    return Prepared(numbers.as_model(layer, splits.info), steps)


def _specs(info):  # any height and width
    shape = (None, None, None, *info.input_shape[-1:])
    return {"image": tf.TensorSpec(shape, info.input_dtype, name="image")}


def _to_model(raw, info, inputs):
    size = info.input_shape[:2]
    if keras.backend.is_keras_tensor(raw["image"]):  # of a model that begins with raw images
        return inputs(image_files.Resize(size, dtype="uint8", name="resize")(raw["image"]))
    return inputs(resize(raw["image"], size))


def _signatures(info, serve, images):
    """`serving_bytes`: files of images, PNG, JPEG, GIF, BMP or WebP, decoded as those of training.

    What TensorFlow alone would misread is an error there: see `pixels.decode_in_graph`.
    """
    if info.input_shape[-1] not in CHANNELS:
        return {}

    def run(given):
        found = image_files.decode_all(
            given["image_bytes"], info.input_shape[:2], info.input_shape[-1]
        )
        return serve({"image": found})

    spec = tf.TensorSpec((None,), tf.string, name="image_bytes")
    encoded = np.array([tf.io.encode_png(image).numpy() for image in images])
    return {"serving_bytes": (run, {"image_bytes": spec}, {"image_bytes": encoded})}


def _check_raw(inputs, card, vocabulary):
    if hasattr(inputs, "columns"):
        _, inputs = _of_frame(inputs, None, "The table", card)
    elif _names_files(inputs):
        inputs = _of_paths(inputs, card)
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


def _decode(name, content, card):
    """The pixels of a file as the model's own graph decodes files."""
    channels = card.input_shape[-1]
    try:
        found = pixels.decode(content, channels).numpy()
    except checks.InputError as error:
        raise checks.InputError(f"{name} cannot be read as an image: {error}.") from error
    if card.decoding is not None or channels not in CHANNELS:
        return found
    try:
        before = pixels.decode_as_before(content, channels).numpy()
    except tf.errors.OpError:  # of a format that was not read then
        return found
    if not np.array_equal(before, found):
        examples.log.info(
            "%s: read as when this model was trained, without its transparency, its orientation or the rounding of its 16 bits; "
            "models that are trained now read them", name,
        )  # fmt: skip
    return before


def _of_file(path, content, card):
    return _decode(path, content, card)[None]


def _names_files(given):
    is_series = hasattr(given, "iloc") and not hasattr(given, "columns")
    is_list = (is_series or isinstance(given, (list, tuple))) and len(given) > 0
    return is_list and all(isinstance(item, (str, os.PathLike, bytes)) for item in given)


def _of_paths(given, card):
    """The pixels of files, or of their bytes, brought to the model's size, uint8 `[N, H, W, C]`."""
    found = []
    for i, item in enumerate(given):
        is_content, name = isinstance(item, bytes), f"example {i}"
        try:
            content = item if is_content else Path(item).expanduser().read_bytes()
        except OSError as error:
            raise checks.InputError(f"Cannot read {item}: {error.strerror}.") from error
        decoded = _decode(name if is_content else item, content, card)
        found.append(resize(decoded, card.input_shape[:2]).numpy())
    return np.stack(found)


def _of_frame(frame, names, path, card):
    """Images that a column of a table names, or whose pixels it holds."""
    titles = list(frame.columns)
    named = dict(zip(naming.column_names(titles), titles, strict=True))
    column = next((named[name] for name in card.columns if name in named), None)
    if column is None:
        fits = [t for t in titles if cells.are_file_names(frame[t], pixels.ENDINGS) or cells.are_lists(frame[t])]  # fmt: skip
        if len(fits) != 1:
            wanted = (
                f"a column {card.columns[0]!r}"
                if card.columns
                else "one column of names of image files"
            )
            raise checks.InputError(
                f"{path} has the columns {', '.join(map(str, titles))}: {card.name} takes images, so {wanted} is needed."
            )
        column = fits[0]
    if not cells.are_lists(frame[column]):
        files = cells.files_of(column, frame[column], path, pixels.ENDINGS)
        return names, _of_paths(files, card)
    found, bad = cells.pixels(column, frame[column], tuple(card.input_shape))
    if bad.any():
        raise checks.InputError(
            f"The column {column!r} holds no image of {card.input_shape} with whole numbers from 0 to 255 in "
            f"{frame.index.name or 'row'} {frame.index[bad][0]}."
        )
    return names, found


KIND = Kind(
    name="image",
    called="images",
    options=("image_size",),
    numbers_are=lambda card: (
        "pixels 0..255, of the shape [height, width, channels], not scaled",
        (),
    ),
    meaning="pixels 0..255, any height and width (resized in the graph to {height}x{width}), {channels} channel(s)",
    rank=3,
    is_drawn=True,
    recognises=_recognises,
    describe=_describe,
    of_feature=_of_feature,
    problems=_problems,
    file_endings=pixels.ENDINGS,
    of_files=_of_files,
    decoding=2,
    decoding_is=pixels.STEP,
    resize=_resize,
    prepare=_prepare,
    policies=lambda channels: ["photographs", "erase"] if channels == 3 else ["digits", "erase"],
    specs=_specs,
    to_model=_to_model,
    signatures=_signatures,
    check_raw=_check_raw,
    names_files=_names_files,
    overview=numbers.overview,
    otherwise=lambda info: "numbers that are no pixels are plain columns: x.reshape(len(x), -1)",
    example_of_file=_of_file,
    reads_any_file=True,
    of_frame=_of_frame,
)
