"""The boosted trees beside which a model of a table stands: scikit-learn's `HistGradientBoosting` on the same rows."""

import functools
import logging

import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import dates
from zoo.tasks.linear_baseline import Baseline
from zoo.tasks.scores import TINY

log = logging.getLogger("zoo")

ROUNDS = 200
MOST_TREES = 4000  # of all classes together
MOST_CATEGORIES = 254  # scikit-learn takes 255, of which one stands for the rarest


def fit(splits, *, score, more_scores=None, is_of_classes=False):
    """Fits boosted trees on the raw rows of train; the number of rounds is that with the best validation score.

    Gaps stay gaps, categories are native ones, and dates are their parts. Of several labels, or numbers, each has trees of its own.

    Args:
        splits: The `Splits`.
        score, more_scores: As of the task.
        is_of_classes: Whether the targets are class ids; otherwise they are numbers, or labels of 0 and 1.

    Returns:
        A `Baseline`, or `None` where the inputs are no rows of columns in memory.
    """
    info, data = splits.info, splits.examples
    is_row = len(info.input_shape) == 1 and splits.kind.vocabulary is None and not info.parts
    if not is_row or not all(isinstance(part, examples.Arrays) for part in data.values()):
        return None
    encode = _encoder(info, data["train"].inputs)
    rows = {name: encode(part.inputs) for name, part in data.items()}
    targets = {name: splits.targets(name) for name in data}
    log.info("fitting boosted trees on %d examples", len(data["train"]))
    categorical = [kind == "category" for kind in _kinds(info) for _ in range(_width(kind))]
    fit_one = functools.partial(_fit_one, rows=rows, categorical=categorical, info=info)
    if is_of_classes:
        outputs, rounds = fit_one(targets, is_of_classes=True)
    else:
        columns = {name: t.reshape(len(t), -1) for name, t in targets.items()}
        found = [
            fit_one({n: t[:, i] for n, t in columns.items()}, is_of_classes=bool(info.labels))
            for i in range(info.num_outputs)
        ]
        # Of a label what counts is the logit: that of 1 less that of 0.
        each = [o[:, 1:] - o[:, :1] if info.labels else o for o, _ in found]
        outputs, rounds = np.concatenate(each, axis=1), sorted({r for _, r in found})
    scores = score(targets["test"], outputs)
    scores = scores | dict(more_scores(info, targets["test"], outputs) if more_scores else ())
    name = "HistGradientBoostingClassifier" if info.labels else "HistGradientBoostingRegressor"
    told = f"{name} of scikit-learn, rounds {_in_words(rounds)}"
    return Baseline(told, scores, len(data["train"]), outputs=outputs)


def _in_words(rounds):
    return (
        f"{rounds}" if isinstance(rounds, int) else " to ".join(map(str, {rounds[0], rounds[-1]}))
    )


def _fit_one(targets, *, rows, categorical, info, is_of_classes):
    """The outputs of test, logarithms of the probabilities of classes or numbers, `[N, K]`, and the number of rounds."""
    from sklearn import ensemble

    present = np.unique(targets["train"]) if is_of_classes else ()
    num_classes = info.num_outputs if targets["train"].ndim == 1 and len(present) > 2 else 2
    num_classes = max(num_classes, int(max(present, default=0)) + 1)
    kind = ensemble.HistGradientBoostingRegressor
    if is_of_classes:
        if len(present) == 1:  # always right of it
            sure = np.full((len(targets["test"]), num_classes), np.log(TINY))
            sure[:, int(present[0])] = 0.0
            return sure, 0
        kind = ensemble.HistGradientBoostingClassifier
    trees = len(present) if len(present) > 2 else 1
    model = kind(
        max_iter=int(np.clip(MOST_TREES // trees, 20, ROUNDS)),
        categorical_features=np.array(categorical, bool) if any(categorical) else None,
        early_stopping=False,
        random_state=0,
    ).fit(rows["train"], targets["train"])

    def losses(outputs):
        if not is_of_classes:
            return np.mean(np.square(outputs - targets["validation"]))
        at = np.searchsorted(present, targets["validation"])
        known = np.isin(targets["validation"], present)
        right = outputs[np.arange(len(at)), np.minimum(at, len(present) - 1)]
        return -np.mean(np.log(np.maximum(np.where(known, right, 0), TINY)))

    staged = model.staged_predict_proba if is_of_classes else model.staged_predict
    best = int(np.argmin([losses(outputs) for outputs in staged(rows["validation"])]))
    outputs = next(o for i, o in enumerate(staged(rows["test"])) if i == best)
    if not is_of_classes:
        return outputs.reshape(-1, 1).astype("float64"), best + 1
    whole = np.full((len(outputs), num_classes), np.log(TINY))
    whole[:, present.astype(int)] = np.log(np.maximum(outputs, TINY))
    return whole, best + 1


def _kinds(info):
    """What each column is; where nothing is said, all are numbers."""
    return info.column_kinds or ("number",) * info.input_shape[0]


def _width(kind):
    return len(dates.DateParts.names) if kind == "date" else 1


def _encoder(info, train):
    """A function from raw rows to float64 `[N, F]`: numbers as they are, codes of the commonest categories, parts of dates."""
    if not isinstance(train, dict):
        return lambda rows: np.asarray(rows, "float64")
    codes = {
        column: _codes(train[column])
        for column, kind in zip(info.columns, _kinds(info), strict=True)
        if kind == "category"
    }

    def encode(rows):
        found = []
        for column, kind in zip(info.columns, _kinds(info), strict=True):
            if kind == "category":
                known = codes[column]
                values = [np.nan if t == "" else known.get(t, np.nan) for t in _texts(rows[column])]
                found.append(np.array(values, "float64")[:, None])
            elif kind == "date":
                parts = dates.DateParts(dtype="float32")(tf.constant(rows[column]))
                found.append(np.asarray(parts, "float64"))
            else:
                found.append(np.asarray(rows[column], "float64")[:, None])
        return np.concatenate(found, axis=1)

    return encode


def _texts(values):
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _codes(values):
    """Category → its code: the commonest have one each, all others share the last."""
    found, counts = np.unique(np.array(_texts(values), object).astype(str), return_counts=True)
    ranked = [found[i] for i in np.argsort(-counts, kind="stable") if found[i] != ""]
    return {text: min(code, MOST_CATEGORIES) for code, text in enumerate(ranked)}
