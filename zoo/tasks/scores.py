"""What outputs are worth: test scores, their 95 % intervals, and what a constant guess would score; as tables, too. NumPy alone.

Outputs are those of a whole split: logits `[N, K]`, or a regression's predictions `[N, 1]` in the targets' units.
"""

import numpy as np

BINS = 15  # of the top probability; Guo et al. 2017
RESAMPLES = 1000  # of the bootstrap
BOOTSTRAP = f"percentile bootstrap over test examples, {RESAMPLES:,} resamples, fixed seed"
SHOWN = 20  # classes in a table
LONGEST = 200  # characters of a text in a table
TINY = 1e-30  # what a probability of 0 counts as in a logarithm


def softmax(logits):
    """Probabilities of logits, in float64."""
    shifted = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def example_losses(targets, logits):
    """Cross-entropy of each example, in nats."""
    picked = np.take_along_axis(softmax(logits), targets[:, None].astype("int64"), -1)[:, 0]
    return -np.log(np.maximum(picked, TINY))


def worst_mistakes(targets, logits, count=18):
    """Indices, in rising order, of the wrong predictions with the highest loss."""
    losses = example_losses(targets, logits)
    wrong = np.flatnonzero(logits.argmax(-1) != targets)
    return np.sort(wrong[np.argsort(-losses[wrong], kind="stable")][:count])


def confidence_bins(targets, logits):
    """Sorts examples by their top probability into bins of equal width (Guo et al. 2017).

    Returns:
        Per bin: how many examples, their mean top probability and their accuracy (0 in an empty bin).
    """
    confidence, right = softmax(logits).max(-1), logits.argmax(-1) == targets
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # (low, high]
    counts = np.bincount(number, minlength=BINS)
    sums = [np.bincount(number, values, BINS) for values in (confidence, right)]
    return counts, *(total / np.maximum(counts, 1) for total in sums)


def expected_calibration_error(targets, logits):
    """How far top probabilities are from the accuracy, on average over the examples' bins (Guo et al. 2017)."""
    counts, confidence, accuracy = confidence_bins(targets, logits)
    return float(np.sum(counts * np.abs(confidence - accuracy)) / counts.sum())


def average_precisions(targets, outputs, held=None):
    """The average precision of each label: precision at each rank, averaged over the label's examples.

    Equal to scikit-learn's `average_precision_score`, for many resamples at a time.

    Args:
        targets: 0 or 1, `[N, K]`.
        outputs: Any scores, `[N, K]`; higher is surer.
        held: How often each resample holds each example, int32 `[N, R]`; each example once where it is `None`.

    Returns:
        float `[K, R]`; NaN for a label that no example has.
    """
    held = np.ones((len(targets), 1), "int32") if held is None else held
    rows = []
    for target, output in zip(targets.T, outputs.T):
        order = np.argsort(-output, kind="stable")
        hits = np.flatnonzero(target[order])
        # Examples with equal outputs count together: the last of them is the rank of all.
        ranks = np.searchsorted(-output[order], -output[order][hits], side="right") - 1
        weights = held[order[hits]]
        found = np.cumsum(weights, 0, "int32")[np.searchsorted(hits, ranks, side="right") - 1]
        seen = np.cumsum(held[order], 0, "int32")[ranks]
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN
            rows.append((weights * found / np.maximum(seen, 1)).sum(0) / weights.sum(0))
    return np.stack(rows)


def mean_average_precision(targets, outputs, held=None):
    """The mean over the labels that occur, one value per resample."""
    values = average_precisions(targets, outputs, held)
    occur = ~np.isnan(values)
    return np.where(occur, values, 0).sum(0) / np.maximum(occur.sum(0), 1)


def by_class(targets, predicted, num_classes):
    """Precision, recall, F1 and number of test examples of each class or label; NaN where there is nothing to count.

    Args:
        targets: Class ids `[N]`, or 0 and 1 for each label `[N, K]`.
        predicted: The same form.
        num_classes: Number of classes or labels.
    """
    from sklearn import metrics

    return metrics.precision_recall_fscore_support(
        targets, predicted, labels=np.arange(num_classes), zero_division=np.nan
    )


def classification(targets, logits):
    """Test scores of logits `[N, K]` for class ids `[N]`."""
    return {
        "accuracy": float(np.mean(logits.argmax(-1) == targets)),
        "cross_entropy": float(example_losses(targets, logits).mean()),
        "ece": expected_calibration_error(targets, logits),
    }


def regression(targets, outputs):
    """Test scores of predictions for targets `[N]`, in the targets' units.

    Of several numbers `[N, K]`, which may have units of their own, it is the mean of each one's coefficient of determination.
    """
    targets = targets.astype("float64")
    if targets.ndim == 2:
        squared = np.square(outputs.astype("float64") - targets)
        spread = np.square(targets - targets.mean(0))
        return {"r2": float(_explained(squared.sum(0), spread.sum(0)).mean())}
    errors = outputs.reshape(-1).astype("float64") - targets
    spread = np.mean(np.square(targets - targets.mean()))
    scores = {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
    if spread:  # targets that are all alike leave nothing to explain
        scores["r2"] = float(1 - np.mean(errors**2) / spread)
    return scores


def _explained(squared, spread):
    """Coefficients of determination; as of scikit-learn 1 or 0 where the targets are all alike."""
    alike = spread <= 0
    return np.where(alike, squared <= 0, 1 - squared / np.where(alike, 1, spread))


def by_target(info, targets, outputs):
    """The test scores of each of several numbers `[N, K]`: `rmse_NAME`, `mae_NAME`, `r2_NAME`; of one number none."""
    return {
        f"{score}_{name}": value
        for i, name in enumerate(info.target_names)
        for score, value in regression(targets[:, i], outputs[:, i]).items()
    }


def multilabel(targets, logits):
    """Test scores of logits `[N, K]` for labels of 0 or 1 `[N, K]`.

    Mean average precision comes first, as in PASCAL VOC, COCO and AudioSet: it judges the ranking, so that it depends
    on no threshold, and rare labels count like frequent ones. The others are at a probability of 0.5.
    """
    from sklearn import metrics

    chosen = (logits > 0).astype(int)
    f1 = {
        f"{average}_f1": float(metrics.f1_score(targets, chosen, average=average, zero_division=0))
        for average in ("macro", "micro")
    }
    return {
        "mean_average_precision": float(mean_average_precision(targets, logits)[0]),
        **f1,
        "subset_accuracy": float(np.mean((chosen == targets).all(-1))),
    }


def beyond_accuracy(targets, logits, labels):
    """What says more than the accuracy where classes are not balanced: lines of Markdown.

    Args:
        targets, logits: Class ids `[N]` and logits `[N, K]`.
        labels: The classes' names.
    """
    from sklearn import metrics

    present, counts = np.unique(targets, return_counts=True)
    if len(present) < 2:
        return []
    probabilities, chosen = softmax(logits), logits.argmax(-1)
    hits = targets[:, None] == present
    own = probabilities[:, present]
    values = {
        "balanced accuracy": np.mean([np.mean(chosen[targets == c] == c) for c in present]),
        "ROC AUC": np.mean([metrics.roc_auc_score(h, p) for h, p in zip(hits.T, own.T)]),
        "average precision": np.mean([metrics.average_precision_score(h, p) for h, p in zip(hits.T, own.T)]),
    }  # fmt: skip
    told = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    of = (
        "each class against the others, the classes' mean"
        if len(present) > 2
        else "the classes' mean"
    )
    lines = [f"Where classes are not balanced: {told} ({of}).", ""]
    if logits.shape[-1] != 2:
        return lines
    rare = int(present[np.argmin(counts)])
    lines += [
        f"| {cell(labels[rare])} from a probability of | precision | recall |",
        "| --- | --- | --- |",
    ]
    for threshold in (0.1, 0.25, 0.5, 0.75, 0.9):
        taken, is_one = probabilities[:, rare] >= threshold, targets == rare
        precision = f"{np.mean(is_one[taken]):.3f}" if taken.any() else "–"
        lines.append(f"| {threshold} | {precision} | {np.mean(taken[is_one]):.3f} |")
    return [*lines, ""]


RISING = (
    "accuracy",
    "r2",
    "mean_average_precision",
)  # scores of which more is better; of others less
DECIDING = ("cross_entropy", "nll")  # scores that count beside the headline


def not_beaten(scores, others):
    """The names of the scores, of the headline and those that decide, in which a model is no better than another.

    Args:
        scores: The model's, the headline first.
        others: Those of the other.
    """
    judged = [
        name for i, name in enumerate(scores) if (i == 0 or name in DECIDING) and name in others
    ]
    signs = {name: 1 if name in RISING else -1 for name in judged}
    return [name for name in judged if signs[name] * (scores[name] - others[name]) <= 0]


def wilson(hits, count):
    """The 95 % score interval of a share (Wilson 1927), which is right near 0 and 1, too."""
    z = 1.959964
    share = hits / count
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(max(0.0, centre - reach)), float(min(1.0, centre + reach))


def bootstrap(statistic, count):
    """The 95 % percentile interval (Efron & Tibshirani 1993) over resamples of the test examples, the same each time.

    Args:
        statistic: How often each resample holds each example, int32 `[N, R]` → the score of each resample `[R]`.
        count: Number of examples.
    """
    rng, values = np.random.default_rng(0), []
    rows = max(1, 2**21 // count)  # at a time, for the memory
    for first in range(0, RESAMPLES, rows):
        drawn = rng.integers(count, size=(min(rows, RESAMPLES - first), count))
        drawn += count * np.arange(len(drawn))[:, None]
        held = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        values.append(statistic(np.ascontiguousarray(held.T, "int32")))
    low, high = np.percentile(np.concatenate(values), (2.5, 97.5))
    return float(low), float(high)


def classification_interval(targets, logits):
    """Of the accuracy."""
    return wilson(int(np.sum(logits.argmax(-1) == targets)), len(targets))


def regression_interval(targets, outputs):
    """Of the root mean squared error; of several numbers, of the mean of their coefficients of determination."""
    return bootstrap(resampled_error(targets, outputs), len(targets))


def multilabel_interval(targets, logits):
    """Of the mean average precision."""
    return bootstrap(lambda held: mean_average_precision(targets, logits, held), len(targets))


def resampled_error(targets, outputs):
    """A statistic for `bootstrap`: of a number the root mean squared error; of several the mean of their coefficients of determination."""
    if targets.ndim == 1:
        squared = np.square(outputs.reshape(-1).astype("float64") - targets)
        return lambda held: np.sqrt(squared @ held / len(squared))
    squared = np.square(outputs.astype("float64") - targets).T
    # About their mean, so that the difference of two sums below keeps its digits.
    values = (targets.astype("float64") - targets.mean(0, dtype="float64")).T

    def mean_explained(held):
        spread = np.square(values) @ held - np.square(values @ held) / len(targets)
        return _explained(squared @ held, spread).mean(0)

    return mean_explained


def of_training_targets(constant):
    """A constant guess that the training targets alone determine: of them, and the width of the output."""
    return lambda splits, model: constant(splits.targets("train"), splits.info.num_outputs)


def constant_class(targets, num_outputs):
    """The logits that say each class's share of the training targets: their top is the most frequent class."""
    return np.log(
        np.maximum(np.bincount(targets.astype("int64"), minlength=num_outputs) / len(targets), TINY)
    )


def constant_value(targets, num_outputs):
    """The mean of the training targets, of several numbers of each."""
    return np.atleast_1d(targets.mean(0, dtype="float64"))


def constant_labels(targets, num_outputs):
    """The logits of each label's share of the training examples."""
    share = np.clip(targets.mean(0, dtype="float64"), TINY, 1 - 1e-15)
    return np.log(share / (1 - share))


def cell(text):
    """A text in one line of a table, shortened."""
    text = " ".join(text.replace("|", "\\|").split())
    return text if len(text) <= LONGEST else text[: LONGEST - 2] + " …"


def table_by_class(info, targets, predicted, title, more):
    """Precision, recall and F1 of each class or label; of many the worst.

    Args:
        info: The `DataInfo`.
        targets, predicted: As `by_class` takes them.
        title: What a row is.
        more: Further columns: name → a value for each class.
    """
    precision, recall, f1, support = by_class(targets, predicted, info.num_outputs)
    columns = {"precision": precision, "recall": recall, "F1": f1, **more}
    shown = np.arange(info.num_outputs)
    if info.num_outputs > SHOWN:
        occur = np.flatnonzero(support)
        shown = occur[np.argsort(np.nan_to_num(f1[occur]), kind="stable")][:SHOWN]
        title += f" (the {len(shown)} of {info.num_outputs} with the lowest F1)"
    lines = [
        f"| {title} | {' | '.join(columns)} | test examples |",
        "| --- |" + " --- |" * (len(columns) + 1),
    ]
    for i in shown:
        values = ["–" if np.isnan(v[i]) else f"{v[i]:.3f}" for v in columns.values()]
        share = f"{support[i]:,} ({support[i] / len(targets):.1%})"
        lines.append(f"| {cell(info.labels[i])} | {' | '.join(values)} | {share} |")
    return [*lines, ""]
