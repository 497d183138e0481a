"""THE TABLE of data sets, and how a name becomes examples: prepared folders first, then a download.

Any other name is looked up in TFDS.
"""

import contextlib
import dataclasses
import io
import logging
import os
import random
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.data import builders, images, paths, sources, user
from zoo.models import checks


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        builder: A builder class of ours, or the name of a TFDS data set.
        licence: Terms of the data.
        limits: What a model trained on it is not for.
    """

    builder: type | str
    licence: str
    limits: str


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
    "mnist": Row("mnist", "CC BY-SA 3.0", _DIGIT),
    "fashion_mnist": Row(
        "fashion_mnist", "MIT", "grey catalogue pictures of one garment, light on dark"
    ),
    "cifar10": Row("cifar10", "no licence stated", "32x32 photographs of the ten classes only"),
    "imdb_reviews": Row(
        "imdb_reviews",
        "no licence stated",
        "English film reviews of one site, clearly for or against",
    ),
}


def cache_dir():
    """The folder where the embedded data sets are prepared: `$XDG_CACHE_HOME/keras-zoo/tfds`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "keras-zoo" / "tfds"


@contextlib.contextmanager
def _random_state_kept():
    """Preparing draws from Python's generator (names of files), and so does Keras (seeds of weights)."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@_random_state_kept()
def find_builder(name, data_dir=None):
    """Returns a TFDS builder whose data lie on disk; prepares or downloads them where that is needed.

    Looks in `data_dir` (or `ZOO_DATA_DIR`), which may be read-only, then in TFDS's own folders, then downloads.

    Raises:
        InputError: There is no such data set, or it is on no disk and the network cannot be reached.
    """
    row = DATASETS.get(name)
    if row is not None and not isinstance(row.builder, str):
        return _prepare_embedded(row.builder)
    given = data_dir or os.environ.get("ZOO_DATA_DIR")
    if given and not Path(given).is_dir():
        raise checks.InputError(
            f"The data folder {given} does not exist (given by --data-dir or ZOO_DATA_DIR)."
        )
    tfds_name = row.builder if row else name
    looked_in = []
    for folder in [given, None] if given else [None]:  # None: TFDS's own folder
        builder = _builder(tfds_name, folder)
        if builder.is_prepared():
            return builder
        looked_in.append(str(builder.data_dir))
    return _download(builder, looked_in)


def _builder(name, folder):
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.DatasetNotFoundError:
        checks.one_of(
            "data set", name, DATASETS, _tfds_names(), "another name of TFDS, or a path to your own"
        )
        raise
    except (
        ValueError,
        AssertionError,
    ) as error:  # a version or a configuration that does not exist
        raise checks.InputError(f"TFDS has no data set {name!r}: {error}") from error


def _tfds_names():
    with contextlib.suppress(FileNotFoundError):  # the list of community sets may not be on disk
        return [
            name
            for name in tfds.list_builders()
            if name not in DATASETS and not name.startswith("zoo_")
        ]
    return []


def _prepare_embedded(builder_class):
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(
        logging.ERROR
    )  # TFDS warns that a set which is not prepared yet is not prepared yet
    try:
        builder = builder_class(data_dir=os.fspath(cache_dir()))
        if builder.is_prepared():
            return builder
        with _alone(builder.name):
            builder = builder_class(
                data_dir=os.fspath(cache_dir())
            )  # another process may have prepared it
            if builder.is_prepared():
                return builder
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                builder.download_and_prepare()
    finally:
        absl.setLevel(level)
    return builder


@contextlib.contextmanager
def _alone(name):
    """Lets one process at a time prepare an embedded data set."""
    import fcntl  # not on Windows

    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        lock = open(cache_dir() / f".{name}.lock", "w")  # noqa: SIM115
    except OSError as error:
        raise checks.InputError(
            f"Cannot prepare data in {cache_dir()}: {error.strerror}. Set XDG_CACHE_HOME to a folder you can write."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(builder, looked_in):
    hosts = {urlsplit(url).hostname for url in builder.url_infos}
    proxied = any(
        os.environ.get(key) for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    )
    for host in sorted(hosts) if not proxied else []:
        if not _reachable(host):
            raise checks.InputError(
                f"The data set {builder.name!r} is not prepared in {' or '.join(looked_in)}, and {host} cannot be "
                "reached to download it.\nPrepare it on a machine with a network and pass its folder with "
                "--data-dir, or use an embedded set: digits, breast_cancer, wine, diabetes."
            )
    builder.download_and_prepare()
    return builder


def _reachable(host, seconds=5):
    """Whether a host answers; TFDS itself would try for minutes."""
    answered = []

    def connect():
        with contextlib.suppress(OSError), socket.create_connection((host, 443), timeout=seconds):
            answered.append(True)

    thread = threading.Thread(
        target=connect, daemon=True
    )  # looking up the name has no time limit of its own
    thread.start()
    thread.join(seconds + 1)
    return bool(answered)


def read(name, *, data_dir=None, image_size=None, text_size=None, cache_mb=256, **own):
    """Reads a data set by name, or the caller's own files by path.

    Args:
        name: A key of `DATASETS`, any TFDS name with images, texts or numeric columns, for example `"mnist"`, or a
            path as in `paths.read`.
        data_dir: Folder that TFDS prepared; `ZOO_DATA_DIR` where it is `None`.
        image_size: Height and width in pixels to resize images to; needed where they differ in size.
        text_size: Words kept of each text, and words in the vocabulary.
        cache_mb: A split up to this size, in MiB when decoded, is held in memory; a larger one is streamed.
        **own: `target`, `columns`, `task` and `skip_bad` of `paths.read`; for the caller's own files only.

    Returns:
        The `DataInfo` and a dict from split to `Arrays` or `Stream`; `train` and `test`, sometimes `validation`.

    Raises:
        InputError: The set is not to be had, or has no inputs and targets that the zoo can read.
    """
    if name not in DATASETS and paths.is_path(name):
        sizes = {"image_size": image_size, "text_size": text_size}
        return paths.read(name, cache_mb=cache_mb, **sizes, **own)
    for key, value in own.items():
        if value:
            raise checks.InputError(
                f"`{key}` is for files of your own; the data set {name!r} says itself what it holds."
            )
    builder = find_builder(name, data_dir)
    sources.log.info("data: %s", builder.data_dir)
    info, convert = _describe(name, builder, image_size, text_size)
    read_config = tfds.ReadConfig(interleave_cycle_length=1, add_tfds_id=False, try_autocache=False)
    splits = {}
    for split in ("train", "validation", "test"):
        if split in builder.info.splits:
            count = builder.info.splits[split].num_examples
            examples = builder.as_dataset(split=split, read_config=read_config, shuffle_files=False)
            examples = examples.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
            splits[split] = sources.in_memory(examples, count, cache_mb)
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


def _describe(name, builder, image_size, text_size):
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
        sizes = tuple(text_size or user.TEXT_SIZE)
        info = sources.DataInfo(
            kind="text", input_shape=(), input_dtype="string", text_size=sizes, **common
        )
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
        pixels = (
            images.resize(example[keys[0]], size) if size != (height, width) else example[keys[0]]
        )
        return tf.ensure_shape(pixels, info.input_shape), example[keys[1]]

    return info, convert
