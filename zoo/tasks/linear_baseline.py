"""The linear baseline beside which a model stands: logistic or ridge regression on the same, prepared inputs."""

import dataclasses
import logging
import warnings

import numpy as np
import tensorflow as tf

from zoo.data import kinds
from zoo.tasks.scores import RISING, TINY

log = logging.getLogger("zoo")

MOST_EXAMPLES = 20_000
MOST_NUMBERS = 2**26  # inputs of all examples together: 256 MiB


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A simpler model and what it reached.

    Attributes:
        model: The scikit-learn model, in words.
        scores: Name → value on the whole test split.
        num_train: Number of training examples that it was fitted on.
        difference: Of the headline, the model's less this one's, on the same test examples: value, low and high end of its 95 % interval;
            `None` where it was not compared.
        outputs: For the test split, as the task's `score` takes them; `None` where they are read from a file.
    """

    model: str
    scores: dict
    num_train: int
    difference: tuple | None = None
    outputs: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)

    def record(self):
        """What a run's `score.json` holds of it."""
        found = {key: value for key, value in vars(self).items() if key != "outputs"}
        return {key: value for key, value in found.items() if value is not None}


def fit(splits, limit=MOST_EXAMPLES, *, candidates, outputs_of, score, more_scores=None):
    """Fits linear models of scikit-learn and judges the best on the test split; validation chooses the penalty.

    Of texts it sees n-grams: words and pairs of them, or one to four characters, weighted by TF-IDF. All other inputs are
    one row of numbers.

    Args:
        splits: The `Splits`, mapped to what the models take.
        limit: Fit on at most this many training examples: a fixed random pick of examples in memory, the first of a
            stream. `None` takes all of them.
        candidates: `Kind` → models to fit, one for each penalty.
        outputs_of: (model, features, info) → outputs in the form of a zoo model's, `[N, K]`.
        score, more_scores: As of the task.

    Returns:
        A `Baseline`, or `None` where the training examples taken are all of one class.
    """
    info, kind = splits.info, splits.kind
    if any(kinds.kind(part.kind).linear_features for part in info.parts.values()):
        log.warning("no linear baseline: of several inputs one is text")
        return None
    if kind.linear_features is not None:  # it reads raw inputs
        splits = splits.mapped(None)
    parts = {name: _limited(splits, name, limit) for name in ("train", "validation")}
    targets = {name: part.targets("test") for name, part in parts.items()}
    rows = {name: np.concatenate(list(_batches(part))) for name, part in parts.items()}
    if info.labels and targets["train"].ndim == 1 and len(np.unique(targets["train"])) == 1:
        log.warning("no linear baseline: the first training examples are all of one class")
        return None
    is_precise = targets["train"].dtype == np.float64  # float32 rows would be answered in float32
    as_prepared = _in_float64 if is_precise else _as_prepared
    features = (kind.linear_features or as_prepared)(info, rows["train"])
    train, validation = features(rows["train"]), features(rows["validation"])
    log.info("fitting the linear baseline on %d examples", len(targets["train"]))
    with warnings.catch_warnings():  # of fits that 300 steps end, and of labels that never vary
        warnings.simplefilter("ignore")
        models = [model.fit(train, targets["train"]) for model in candidates(kind)]

    def headline(model):
        found = score(targets["validation"], outputs_of(model, validation, info))
        name, value = next(iter(found.items()))
        return value if name in RISING else -value

    model = max(models, key=headline)
    outputs = [outputs_of(model, features(batch), info) for batch in _batches(splits)]
    found = splits.targets("test"), np.concatenate(outputs)
    scores = score(*found) | dict(more_scores(info, *found) if more_scores else ())
    return Baseline(repr(model), scores, len(targets["train"]), outputs=found[1])


def _limited(splits, name, limit):
    """Some examples of a split, in the place of the test split, which is read in order."""
    data = splits.examples[name]
    if limit is not None:
        specs = tf.nest.flatten(splits.test.element_spec[0])
        numbers = sum(spec.shape[1:].num_elements() for spec in specs)
        limit = min(limit, max(1, MOST_NUMBERS // numbers))
        if len(data) > limit:
            picked = np.random.default_rng(0).permutation(len(data))[:limit]
            data = data.take(np.sort(picked))
    return dataclasses.replace(splits, examples={"test": data})


def _batches(splits):
    for inputs, *_ in splits.test.as_numpy_iterator():
        parts = [part.reshape(len(part), -1) for part in tf.nest.flatten(inputs)]
        yield parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _as_prepared(info, rows):
    return lambda rows: rows


def _in_float64(info, rows):
    return lambda rows: rows.astype("float64")


def log_probabilities(model, features, info):
    """Logarithms of the probabilities of all classes `[N, K]`, of which the model may have met some only."""
    logits = np.full((features.shape[0], info.num_outputs), np.log(TINY))
    with np.errstate(divide="ignore"):  # a probability of 0
        logits[:, model.classes_] = model.predict_log_proba(features)
    return np.maximum(logits, np.log(TINY))
