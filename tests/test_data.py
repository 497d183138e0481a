"""Data sets: what is read, in which order, with which statistics; and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tolerances import ROUNDING, assert_close

import zoo
from zoo.config.options import DataOptions
from zoo.data import augment, datasets, fetch
from zoo.data import examples as sources
from zoo.data import load as door
from zoo.data.kinds import image_files
from zoo.data.prepare import prepare

EMBEDDED = {"digits": (1797, 10), "breast_cancer": (569, 2), "wine": (178, 3), "diabetes": (442, 1)}


@pytest.mark.parametrize("name", list(EMBEDDED))
def test_embedded_sets_are_whole_and_split_the_same_every_time(name):
    first, again = (zoo.load_dataset(name, batch_size=8, seed=seed) for seed in (0, 1))
    total, outputs = EMBEDDED[name]
    assert sum(len(data) for data in first.examples.values()) == total
    assert len(first.examples["test"]) == pytest.approx(0.2 * total, abs=1)
    assert first.info.num_outputs == outputs
    for split in ("validation", "test"):  # another seed, the same validation and test examples
        np.testing.assert_array_equal(first.pick(split, range(5)), again.pick(split, range(5)))
    if first.info.task == "classification":
        shares = [
            np.bincount(first.targets(s), minlength=outputs) / len(first.targets(s))
            for s in first.examples
        ]
        assert shares[0] == pytest.approx(shares[1], abs=0.05)  # stratified


def test_no_example_is_in_two_splits():
    splits = zoo.load_dataset("breast_cancer")
    rows = [row.tobytes() for data in splits.examples.values() for row in data.inputs]
    assert len(set(rows)) == len(rows)


def test_diabetes_is_not_scaled_with_statistics_of_the_test_rows():
    ages = zoo.load_dataset("diabetes").pick("train", range(300))[:, 0]
    assert ages.min() >= 18  # years, not scikit-learn's scaled values around 0


def test_an_epoch_holds_each_example_once_in_an_order_of_seed_and_epoch():
    def order(seed, epoch):
        splits = zoo.load_dataset("wine", batch_size=8, seed=seed)
        rows = [
            row.tobytes()
            for x, _ in splits.train_forever(epoch).take(splits.steps_per_epoch)
            for row in x.numpy()
        ]
        assert len(set(rows)) == len(rows) == splits.steps_per_epoch * 8
        return rows

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_iterating_train_twice_gives_two_orders_of_one_epoch():
    splits = zoo.load_dataset("wine", batch_size=8)
    epochs = [[y.numpy().tolist() for _, y in splits.train] for _ in range(2)]
    assert len(epochs[0]) == splits.steps_per_epoch == int(splits.train.cardinality())
    assert epochs[0] != epochs[1]


def test_inputs_and_targets_stay_together():
    splits = zoo.load_dataset("wine", batch_size=8)
    known = {
        row.tobytes(): y for row, y in zip(splits.examples["train"].inputs, splits.targets("train"))
    }
    for x, y in splits.train:
        assert [known[row.tobytes()] for row in x.numpy()] == y.numpy().tolist()


@pytest.fixture
def streamed():
    """Digits read as a stream, because the cache is given no room."""
    return zoo.load_dataset("digits", batch_size=32, cache_mb=0)


def test_a_stream_gives_what_the_memory_gives(streamed):
    memory = zoo.load_dataset("digits", batch_size=32)
    assert isinstance(streamed.examples["train"], sources.Stream)
    assert isinstance(memory.examples["train"], sources.Arrays)
    for split in ("train", "validation", "test"):
        assert len(streamed.examples[split]) == len(memory.examples[split])
        assert len(streamed.targets(split)) == len(streamed.examples[split])
    np.testing.assert_array_equal(streamed.targets("test"), memory.targets("test"))
    np.testing.assert_array_equal(streamed.pick("test", [3, 200]), memory.pick("test", [3, 200]))
    for (a, b), (c, d) in zip(streamed.test, memory.test):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize("global_seed", [0, 1])
def test_a_stream_shuffles_by_seed_and_epoch(streamed, global_seed):
    keras.utils.set_random_seed(global_seed)  # as every run does; 0 once broke it

    def labels(splits, epoch):
        return [y.numpy().tolist() for _, y in splits.train_forever(epoch).take(5)]

    assert labels(streamed, 0) == labels(streamed, 0)
    assert labels(streamed, 0) != labels(streamed, 1)
    assert tf.random.uniform(()).numpy() != tf.random.uniform(()).numpy()
    keras.utils.set_random_seed(global_seed)
    before = tf.random.uniform(()).numpy()
    keras.utils.set_random_seed(global_seed)
    next(iter(streamed.train_forever()))
    assert tf.random.uniform(()).numpy() == before  # the caller's own seed is left alone


@pytest.mark.slow
def test_a_streamed_run_trains(in_tmp, monkeypatch):
    monkeypatch.setattr(sources, "in_memory", lambda stream, cache_mb: stream)
    for augment_policy in ("none", "digits"):
        trained = zoo.train(
            "cnn:tiny", "digits", epochs=1, limit=100, augment=augment_policy, quiet=True
        )
        assert trained.report.num_test == 100
        zoo.verify(trained.export)


def test_splits_order_and_seeds_of_augmentation_are_those_of_every_machine():
    splits = zoo.load_dataset("digits", batch_size=8)
    firsts = {name: splits.targets(name)[:8].tolist() for name in splits.examples}
    assert firsts == {
        "train": [4, 7, 6, 0, 0, 8, 0, 6],
        "validation": [5, 6, 3, 7, 4, 0, 1, 1],
        "test": [1, 4, 2, 3, 2, 9, 6, 4],
    }
    first = next(iter(splits.order((3, 0))))
    assert first.numpy().tolist() == [43, 1123, 160, 233, 260, 994, 175, 1289]
    seeds = augment._StepSeed(7, 3)
    assert [seeds.next().numpy().tolist() for _ in range(2)] == [[805153700, 1], [805153700, 2]]


def test_streamed_labels_out_of_range_stop_the_run(streamed):
    info = sources.DataInfo("bad", "features", "classification", (1,), "float32", labels=("a", "b"))
    for bad in (2, -1):
        examples = tf.data.Dataset.from_tensor_slices(
            (np.zeros((4, 1), "float32"), np.array([0, 1, 0, bad]))
        )
        splits = {name: sources.Stream(examples, 4) for name in ("train", "validation", "test")}
        made = door.make_splits(info, splits, batch_size=4)
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in 0..1"):
            list(made.train)


def test_a_set_with_fewer_examples_than_it_says_is_refused():
    examples = tf.data.Dataset.from_tensor_slices(
        (np.zeros((4, 1), "float32"), np.zeros(4, "int64"))
    )
    with pytest.raises(
        zoo.InputError, match="Read 4 examples, but the data set's description says 5"
    ):
        sources.in_memory(sources.Stream(examples, 5), cache_mb=1)


def test_training_batches_are_augmented_and_others_are_not():
    plain, noisy = (
        zoo.load_dataset("digits", batch_size=16, augment=policy) for policy in ("none", "digits")
    )
    (a, labels_a), (b, labels_b) = (next(iter(s.train_forever())) for s in (plain, noisy))
    np.testing.assert_array_equal(labels_a, labels_b)
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(next(iter(plain.test))[0], next(iter(noisy.test))[0])
    first, second = (next(iter(noisy.train_forever(epoch)))[0] for epoch in (0, 1))
    assert not np.array_equal(first, second)


def test_statistics_come_from_train_only():
    x = np.arange(100, dtype="float64")[:, None]
    train, test = (x[:50], x[:50, 0] > 25), (x[50:] * 1000, x[50:, 0] > 75)
    info, examples = door.read(train, validation=(x[:50] + 0.5, train[1]), test=test)
    preparation = prepare(door.make_splits(info, examples, batch_size=10))
    prepared = preparation.inputs(x[:50].astype("float32")).numpy()
    assert_close(prepared.mean(), 0, ROUNDING, scale=1)
    assert_close(prepared.std(), 1, ROUNDING)


def test_statistics_keep_their_digits_over_many_rows():
    x = np.random.default_rng(0).normal(1000, 1, size=(400_000, 2)).astype("float32")
    info, examples = door.read((x, np.arange(len(x)) % 2))
    preparation = prepare(door.make_splits(info, examples, batch_size=10))
    prepared = preparation.inputs(x).numpy()
    assert prepared.mean() == pytest.approx(0, abs=0.01)
    assert prepared.std() == pytest.approx(1, abs=0.01)


def test_a_limit_takes_examples_from_all_over():
    labels = np.repeat([0, 1], 200)
    info, examples = door.read((np.arange(400.0)[:, None], labels))
    made = door.make_splits(info, examples, batch_size=8, limit=50)
    assert 10 < made.targets("train").sum() < 40


def test_a_constant_column_becomes_zero_instead_of_a_huge_number():
    x = np.column_stack([np.arange(60.0), np.full(60, 7.0)])
    info, examples = door.read((x, np.arange(60) % 2))
    preparation = prepare(door.make_splits(info, examples, batch_size=10))
    prepared = preparation.inputs(np.array([[3, 7], [3, 7.5]], "float32")).numpy()
    assert prepared[0, 1] == 0
    assert abs(prepared[1, 1]) <= 1


def test_the_statistics_of_a_stream_are_those_of_the_memory():
    both = [prepare(zoo.load_dataset("diabetes", cache_mb=size)) for size in (0, 256)]
    x = np.random.default_rng(0).normal(size=(5, 10)).astype("float32") * 100
    # The streamed validation split holds other rows, so the statistics agree only about.
    inputs = [preparation.inputs(x).numpy() for preparation in both]
    assert (np.abs(inputs[0] - inputs[1]) <= 0.3 + 0.1 * np.abs(inputs[1])).all()
    assert both[0].target_std == pytest.approx(both[1].target_std, rel=0.1)


def test_images_of_the_right_size_pass_the_resizing_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 1)).astype("uint8")
    np.testing.assert_array_equal(image_files.resize(pixels, (9, 7)), pixels)
    assert image_files.resize(pixels, (28, 28)).shape == (3, 28, 28, 1)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_image_sets_of_tfds_are_read_by_name(name, tmp_path):
    with tfds.testing.mock_data(num_examples=40):
        builder = tfds.builder(name, data_dir=tmp_path)
        info, key, convert = datasets._describe(name, builder, DataOptions())
        decoders = {key: tfds.decode.SkipDecoding()}
        x, y = next(iter(builder.as_dataset(split="train", decoders=decoders).map(convert)))
    assert info.kind == "image"
    assert tuple(x.shape) == info.input_shape
    assert len(info.labels) == 10
    assert y.dtype == tf.int64


def test_text_sets_of_tfds_are_read_by_name(tmp_path):
    with tfds.testing.mock_data(num_examples=40):
        builder = tfds.builder("imdb_reviews", data_dir=tmp_path)
        info, _, convert = datasets._describe(
            "a_name_of_tfds", builder, DataOptions(text_size=(10, 50))
        )
        x, y = next(iter(builder.as_dataset(split="train").map(convert)))
    assert (info.kind, info.text_size, info.labels) == ("text", (10, 50), ("neg", "pos"))
    assert (x.dtype, y.dtype) == (tf.string, tf.int64)
    assert info.licence == "unknown"


@pytest.mark.slow
def test_mnist_is_read_from_a_prepared_folder(prepared_mnist):
    splits = zoo.load_dataset("mnist", data_dir=prepared_mnist)
    assert {name: len(data) for name, data in splits.examples.items()} == {
        "train": 54_000,
        "validation": 6_000,
        "test": 10_000,
    }


def test_without_network_a_missing_set_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_reachable", lambda host: False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    with pytest.raises(zoo.InputError, match="cannot be reached.*\n.*--data-dir.*digits"):
        zoo.load_dataset("kmnist", data_dir=tmp_path)


def test_an_unreachable_host_is_noticed_in_seconds():
    assert not fetch._reachable("no-such-host.invalid", seconds=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "digit"}, "Did you mean 'digits'"),
        ({"name": "mnist", "data_dir": "/no/such/folder"}, "does not exist"),
        ({"name": "digits", "batch_size": 0}, "batch_size"),
        ({"name": "digits", "batch_size": 5000}, "larger than the 1293 training examples"),
        ({"name": "digits", "limit": 0}, "limit"),
        ({"name": "digits", "augment": "digit"}, "Did you mean 'digits'"),
        ({"name": "wine", "augment": "digits"}, "is for images"),
        ({"name": "digits", "validation_fraction": 0.0001}, "leaves one part empty"),
    ],
)
def test_unusable_options_are_refused(options, words):
    with pytest.raises(zoo.InputError, match=words):
        zoo.load_dataset(**options)


X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ((X, Y[:5]), {}, "40 inputs and 5 targets"),
        ((X, np.zeros(40, int)), {}, "one class only"),
        ((X, np.where(Y, 0.5, 1.0)), {"task": "classification"}, "fractions"),
        ((np.where(np.eye(40, 3), np.nan, X), Y), {}, "first example 0: it holds NaN or infinity"),
        ((X, np.where(Y, np.nan, 1.5)), {"task": "regression"}, "example 1: its target is missing"),
        ((X, np.eye(2)[Y] * 2), {"task": "multilabel"}, "rows of 0 and 1"),
        ((X[:, 0], Y), {}, r"x\[:, None\]"),
        ((X.astype(str), Y), {}, "expected numbers"),
        ((X, np.array(["a", "b"])[Y]), {"task": "regression"}, "needs numbers"),
        ((X, Y), {"test": (X[:, :2], Y)}, "they must agree"),
        ((X, Y), {"test": (X, Y + 7)}, "classes that the train targets lack"),
        ((X, Y), {"task": "rank"}, "Unknown task"),
        ((X, np.array(["a", None], object)[Y]), {}, "example 1: its target is missing"),
        ((np.zeros((40, 4, 4, 2), "uint8"), Y), {}, "1, 3 or 4 channels"),
        (tf.data.Dataset.from_tensors((X[0], 1)).repeat(), {}, "repeats without end"),
        ((X[:0], Y[:0]), {}, "empty"),
        ({"x": X}, {}, "pass the name of a data set"),
        (tf.data.Dataset.range(5), {}, "must give pairs"),
    ],
)
def test_unusable_data_of_the_caller_are_refused(data, options, words):
    with pytest.raises(zoo.InputError, match=words):
        door.make_splits(*door.read(data, **options), batch_size=4)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array(["dog", "cat"])[Y], ("cat", "dog")),
        (np.array([-1, 1])[Y], ("-1", "1")),
        (np.array([10, 700])[Y], ("10", "700")),
        (Y.astype(bool), ("False", "True")),
        (Y.astype(float), ("0", "1")),
        (np.array([0, 2])[Y], ("0", "1", "2")),
        (Y[:, None], ("0", "1")),
    ],
)
def test_any_labels_become_class_ids(labels, names):
    info, examples = door.read((X, labels))
    assert info.labels == names
    given = np.concatenate([examples["train"].targets, examples["test"].targets])
    np.testing.assert_array_equal(
        np.sort(np.array(names)[given]),
        np.sort(
            np.asarray(labels).reshape(-1).astype(int if names[0] in "01" else str).astype(str)
        ),
    )


def test_frames_keep_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a b": X[:, 0], "c": X[:, 1], "kind": Y})
    info, examples = door.read(frame, target="kind")
    assert info.columns == ("a_b", "c")
    assert info.kind == "table"
    with pytest.raises(zoo.InputError, match="It has: a b, c, kind"):
        door.read(frame, target="klass")


def test_a_shuffling_tf_data_set_cannot_mix_train_and_test():
    data = tf.data.Dataset.from_tensor_slices(
        (np.arange(200.0)[:, None], np.arange(200) % 2)
    ).shuffle(200)
    for given in (data, data.batch(16)):
        _, examples = door.read(given)
        rows = np.concatenate([examples["train"].inputs, examples["test"].inputs])
        assert sorted(rows[:, 0]) == list(range(200))


def test_grey_uint8_arrays_are_images():
    drawn = np.random.default_rng(0).integers(0, 256, (40, 5, 5)).astype("uint8")
    info, _ = door.read((drawn, Y))
    assert info.kind == "image"
    assert info.input_shape == (5, 5, 1)
