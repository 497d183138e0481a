"""THE TABLE of data sets, and how a name becomes examples: prepared folders first, then a download.

Any other name is looked up in TFDS.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.config.options import OF_TABLES
from zoo.data import builders, examples, fetch, kinds, tfds_tables, words
from zoo.data.kinds import series
from zoo.models import checks
from zoo.tasks import task

LOOKED_AT = 256  # first labels of a split, which tell whether it is sorted, or has none
PLACES = 32  # of a split that is sorted by class and read from disk


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        builder: A builder class of ours, or the name of a TFDS data set.
        licence: Terms of the data.
        limits: What a model trained on it is not for.
        text_unit: What its texts are split into, where that is not words.
        season: Of a series, the steps after which it resembles itself; `None` for other data.
    """

    builder: type | str
    licence: str
    limits: str
    text_unit: str | None = None
    season: int | None = None


_DIGIT = "one upright, centred digit, light on dark; not for several digits, letters or photographs"
_OLD_TABLE = (
    "a small, old sample from one place: for teaching and tests, not for decisions about {}"
)

DATASETS = {
    "digits": Row(builders.ZooDigits, "CC BY 4.0", _DIGIT),
    "breast_cancer": Row(builders.ZooBreastCancer, "CC BY 4.0", _OLD_TABLE.format("patients")),
    "wine": Row(builders.ZooWine, "CC BY 4.0", _OLD_TABLE.format("wines of other regions")),
    "diabetes": Row(
        builders.ZooDiabetes,
        "published with the article, no licence stated",
        _OLD_TABLE.format("patients"),
    ),
    "co2": Row(
        builders.ZooCo2,
        "public domain",
        "one slowly rising, seasonal series of one place; not for other places, or years far from those learned from",
        season=52,
    ),
    "mnist": Row("mnist", "CC BY-SA 3.0", _DIGIT),
    "fashion_mnist": Row(
        "fashion_mnist", "MIT", "grey catalogue pictures of one garment, light on dark"
    ),
    "cifar10": Row("cifar10", "no licence stated", "32x32 photographs of the ten classes only"),
    "cmudict_stress": Row(
        words.ZooCmudictStress,
        "BSD-2-Clause",
        "single words of American English; the words are judged on are often relatives of those learned from, as "
        "`stresses` of `stressing`",
        text_unit="characters",
    ),
    "cmudict": Row(
        words.ZooCmudict,
        "BSD-2-Clause",
        "single words of American English, among them many names; stress is left out",
        text_unit="characters",
    ),
    "cmudict_with_stress": Row(
        words.ZooCmudictWithStress,
        "BSD-2-Clause",
        "single words of American English, among them many names",
        text_unit="characters",
    ),
    "imdb_reviews": Row(
        "imdb_reviews",
        "no licence stated",
        "English film reviews of one site, clearly for or against",
    ),
}


def find_builder(name, data_dir=None):
    """Returns a TFDS builder of a data set's name, whose data lie on disk; see `fetch.find`."""
    row = DATASETS.get(name)
    return fetch.find(row.builder if row else name, data_dir, known=DATASETS)


def read(name, options):
    """Reads a data set by name.

    Args:
        name: A key of `DATASETS`, or any TFDS name with images, texts or numeric columns, for example `"mnist"`.
        options: The `DataOptions`; where they say nothing, the table's `text_unit` and `season` count.

    Returns:
        The `DataInfo` and a dict from each split that the set has to `Arrays` or `Stream`; `train`, and for most `test`.

    Raises:
        InputError: The set is not to be had, or has no inputs and targets that the zoo can read.
    """
    for key in (*OF_TABLES, "skip_bad"):
        if getattr(options, key):
            raise checks.InputError(
                f"`{key}` is for files of your own; the data set {name!r} says itself what it holds."
            )
    row, builder = DATASETS.get(name), find_builder(name, options.data_dir)
    examples.log.info("data: %s", builder.data_dir, extra={"is_place": True})
    if row and row.season:
        return _read_series(name, builder, options)
    if row and row.text_unit:
        options = options.replace(text_unit=options.text_unit or row.text_unit)
    keys = _keys(name, builder)
    if not row and tfds_tables.is_mixed(builder.info.features[keys[0]]):
        found = tfds_tables.read(
            name, builder, keys, options, _target(name, builder.info.features[keys[1]])["task"]
        )
        return dataclasses.replace(found[0], **_about(name, builder)), found[1]
    info, _, convert = _describe(name, builder, options)
    if options.task not in (None, info.task) and task(options.task).targets != "none":
        raise checks.InputError(
            f"The data set {name!r} is for {info.task}. Received: task={options.task!r}"
        )
    read = {
        split: _read_split(name, builder, split, keys, info, convert, options)
        for split in ("train", "validation", "test")
        if split in builder.info.splits
    }
    splits = {split: data for split, data in read.items() if data is not None}
    if "train" not in splits:
        raise checks.InputError(
            f"The data set {name!r} has no split 'train'. It has: {', '.join(builder.info.splits)}"
        )
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")  # some sets keep their test labels to themselves
        examples.log.info(
            "%s has no labelled test split: its validation split is the test split here", name
        )
    return info, splits


def _read_series(name, builder, options):
    """Reads a series of the table: its rows are steps in time, all of its columns numbers."""
    row = DATASETS[name]
    if options.task and task(options.task).targets != "steps":
        raise checks.InputError(
            f"The data set {name!r} is a series. Received: task={options.task!r}"
        )
    rows = tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False))
    values = np.array([list(columns["features"].values()) for columns in rows])
    info, held = series.read(values, options.replace(season=options.season or row.season), name)
    about = {"licence": row.licence, "limits": row.limits, "source": builder.info.homepage}
    columns = tuple(builder.info.features["features"])
    return dataclasses.replace(info, columns=columns, **about), {"train": held}


def _read_split(name, builder, split, keys, info, convert, options):
    """One split as `Arrays` or `Stream`; `None` where its labels are hidden, as some sets do with those of test."""
    count = builder.info.splits[split].num_examples
    records = _records(name, builder, split, keys, kinds.kind(info.kind))
    held = examples.Stream(records, count, convert).held(options.cache_mb)
    is_stream, first = isinstance(held, examples.Stream), None
    if info.labels:
        first = _first_labels(records, keys[1]) if is_stream else held.targets[:LOOKED_AT]
    if first is not None and split != "train" and (first < 0).all():
        examples.log.info(
            "%s: the labels of its %s split are hidden (%d): it is left out", name, split, first[0]
        )
        return None
    if is_stream and first is not None and _is_sorted(first, len(info.labels)):
        places = min(PLACES, count)
        examples.log.info(
            "%s: its %s split is sorted by class: it is read from %d places by turns",
            name,
            split,
            places,
        )
        records = _records(name, builder, split, keys, kinds.kind(info.kind), places=places)
        held = examples.Stream(records, count, convert)
    return _without_gaps(name, split, held, builder.info.features[keys[1]])


def _records(name, builder, split, keys, kind, places=1):
    """The examples of a split as TFDS gives them, in the same order each time; images come undecoded.

    Args:
        name, builder, split, keys: Name and builder of the set, name of its split, keys of inputs and targets.
        kind: The row of the inputs' kind.
        places: Stretches of the split that are read by turns.
    """

    def records(part):
        return builder.as_dataset(
            split=part,
            read_config=tfds.ReadConfig(
                interleave_cycle_length=1, add_tfds_id=False, try_autocache=False
            ),
            shuffle_files=False,
            # Each of several workers decodes its own images.
            decoders={keys[0]: tfds.decode.SkipDecoding()} if kind.is_drawn else None,
        )

    try:
        if places == 1:
            return records(split)
        parts = [records(part) for part in tfds.even_splits(split, places)]
    # What TFDS raises for files of array_record and their like, which only its random access reads.
    except NotImplementedError as error:
        raise checks.InputError(
            f"The data set {name!r} lies in {builder.data_dir} in a format that tf.data does not read "
            f"({builder.info.file_format.value}): prepare it in another folder with file_format='tfrecord'."
        ) from error
    turns = tf.data.Dataset.range(places).repeat(
        -(-builder.info.splits[split].num_examples // places)
    )
    return tf.data.Dataset.choose_from_datasets(parts, turns, stop_on_empty_dataset=False)


def _first_labels(records, key):
    labels = records.map(examples.traced_as_written(lambda e: e[key])).take(LOOKED_AT)
    return np.array(list(labels.as_numpy_iterator()), "int64")


def _is_sorted(labels, count):
    """Whether the first labels are so few of the classes that the examples must be sorted by them."""
    return len(np.unique(labels)) <= max(1, 0.4 * min(count, LOOKED_AT))


def _without_gaps(name, split, data, target):
    """A split without the examples whose optional target is missing, for which TFDS stores the lowest number of its type."""
    gap = tfds_tables.gap_of(target)
    if gap is None:
        return data
    if isinstance(data, examples.Stream):
        raise checks.InputError(
            f"The target of the data set {name!r} may be missing, which is only known in memory: raise cache_mb (--cache-mb)."
        )
    missing = data.targets == gap
    if missing.any():
        examples.log.warning(
            "%d of %d %s examples left out, first example %d: its target is missing",
            missing.sum(),
            len(data),
            split,
            np.argmax(missing),
        )
    return data.take(np.flatnonzero(~missing))


def _keys(name, builder):
    """The keys of inputs and targets."""
    keys = builder.info.supervised_keys
    if keys is None or not all(isinstance(key, str) for key in keys):
        raise checks.InputError(
            f"The data set {name!r} does not say which of its features are inputs and target."
        )
    return keys


def _about(name, builder):
    """The fields of a `DataInfo` that say where a set comes from."""
    row = DATASETS.get(name)
    licence = getattr(builder.info.redistribution_info, "license", None) or "unknown"
    return {
        "licence": row.licence if row else licence,
        "limits": row.limits if row else examples.DataInfo.limits,
        "source": builder.info.homepage or f"TFDS {builder.info.full_name}",
    }


def _describe(name, builder, options):
    """Returns the `DataInfo`, the inputs' key, and a function from one TFDS example to (input, target)."""
    keys = _keys(name, builder)
    feature, target = builder.info.features[keys[0]], builder.info.features[keys[1]]
    fields = _target(name, target)
    for kind in reversed(kinds.KINDS.values()):
        if found := kind.of_feature(name, feature, keys[0], options):
            break
    else:
        raise checks.InputError(
            f"The inputs of the data set {name!r} are {feature}: expected images, texts, numbers or numeric columns."
        )
    if tfds_tables.gap_of(feature) is not None:
        raise checks.InputError(
            f"The inputs of the data set {name!r} are optional: gaps are read in tables alone, not in {feature}."
        )
    info = examples.DataInfo(name=name, **_about(name, builder), **fields, **found[0])
    return info, keys[0], lambda e: (found[1](e[keys[0]]), e[keys[1]])


def _target(name, target):
    if isinstance(target, tfds.features.ClassLabel):
        return {"task": "classification", "labels": tuple(target.names)}
    if isinstance(target, tfds.features.Text):
        return {"task": "translation"}
    if target.shape == () and np.dtype(target.np_dtype).kind == "f":
        return {"task": "regression"}
    raise checks.InputError(
        f"The target of the data set {name!r} is {target}: expected a class or one number."
    )
