"""The bag of n-grams: its hashing, what it counts of the training split, and a run from texts to an export."""

import keras
import numpy as np
import pytest
from tolerances import KERNELS, ROUNDING, assert_close

import zoo
from zoo.config.options import DataOptions
from zoo.config.recommended import settings_of
from zoo.data.kinds import cleaning
from zoo.data.load import load
from zoo.models import bag, ngrams

RNG = np.random.default_rng(0)
WORDS = np.array(["good", "bad", "not", "a", "film", "very", "plot"])
TEXTS = [" ".join(RNG.choice(WORDS, n)) for n in RNG.integers(2, 12, 150)]
LABELS = np.array(
    [["against", "for"][("good" in text) and ("not good" not in text)] for text in TEXTS]
)
LATER = (["good film unheard"] * 10 + ["bad plot unheard"] * 10, np.repeat(["for", "against"], 10))
IDS = np.where(np.arange(9) < RNG.integers(1, 10, (30, 1)), RNG.integers(1, 8, (30, 9)), 0)
IDS[0] = [8, 8, 8, 8, 0, 0, 0, 0, 0]  # often in one text, and in no other
CLASSES = np.arange(30) % 3


def built(num_classes=3, **options):
    keras.utils.set_random_seed(0)
    options = {"vocabulary_size": 9, "rows": 2**14, **options}
    return bag.build_bag((None,), num_classes, **options)


def grams_of(text, longest=3):
    """The different n-grams of the ids of a text, as tuples."""
    words = [int(i) for i in text if i]
    return {
        tuple(words[at : at + n]) for n in range(1, longest + 1) for at in range(len(words) - n + 1)
    }


def place_of(gram, codes, rows):
    """Row and check of an n-gram, in whole numbers of Python."""
    sums = [sum(3**i * int(codes[word][j]) for i, word in enumerate(gram)) for j in (0, 1)]
    return sums[0] % rows, sums[1] % 251 - 125


@pytest.mark.parametrize("longest", [1, 3, 5])
def test_the_rows_of_a_text_are_those_of_its_different_n_grams(longest):
    layer = built(ngrams=longest).get_layer("ngrams")
    codes = keras.ops.convert_to_numpy(layer.codes)
    found = keras.ops.convert_to_numpy(layer(IDS))
    assert found.shape == (30, 9 * longest)
    for text, rows in zip(IDS, found):
        wanted = {place_of(gram, codes, 2**14)[0] for gram in grams_of(text, longest)}
        assert rows[rows < 2**14].tolist() == sorted(wanted)


def test_no_sum_of_codes_needs_more_digits_than_float32_has():
    codes = ngrams.NGrams(1000, 2**20)._codes((1000, 2))
    highest = keras.ops.convert_to_numpy(codes).max(axis=0)
    assert (highest < [2**20, 251]).all()
    assert highest[0] * (1 + 3 + 9) < 2**24


def counts(targets):
    """N-gram → the number of texts that hold it, and the sums of their targets, for those of several texts."""
    found = {}
    for text, target in zip(IDS, targets):
        for gram in grams_of(text):
            held, sums = found.get(gram, (0, 0))
            found[gram] = held + 1, sums + target
    return {gram: pair for gram, pair in found.items() if pair[0] > 1}


def ratios_of(model):
    evidence = model.get_layer("evidence")
    return np.array(evidence.ratios, "float32") * np.array(evidence.scale)


@pytest.mark.parametrize("kind", ["classes", "one column", "labels", "numbers"])
def test_ratios_are_those_of_a_plain_count(kind):
    targets = {
        "classes": np.eye(3)[CLASSES],
        "one column": np.eye(2)[CLASSES % 2],
        "labels": RNG.integers(0, 2, (30, 3)),
        "numbers": RNG.normal(size=(30, 1)),
    }[kind]
    columns = 1 if kind == "one column" else targets.shape[1]
    model = built(targets.shape[1], columns=columns)
    halves = [(IDS[:13], targets[:13]), (np.pad(IDS[13:], ((0, 0), (0, 4))), targets[13:])]
    assert bag.adapt(model, lambda: halves) == 0  # as few n-grams have 16,384 rows
    layer = model.get_layer("ngrams")
    codes, checks = np.array(layer.codes), np.array(layer.checks)
    found, known = ratios_of(model), counts(targets[:, :columns])
    for gram, (held, sums) in known.items():
        row, check = place_of(gram, codes, 2**14)
        assert checks[row] == check
        ours = (sums + 1) / (targets[:, :columns].sum(0) + 1)
        others = (held - sums + 1) / (30 - targets[:, :columns].sum(0) + 1)
        wanted = sums / (held + 1) if kind == "numbers" else np.log(ours / others)
        half_a_step = np.array(model.get_layer("evidence").scale) / 2
        assert (np.abs(found[row] - wanted) <= half_a_step * 1.01).all()
    assert (found != 0).any(axis=1).sum() <= len(known)
    assert (checks != -127).sum() == len(known)


def test_of_n_grams_with_one_row_the_more_frequent_one_has_it_and_others_count_nothing():
    model = built(2, rows=2, ngrams=1, columns=1)
    layer = model.get_layer("ngrams")
    codes = np.array(layer.codes)
    row, other = ([word for word in range(1, 9) if codes[word, 0] == place] for place in (0, 1))
    often, seldom = max(row, other, key=len)[:2]
    ids = np.array([[often, 0], [often, seldom], [often, seldom]])
    lost = bag.adapt(model, lambda: [(ids, np.eye(2)[[0, 1, 1]])])
    assert lost == 0.5
    assert np.array(layer(ids))[0].tolist() == [codes[often, 0], 2]
    assert np.array(layer(np.array([[seldom]]))).tolist() == [[2]]
    assert not np.array(built_features(model)(np.array([[seldom]]))).any()


def built_features(model):
    return keras.Model(model.inputs, model.get_layer("evidence").output)


def test_counting_goes_on_where_memory_ends(monkeypatch):
    targets = np.eye(3)[CLASSES]
    models = [built(), built(), built()]
    parts = [(IDS[at : at + 5], targets[at : at + 5]) for at in range(0, 30, 5)]
    bag.adapt(models[0], lambda: parts)
    monkeypatch.setattr(ngrams, "_PENDING", 50)  # merged often
    bag.adapt(models[1], lambda: parts)
    np.testing.assert_array_equal(ratios_of(models[0]), ratios_of(models[1]))
    monkeypatch.setattr(ngrams, "_MOST_COUNTED", 30)
    bag.adapt(models[2], lambda: parts)
    held = [(np.array(model.get_layer("ngrams").checks) != -127).sum() for model in models]
    assert 0 < held[2] <= 30 < held[0]


@pytest.fixture(scope="module")
def preparation():
    return zoo.prepare(load((TEXTS, LABELS), DataOptions(), validation=LATER, test=LATER))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("bag") / "run")
    options = {"epochs": 1, "learning_rate": 0.1, "quiet": True, "out": out}
    return zoo.train("bag:tiny", (TEXTS, LABELS), validation=LATER, test=LATER, **options)


def test_it_learns_and_knows_the_training_split_alone(made, preparation):
    assert made.report.scores["accuracy"] > 0.6
    vocabulary = preparation.inputs.get_layer("vectorize").get_vocabulary()
    assert "unheard" not in vocabulary
    pairs = list(preparation.training_batches())
    assert sum(len(ids) for ids, _ in pairs) == len(TEXTS)
    again = zoo.build("bag:tiny", **preparation.arguments_of("bag:tiny"))
    bag.adapt(again, lambda: pairs)
    np.testing.assert_array_equal(ratios_of(made.network), ratios_of(again))
    assert ratios_of(again).shape[1] == 1  # one column tells two classes


def test_it_answers_alike_wherever_it_is(made, preparation, tmp_path):
    served = zoo.load(made.export)
    together = served.predict(TEXTS[:20])["probabilities"]
    alone = [served.predict([text])["probabilities"][0] for text in TEXTS[:3]]
    assert_close(together[:3], np.array(alone), KERNELS)
    prepared = preparation.inputs(keras.ops.convert_to_tensor(TEXTS[:20]))
    logits = made.network(prepared)
    assert_close(together, keras.ops.softmax(logits), KERNELS)
    made.network.save(tmp_path / "bag.keras")
    assert_close(keras.saving.load_model(tmp_path / "bag.keras")(prepared), logits, ROUNDING)
    assert_close(zoo.build(weights=made.export)(prepared), logits, KERNELS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vocabulary_size": None}, "A bag is for token ids"),
        ({"rows": 1000}, "power of two"),
        ({"ngrams": 6}, "at most 5"),
        ({"columns": 0}, "num_classes|columns"),
        ({"dropout": 1.0}, "below 1"),
    ],
)
def test_wrong_arguments_say_what_is_right(options, words):
    with pytest.raises(zoo.InputError, match=words):
        built(**options)


@pytest.mark.parametrize("model", ["bag:tiny", "bag:base"])
def test_what_is_no_text_is_refused(model, in_tmp):
    with pytest.raises(zoo.InputError, match="texts|token ids"):
        zoo.train(model, (RNG.normal(size=(60, 3)), np.arange(60) % 2), epochs=1, quiet=True)


def test_its_sizes_bring_their_settings():
    assert settings_of("bag:base")["epochs"] == 3
    assert settings_of("bag:base") == settings_of("bag:small")
    with pytest.raises(zoo.InputError, match="comes with the model: bag:small, bag:base"):
        zoo.load_dataset("wine", text_size=settings_of("bag:base")["text_size"])


def test_tokens_are_words_and_signs():
    texts = ["It's great!!<br />Not-bad\u2026", "\u597d\u7684 \u201cno\u201d"]
    plain, read = (cleaning.units(texts, "tokens", steps) for steps in ((), ("signs",)))
    assert plain[0] == ["it", "'", "s", "great", "!", "!", "not", "-", "bad…"]
    assert read[0] == ["it", "'", "s", "great", "!", "!", "not", "-", "bad", "…"]
    assert read[1] == ["\u597d", "\u7684", '"', "no", '"']
