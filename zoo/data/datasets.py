"""THE TABLE of data sets, and how a name becomes examples: prepared folders first, then a download.

Any other name is looked up in TFDS.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.data import builders, fetch, images, paths, sources, texts, words
from zoo.data import series as windows
from zoo.models import checks


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


def read(
    name,
    *,
    data_dir=None,
    image_size=None,
    text_size=None,
    text_unit=None,
    series=None,
    cache_mb=256,
    **own,
):
    """Reads a data set by name, or the caller's own files by path.

    Args:
        name: A key of `DATASETS`, any TFDS name with images, texts or numeric columns, for example `"mnist"`, or a
            path as in `paths.read`.
        data_dir: Folder that TFDS prepared; `ZOO_DATA_DIR` where it is `None`.
        image_size: Height and width in pixels to resize images to; needed where they differ in size.
        text_size: Units kept of each text, and units in the vocabulary.
        text_unit: `"words"` or `"characters"`; where it is `None`, what the table says.
        series: Dict of `window`, `horizon` and `season`, as in `series.from_series`.
        cache_mb: A split up to this size, in MiB when decoded, is held in memory; a larger one is streamed.
        **own: `target`, `columns`, `task` and `skip_bad` of `paths.read`; for the caller's own files only.

    Returns:
        The `DataInfo` and a dict from split to `Arrays` or `Stream`; `train` and `test`, sometimes `validation`.

    Raises:
        InputError: The set is not to be had, or has no inputs and targets that the zoo can read.
    """
    if name not in DATASETS and paths.is_path(name):
        sizes = {"image_size": image_size, "text_size": text_size, "text_unit": text_unit}
        return paths.read(name, cache_mb=cache_mb, series=series, **sizes, **own)
    task = own.pop("task", None)
    for key, value in own.items():
        if value:
            raise checks.InputError(
                f"`{key}` is for files of your own; the data set {name!r} says itself what it holds."
            )
    builder = find_builder(name, data_dir)
    sources.log.info("data: %s", builder.data_dir)
    if name in DATASETS and DATASETS[name].season:
        return _read_series(name, builder, task, series or {})
    info, convert = _describe(name, builder, image_size, (text_size, text_unit))
    if task not in (None, info.task):
        raise checks.InputError(
            f"The data set {name!r} is for {info.task}. Received: task={task!r}"
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
                decoders=_decoders(builder, info),
            )
            splits[split] = sources.in_memory(sources.Stream(records, count, convert), cache_mb)
    missing = {"train", "test"} - set(splits)
    if missing == {"test"} and "validation" in splits:
        splits["test"] = splits.pop("validation")  # some sets keep their test labels to themselves
        sources.log.info(
            "%s has no labelled test split: its validation split is the test split here", name
        )
    elif missing == {"test"}:
        splits["train"], splits["test"] = sources.carve(splits["train"], 0.2, info)
        sources.log.info(
            "%s has no test split: a fixed 20 %% of train is the test split here", name
        )
    elif missing:
        raise checks.InputError(
            f"The data set {name!r} has no split 'train'. It has: {', '.join(builder.info.splits)}"
        )
    return info, splits


def _decoders(builder, info):
    """What TFDS leaves to the function of `_describe`: images, which each of several workers decodes for itself."""
    if info.kind != "image":
        return None
    return {builder.info.supervised_keys[0]: tfds.decode.SkipDecoding()}


def _read_series(name, builder, task, options):
    """Reads a series of the table: its rows are steps in time, all of its columns numbers."""
    row = DATASETS[name]
    if task not in (None, "forecasting"):
        raise checks.InputError(f"The data set {name!r} is a series. Received: task={task!r}")
    rows = tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False))
    values = np.array([list(columns["features"].values()) for columns in rows])
    options = {**options, "season": options.get("season") or row.season}
    info, splits = windows.from_series(values, name=name, **options)
    about = {"licence": row.licence, "limits": row.limits, "source": builder.info.homepage}
    columns = tuple(builder.info.features["features"])
    return dataclasses.replace(info, columns=columns, **about), splits


def _describe(name, builder, image_size, text):
    """Returns the `DataInfo` and a function from one TFDS example to (input, target)."""
    keys = builder.info.supervised_keys
    if keys is None or not all(isinstance(key, str) for key in keys):
        raise checks.InputError(
            f"The data set {name!r} does not say which of its features are inputs and target."
        )
    features, target = builder.info.features[keys[0]], builder.info.features[keys[1]]
    common = _target(name, target) | {
        "name": name,
        "licence": DATASETS[name].licence
        if name in DATASETS
        else getattr(builder.info.redistribution_info, "license", None) or "unknown",
        "limits": DATASETS[name].limits if name in DATASETS else sources.DataInfo.limits,
        "source": builder.info.homepage or f"TFDS {builder.info.full_name}",
    }
    if isinstance(features, tfds.features.Image):
        return _describe_images(name, features, keys, common, image_size)
    if isinstance(features, tfds.features.Text):
        row = DATASETS.get(name)
        fields = texts.describe(text[0], text[1] or (row.text_unit if row else None))
        info = sources.DataInfo(**fields, **common)
        return info, lambda e: (e[keys[0]], e[keys[1]])
    columns = tuple(features) if isinstance(features, tfds.features.FeaturesDict) else ()
    scalars = [features[c] for c in columns] if columns else []
    if columns and all(f.shape == () and _is_number(f) for f in scalars):
        info = sources.DataInfo(
            kind="table",
            input_shape=(len(columns),),
            input_dtype="float32",
            columns=columns,
            **common,
        )
        return info, lambda e: (
            tf.stack([tf.cast(e[keys[0]][c], tf.float32) for c in columns]),
            e[keys[1]],
        )
    if not columns and features.shape and None not in features.shape and _is_number(features):
        info = sources.DataInfo(
            kind="features", input_shape=tuple(features.shape), input_dtype="float32", **common
        )
        return info, lambda e: (tf.cast(e[keys[0]], tf.float32), e[keys[1]])
    raise checks.InputError(
        f"The inputs of the data set {name!r} are {features}: expected images, texts, numbers or numeric columns."
    )


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


def _is_number(feature):
    return np.dtype(feature.np_dtype).kind in "fiub"


def _describe_images(name, image, keys, common, image_size):
    height, width, channels = image.shape
    if image.np_dtype != np.uint8:
        raise checks.InputError(f"The images of {name!r} are {image.np_dtype}: expected uint8.")
    if image_size is None and None in (height, width):
        raise checks.InputError(
            f"The images of {name!r} differ in size: pass the height and width to bring them to, "
            "for example --image-size 32 32."
        )
    size = tuple(image_size or (height, width))
    info = sources.DataInfo(
        kind="image", input_shape=(*size, channels), input_dtype="uint8", **common
    )

    def convert(example):
        pixels = image.decode_example(example[keys[0]])
        if size != (height, width):
            pixels = images.resize(pixels, size)
        return tf.ensure_shape(pixels, info.input_shape), example[keys[1]]

    return info, convert
