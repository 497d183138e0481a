"""Multi-label classification: 0 or 1 for each of several labels, `[N, K]`; one logit for each."""

import functools

import keras
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


def answer(outputs, temperature):
    """Probabilities of the labels, float32 `[N, K]`, of logits."""
    return {"probabilities": tf.sigmoid(outputs)}


def _predict(model, info, preparation, serving):
    def predict(features, raw, in_words=True):
        return answer(tf.cast(model(features, training=False), tf.float32), serving.temperature)

    return predict


def _draw(model, splits, targets, outputs, folder):
    info = splits.info
    f1 = scores.by_class(targets, outputs > 0, info.num_outputs)[2]
    precision = scores.average_precisions(targets, outputs)[:, 0]
    pictures.labels(info.labels, f1, precision, folder / "labels.png")
    return ["labels.png"]


def _report(splits, targets, outputs, folder):
    more = {"average precision": scores.average_precisions(targets, outputs)[:, 0]}
    return scores.table_by_class(splits.info, targets, outputs > 0, "label, at 0.5", more)


def _candidates(kind):
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return [
        OneVsRestClassifier(LogisticRegression(C=c, max_iter=300)) for c in kind.linear_strengths
    ]


def _logits(model, features, info):
    return model.decision_function(features).reshape(-1, info.num_outputs)


TASK = Task(
    name="multilabel",
    targets="labels",
    convert=targets.of_labels,
    check_targets=target_checks.check_zero_or_one,
    loss=losses.of_labels,
    # Keras's AUC would say more and takes several times the step of a small model.
    metrics=lambda: [
        monitor_op.rising(
            keras.metrics.MeanMetricWrapper(losses.label_matches, name="binary_accuracy")
        )
    ],
    monitor="val_loss",  # the accuracy of rare labels hardly moves
    mixes_labels=True,
    smooths_labels=True,
    weighs_examples=True,
    score=scores.multilabel,
    interval=scores.multilabel_interval,
    interval_by=scores.BOOTSTRAP,
    constant=scores.of_training_targets(scores.constant_labels),
    constant_is="the labels' shares of the training split",
    linear=functools.partial(
        linear_baseline.fit, candidates=_candidates, outputs_of=_logits, score=scores.multilabel
    ),
    boosted=functools.partial(boosted_baseline.fit, score=scores.multilabel),
    resampled=paired.precision,
    draw=_draw,
    report=_report,
    predict=_predict,
    answer=answer,
    key="probabilities",
    in_words=lambda row: ", ".join(f"{p:.1%}" for p in row["probabilities"]),
    columns=lambda row: {f"probability_{i}": p for i, p in enumerate(row["probabilities"])},
)
