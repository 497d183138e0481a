"""The parts of batches that several workers make: together they are the batches of one, none twice and none left out."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.data import examples as sources
from zoo.data import load as door

COUNTS = (2, 3)


def numbered(num=103, batch=12, kind="features", stream=False):
    """Splits whose inputs are the examples' own numbers."""
    info = sources.DataInfo("numbers", kind, "regression", (1,), "float32")
    splits = {}
    for split in ("train", "validation", "test"):
        x = np.arange(num, dtype="float32")[:, None]
        arrays = sources.Arrays(x, x[:, 0])
        records = tf.data.Dataset.from_tensor_slices(arrays.tensors)
        splits[split] = sources.Stream(records, num) if stream else arrays
    return door.make_splits(info, splits, batch_size=batch)


def rows(batches):
    return [batch[0].numpy().astype(int).ravel().tolist() for batch in batches]


def joined(splits, count, batches):
    """The batches of all parts, put together step by step."""
    parts = [rows(batches(splits.part(i, count))) for i in range(count)]
    return [sum(step, []) for step in zip(*parts, strict=True)]


@pytest.mark.parametrize("num", [54_000, 65_536])
def test_orders_of_neighbouring_epochs_and_seeds_are_unlike(num):
    splits = numbered(num, batch=num)
    orders = [
        next(iter(splits.order(seed))).numpy() for seed in [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(num))
    likeness = np.corrcoef([np.arange(num), *orders])
    assert np.abs(likeness - np.eye(6)).max() < 0.02


@pytest.mark.parametrize("count", COUNTS)
def test_training_parts_are_the_batches_of_one(count):
    splits = numbered()
    for first in ((0, 0), (2, 3)):

        def batches(part, first=first):
            return part.train_forever(*first).take(12)

        assert joined(splits, count, batches) == rows(batches(splits))


@pytest.mark.parametrize("count", COUNTS)
def test_streamed_training_parts_hold_each_example_at_most_once_an_epoch(count):
    splits = numbered(stream=True)
    epoch = joined(splits, count, lambda part: part.train_forever().take(splits.steps_per_epoch))
    seen = sum(epoch, [])
    assert all(len(batch) == splits.batch_size for batch in epoch)
    assert len(set(seen)) == len(seen) == 96  # 103 in whole batches of 12


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("stream", [False, True], ids=["in memory", "streamed"])
def test_validation_and_test_parts_are_the_batches_of_one(count, stream):
    splits = numbered(stream=stream)
    for batches in (
        lambda part: part.validation_for(count),
        lambda part: part.test_inputs_for(count).map(lambda x: (x,)),
    ):
        assert joined(splits, count, batches) == rows(batches(splits))


def test_only_a_part_of_a_stream_is_decoded():
    decoded = []

    def decode(x, y):
        x = tf.numpy_function(lambda v: decoded.append(int(v[0])) or v, [x], tf.float32)
        return tf.ensure_shape(x, (1,)), y

    splits = numbered(stream=True)
    streams = {k: dataclasses.replace(v, read=decode) for k, v in splits.examples.items()}
    part = dataclasses.replace(splits, examples=streams).part(1, 2)
    seen = rows(part.test)
    assert sorted(decoded) == sorted(sum(seen, []))
    assert len(decoded) == 103 // 2


def test_texts_of_similar_length_are_those_of_one():
    texts = np.array([" ".join(["word"] * (i % 30 + 1)) + f" n{i}" for i in range(96)], object)
    labels = np.arange(96) % 2
    info, examples = zoo.import_quietly("zoo.data.load").read((texts, labels))
    splits = door.make_splits(info, examples, batch_size=8)

    def batches(part):
        return part.train_forever().take(5)

    whole = [batch[0].numpy().tolist() for batch in batches(splits)]
    parts = [[batch[0].numpy().tolist() for batch in batches(splits.part(i, 2))] for i in (0, 1)]
    assert [a + b for a, b in zip(*parts)] == whole


def test_augmentation_differs_between_parts():
    splits = zoo.load_dataset("digits", batch_size=16, augment="digits")
    same = np.repeat(splits.examples["train"].inputs[:1], 64, 0)
    train = sources.Arrays(same, np.zeros(64, "int64"))
    splits = dataclasses.replace(splits, examples={**splits.examples, "train": train})
    one, two = (next(iter(splits.part(i, 2).train_forever()))[0].numpy() for i in (0, 1))
    assert one.shape == two.shape == (8, 8, 8, 1)
    assert np.abs(one - two).max() > 1


def test_batches_have_known_shapes_where_a_tpu_needs_them():
    splits = numbered(num=31, batch=12)
    shapes = [batch[0].shape for batch in splits.validation_for(12)]
    assert splits.validation_for(12).element_spec[0].shape == (12, 1)
    assert shapes == [(12, 1)] * 2
    inputs = splits.test_inputs_for(12)
    assert inputs.element_spec.shape == (12, 1)
    assert len(list(inputs)) == 3  # 31 and 5 first ones again
    assert splits.train_forever().element_spec[0].shape == (12, 1)
    few = [
        batch.numpy().ravel().tolist() for batch in numbered(num=15, batch=12).test_inputs_for(40)
    ]
    assert sum(few, []) == [*range(15), *range(15), *range(10)]


def test_too_few_validation_examples_for_a_step_are_refused():
    with pytest.raises(zoo.InputError, match="31 validation examples, but a step takes 32"):
        numbered(num=31, batch=12).validation_for(32)
