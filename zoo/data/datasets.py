"""THE TABLE of data sets, and how a name becomes examples: prepared folders first, then a download.

Any other name is looked up in TFDS.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import builders, examples, fetch, kinds, words
from zoo.data.kinds import series
from zoo.models import checks
from zoo.tasks import task


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
    for key in ("target", "columns", "files", "folder", "skip_bad"):
        if getattr(options, key):
            raise checks.InputError(
                f"`{key}` is for files of your own; the data set {name!r} says itself what it holds."
            )
    row, builder = DATASETS.get(name), find_builder(name, options.data_dir)
    examples.log.info("data: %s", builder.data_dir)
    if row and row.season:
        return _read_series(name, builder, options)
    if row and row.text_unit:
        options = options.replace(text_unit=options.text_unit or row.text_unit)
    info, key, convert = _describe(name, builder, options)
    if options.task not in (None, info.task) and task(options.task).targets != "none":
        raise checks.InputError(
            f"The data set {name!r} is for {info.task}. Received: task={options.task!r}"
        )
    read_config = tfds.ReadConfig(interleave_cycle_length=1, add_tfds_id=False, try_autocache=False)
    splits = {}
    for split in ("train", "validation", "test"):
        if split in builder.info.splits:
            count = builder.info.splits[split].num_examples
            records = builder.as_dataset(
                split=split,
                read_config=read_config,
                shuffle_files=False,
                # Images come undecoded: each of several workers decodes its own.
                decoders={key: tfds.decode.SkipDecoding()}
                if kinds.kind(info.kind).is_drawn
                else None,
            )
            stream = examples.Stream(records, count, convert)
            splits[split] = stream.held(options.cache_mb)
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


def _describe(name, builder, options):
    """Returns the `DataInfo`, the inputs' key, and a function from one TFDS example to (input, target)."""
    keys = builder.info.supervised_keys
    if keys is None or not all(isinstance(key, str) for key in keys):
        raise checks.InputError(
            f"The data set {name!r} does not say which of its features are inputs and target."
        )
    feature, target = builder.info.features[keys[0]], builder.info.features[keys[1]]
    fields = _target(name, target)
    for kind in reversed(kinds.KINDS.values()):
        if found := kind.of_feature(name, feature, keys[0], options):
            break
    else:
        raise checks.InputError(
            f"The inputs of the data set {name!r} are {feature}: expected images, texts, numbers or numeric columns."
        )
    row = DATASETS.get(name)
    licence = getattr(builder.info.redistribution_info, "license", None) or "unknown"
    info = examples.DataInfo(
        name=name,
        licence=row.licence if row else licence,
        limits=row.limits if row else examples.DataInfo.limits,
        source=builder.info.homepage or f"TFDS {builder.info.full_name}",
        **fields,
        **found[0],
    )
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
