"""Dates as ISO 8601 texts, brought to numbers inside of the graph."""

import keras
import numpy as np
import tensorflow as tf

ISO_DATE = r"\s*\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ].*)?\s*"


@keras.saving.register_keras_serializable(package="zoo")
class DateParts(keras.layers.Layer):
    """Dates as ISO 8601 texts, string [B] → days since 1970, month and weekday (Monday is 0), float32 [B, 3].

    What is no date becomes NaN.
    """

    names = ("days", "month", "weekday")

    def call(self, texts):
        is_date = tf.strings.regex_full_match(texts, ISO_DATE)
        safe = tf.where(is_date, tf.strings.strip(texts), "1970-01-01")
        year, month, day = (
            tf.strings.to_number(tf.strings.substr(safe, start, length), tf.int32)
            for start, length in ((0, 4), (5, 2), (8, 2))
        )
        # Hinnant, "chrono-compatible low-level date algorithms": years that begin in March end with the leap day.
        early = month <= 2
        year -= tf.cast(early, tf.int32)
        era = year // 400
        year_of_era = year - era * 400
        day_of_year = (153 * (month + tf.where(early, 9, -3)) + 2) // 5 + day - 1
        days = (
            era * 146097
            + year_of_era * 365
            + year_of_era // 4
            - year_of_era // 100
            + day_of_year
            - 719468
        )
        parts = tf.cast(tf.stack([days, month, (days + 3) % 7], -1), tf.float32)
        return tf.where(is_date[:, None], parts, np.nan)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 3)
