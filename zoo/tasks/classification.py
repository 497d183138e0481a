"""Classification: one class id for each example."""

import functools
import logging
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.keras_fixes import monitor_op
from zoo.tasks import (
    boosted_baseline,
    linear_baseline,
    losses,
    paired,
    pictures,
    scores,
    target_checks,
    targets,
)
from zoo.tasks.row import Task
from zoo.training import strategy as strategies

log = logging.getLogger("zoo")


def fit_temperature(model, splits):
    """Fits the temperature by which logits are divided (Guo et al. 2017), on the validation split.

    Args:
        model: The trained model.
        splits: The `Splits`, mapped to what the model takes.

    Returns:
        The temperature; 1 where every validation example is right, as then none is best.
    """
    logits = strategies.predict(model, splits, "validation")
    ids = splits.targets("validation")[: len(logits)]
    return best_temperature(ids, np.asarray(logits, "float64"))


def best_temperature(targets, logits):
    """The temperature that makes the cross-entropy of class ids `[N]` and logits `[N, K]` least."""
    if np.all(logits.argmax(-1) == targets):
        log.warning(
            "all %d validation examples are right, so no temperature fits best: it stays 1",
            len(targets),
        )
        return 1.0
    from scipy import optimize

    found = optimize.minimize_scalar(
        lambda exponent: scores.example_losses(targets, logits / np.exp(exponent)).mean(),
        bounds=np.log([0.01, 100]),
        method="bounded",
    )
    return float(np.exp(found.x))


def answer(outputs, temperature):
    """Class ids, int64 `[N]`, and probabilities, float32 `[N, K]`, of logits."""
    # The class comes from undivided logits: the division could make two of them equal.
    return {
        "class_id": tf.argmax(outputs, -1),
        "probabilities": tf.nn.softmax(outputs / temperature),
    }


def _predict(model, info, preparation, serving):
    def predict(features, raw, in_words=True):
        outputs = tf.cast(model(features, training=False), tf.float32)
        found = answer(outputs, serving.temperature)
        if not in_words:
            return found
        return found | {"label": tf.gather(tf.constant(info.labels), found["class_id"])}

    return predict


def _draw(model, splits, targets, outputs, folder):
    info = splits.info
    pictures.confusion(targets, outputs.argmax(-1), info.labels, folder / "confusion.png")
    error = scores.expected_calibration_error(targets, outputs)
    bins = scores.confidence_bins(targets, outputs)
    pictures.reliability(*bins, error, folder / "reliability.png")
    names = ["confusion.png", "reliability.png"]
    if not splits.kind.is_drawn:
        return names
    worst = scores.worst_mistakes(targets, outputs)
    captions = [_mistake(info.labels, targets[i], outputs[i]) for i in worst]
    if files := splits.files("test", worst):
        captions = [f"{_short(file)}\n{caption}" for file, caption in zip(files, captions)]
    pictures.mistakes(splits.pick("test", worst), captions, folder / "mistakes.png")
    return [*names, "mistakes.png"]


def _mistake(labels, target, logits):
    return f"{labels[target]}, taken for\n{_taken_for(labels, logits)}"


def _short(file, most=24):
    """The name of a file, cut at its beginning to what fits above a picture."""
    name = Path(file).name
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _taken_for(labels, logits):
    guess = logits.argmax()
    return f"{labels[guess]} ({scores.softmax(logits[None])[0, guess]:.0%})"


def _report(splits, targets, outputs, folder):
    info = splits.info
    lines = scores.table_by_class(info, targets, outputs.argmax(-1), "class", {})
    lines += scores.beyond_accuracy(targets, outputs, info.labels)
    worst = scores.worst_mistakes(targets, outputs)
    columns = {"worst mistakes": splits.files("test", worst)}
    if splits.kind.is_quoted:
        columns["text"] = splits.pick("test", worst)
    columns = {title: cells for title, cells in columns.items() if cells is not None}
    if not columns:
        return lines
    if len(columns) == 1:
        columns = {"worst mistakes": next(iter(columns.values()))}
    lines.append(f"| {' | '.join([*columns, 'is', 'taken for'])} |")
    lines.append("| --- |" + " --- |" * (len(columns) + 1))
    for *cells, target, logits in zip(*columns.values(), targets[worst], outputs[worst]):
        cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in cells]
        row = (*cells, info.labels[target], _taken_for(info.labels, logits))
        lines.append(f"| {' | '.join(map(scores.cell, row))} |")
    return [*lines, ""]


def _candidates(kind):
    from sklearn.linear_model import LogisticRegression

    return [LogisticRegression(C=c, max_iter=300) for c in kind.linear_strengths]


def _columns(row):
    return {"probability": max(row["probabilities"])}


TASK = Task(
    name="classification",
    targets="class",
    convert=targets.of_classes,
    check_targets=target_checks.check_ids,
    loss=losses.of_classes,
    metrics=lambda: [
        monitor_op.rising(keras.metrics.MeanMetricWrapper(losses.matches, name="accuracy"))
    ],
    monitor="val_accuracy",
    mode="max",
    mixes_labels=True,
    smooths_labels=True,
    weighs_classes=True,
    distils=True,
    weighs_examples=True,
    score=scores.classification,
    interval=scores.classification_interval,
    interval_by="Wilson's score interval",
    constant=scores.of_training_targets(scores.constant_class),
    constant_is="the classes' shares of the training split, so always its most frequent class",
    linear=functools.partial(
        linear_baseline.fit,
        candidates=_candidates,
        outputs_of=linear_baseline.log_probabilities,
        score=scores.classification,
    ),
    boosted=functools.partial(
        boosted_baseline.fit, score=scores.classification, is_of_classes=True
    ),
    resampled=paired.accuracy,
    calibrate=fit_temperature,
    draw=_draw,
    report=_report,
    predict=_predict,
    answer=answer,
    key="label",
    in_words=lambda row: f"{row['label']} ({max(row['probabilities']):.1%})",
    columns=_columns,
)
