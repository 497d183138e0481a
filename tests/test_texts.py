"""Texts: how they are split, padded and batched."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import examples as sources
from zoo.data import load as door
from zoo.data import words
from zoo.data.kinds import cleaning
from zoo.data.kinds import text as texts

LETTERS = np.array(list("abcdefghijklmnop"))


def words_of(counts):
    """Texts of so many words each."""
    rows = enumerate(counts)
    return np.array([" ".join(LETTERS[(i + np.arange(n)) % 16]) for i, n in rows], object)


def text_splits(count=500, **options):
    counts = np.random.default_rng(0).integers(1, 60, count)
    data = (words_of(counts), np.arange(count) % 2)
    info, examples = door.read(
        data,
        validation=(words_of(range(1, 9)) + " v", np.arange(8) % 2),
        test=(words_of(range(1, 9)) + " t", np.arange(8) % 2),
        skip_bad=True,
        text_unit=options.pop("text_unit", None),
        text_size=options.pop("text_size", None),
    )
    return door.make_splits(info, examples, batch_size=10, **options)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("words", b"great film 10 \xc3\xb1and\xc3\xba"),
        ("characters", b"great film, 10! \xc3\xb1and\xc3\xba"),
    ],
)
def test_texts_are_cleaned(unit, expected):
    cleaned = cleaning.clean(tf.constant(["Great<br /><BR>film, 10! ÑANDÚ"]), unit).numpy()[0]
    assert b" ".join(cleaned.split()) == expected


@pytest.mark.parametrize("unit", texts.UNITS)
def test_lengths_are_those_of_the_layer(unit):
    given = ["Great<br />film, it's 10!", "... !", "ÑANDÚ  x", "a\tb\nc", "ａ\u00a0“b” 好的"]
    splits = text_splits(text_unit=unit)
    steps = splits.info.text_cleaning
    model = texts.vectorizer(splits).inputs
    ids = model(tf.constant(given)).numpy()
    np.testing.assert_array_equal((ids > 0).sum(1), texts.lengths(given, unit, steps))
    np.testing.assert_array_equal(
        texts.lengths([t.encode() for t in given], unit, steps), texts.lengths(given, unit, steps)
    )


def test_an_epoch_by_length_holds_each_example_once():
    splits = text_splits(1040)
    count = len(splits.examples["train"])
    epochs = [np.stack(list(splits.order((0, epoch)).as_numpy_iterator())) for epoch in (0, 0, 1)]
    for epoch in epochs:
        assert epoch.shape == (splits.steps_per_epoch, 10)
        assert len(np.unique(epoch)) == epoch.size <= count
    np.testing.assert_array_equal(epochs[0], epochs[1])
    assert (epochs[0] != epochs[2]).mean() > 0.9
    # A run that goes on takes up the rest of the same epoch.
    np.testing.assert_array_equal(
        np.stack(list(splits.order((0, 0), 37).as_numpy_iterator())), epochs[0][37:]
    )


def test_batches_by_length_spare_padding_and_come_in_random_order():
    by_length, mixed = text_splits(), text_splits(bucket=False)
    counts = texts.lengths(by_length.examples["train"].inputs, "words", ("signs",))
    shares = [texts.padding_share(splits, counts.max()) for splits in (by_length, mixed)]
    assert shares[0] < 0.5 * shares[1]
    means = np.array([counts[row].mean() for row in by_length.order().as_numpy_iterator()])
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.5
    # What is told is what the model gets.
    model = texts.vectorizer(by_length).inputs
    ids = [
        x.numpy()
        for x, _ in by_length.mapped(lambda x, y: (model(x), y))
        .train_forever()
        .take(by_length.steps_per_epoch)
    ]
    filled, size = sum((x > 0).sum() for x in ids), sum(x.size for x in ids)
    assert 1 - filled / size == pytest.approx(shares[0])


def test_a_batch_has_one_of_few_lengths():
    model = texts.vectorizer(text_splits(text_size=(40, 100))).inputs
    seen = {model(tf.constant(words_of([n]))).shape[1] for n in range(1, 60)}
    assert seen == {5, 10, 15, 20, 25, 30, 35, 40}
    assert model(tf.constant(["!!!"])).shape == (1, 5)


def test_the_answer_does_not_depend_on_the_company(in_tmp):
    counts = np.random.default_rng(0).integers(1, 60, 200)
    data = (words_of(counts), (counts > 20).astype(int))
    trained = zoo.train("recurrent:tiny", data, skip_bad=True, epochs=1, quiet=True)
    model, few = zoo.load(trained.export), words_of([1, 7, 50])
    together = model.predict(few)["probabilities"]
    for i in range(3):
        alone = model.predict(few[i : i + 1])["probabilities"][0]
        assert_close(alone, together[i], KERNELS, scale=1)


def test_models_of_ones_own_get_texts_of_one_length(in_tmp):
    def average(input_shape, num_classes, vocabulary_size):
        inputs = keras.Input(input_shape, dtype="int64")
        x = keras.layers.GlobalAveragePooling1D()(
            keras.layers.Embedding(vocabulary_size, 4)(inputs)
        )
        return keras.Model(inputs, keras.layers.Dense(num_classes)(x))

    counts = np.random.default_rng(0).integers(1, 60, 200)
    trained = zoo.train(
        average, (words_of(counts), counts % 2), skip_bad=True, epochs=1, quiet=True
    )
    assert trained.network.input_shape[1] == counts.max()
    model, few = zoo.load(trained.export), words_of([1, 50])
    together = model.predict(few)["probabilities"]
    assert_close(model.predict(few[:1])["probabilities"][0], together[0], KERNELS, scale=1)


def test_the_dictionary_tells_stress_and_its_test_split_never_moves():
    found = words.pronunciations()
    assert len(found) > 100_000
    assert words.stressed_syllable(found["about"][0]) == (1, 2)
    assert [
        word for word in ("about", "zebra", "piano", "stress", "keras") if words.is_test(word)
    ] == []
    share = np.mean([words.is_test(word) for word in found])
    assert share == pytest.approx(0.1, abs=0.005)


@pytest.mark.slow
def test_the_data_set_of_stresses_reads_characters():
    splits = zoo.load_dataset("cmudict_stress", limit=300)
    assert (splits.info.text_unit, splits.info.labels) == ("characters", words.STRESSES)
    assert isinstance(splits.examples["train"], sources.Arrays)
    word = splits.examples["train"].inputs[0].decode()
    label = splits.examples["train"].targets[0]
    place, syllables = words.stressed_syllable(words.pronunciations()[word][0])
    assert syllables > 1
    assert min(place, 3) == label
