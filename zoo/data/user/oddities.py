"""What a person would want to hear of a table before it is learned from."""

import logging

import numpy as np

log = logging.getLogger("zoo")

TELLING = 0.98  # share of right answers from one column
MOST_ROWS = 5000  # that are looked at


def warn(inputs, targets):
    """Warns of columns that tell the classes of a training table by themselves: a code of the class, a copy, a row number.

    Args:
        inputs: Dict from column to array.
        targets: Class ids `[N]`.
    """
    from sklearn.tree import DecisionTreeClassifier

    picked = np.random.default_rng(0).permutation(len(targets))[:MOST_ROWS]
    half = len(picked) // 2
    fitted, judged = slice(half), slice(half, None)
    targets = targets[picked]
    counts = np.bincount(targets[judged])
    if half < 20 or len(inputs) < 2 or counts.max() > 0.9 * (len(targets) - half):
        return
    for name, all_values in inputs.items():
        is_number, values = all_values.dtype.kind == "f", all_values[picked]
        column = np.nan_to_num(values) if is_number else np.unique(values, return_inverse=True)[1]
        leaves = 2 * len(counts) if is_number else max(2, len(np.unique(column)))
        if leaves > half // 2:
            continue
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
        tree.fit(column[fitted, None], targets[fitted])
        share = np.mean(tree.predict(column[judged, None]) == targets[judged])
        if share < TELLING:
            continue
        is_row_number = is_number and np.all(np.diff(np.sort(all_values)) == 1)
        why = ": it numbers the rows, which are sorted by class" if is_row_number else ""
        log.warning(
            "the column %s alone tells %.0f %% of the classes%s; if it is not known where the model is used, leave it out "
            "(columns, --columns)", name, 100 * share, why,
        )  # fmt: skip
