"""Pictures as people hand them over, brought to uint8 `[N, H, W, C]`: floats 0..1 or 0..255, wider integers, lists of several sizes."""

import logging

import numpy as np

from zoo.data.kinds import image, objects
from zoo.models import checks

log = logging.getLogger("zoo")

CHANNELS = (1, 3, 4)
_LEAST = 8  # pixels of a side, below which an array may be anything
_BRIGHT = 64  # whole numbers that stay below may be counts
DARK = 20  # the largest pixel of pictures that may be on another scale, such as 0..16
_GREY = ("1", "L", "LA")
_WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # of Pillow's modes those of more than 8 bits


def brought(what, x, *, like=None, size=None):
    """A split's inputs as uint8 pixels where they are pictures, otherwise as they are.

    Numbers are pictures only where they can hardly be anything else: whole 0..255, or whole once multiplied by 255, of one,
    three or four channels in the last place.

    Args:
        what: What messages call them.
        x: An array, a DataFrame, or a list of pictures or of arrays of several shapes.
        like: The training split's inputs, once brought; `None` for those themselves.
        size: Height and width for pictures of several sizes; by default the median.
    """
    if isinstance(x, list):
        given = (
            (like.shape[1:3], like.shape[-1])
            if like is not None and like.ndim == 4
            else (size, None)
        )
        return of_list(what, x, *given)
    if not isinstance(x, np.ndarray) or x.ndim not in (3, 4):
        return x
    if like is not None:
        return as_pixels(what, x) if like.dtype == np.uint8 and x.dtype.kind in "fiu" else x
    is_wanted = x.dtype == np.uint8 or _are_pixels(x)
    _check_channels_last(what, x, is_wanted)
    if is_wanted and x.dtype == np.uint8 and x.size and x.max() == 1:
        log.warning("%s: pixels of 0 and 1 alone, which is black; multiply them by 255", what)
    if (
        not is_wanted
        and x.dtype.kind in "fiu"
        and x.ndim == 4
        and x.shape[-1] in CHANNELS
        and x.size
    ):
        log.info(
            "%s: %s of shape %s, %.4g to %.4g, taken for numbers; pictures are whole pixels 0..255, best as uint8",
            what, x.dtype, x.shape[1:], x.min(), x.max(),
        )  # fmt: skip
    return as_pixels(what, x) if is_wanted else x


def as_pixels(what, x):
    """Pictures as uint8: floats up to 1 are multiplied by 255, other numbers rounded.

    Raises:
        InputError: A number is beyond 0..255.
    """
    if x.dtype == np.uint8 or x.dtype.kind not in "fiu" or not x.size:
        return x
    low, high = x.min(), x.max()
    if not (low >= 0 and high <= 255):  # NaN, too
        raise checks.InputError(
            f"{what} are pictures, uint8 pixels 0..255, or floats 0..1 or 0..255. Received: {x.dtype} of {low:.4g} to {high:.4g}; "
            "undo what was done to them."
        )
    scale = 255 if x.dtype.kind == "f" and high <= 1 else 1
    how = "0..1 are multiplied by 255" if scale == 255 else "0..255 are taken for pixels"
    log.info("%s: %s %s, rounded to uint8", what, x.dtype, how)
    if scale == 1 and len(x) > 1 and high <= DARK:
        log.warning(
            "%s: the largest of all pixels is %.4g of 255, nearly black: if that is white, multiply them by %.4g",
            what, high, 255 / high if high else 1,
        )  # fmt: skip
    return np.round(x.astype("float32") * scale).astype("uint8")


def _are_pixels(x):
    """Whether numbers can hardly be anything but pictures."""
    is_last = x.ndim == 4 and x.shape[-1] in CHANNELS
    sides = x.shape[1:3] if is_last or x.ndim == 3 else x.shape[2:4]
    if x.dtype.kind not in "fiu" or min(sides, default=0) < _LEAST or not x.size:
        return False
    low, high = x.min(), x.max()
    if not (low >= 0 and high <= 255):
        return False
    if x.dtype.kind == "f" and high <= 1:  # the habit of x / 255
        between = x[(x > 0) & (x < 1)]
        return bool(between.size) and _are_whole(between * np.float32(255), x.dtype)
    if x.ndim == 3:  # or a series of counts
        return sides[0] == sides[1] and high > 200 and _are_whole(x, x.dtype)
    return high > 2 * _BRIGHT or (high >= _BRIGHT and _are_whole(x, x.dtype))


def _are_whole(x, dtype):
    """Whether numbers are whole, as far as their type tells."""
    step = 0.2 if dtype == np.float16 else 0.01
    return bool((np.abs(x - np.round(x)) <= step).all())


def _check_channels_last(what, x, is_picture):
    if (
        x.ndim != 4
        or x.shape[-1] in CHANNELS
        or x.shape[1] not in CHANNELS
        or x.shape[1] >= min(x.shape[2:])
    ):
        return
    if is_picture:
        raise checks.InputError(
            f"{what} have shape {x.shape}, which are pictures with their channels first: pass np.moveaxis(x, 1, -1), which has "
            "them last."
        )
    if x.dtype.kind == "f" and x.shape[2] == x.shape[3] >= _LEAST:
        log.warning(
            "%s have shape %s: if they are pictures, their channels must be last, np.moveaxis(x, 1, -1)",
            what,
            x.shape,
        )


def of_list(what, values, size=None, channels=None):
    """Pictures of Pillow, or uint8 arrays `[H, W]` or `[H, W, C]`, as one array; of several sizes they are resized.

    Args:
        what: What messages call them.
        values: The list.
        size: Height and width for several sizes; by default the median.
        channels: 1 or 3; by default 1 where all are grey.
    """
    found = [_of_one(what, i, value) for i, value in enumerate(values)]
    wanted = {array.shape[-1] for array in found}
    channels = channels or (wanted.pop() if len(wanted) == 1 else 3)
    found = [_with_channels(array, channels) for array in found]
    shapes = [array.shape for array in found]
    if len(set(shapes)) == 1:
        return np.stack(found)
    size = tuple(size or image.common_size(shapes))
    return np.stack([image.resize(array, size).numpy() for array in found])


def _of_one(what, number, value):
    """One picture as uint8 `[H, W, C]`."""
    if objects.is_picture(value):
        if value.mode in _WIDE:
            raise checks.InputError(
                f"{what}: picture {number} has the mode {value.mode!r}, of more than 8 bits: bring all to 8, pixels 0..255."
            )
        array = np.asarray(value.convert("L" if value.mode in _GREY else "RGB"))
    else:
        array = np.asarray(value)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] not in CHANNELS:
        raise checks.InputError(
            f"{what} are no array: the examples differ in shape. Bring them to one shape; only pictures, uint8 of shape "
            f"(height, width, channels), are resized. Received: {array.dtype} of shape {np.shape(value)} in example {number}."
        )
    return array


def _with_channels(array, channels):
    """A picture with so many channels: transparency is left out, grey is repeated; colours stay."""
    own = array.shape[-1]
    if own == channels:
        return array
    array = array[..., :3] if own == 4 else array
    return np.repeat(array, 3, -1) if array.shape[-1] == 1 and channels == 3 else array


def for_model(inputs, card):
    """What a caller passed to `predict` of a model of pictures, as uint8 where it is given otherwise."""
    if isinstance(inputs, list) and inputs:
        if all(
            np.shape(value) == np.shape(inputs[0]) for value in inputs
        ) and not objects.is_picture(inputs[0]):
            inputs = np.asarray(inputs)
        else:
            inputs = of_list(
                f"The inputs of {card.name}", inputs, card.input_shape[:2], card.input_shape[-1]
            )
    if not isinstance(inputs, np.ndarray):
        return inputs
    if inputs.ndim == 4 and inputs.shape[-1] != card.input_shape[-1]:
        _check_channels_last(f"The inputs of {card.name}", inputs, True)
    found = as_pixels(f"The inputs of {card.name}", inputs)
    if found.dtype == np.uint8 and found.size and found.max() == 1:
        log.warning(
            "%s received pixels of 0 and 1 alone, which is black; multiply them by 255", card.name
        )
    return found
