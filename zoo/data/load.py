"""THE DOOR: a name, a path, arrays, a DataFrame or a `tf.data` set become `Splits`, after the checks that come before training."""

import dataclasses
import inspect
import os

import numpy as np

from zoo.config.options import DataOptions, descriptions
from zoo.data import augment, datasets, examples, kinds, notes, repeats
from zoo.data.batches import Splits
from zoo.data.carving import carved
from zoo.data.user import files, memory, paths
from zoo.models import checks
from zoo.tasks import task

TEST_SHARE = 0.2  # of data without a test split


def load_dataset(name, **options):
    """Loads a data set by name or path as streaming train, validation and test batches.

    Validation is carved from train where there is none (stratified, the same for every seed), never from test.
    What repeats in it is left out of train, where the examples are yours: see `repeats`.

    Args:
        name: `"digits"`, `"breast_cancer"`, `"wine"`, `"diabetes"` (embedded), any TFDS set of images, texts or
            numbers; or files of your own: a folder of class-named folders of images or texts (below `train`, `test`
            where there are splits), a `.csv` (its cells may name files: `files`), a folder with `train.csv` and `test.csv`, or a `.npz`.
        **options: {options}

    Returns:
        `Splits`.

    Raises:
        InputError: The data set cannot be had, is empty or has labels out of range; an option is unknown or out of its
            range.

    Example:

    >>> splits = load_dataset("wine", batch_size=16)
    >>> images, labels = next(iter(splits.train))
    >>> images.shape, splits.info.labels
    (TensorShape([16, 13]), ('class_0', 'class_1', 'class_2'))
    """
    return load(name, DataOptions().replace(**options))


def _with_options(function):
    """Gives `load_dataset` the signature and the description of its options, which are declared once, in `DataOptions`."""
    fields = [field for field in dataclasses.fields(DataOptions) if field.name != "dataset"]
    default = DataOptions()
    keyword, first = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature(
        [
            inspect.Parameter("name", first),
            *(inspect.Parameter(f.name, keyword, default=getattr(default, f.name)) for f in fields),
        ]
    )
    described = descriptions(DataOptions)
    listed = [f"`{f.name}`: {described[f.name]}" for f in fields]
    function.__doc__ = function.__doc__.format(options="\n            ".join(["", *listed]))
    return function


def load(data, options, *, validation=None, test=None):
    """Loads data, whatever they are, as `Splits`.

    Args:
        data: As in `read`.
        options: The `DataOptions`.
        validation, test: As in `read`.
    """
    return make_splits(*read(data, options, validation=validation, test=test), options)


def read(data, options=None, *, validation=None, test=None, **changes):
    """Reads data, whatever they are, as examples that lie in memory or are streamed, with a test split.

    Args:
        data: The name of a data set, a path to files of the caller's own, a pair (x, y) of arrays, a DataFrame, or a
            `tf.data.Dataset` of pairs; see `zoo.train`.
        options: The `DataOptions`; default: `DataOptions()`.
        validation, test: Data of the caller's own in the same form; a fixed fifth of `data` becomes the test split where
            it is `None`.
        **changes: Single options in place of those of `options`.

    Returns:
        The `DataInfo` and a dict from split to `Arrays` or `Stream`; `train` and `test`, sometimes `validation`.

    Raises:
        InputError: The data are not to be had, or have a form, shape or value that the zoo cannot train on.
    """
    options = (options or DataOptions()).replace(**changes)
    with notes.heard() as lines, notes.timed(f"reading {_in_words(data)}"):
        info, splits = _read(data, options, validation, test)
    return info.with_notes(lines), splits


def _in_words(data):
    """What is read: its name, or how many examples of the caller's own."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    first = data[0] if isinstance(data, tuple) and data else data
    try:
        return f"{len(first):,} examples"
    except TypeError:  # of a data set that is drawn one by one
        return "examples"


def _read(data, options, validation, test):
    if not isinstance(data, (str, os.PathLike)):
        info, splits = memory.read(data, options, validation=validation, test=test)
    elif data in datasets.DATASETS or not paths.is_path(data):
        info, splits = datasets.read(data, options)
    else:
        info, splits = files.read(data, options)
    kind = kinds.kind(info.kind)
    kinds.check_options(info, options)
    if options.task and task(options.task).targets == "none":  # any targets are only shown
        info = dataclasses.replace(info, task=options.task)
    is_whole = {"validation", "test"} <= splits.keys()  # then there is nothing to split
    if options.split_by and splits["train"].by is None and not is_whole:
        what = "is split by time as it is" if kind.is_ordered else "has no such column"
        raise checks.InputError(
            f"split_by={options.split_by!r} is for a table's column, and {info.name} {what}: leave it out."
        )
    if options.sample_weight and splits["train"].weights is None:
        raise checks.InputError(
            f"sample_weight={options.sample_weight!r} is for a table's column, and {info.name} has no such column: leave it out. Weights of "
            "arrays are an array: zoo.train(model, x, y, sample_weight=w)."
        )
    if "test" not in splits:
        splits = carved(splits, "test", TEST_SHARE, info)
        if not kind.is_ordered:
            how = "" if info.split else "a fixed 20 %, "
            total = splits["test"].count + splits["train"].count
            told = "%s: no test data given: %s%d of %d examples are the test split"
            examples.log.info(told, info.name, how, splits["test"].count, total)
    splits = repeats.removed(splits, info, options.repeats, skip_bad=options.skip_bad)
    for split, data in splits.items():
        if data.count == 0:
            raise checks.InputError(f"No {split} example of {info.name} is left.")
    splits = {split: data.held(options.cache_mb) for split, data in splits.items()}
    if kind.resize and options.image_size and isinstance(splits["train"], examples.Arrays):
        return kind.resize(info, splits, options.image_size)
    return info, splits


def make_splits(info, splits, options=None, **changes):
    """Turns examples per split into `Splits`, after the checks that must come before any training.

    Args:
        info: The `DataInfo`.
        splits: Dict from `train`, `test` and perhaps `validation` to `Arrays` or `Stream`.
        options, **changes: As in `read`.

    Raises:
        InputError: A split is empty, holds NaN or labels out of range, or does not fit the options.
    """
    options = (options or DataOptions()).replace(**changes)
    if options.augment != "none":
        augment.check(options.augment, info, options.batch_size)
    if "validation" not in splits:
        checks.positive("validation_fraction", options.validation_fraction)
        splits = carved(splits, "validation", options.validation_fraction, info)
        pair = {split: splits[split] for split in ("train", "validation")}
        with notes.heard() as lines:
            splits |= repeats.removed(pair, info, options.repeats)
        info = info.with_notes(lines)
    if options.limit is not None:
        splits = {name: _limited(data, options.limit, info) for name, data in splits.items()}
    _check(splits, info)
    augment.check_weights(options.augment, splits["train"])
    grey = splits = dict(splits)
    if options.binarize != "none":
        splits = _binarized(splits, info, options.binarize)
    if options.use_validation:
        more = grey if options.binarize == "dynamic" else splits
        splits = {**splits, "train": splits["train"].joined(more["validation"])}
    count = splits["train"].count
    if count < options.batch_size:
        raise checks.InputError(
            f"batch_size={options.batch_size} is larger than the {count} training examples of {info.name}: "
            f"pass a batch_size of at most {count}."
        )
    return Splits(
        info,
        splits,
        options.batch_size,
        options.seed,
        options.augment,
        options.augment_share,
        options.bucket,
        options.binarize == "dynamic",
    )


def _check(splits, info):
    """Raises `InputError` for the first split that cannot be trained or judged on; warns of what is only odd.

    A stream's labels are checked as it is read.
    """
    kind = kinds.kind(info.kind)
    for name, data in splits.items():
        if data.count == 0:
            raise checks.InputError(
                f"The {name} split of {info.name} is empty: pass more examples."
            )
        if isinstance(data, examples.Arrays):
            (kind.check or examples.check_finite)(name, data, info)
    held = {name: data for name, data in splits.items() if isinstance(data, examples.Arrays)}
    if held:
        task(info.task).check_targets(held, info)


def _binarized(splits, info, binarize):
    """Images of black and white pixels, drawn once; with `"dynamic"` those of train are left to the pipeline."""
    in_memory = all(isinstance(data, examples.Arrays) for data in splits.values())
    is_learned_alone = task(info.task).targets == "none"
    if not (is_learned_alone and kinds.kind(info.kind).is_drawn and in_memory):
        raise checks.InputError(
            f"binarize={binarize!r} is for generation of images that fit into memory (cache_mb); {info.name} is a "
            f"{info.task} of {info.kind} inputs."
        )
    drawn = {}
    for number, (split, data) in enumerate(sorted(splits.items())):
        level, rng = data.inputs, np.random.default_rng(number)
        if split != "train" or binarize == "static":
            white = rng.random(level.shape, "float32") * 255 < level
            data = examples.Arrays(np.where(white, 255, 0).astype("uint8"), data.targets)
        drawn[split] = data
    return drawn


def _limited(data, limit, info):
    """Some examples, the same for every seed; picked from all over, as the caller's may be sorted by class."""
    if data.count <= limit:
        return data
    if kinds.kind(info.kind).is_ordered:  # the newest, without gaps
        return data.take(np.arange(data.count - limit, data.count))
    return data.take(np.sort(np.random.default_rng(0).permutation(data.count)[:limit]))


_with_options(load_dataset)
