"""Texts to ids: words or characters, with a vocabulary of the training split, and batches of texts of similar length."""

import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import sources

UNITS = ("words", "characters")
SIZE = (256, 20_000)  # units kept of each text, units in the vocabulary
WINDOW = 50  # batches whose texts are sorted together
LENGTHS = 8  # different lengths of batches at most: XLA compiles each
_BREAK = r"<\s*br\s*/?\s*>"
_PUNCTUATION = r"""[!"#$%&()\*\+,\-\./:;<=>?@\[\\\]^_`{|}~']"""


def describe(size=None, unit=None):
    """The fields of a `DataInfo` of texts, with the defaults where `None` is given."""
    fields = {"kind": "text", "input_shape": (), "input_dtype": "string"}
    return fields | {"text_size": tuple(size or SIZE), "text_unit": unit or UNITS[0]}


def clean(texts, unit):
    """Brings a tensor of texts to lower case, HTML's breaks to spaces, none at the ends; of words the punctuation goes."""
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.strip(tf.strings.regex_replace(texts, _BREAK, " "))
    return tf.strings.regex_replace(texts, _PUNCTUATION, "") if unit == "words" else texts


def decode(text):
    """Returns the `str` of a text or of UTF-8 bytes, and `None` for anything else."""
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        return None
    return text if isinstance(text, str) else None


def as_unicode(values):
    """Brings an object array of `str` or UTF-8 bytes to fixed-width Unicode, which NumPy stores without pickle.

    An array of another dtype is returned as it is.
    """
    if values.dtype != object:
        return values
    flat = [v.decode(errors="replace") if isinstance(v, bytes) else v for v in values.ravel()]
    return np.array(flat, str).reshape(values.shape)


def units(text, unit):
    """The words or characters of a text, which is `str` or UTF-8 bytes, as `clean` and the layer tell them apart."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    text = re.sub(_BREAK, " ", text.lower()).strip(" \t\n\r\f\v")
    return list(text) if unit == "characters" else re.sub(_PUNCTUATION, "", text).split()


def lengths(texts, unit):
    """Units in each of some texts: int64 `[N]`."""
    return np.fromiter((len(units(text, unit)) for text in texts), "int64")


def padded_length(longest, limit):
    """Steps of a batch whose longest text has so many units: rounded up, at least one, at most the limit."""
    multiple = -(-limit // LENGTHS)
    return tf.minimum(-(-tf.maximum(longest, 1) // multiple) * multiple, limit)


def vectorizer(splits, *, fixed_length=False):
    """Makes the layers that turn texts into ids; the vocabulary is that of the training split.

    Id 0 is padding, 1 any unit that the training texts do not teach. A batch is as long as its longest text, rounded
    up, and never longer than `text_size` says.

    Args:
        splits: The `Splits` of texts; `train` is read for the vocabulary, `validation` to tell how well it fits.
        fixed_length: Fill all texts up to one length, for models that do not pass over padding.

    Returns:
        A Keras model from texts `[B]` to ids int64 `[B, T]`, the size of the vocabulary, and the steps in words.
    """
    info, data = splits.info, splits.examples["train"]
    (limit, most), unit = info.text_size, info.text_unit
    in_memory = isinstance(data, sources.Arrays)
    if in_memory:
        counts = lengths(data.inputs, unit)
        limit = min(limit, int(counts.max()))
        cut = np.mean(counts > limit)
        sources.log.info(
            "texts: half have up to %d %s; %.1f %% are longer than %d and are cut%s",
            np.median(counts), unit, 100 * cut, limit, " (text_size sets another length)" * bool(cut),
        )  # fmt: skip
        texts = tf.data.Dataset.from_tensor_slices(data.tensors[0])
    else:
        texts = data.examples.map(lambda x, _: x)
    layer = keras.layers.TextVectorization(
        max_tokens=most,
        standardize=lambda x: clean(x, unit),
        split="whitespace" if unit == "words" else "character",
        name="vectorize",
    )
    layer.adapt(texts.batch(1024))

    def cut_and_fill(ids):
        ids = ids[:, :limit]
        steps = tf.shape(ids)[1]
        filled = limit if fixed_length else padded_length(steps, limit)
        return tf.pad(ids, [[0, 0], [0, filled - steps]])

    raw = keras.Input((), dtype="string", name="raw")
    shape = (limit if fixed_length else None,)
    fill = keras.layers.Lambda(cut_and_fill, output_shape=shape, name="fill")
    model = keras.Model(raw, fill(layer(raw)), name="prepare")
    unknown = _unknown_share(model, splits)
    padding = None if fixed_length else padding_share(splits, limit)
    sources.log.info("texts: %.1f %% of the validation split's %s are not in the vocabulary", 100 * unknown, unit)  # fmt: skip
    if padding is not None:
        sources.log.info("texts: padding is %.1f %% of the training batches", 100 * padding)
    marks = ", without punctuation" if unit == "words" else ""
    steps = [
        f"texts in lower case{marks}, HTML's breaks taken for spaces, split into {unit}",
        f"the first {limit} {unit} as ids of {layer.vocabulary_size():,} (1 stands for all others)",
    ]
    return model, layer.vocabulary_size(), steps


def _unknown_share(model, splits):
    """Share of the units of validation texts that the vocabulary lacks."""
    unknown = total = 0
    traced = tf.function(model, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    for texts, _ in splits.mapped(None).validation:
        ids = traced(texts).numpy()
        unknown, total = unknown + (ids == 1).sum(), total + (ids > 0).sum()
    return unknown / max(total, 1)


def padding_share(splits, limit):
    """Share of the steps of an epoch's training batches that is padding; `None` of a stream."""
    data = splits.examples["train"]
    if not isinstance(data, sources.Arrays):
        return None
    counts = np.minimum(lengths(data.inputs, splits.info.text_unit), limit)
    batches = counts[np.stack(list(splits.order().as_numpy_iterator()))]
    padded = batches.shape[1] * padded_length(batches.max(axis=1), limit).numpy().sum()
    return 1 - batches.sum() / max(padded, 1)


def similar_lengths(picked, counts, seed):
    """Regroups the batches of a window by the length of their texts.

    Sorting all texts would make every epoch's batches alike; within a window of a shuffled epoch they differ, and
    their number is that of an epoch without sorting.

    Args:
        picked: Numbers of the examples of some whole batches, int64 `[n, B]`.
        counts: Length of each text, int64 `[N]`.
        seed: int64 `[2]`, for the order of the batches.

    Returns:
        The same numbers, int64 `[n, B]`: each row of similar lengths, the rows in random order.
    """
    flat = tf.reshape(picked, [-1])
    by_length = tf.gather(flat, tf.argsort(tf.gather(counts, flat), stable=True))
    rows = tf.reshape(by_length, tf.shape(picked))
    last = tf.shape(picked, tf.int64)[0] - 1
    order = tf.random.experimental.index_shuffle(tf.range(last + 1), seed=seed, max_index=last)
    return tf.gather(rows, order)
