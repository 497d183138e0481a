"""Text to text: the model answers token by token. Answers are judged as a user gets them: decoded from the source alone, and compared with all right answers.

Outputs, one row for each test pair: whether the answer is wrong, the edits from it to the nearest right one, and that one's
length.
"""

import csv
import dataclasses
import functools
import io

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.models import checks, decoding
from zoo.tasks import losses, scores
from zoo.tasks import target_vocabulary as vocabularies
from zoo.tasks import targets as conversions
from zoo.tasks.row import Task

FILE = "answers.csv"
TOGETHER = 512  # sources that are answered at once: each step of decoding is many small operations


def answerer(model, vocabulary):
    """Returns a function (prepared sources `[B, S]`, beam width, longest answer) → answers' ids `[B, T]`, scores `[B]`."""

    def answer(source, beam_width, max_length=vocabulary.max_length):
        return decoding.generate(
            model, source, max_length=max_length, method="beam", beam_width=beam_width
        )

    return answer


def outputs(model, splits, run):
    """The outputs for the test split, float64 `[N, 3]`; writes all answers into the run's folder."""
    vocabulary = splits.preparation.targets
    answer = answerer(model, vocabulary)

    # AutoGraph would rewrite the source of the decoder, which branches on no tensor, for seconds.
    @functools.partial(tf.function, reduce_retracing=True, autograph=False)
    def texts(source):
        return vocabulary.texts(answer(source, run.config.report.beam_width)[0])

    batches = dataclasses.replace(splits, batch_size=max(splits.batch_size, TOGETHER)).test
    given = [text for inputs, _ in batches for text in texts(inputs["source"]).numpy()]
    given = [text.decode() for text in given]
    targets, unit = splits.targets("test"), splits.info.target_unit
    rows = [judge(text, target, unit) for text, target in zip(given, targets, strict=True)]
    sources = splits.pick("test", np.arange(len(given)))
    _write(run.folder, sources, targets, given, rows)
    return np.array(rows, "float64")


def judge(given, target, unit):
    """Whether an answer is wrong, the edits to the nearest right one, and the length of that one.

    >>> judge("K AE T S", "K AE T | K AA T", "words")
    (True, 1, 3)
    """
    right = [vocabularies.units(answer, unit) for answer in vocabularies.right_answers(target)]
    units = vocabularies.units(given, unit)
    edits, length = min((edit_distance(units, answer), len(answer)) for answer in right)
    return edits > 0, edits, length


def edit_distance(a, b):
    """Insertions, deletions and replacements from one list to another (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def score(targets, outputs):
    """Test scores: answers that are not right as a whole, and edits per unit of the right answers."""
    wrong, edits, length = outputs.T
    return {
        "sequence_error": float(wrong.mean()),
        "token_error": float(edits.sum() / max(length.sum(), 1)),
    }


def interval(targets, outputs):
    """Of the sequence error."""
    return scores.wilson(int(outputs[:, 0].sum()), len(outputs))


def constant(splits, model):
    """The outputs of empty answers."""
    unit = splits.info.target_unit
    return np.array([judge("", target, unit) for target in splits.targets("test")], "float64")


def read(folder):
    """The rows of a run's answers, each a dict of `text`, `right`, `answer` and `edits`."""
    return list(csv.DictReader(io.StringIO((folder / FILE).read_text(encoding="utf-8"))))


def worst(folder, count=18):
    """The answers with most edits, as (source, right answers, answer)."""
    rows = read(folder)
    rows.sort(key=lambda row: -int(row["edits"]))
    return [(row["text"], row["right"], row["answer"]) for row in rows[:count] if int(row["edits"])]


def _write(folder, sources, targets, given, rows):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("text", "right", "answer", "edits"))
    for source, target, answer, (_, edits, _) in zip(sources, targets, given, rows):
        source = source.decode(errors="replace") if isinstance(source, bytes) else source
        writer.writerow(
            (source, vocabularies.OR.join(vocabularies.right_answers(target)), answer, edits)
        )
    files.write_atomic(folder / FILE, text.getvalue())


def _loss(options):
    losses.refuse("class_weight", options.class_weight, "none", "a translation")
    return losses.of_classes(options)


def _check_model(model, info):
    inputs = getattr(model, "input", None)
    if not isinstance(inputs, dict) or set(inputs) != {"source", "target"}:
        raise checks.InputError(
            f"To answer the texts of {info.name} with texts a model of the family seq2seq is needed, for example "
            f"'seq2seq:small'. Received: {model.name!r}"
        )


def _report(splits, targets, outputs, folder):
    rows = [" | ".join(map(scores.cell, row)) for row in worst(folder)]
    lines = ["| worst answers | right | answer |", "| --- | --- | --- |"]
    return [*lines, *(f"| {row} |" for row in rows), "", f"All answers: [{FILE}]({FILE})", ""]


def _predict(model, info, preparation, serving):
    vocabulary = preparation.targets
    answer = answerer(model, vocabulary)

    def translate(features, raw, in_words=True):
        ids, score = answer(features, serving.beam_width)
        written = {"answer": vocabulary.texts(ids)} if in_words else {"ids": ids}
        return written | {"score": score}

    return translate


def _signatures(model, preparation, serving, features, answers, specs, raw):
    """`generate`: the answer with its settings as inputs."""
    vocabulary = preparation.targets
    answer = answerer(model, vocabulary)
    names = ("beam_width", "max_length")

    def generate(given):
        positive = [
            tf.debugging.assert_positive(given[name], f"{name} must be positive") for name in names
        ]
        with tf.control_dependencies(positive):
            source = features(given)
        ids, score = answer(source, given["beam_width"], given["max_length"])
        return {"answer": vocabulary.texts(ids), "score": score}

    numbers = {name: tf.TensorSpec((), tf.int32, name=name) for name in names}
    golden = {"beam_width": np.int32(2), "max_length": np.int32(vocabulary.max_length)}
    return {"generate": (generate, specs | numbers, raw | golden)}


TASK = Task(
    name="translation",
    targets="answer",
    convert=conversions.of_answers,
    prepare_targets=vocabularies.TargetVocabulary,
    check_model=_check_model,
    loss=_loss,
    metrics=lambda: [losses.TokenAccuracy()],
    smooths_labels=True,
    outputs=outputs,
    score=score,
    interval=interval,
    interval_by="Wilson's score interval",
    constant=constant,
    constant_is="empty answers",
    objectives=("sequence_error", "token_error"),
    report=_report,
    options=("beam_width",),
    protocol=lambda config: (f"any listed answer is right; beam of {config.report.beam_width}",),
    predict=_predict,
    signatures=_signatures,
    is_looped=True,
    key="answer",
    in_words=lambda row: row["answer"],
    columns=lambda row: {},
)
