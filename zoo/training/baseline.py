"""The linear baseline beside which a model stands: logistic or ridge regression on the same, prepared inputs."""

import dataclasses
import logging
import warnings

import numpy as np

from zoo.data import texts
from zoo.training import forecasting, tasks
from zoo.training.scores import TINY

log = logging.getLogger("zoo")

MOST_EXAMPLES = 20_000
MOST_NUMBERS = 2**26  # inputs of all examples together: 256 MiB


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A linear model and what it reached.

    Attributes:
        model: The scikit-learn model, in words.
        scores: Name → value on the whole test split.
        num_train: Number of training examples that it was fitted on.
    """

    model: str
    scores: dict
    num_train: int


def fit_linear(splits, *, limit=MOST_EXAMPLES):
    """Fits a linear model of scikit-learn and judges it on the test split; validation chooses the penalty.

    For a series it is an autoregression. Of texts it sees n-grams: words and pairs of them, or one to four characters,
    weighted by TF-IDF. All other inputs are one row of numbers.

    Args:
        splits: The `Splits`, mapped to what the models take.
        limit: Fit on at most this many training examples: a fixed random pick of examples in memory, the first of a
            stream, the newest of a series. `None` takes all of them.

    Returns:
        A `Baseline`, or `None` where the training examples taken are all of one class.
    """
    info, score = splits.info, tasks.task(splits.info.task).score
    if info.task == "forecasting":
        best, outputs, count = forecasting.fit_linear(splits, limit)
        scores = score(splits.targets("test"), outputs)
        return Baseline(f"autoregression, {best!r}", scores, count)
    if info.kind == "text":
        splits = splits.mapped(None)
    parts = {name: _limited(splits, name, limit) for name in ("train", "validation")}
    targets = {name: part.targets("test") for name, part in parts.items()}
    rows = {name: np.concatenate(list(_batches(part))) for name, part in parts.items()}
    if info.task == "classification" and len(np.unique(targets["train"])) == 1:
        log.warning("no linear baseline: the first training examples are all of one class")
        return None
    features = _features(info, rows["train"])
    train, validation = features(rows["train"]), features(rows["validation"])
    log.info("fitting the linear baseline on %d examples", len(targets["train"]))
    with warnings.catch_warnings():  # of fits that 300 steps end, and of labels that never vary
        warnings.simplefilter("ignore")
        models = [model.fit(train, targets["train"]) for model in _candidates(info)]

    def headline(model):
        return next(iter(score(targets["validation"], _outputs(model, validation, info)).values()))

    best = (min if info.task == "regression" else max)(models, key=headline)
    outputs = [_outputs(best, features(batch), info) for batch in _batches(splits)]
    scores = score(splits.targets("test"), np.concatenate(outputs))
    return Baseline(repr(best), scores, len(targets["train"]))


def _candidates(info):
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if info.task == "regression":
        return [Ridge(alpha=alpha) for alpha in (0.1, 1.0, 10.0, 100.0)]
    strengths = (1.0, 10.0, 100.0) if info.kind == "text" else (0.01, 0.1, 1.0, 10.0)
    logistic = [LogisticRegression(C=c, max_iter=300) for c in strengths]
    return logistic if info.task == "classification" else [OneVsRestClassifier(m) for m in logistic]


def _limited(splits, name, limit):
    """Some examples of a split, in the place of the test split, which is read in order."""
    data = splits.examples[name]
    if limit is not None:
        numbers = splits.test.element_spec[0].shape[1:].num_elements()
        limit = min(limit, max(1, MOST_NUMBERS // numbers))
        if len(data) > limit:
            picked = np.random.default_rng(0).permutation(len(data))[:limit]
            data = data.take(np.sort(picked))
    return dataclasses.replace(splits, examples={"test": data})


def _batches(splits):
    for inputs, _ in splits.test.as_numpy_iterator():
        yield inputs.reshape(len(inputs), -1)


def _features(info, train):
    """Returns a function from rows of prepared inputs, or of texts, to what the linear model takes."""
    if info.kind != "text":
        return lambda rows: rows
    from sklearn.feature_extraction.text import TfidfVectorizer

    unit = info.text_unit
    grams = (
        {"analyzer": "char", "ngram_range": (1, 4)}
        if unit == "characters"
        else {"ngram_range": (1, 2)}
    )
    vectorizer = TfidfVectorizer(min_df=2, sublinear_tf=True, dtype=np.float32, **grams)

    def cleaned(rows):
        plain = (text.decode() for text in texts.clean(rows[:, 0], unit).numpy())
        # The edges are part of an n-gram of characters.
        return [f"<{text}>" if unit == "characters" else text for text in plain]

    vectorizer.fit(cleaned(train))
    return lambda rows: vectorizer.transform(cleaned(rows))


def _outputs(model, features, info):
    """Outputs in the form of a zoo model's: `[N, K]`."""
    if info.task == "regression":
        return model.predict(features).reshape(-1, 1)
    if info.task == "multilabel":
        return model.decision_function(features).reshape(-1, info.num_outputs)
    logits = np.full((features.shape[0], info.num_outputs), np.log(TINY))
    with np.errstate(divide="ignore"):  # a probability of 0
        logits[:, model.classes_] = model.predict_log_proba(features)
    return np.maximum(logits, np.log(TINY))
