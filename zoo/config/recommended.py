"""Settings that a size begins with where a run says no others: those that it was found to need.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

# Family and size → options by name, as `TrainConfig.replace` takes them. Chosen by validation scores of four tables of 16,000 to
# 48,000 rows (adult, California housing, diamonds, flights); one choice for all.
_WAVES = {"batch_size": 256, "schedule": "coslog4", "beta_2": 0.95}
# Of the bag by validation scores of IMDB; three epochs as in the notebook of keras-nbsvm.
_COUNTED = {
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "text_size": (1500, 50_000),
    "text_unit": "tokens",
}
RECOMMENDED = {
    "dense:tabular": {**_WAVES, "epochs": 32, "learning_rate": 0.02},
    "dense:ensemble": {**_WAVES, "epochs": 24, "learning_rate": 0.03},
    "bag:small": _COUNTED,
    "bag:base": _COUNTED,
}


def settings_of(model):
    """The options that a model's size begins with; none for most.

    >>> settings_of("dense:small")
    {}
    """
    return RECOMMENDED.get(model, {}) if isinstance(model, str) else {}
