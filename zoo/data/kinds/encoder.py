"""The layers that bring the mixed columns of a table to numbers, inside of the exported graph."""

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, once
from zoo.data.kinds import categories, dates, numbers
from zoo.data.kinds.columns import NUMBERS
from zoo.keras_fixes import kept_vocabulary


def encoder(info, inputs):
    """Makes the model from a dict of raw columns to one float32 vector, with statistics of the training rows.

    A missing number becomes the training median, with an indicator beside it where train has gaps; numbers are
    standardised; a category becomes one-hot, with a place for categories that train does not know.

    Args:
        info: The `DataInfo`, with `column_kinds`.
        inputs: The training rows: dict from column to array.

    Returns:
        The Keras model and the steps in words.
    """
    raw, features, values, encoded, steps = {}, {}, {}, {}, []
    space = keras.utils.FeatureSpace
    for column, kind in zip(info.columns, info.column_kinds, strict=True):
        raw[column] = keras.Input((), dtype=NUMBERS.get(kind, "string"), name=column)
        if kind == "category":
            features[column] = space.string_categorical(num_oov_indices=1, output_mode="one_hot")
            different = once.texts_of(inputs[column])
            texts = np.array(different.texts, str)
            clean = categories.CleanTexts.for_texts(texts, name=f"{column}_clean")
            cleaned = examples.as_unicode(clean(tf.constant(texts)).numpy())
            values[column] = cleaned[different.codes]
            encoded[column] = clean(raw[column])
            steps.append(f"{column}: category, one-hot; unknown ones have a place of their own")
            continue
        parts = {column: (raw[column], inputs[column])}
        if kind == "date":
            layer = dates.DateParts(dtype="float32", name=f"{column}_date")
            different = once.texts_of(inputs[column])
            known = layer(tf.constant(different.texts)).numpy()[different.codes]
            symbolic = layer(raw[column])
            parts = {
                f"{column}_{part}": (symbolic[:, i], known[:, i])
                for i, part in enumerate(dates.DateParts.names)
            }
        for name, (x, known) in parts.items():
            step = _fill(name, x, known, features, values, encoded)
            if step:
                steps.append(step)
    merge = space(features=features, output_mode="concat")
    counted = {name: v for name, v in values.items() if v.dtype.kind == "U"} or values
    as_written = tf.data.Options()  # of one batch a rewritten pipeline takes twice as long
    as_written.experimental_optimization.apply_default_optimizations = False
    as_written.autotune.enabled = False
    merge.adapt(tf.data.Dataset.from_tensors(counted).with_options(as_written))
    for column, kind in zip(info.columns, info.column_kinds, strict=True):
        if kind == "category":
            kept_vocabulary.keep(merge.preprocessors[column])
    concat = keras.Model(dict(merge.get_inputs()), merge.get_encoded_features(), name="merge")
    merged = concat({name: keras.ops.expand_dims(x, -1) for name, x in encoded.items()})
    return keras.Model(raw, merged, name="prepare"), steps


def _fill(name, x, known, features, values, encoded):
    """Adds a column of numbers: gaps filled with the training median, and an indicator of them."""
    space, gaps, given = keras.utils.FeatureSpace, np.isnan(known), x
    median = float(np.median(known[~gaps])) if not gaps.all() else 0.0
    filled = np.where(gaps, median, known)
    words = []
    if filled.min() == filled.max():  # it would be divided by 0
        examples.log.warning("the values of %s are constant in the training split: left out", name)
    else:
        # In float64: of large numbers that differ little float32 loses the mean.
        mean, variance = (float(f(filled, dtype="float64")) for f in (np.mean, np.var))
        x = keras.ops.where(keras.ops.isnan(x), keras.ops.cast(median, x.dtype), x)
        if (
            known.dtype == np.float64
        ):  # taken off before float32, which could not tell the values apart
            x = keras.ops.cast(keras.ops.subtract(x, keras.ops.cast(mean, x.dtype)), "float32")
            filled, mean = (filled - mean).astype("float32"), 0.0
        factor = float(numbers.in_reach(variance))
        if factor != 1:
            x, filled = x * factor, filled * np.float32(factor)
            mean, variance = mean * factor, variance * factor**2
        scale = keras.layers.Normalization(mean=mean, variance=variance, dtype="float32")
        features[name] = space.feature("float32", scale, "float")
        values[name] = filled
        encoded[name] = x
        words.append(f"gaps filled with {median:.6g}, standardised")
    if gaps.any():
        features[f"{name}_missing"] = space.float()
        values[f"{name}_missing"] = gaps.astype("float32")
        encoded[f"{name}_missing"] = keras.ops.cast(keras.ops.isnan(given), "float32")
        words.append(f"an indicator of gaps ({gaps.mean():.1%} of train)")
    return f"{name}: {', '.join(words)}" if words else None
