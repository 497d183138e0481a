"""Texts answered with texts: the pipeline of pairs, how answers are judged, and what is exported."""

import csv

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.data import load as door
from zoo.saving import golden_check
from zoo.tasks import target_vocabulary as pairs
from zoo.tasks import text_to_text as translation


def spelled(count=400):
    """Digits, and the same in words: short enough to learn in seconds."""
    words = dict(
        zip(
            "0123456789",
            ["nil", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        )
    )
    numbers = np.random.default_rng(0).permutation(2000)[:count]
    texts = [" ".join(str(number)) for number in numbers]
    return texts, [" ".join(words[digit] for digit in text.split()) for text in texts]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    options = {"epochs": 40, "learning_rate": 0.01, "schedule": "one_cycle", "quiet": True}
    folder = tmp_path_factory.mktemp("runs") / "run"
    return zoo.train("seq2seq:tiny", spelled(), out=str(folder), **options)


@pytest.mark.slow
def test_pairs_of_texts_train_a_translator(trained):
    scores = trained.report.scores
    assert list(scores) == ["sequence_error", "token_error"]
    assert scores["sequence_error"] < 0.3
    assert trained.report.constant == {"sequence_error": 1.0, "token_error": 1.0}
    with open(trained.report.folder / "answers.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == trained.report.num_test == 80
    wrong = np.mean([row["answer"] != row["right"] for row in rows])
    assert wrong == pytest.approx(scores["sequence_error"])
    # What is exported says the same, whatever the batch.
    model = zoo.load(trained.export)
    texts = [row["text"] for row in rows]
    assert model.predict(texts)["answer"].tolist() == [row["answer"] for row in rows]
    assert model.predict(texts[:1])["answer"][0] == rows[0]["answer"]
    assert zoo.verify(trained.export)["largest_difference"] <= golden_check.TOLERANCE
    assert zoo.build(weights=trained.export).count_params() == trained.network.count_params()


def split_pairs(texts, answers, **options):
    info, examples = door.read((texts, answers), task="translation", **options)
    return door.make_splits(info, examples, batch_size=4, bucket=False)


def test_targets_become_ids_and_come_back():
    texts = [f"a{i}" for i in range(40)]
    answers = ["x y | y", "y x x"] * 20
    answers[0] = "x"
    found = pairs.TargetVocabulary(split_pairs(texts, answers))
    assert found.tokens[:4] == ("", "", "", pairs.UNKNOWN)
    assert set(found.tokens[4:]) == {"x", "y"}
    assert found.max_length == 4
    ids = found.ids(tf.constant(["x y | q", "y q x", ""])).numpy()
    x, y = found.tokens.index("x"), found.tokens.index("y")
    np.testing.assert_array_equal(ids, [[x, y, 0], [y, 3, x], [0, 0, 0]])
    back = found.texts(tf.constant([[x, y, 2, 0], [2, 0, 0, 0], [3, x, y, x]])).numpy()
    assert back.tolist() == [b"x y", b"", b"[UNK] x y x"]


def test_of_answers_of_several_lines_the_first_is_trained_on():
    texts, answers = [f"a{i}" for i in range(40)], ["x y\nx | y\nz", "y x y x y x"] * 20
    found = pairs.TargetVocabulary(split_pairs(texts, answers))
    assert found.texts(found.ids(tf.constant(answers[:1]))).numpy() == [b"x y x"]


def test_the_model_sees_the_answer_up_to_each_step():
    texts, answers = spelled(40)
    splits = split_pairs(texts, answers)
    preparation = zoo.prepare(splits)
    inputs, targets = next(iter(splits.mapped(preparation).validation))
    np.testing.assert_array_equal(inputs["target"][:, 0], 1)
    np.testing.assert_array_equal(
        inputs["target"][:, 1:][targets[:, :-1] > 3], targets[:, :-1][targets[:, :-1] > 3]
    )
    assert ((targets == 2).numpy().sum(1) == 1).all()
    assert preparation.builder_arguments["num_classes"] == len(preparation.targets.tokens)


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("flaw", "lawn", 2),
    ],
)
def test_edit_distances(a, b, edits):
    assert translation.edit_distance(list(a), list(b)) == edits


def test_any_right_answer_counts():
    assert translation.judge("t ah", "t ow | t ah", "words") == (False, 0, 2)
    assert translation.judge("t ih", "t ow m | t ah", "words") == (True, 1, 2)
    assert translation.judge("abd", "abc", "characters") == (True, 1, 3)
    rows = np.array([[0, 0, 2], [1, 1, 2], [1, 3, 4]], "float64")
    assert translation.score(None, rows) == {"sequence_error": 2 / 3, "token_error": 0.5}


@pytest.mark.slow
def test_a_table_of_pairs(in_tmp):
    texts, answers = spelled(80)
    with open("pairs.csv", "w") as file:
        csv.writer(file).writerows([("question", "answer"), *zip(texts, answers)])
    options = {"columns": ("question",), "target": "answer", "epochs": 1, "quiet": True}
    trained = zoo.train("seq2seq:tiny", "pairs.csv", **options)
    assert "answer" in zoo.load(trained.export).predict(["1 2"])


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("cnn:tiny", {"task": "translation"}, "family seq2seq"),
        ("seq2seq:tiny", {"task": "classification"}, "task='translation'"),
        ("seq2seq:tiny", {"baseline": True}, "this is a translation"),
        ("seq2seq:tiny", {"class_weight": "balanced"}, "classification"),
        ("seq2seq:tiny", {"beam_width": 0}, "beam_width"),
    ],
)
def test_what_does_not_go_together_is_refused(model, options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        zoo.train(model, spelled(60), quiet=True, **options)
    assert not list(in_tmp.rglob("metrics.csv"))


@pytest.mark.slow
def test_the_dictionary_holds_all_listed_pronunciations():
    splits = zoo.load_dataset("cmudict", task="translation", limit=2000)
    assert (splits.info.task, splits.info.text_unit, splits.info.target_unit) == (
        "translation",
        "characters",
        "words",
    )
    data = splits.examples["train"]
    assert any(pairs.OR.encode() in target for target in data.targets)
    assert not any(character.isdigit() for target in data.targets for character in target.decode())
    with pytest.raises(zoo.InputError, match="is for translation"):
        zoo.load_dataset("cmudict", task="regression")
