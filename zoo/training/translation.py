"""How answers to texts are judged: decoded from the source alone, and compared with all right answers.

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
from zoo.data import pairs
from zoo.models import decoding
from zoo.training import scores

FILE = "answers.csv"
TOGETHER = 512  # sources that are answered at once: each step of decoding is many small operations


def answerer(model, preparation):
    """Returns a function (prepared sources `[B, S]`, beam width, longest answer) → answers' ids `[B, T]`, scores `[B]`."""

    def answer(source, beam_width, max_length=preparation.answers.max_length):
        return decoding.generate(
            model, source, max_length=max_length, method="beam", beam_width=beam_width
        )

    return answer


def outputs(model, splits, preparation, run):
    """The outputs for the test split, float64 `[N, 3]`; writes all answers into the run's folder."""
    answer = answerer(model, preparation)

    # AutoGraph would rewrite the source of the decoder, which branches on no tensor, for seconds.
    @functools.partial(tf.function, reduce_retracing=True, autograph=False)
    def texts(source):
        return preparation.answers.texts(answer(source, run.config.report.beam_width)[0])

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
    right = [pairs.units(answer, unit) for answer in pairs.right_answers(target)]
    units = pairs.units(given, unit)
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
        writer.writerow((source, pairs.OR.join(pairs.right_answers(target)), answer, edits))
    files.write_atomic(folder / FILE, text.getvalue())
