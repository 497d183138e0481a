"""Sets of TFDS as people have them: gaps, hidden labels, sorted sets, formats, descriptions."""

import logging

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from test_field_memory import OPTIONS, RNG, N

import zoo
from zoo.data import load as door

# TFDS


def prepared(folder, features, supervised, splits, file_format=None):
    """Prepares a set of TFDS whose examples keep their order; returns its name."""

    class Builder:
        name, VERSION, pkg_dir_path = "a_small_set", tfds.core.Version("1.0.0"), folder

        def _info(self):
            found = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=found, supervised_keys=supervised, disable_shuffling=True)  # fmt: skip

        def _split_generators(self, manager):
            return {split: enumerate(rows) for split, rows in splits.items()}

        _generate_examples = None  # must be there; the splits above are given whole

    with tfds.core.registered.skip_registration():
        made = type("ASmallSet", (Builder, tfds.core.GeneratorBasedBuilder), {})
    made(data_dir=folder, file_format=file_format).download_and_prepare()
    return {"data": "a_small_set", "data_dir": str(folder)}


IMAGES = {
    "image": tfds.features.Image(shape=(16, 16, 3)),
    "label": tfds.features.ClassLabel(names=["a", "b", "c"]),
}


def images(labels):
    return [
        {"image": RNG.integers(0, 256, (16, 16, 3)).astype("uint8"), "label": y} for y in labels
    ]


def test_gaps_of_optional_features_are_gaps(tmp_path):
    cells = {
        "a": tfds.features.Scalar(np.float32),
        "b": tfds.features.Scalar(np.float32, optional=True),
        "n": tfds.features.Scalar(np.int64, optional=True),
        "sex": tfds.features.ClassLabel(names=["female", "male"]),
        "cabin": tfds.features.Text(),
    }
    rows = [
        {
            "features": {
                "a": 1.0 * i, "b": None if i % 5 == 0 else 0.5 * i, "n": None if i % 4 == 0 else i, "sex": i % 2,
                "cabin": "BAC"[i % 3],
            },
            "label": i % 3,
        }
        for i in range(N)
    ]  # fmt: skip
    features = {"features": cells, "label": IMAGES["label"]}
    info, splits = door.read(**prepared(tmp_path, features, ("features", "label"), {"train": rows}))
    kinds = dict(zip(info.columns, info.column_kinds))
    assert kinds == {
        "a": "number",
        "b": "number",
        "n": "number",
        "sex": "category",
        "cabin": "category",
    }
    assert info.labels == ("a", "b", "c")
    read = {
        key: np.concatenate([part.inputs[key] for part in splits.values()]) for key in info.columns
    }
    assert (np.isnan(read["b"]).sum(), np.isnan(read["n"]).sum()) == (12, 15)
    assert (np.nanmin(read["b"]), np.nanmin(read["n"])) == (0.5, 1)
    assert set(read["sex"]) == {"female", "male"}


def test_an_optional_target_that_is_missing_is_no_number(tmp_path, caplog):
    rows = [
        {"image": row["image"], "label": None if i % 9 == 0 else 1.0 * i}
        for i, row in enumerate(images([0] * N))
    ]
    features = {**IMAGES, "label": tfds.features.Scalar(np.float32, optional=True)}
    given = prepared(tmp_path, features, ("image", "label"), {"train": rows})
    _, splits = door.read(**given)
    assert min(part.targets.min() for part in splits.values()) == 1
    assert "7 of 60 train examples left out, first example 0" in caplog.text
    with pytest.raises(zoo.InputError, match="raise cache_mb"):
        door.read(**given, cache_mb=0)


@pytest.mark.parametrize("cache_mb", [0, 1024])
def test_hidden_labels_are_no_test_split(cache_mb, tmp_path, caplog):
    caplog.set_level(logging.INFO, "zoo")
    rows = {"train": images(np.arange(N) % 3), "test": images([-1] * 20)}
    given = prepared(tmp_path, IMAGES, ("image", "label"), rows)
    _, splits = door.read(**given, cache_mb=cache_mb)
    assert len(splits["test"]) == 12
    assert "the labels of its test split are hidden (-1)" in caplog.text
    assert "no test data given" in caplog.text


@pytest.mark.parametrize("cache_mb", [0, 1024])
def test_a_set_sorted_by_class_is_mixed_in_all_splits_and_batches(cache_mb, tmp_path, monkeypatch):
    from zoo.data import batches

    monkeypatch.setattr(batches, "SHUFFLE_BUFFER_MB", 0)  # as of a set that is larger by far
    labels = np.repeat([0, 1, 2], 400)
    given = prepared(tmp_path, IMAGES, ("image", "label"), {"train": images(labels)})
    splits = door.make_splits(*door.read(**given, cache_mb=cache_mb), batch_size=32)
    counts = {split: np.bincount(splits.targets(split)) for split in splits.examples}
    assert sum(counts.values()).tolist() == [400, 400, 400]
    for found in counts.values():
        assert found.min() > 0.7 * found.mean()
    for _, ids in splits.train:
        assert np.bincount(ids, minlength=3).min() > 0


def test_a_stream_s_splits_are_the_same_every_time_and_share_nothing():
    from zoo.data import examples

    records = tf.data.Dataset.range(1000)
    rest, part = examples.Stream(records, 1000, lambda i: (i, i)).parted(200)
    found = [[int(y) for _, y in each.examples] for each in (rest, part, part)]
    assert sorted(found[0] + found[1]) == list(range(1000))
    assert found[1] == found[2]
    assert min(found[1]) < 50  # from all over
    assert max(found[1]) > 950
    assert (len(rest), len(part)) == (800, 200)


def test_gaps_in_a_stream_are_refused_before_training(tmp_path):
    rows = [{"x": [i, np.nan if i == 50 else 1, 2], "label": i % 3} for i in range(N)]
    features = {"x": tfds.features.Tensor(shape=(3,), dtype=np.float32), "label": IMAGES["label"]}
    given = prepared(tmp_path, features, ("x", "label"), {"train": rows, "test": rows[:9]})
    with pytest.raises(zoo.InputError, match="train split holds NaN or infinity, first in example"):
        zoo.train("dense:tiny", given["data"], data_dir=given["data_dir"], cache_mb=0, **OPTIONS)


def test_a_format_that_is_not_read_is_refused_with_the_one_that_is(tmp_path):
    rows = {"train": images(np.arange(N) % 3)}
    given = prepared(tmp_path, IMAGES, ("image", "label"), rows, "array_record")
    with pytest.raises(zoo.InputError, match="array_record.*file_format='tfrecord'"):
        door.read(**given)


def test_what_tfds_gives_is_read_with_its_description(tmp_path):
    given = prepared(tmp_path, IMAGES, ("image", "label"), {"train": images(2 - np.arange(N) % 3)})
    builder = tfds.builder_from_directory(tmp_path / "a_small_set" / "1.0.0")
    pairs = builder.as_dataset(split="train", as_supervised=True)
    dicts = builder.as_dataset(split="train")
    for data in ((pairs, builder.info), (dicts, builder.info)):
        info, splits = door.read(data)
        assert (info.kind, info.labels) == ("image", ("a", "b", "c"))
    assert given["data"]
    assert door.read(dicts)[0].labels == ("0", "1", "2")
