"""One row of a table in place of several, and answers as a DataFrame: what people pass and want who work with pandas."""

import re

import numpy as np

from zoo.data import naming
from zoo.data.kinds import objects


def one_row(inputs, columns):
    """A single row, a dict of values or a pandas Series of columns, as a table of one row; other inputs as they are.

    Args:
        inputs: What a caller passed.
        columns: The columns of the model; of one without columns nothing is a row.
    """
    is_series = hasattr(inputs, "iloc") and hasattr(inputs, "index") and inputs.ndim == 1
    if is_series and columns and set(columns) <= set(naming.column_names(inputs.index)):
        inputs = inputs.to_dict()
    is_dict = isinstance(inputs, dict) and not objects.is_sparse(inputs)
    is_row = is_dict and inputs and all(np.ndim(v) == 0 for v in inputs.values())
    return {name: [value] for name, value in inputs.items()} if is_row else inputs


def typed_labels(card):
    """The labels of a card as the training data had them: whole numbers, truth values or texts."""
    if card.label_type == "bool" and set(card.labels) <= {"False", "True"}:
        return tuple(label == "True" for label in card.labels)
    if card.label_type == "int" and all(re.fullmatch(r"-?\d{1,18}", one) for one in card.labels):
        return tuple(map(int, card.labels))
    return card.labels


def of_outputs(outputs, labels, index=None, target_names=()):
    """Answers as a DataFrame with a row an example.

    Args:
        outputs: Name → array `[N, ...]`.
        labels: The classes' names, in the order of the probabilities.
        index: The rows' names.
        target_names: The names of several predicted numbers.

    Returns:
        A DataFrame; `probabilities` `[N, K]` are the columns `p(LABEL)`, and the columns of another output of several numbers are
        called after it, `forecast_1`, `forecast_2`, ..., or after it and the target: `prediction_TARGET`.
    """
    import pandas as pd

    columns = {}
    for name, values in outputs.items():
        if values.ndim == 1:
            columns[name] = values
            continue
        flat = values.reshape(len(values), -1)
        is_share = name == "probabilities" and flat.shape[1] == len(labels)
        titles = [f"p({label})" for label in labels] if is_share else None
        if target_names and flat.shape[1] == len(target_names):
            titles = [f"{name}_{target}" for target in target_names]
        titles = titles or [f"{name}_{i + 1}" for i in range(flat.shape[1])]
        columns |= dict(zip(titles, flat.T, strict=True))
    return pd.DataFrame(columns, index=index)
