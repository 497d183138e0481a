"""Categories: how Python's values are written as texts, and the layer that brings texts to the form that training knows.

What cleans a text stands in the graph, so that an exported model answers alike wherever it is asked; Python only writes values that
are no texts, such as 3.0 and True, as one would type them.
"""

import datetime
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, once

# Words for yes and no, in pairs.
_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"), ("on", "off"))
_SPACE = r"[\s\p{Z}\x{200B}\x{FEFF}]+"  # of any width, or none


def as_texts(column):
    """The values of a pandas Series as texts, object array; an empty one where a value is missing.

    Raises:
        ValueError: A value is no single one, such as a list.
    """
    if column.dtype.kind == "M":
        column = column.dt.strftime("%Y-%m-%d")
    if found := once.texts_of(column):
        return found.written(map(_as_text, found.texts), "")
    missing = column.isna().to_numpy(bool)
    values = column.to_numpy() if column.dtype.kind == "f" else column.to_numpy(object)
    return np.array(
        ["" if gone else _as_text(value) for value, gone in zip(values, missing)] or [""], object
    )[: len(values)]


def _as_text(value):
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (float, np.floating)):  # 3, and not 3.0 or 1.23457e+06
        return np.format_float_positional(value, trim="-") if np.isfinite(value) else str(value)
    if not isinstance(value, (str, int, bool, np.generic, datetime.date)) and np.ndim(value):
        raise ValueError(f"{value!r} is no single value")
    text = str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


@keras.saving.register_keras_serializable(package="zoo")
class CleanTexts(keras.layers.Layer):
    """Brings the texts of a category to the form that training knows, string [B] → string [B].

    Spaces at the ends go always, and several in a row, tabs and line breaks are one space. 3.0 is 3 and 2.50 is 2.5 where
    categories are numbers, but for versions such as 1.1 beside 1.10. Where all are yes or no in one pair of words, such as true and false, every word for yes is the same, and so is 1.
    7 is 007 where all categories are codes of three digits: spreadsheets leave the zeros out.

    Args:
        whole: Whether zeros at the end of a fraction go.
        lower: Whether capitals go.
        pair: The words for yes and no that others are brought to; `None` for other categories.
        digits: How many digits all categories have, some of which begin with 0; `None` for others.
    """

    WORDS = {word for pair in _PAIRS for word in pair}

    def __init__(self, whole=False, lower=False, pair=None, digits=None, **kwargs):
        super().__init__(**kwargs)
        self.whole, self.lower, self.pair, self.digits = whole, lower, pair, digits

    @classmethod
    def for_texts(cls, texts, **kwargs):
        """The layer for the texts of a training column."""
        found = {text.strip() for text in set(texts.tolist())} - {""}
        small = {text.lower() for text in found}
        whole = any(re.fullmatch(r"[+-]?\d+(\.\d+)?", text) for text in found)
        short = {re.sub(r"(\.\d*[1-9])0+$", r"\1", text) for text in found}
        whole = whole and len(short) == len(found)
        pair = next((pair for pair in _PAIRS if found and small <= set(pair)), None)
        widths = {len(text) for text in found if text.isdecimal()}
        is_padded = (
            len(widths) == 1 and all(map(str.isdecimal, found)) and any(t[0] == "0" for t in found)
        )
        digits = min(widths) if is_padded else None
        return cls(whole, small <= cls.WORDS, pair, digits, dtype="string", **kwargs)

    def call(self, texts):
        texts = tf.strings.strip(tf.strings.regex_replace(texts, _SPACE, " "))
        if self.whole:
            texts = tf.strings.regex_replace(texts, r"^([+-]?\d+(\.\d*[1-9])?)\.?0*$", r"\1")
        if self.digits:
            is_short = tf.strings.regex_full_match(texts, rf"\d{{1,{self.digits}}}")
            padded = tf.strings.join([tf.constant("0" * self.digits), texts])
            padded = tf.where(is_short, padded, "0" * self.digits)
            texts = tf.where(is_short, tf.strings.substr(padded, -self.digits, self.digits), texts)
        texts = tf.strings.lower(texts) if self.lower else texts
        for number, word in enumerate(self.pair or ()):
            others = "|".join(pair[number] for pair in _PAIRS)
            texts = tf.strings.regex_replace(texts, rf"^({others}|{1 - number}(\.0+)?)$", word)
        return texts

    def compute_output_spec(self, texts):
        return keras.KerasTensor(texts.shape, "string")

    def get_config(self):
        own = {"whole": self.whole, "lower": self.lower, "pair": self.pair, "digits": self.digits}
        return super().get_config() | own


def known(splits):
    """Column → the categories of the training split, as the graph cleans them."""
    info, found = splits.info, {}
    for column, kind in zip(info.columns, info.column_kinds):
        if kind == "category":
            layer = splits.preparation.inputs.get_layer(f"{column}_clean")
            texts = np.array(once.texts_of(splits.examples["train"].inputs[column]).texts, str)
            found[column] = np.unique(
                examples.as_unicode(layer(tf.constant(texts)).numpy())
            ).tolist()
    return found


def warn_of_new(columns, known, split):
    """Says which texts of a later split are no category of the training split's column.

    Args:
        columns: Column → its texts.
        known: Those of the training split, which is the first: they are added to the empty dict.
        split: The split's name.
    """
    for column, texts in columns.items():
        train = known.setdefault(column, texts)
        if split != "train":
            train = np.array(once.texts_of(train).texts, str)
            cleaned = CleanTexts.for_texts(train)(tf.constant(train)).numpy()
            categories = np.unique(examples.as_unicode(cleaned)).tolist()
            warn_of_unknown(f"{column} of {split}", texts, categories)


def warn_of_unknown(column, texts, known):
    """Says which of the texts that a model is given are no category of its training column."""
    layer = CleanTexts.for_texts(np.array(known, str))
    different = once.texts_of(texts)
    given, places = np.unique(np.array(different.texts, str), return_index=True)
    counts = different.counts[places]
    cleaned = examples.as_unicode(layer(tf.constant(given)).numpy())
    strange = ~np.isin(cleaned, known) & (cleaned != "")
    if strange.any():
        first = str(cleaned[strange][0])
        near = [text for text in known if text.lower() == first.lower()]
        examples.log.warning(
            "%s: %d of %d values are none that training knew, first %r%s: they count as unknown",
            column, counts[strange].sum(), len(texts), first, f" (it knew {near[0]!r})" if near else "",
        )  # fmt: skip
