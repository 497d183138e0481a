"""From the bytes of an image's file to uint8 pixels: transparency on white, 16 bits scaled to 8, turned as EXIF says.

TensorFlow decodes alone what it reads right, in training, in `zoo predict` and in exported graphs by the same function;
Pillow brings the other files to PNG first, which an exported graph cannot: it refuses them.
"""

import functools
import io
import struct

import tensorflow as tf

from zoo.models import checks

ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif")  # fmt: skip
FORMATS = "PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF"
STEP = (
    "files of images: transparency on white, 16 bits scaled to 8, turned as EXIF says; TIFF, AVIF, palettes of BMP and single "
    "transparent colours are read by zoo predict, not by serving_bytes"
)
_PNG, _GIF, _BMP = b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"
_HEAD = 2**16  # bytes of EXIF that are looked at


def decode(content, channels):
    """Decodes a file of any of `FORMATS` (of several frames the first) to uint8 pixels.

    Args:
        content: The bytes of a file.
        channels: 1, 3 or 4; 0 takes 1 for grey images and 3 for others.

    Raises:
        InputError: They are damaged or no image; the message says only that.
    """
    try:
        if channels != 4 and is_plain(content):
            return decode_plain(content, channels)
        return decoder(channels)(encoded(content))
    except tf.errors.OpError:
        raise checks.InputError(f"it is damaged, or no {FORMATS}") from None


@functools.cache
def decoder(channels):
    """The decoding of a file by TensorFlow alone, traced once."""
    function = decode_with_transparency if channels == 4 else decode_in_graph
    bound = functools.partial(function, channels=channels)
    return tf.function(bound, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


def decode_as_before(content, channels):
    """Decodes as graphs of before do: transparency and the lower half of 16 bits left out, nothing turned."""
    pixels = tf.io.decode_image(content, channels=0, expand_animations=False)
    pixels = pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels
    return to_channels(pixels, channels)


def decode_plain(content, channels):
    """Decodes a file that `is_plain`, by fewer operations, which start and run faster, to the same pixels."""
    return to_channels(tf.io.decode_image(content, 0, expand_animations=False), channels)


def encoded(content):
    """The bytes of a file, as PNG where TensorFlow would read the file otherwise than it is meant, or not at all.

    Raises:
        InputError: They are damaged or no image; the message says only that.
    """
    return content if _is_read_alone(content) else _as_png(content)


def _is_read_alone(content):
    """Whether TensorFlow alone reads a file as it is meant."""
    if content.startswith(_PNG):
        return content[25:26] not in (b"\0", b"\2") or b"tRNS" not in content.partition(b"IDAT")[0]
    if content.startswith(_BMP):
        return bool(_is_plain_bmp(_bytes(tf.constant(content))))
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return content.startswith(b"\xff\xd8") or is_webp


def is_plain(content):
    """Whether a file is JPEG or PNG of 8 bits, without transparency and EXIF: what TensorFlow decodes is what it shows."""
    if content.startswith(_PNG):
        head = content.partition(b"IDAT")[0]
        is_opaque = content[25:26] in (b"\0", b"\2", b"\3") and b"tRNS" not in head
        return content[24] != 16 and is_opaque and b"eXIf" not in content
    return content.startswith(b"\xff\xd8") and b"Exif\0\0" not in content


def _as_png(content):
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(content))
        image.load()
        if image.mode in ("I", "F"):
            raise ValueError(f"its pixels are of 32 bits ({image.mode}): save it with 8 or 16")
        turned = ImageOps.exif_transpose(image)
        if not turned.mode.startswith("I;16"):
            is_grey = turned.mode in ("1", "L") and image.format != "GIF"
            mode = "RGBA" if turned.has_transparency_data else "L" if is_grey else "RGB"
            turned = turned.convert(mode)
        turned.info = {}
        found = io.BytesIO()
        turned.save(found, "PNG", compress_level=1)
        return found.getvalue()
    except ValueError as error:
        raise checks.InputError(str(error)) from error
    except (OSError, EOFError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise checks.InputError(f"it is damaged, or no {FORMATS}") from error


def decode_in_graph(content, channels):
    """Decodes PNG, JPEG, GIF, BMP and WebP with TensorFlow alone, to uint8 `[H, W, channels]`, or 1 or 3 for `channels=0`.

    GIF and grey or RGB PNG with a transparent colour, BMP with a palette of colours, and other formats are an error.
    """
    pixels = _on_white(_stored(content))
    return to_channels(_turned(pixels, _orientation(content)), channels)


def decode_with_transparency(content, channels=4):
    """The same with the transparency as a fourth channel: uint8 `[H, W, 4]`."""
    stored = _stored(content)
    found = tf.shape(stored)[-1]
    has_alpha = (found == 2) | (found == 4)
    alpha = tf.cond(
        has_alpha, lambda: stored[..., -1:], lambda: tf.ones_like(stored[..., :1]) * 255
    )
    colours = tf.cond(has_alpha, lambda: stored[..., :-1], lambda: stored)
    return _turned(tf.concat([to_channels(colours, 3), alpha], -1), _orientation(content))


def to_channels(pixels, channels):
    """Brings grey or RGB pixels, whose number of channels may be known only when they are read, to 1 or 3; 0 keeps them."""
    is_grey = tf.shape(pixels)[-1] == 1
    if channels == 0:
        return pixels
    if channels == 3:
        return tf.cond(is_grey, lambda: tf.repeat(pixels, 3, -1), lambda: pixels)
    return tf.cond(
        is_grey,
        lambda: pixels,
        lambda: tf.image.rgb_to_grayscale(tf.ensure_shape(pixels, (None, None, 3))),
    )


def _bytes(content):
    """The bytes of a text as numbers, with zeros behind them."""
    return tf.cast(tf.pad(tf.io.decode_raw(content, tf.uint8), [[0, 64]]), tf.int32)


def _number(raw, start, count, is_little=True):
    """A whole number of some bytes from `start` on."""
    values = raw[start : start + count]
    values = tf.where(is_little, values, values[::-1])
    return tf.reduce_sum(values * tf.constant([1, 256, 2**16, 2**24][:count]))


def _stored(content):
    """The pixels as the file holds them, uint8, with transparency."""
    head = tf.strings.join([tf.strings.substr(content, 0, 2048), bytes(16)])
    raw = _bytes(head)
    is_png, is_gif, is_bmp = (_begins(content, start) for start in (_PNG, _GIF, _BMP))
    colour_key = is_png & ((raw[25] == 0) | (raw[25] == 2)) & _holds(_before(content, b"IDAT"), b"tRNS")  # fmt: skip
    first_frame = tf.strings.join([b",\0\0\0\0", tf.strings.substr(head, 6, 4)])
    control = _after(_before(content, first_frame), b"\x21\xf9\x04")  # of a GIF's first frame
    clear = is_gif & (_bytes(control)[0] % 2 == 1)
    tf.debugging.Assert(~colour_key & ~clear & (~is_bmp | _is_plain_bmp(raw)), [
        "This image is one that TensorFlow alone would misread (a transparent colour, or a palette of a BMP): zoo predict "
        "reads it, or save it as PNG in RGB or RGBA."
    ])  # fmt: skip

    def of_16_bits():
        values = tf.io.decode_image(content, 0, tf.uint16, expand_animations=False)
        return tf.cast(tf.round(tf.cast(values, tf.float32) / 257), tf.uint8)

    def of_8_bits():
        return tf.io.decode_image(content, 0, expand_animations=False)

    pixels = tf.cond(is_png & (raw[24] == 16), of_16_bits, of_8_bits)
    pixels = tf.cond(is_bmp & (tf.shape(pixels)[-1] == 4), lambda: pixels[..., :3], lambda: pixels)
    size = tf.stack([_number(raw, 8, 2), _number(raw, 6, 2)])
    is_whole = ~is_gif | tf.reduce_all(tf.shape(pixels)[:2] == size)
    tf.debugging.Assert(is_whole, ["The first frame of this GIF is not the whole picture."])
    return pixels


def _is_plain_bmp(raw):
    """Whether the first bytes of a BMP say that it has 24 or 32 bits a pixel, or grey levels, and is not compressed."""
    header, bits = _number(raw, 14, 4), _number(raw, 28, 2)
    begin = 14 + tf.clip_by_value(header, 0, 128)
    palette = tf.pad(raw, [[0, 2048]])[begin : begin + 1024]
    levels = tf.repeat(tf.range(256), 3)
    is_grey = tf.reduce_all(tf.reshape(tf.reshape(palette, [256, 4])[:, :3], [-1]) == levels)
    is_known = (bits == 24) | (bits == 32) | ((bits == 8) & is_grey)
    return (header >= 40) & (_number(raw, 30, 4) == 0) & is_known


def _begins(content, start):
    return tf.strings.substr(content, 0, len(start)) == start


def _parts(content, separator):
    return tf.strings.split(content, separator, maxsplit=1)


def _before(content, separator):
    return _parts(content, separator)[0]


def _holds(content, word):
    return tf.size(_parts(content, word)) > 1


def _after(content, separator):
    """What follows a word in a text; an empty text where the word is not there."""
    return tf.concat([_parts(content, separator), [""]], 0)[1]


def _on_white(pixels):
    """Pixels without transparency, as they look on white."""

    def laid():
        colours, alpha = tf.cast(pixels[..., :-1], tf.int32), tf.cast(pixels[..., -1:], tf.int32)
        return tf.cast((colours * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    found = tf.shape(pixels)[-1]
    return tf.cond((found == 2) | (found == 4), laid, lambda: pixels)


def _orientation(content):
    """EXIF's orientation, 1 to 8, of a JPEG, PNG or WebP; 1 where there is none.

    EXIF is a TIFF file, whose first table (CIPA DC-008, 4.6) has entries of 12 bytes: tag, type, count and value.
    """
    is_webp = _begins(content, b"RIFF")
    is_png = _begins(content, _PNG)
    mark = tf.where(is_png, b"eXIf", tf.where(is_webp, b"EXIF", b"Exif\0\0"))
    tiff = tf.strings.substr(_after(content, mark), 0, _HEAD)
    tiff = tf.cond(is_webp & (tf.strings.length(tiff) > 4), lambda: tf.strings.substr(tiff, 4, _HEAD), lambda: tiff)  # fmt: skip
    tiff = tf.cond(_begins(tiff, b"Exif\0\0"), lambda: tf.strings.substr(tiff, 6, _HEAD), lambda: tiff)  # fmt: skip
    is_little = _begins(tiff, b"II*\0")
    raw = _bytes(tiff)
    table = _number(raw, 4, 4, is_little)
    is_there = (is_little | _begins(tiff, b"MM\0*")) & (table >= 8) & (table < tf.size(raw) - 64)
    table = tf.where(is_there, table, 0)
    count = tf.minimum(_number(raw, table, 2, is_little), (tf.size(raw) - table - 2) // 12)
    entries = tf.reshape(raw[table + 2 : table + 2 + 12 * count], [-1, 12])
    first, second = tf.where(is_little, 1, 0), tf.where(is_little, 0, 1)  # of two bytes

    def pair(start):
        return 256 * tf.gather(entries, start + first, axis=1) + tf.gather(
            entries, start + second, axis=1
        )

    found = tf.where((pair(0) == 0x0112) & is_there, pair(8), 0)
    found = tf.reduce_max(tf.concat([[0], found], 0))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _turned(pixels, orientation):
    """Pixels as they are meant to be seen, by EXIF's orientation."""
    pixels = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    across = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    pixels = tf.cond(across, lambda: pixels[:, ::-1], lambda: pixels)
    down = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    return tf.cond(down, lambda: pixels[::-1], lambda: pixels)
