"""Loading: a name, a path or examples become `Splits`, after the checks that must come before any training."""

import dataclasses

import numpy as np

from zoo.data import augment as augmentation
from zoo.data import checking, datasets, images, series, sources
from zoo.data.splits import Splits
from zoo.models import checks


def load_dataset(
    name,
    *,
    batch_size=32,
    data_dir=None,
    validation_fraction=0.1,
    use_validation=False,
    image_size=None,
    limit=None,
    cache_mb=256,
    augment="none",
    augment_share=1.0,
    seed=0,
    text_size=None,
    text_unit=None,
    window=None,
    horizon=None,
    season=None,
    bucket=True,
    target=None,
    columns=None,
    task=None,
    binarize="none",
    skip_bad=False,
):
    """Loads a data set by name or path as streaming train, validation and test batches.

    Validation is carved from train where there is none (stratified, the same for every seed), never from test.
    What repeats in it is left out of train, where the examples are yours and fit into memory.

    Args:
        name: `"digits"`, `"breast_cancer"`, `"wine"`, `"diabetes"` (embedded), any TFDS set of images, texts or
            numbers; or files of your own: a folder of class-named folders of images or texts (below `train`, `test`
            where there are splits), a `.csv`, a folder with `train.csv` and `test.csv`, or a `.npz`.
        batch_size: Global batch size: of one step over all devices.
        data_dir: Folder that TFDS prepared, looked in first; defaults to the variable `ZOO_DATA_DIR`.
        validation_fraction: Share of train that becomes validation where the set has none.
        use_validation: Train on the validation examples, too; they stay in `validation` as well.
        image_size: (height, width) in pixels to bring images to.
        limit: Use at most this many examples of each split.
        cache_mb: A split of up to this many MiB, decoded, is held in memory; a larger one is read at each epoch.
        augment: Augmentation of the training images: keys of `zoo.data.augment.POLICIES`, joined by `+`:
            `"none"`, `"digits"`, `"photographs"`, `"randaugment"`, `"erase"`, `"mixup"`, `"cutmix"`.
        augment_share: Share of the training images that are augmented, drawn anew at each step.
        seed: Seed of order and augmentation.
        text_size: Words kept of each text, and words in the vocabulary; (256, 20000) where it is `None`.
        text_unit: What texts are split into, `"words"` or `"characters"`; words where neither you nor the set say it.
        window, horizon, season: Of a series, the steps of the past in each example, the steps to forecast, and those
            after which it resembles itself; see `zoo.data.series.from_series`.
        bucket: Put texts of similar length into a training batch, so that little padding is computed.
        target: Your CSV's target column; several of 0 and 1 for a multi-label task.
        columns: Your CSV's columns to learn from; all but the target where it is `None`.
        task: `"classification"`, `"multilabel"` or `"regression"`; told from the targets where it is `None`. With
            `"forecasting"` a CSV's rows are steps in time. With `"generation"` images are learned as they are, and classes
            only shown in pictures.
        binarize: For generation, `"dynamic"` or `"static"`: pixels become black or white by the chance that their grey
            level is, in training anew at each step or once.
        skip_bad: Leave unusable examples of your files out (counted) in place of an error.

    Returns:
        `Splits`.

    Raises:
        InputError: The data set cannot be had, is empty or has labels out of range; a size is out of its range.

    Example:

    >>> splits = load_dataset("wine", batch_size=16)
    >>> images, labels = next(iter(splits.train))
    >>> images.shape, splits.info.labels
    (TensorShape([16, 13]), ('class_0', 'class_1', 'class_2'))
    """
    checks.positive_int("batch_size", batch_size)  # before a download
    own = {"target": target, "columns": columns, "skip_bad": skip_bad}
    own["task"] = None if task == "generation" else task
    sizes = {"image_size": image_size, "text_size": text_size, "text_unit": text_unit}
    steps = {"window": window, "horizon": horizon, "season": season}
    info, splits = datasets.read(
        name, data_dir=data_dir, cache_mb=cache_mb, series=steps, **sizes, **own
    )
    series.check_unused(info, steps)
    if task == "generation":
        info = dataclasses.replace(info, task=task)
    return make_splits(
        info,
        splits,
        batch_size=batch_size,
        validation_fraction=validation_fraction,
        use_validation=use_validation,
        limit=limit,
        policy=augment,
        augment_share=augment_share,
        seed=seed,
        bucket=bucket,
        binarize=binarize,
    )


def make_splits(
    info,
    splits,
    *,
    batch_size,
    validation_fraction=0.1,
    use_validation=False,
    limit=None,
    policy="none",
    augment_share=1.0,
    seed=0,
    bucket=True,
    binarize="none",
):
    """Turns examples per split into `Splits`, after the checks that must come before any training.

    Args:
        info: The `DataInfo`.
        splits: Dict from `train`, `test` and perhaps `validation` to `Arrays` or `Stream`.
        batch_size, validation_fraction, use_validation, limit, policy, augment_share, seed, bucket, binarize: As in
            `load_dataset`; `policy` is its `augment`.
    """
    splits = dict(splits)
    checks.positive_int("batch_size", batch_size)
    augmentation.check(policy, info, batch_size)
    if "validation" not in splits:
        checks.positive("validation_fraction", validation_fraction)
        splits["train"], splits["validation"] = sources.carve(
            splits["train"], validation_fraction, info
        )
        splits |= _without_repeats(splits, info)
    if limit is not None:
        checks.positive_int("limit", limit)
        splits = {name: _limited(data, limit, info) for name, data in splits.items()}
    checking.check_splits(splits, info)
    grey = splits
    if binarize != "none":
        splits = _binarized(splits, info, binarize)
    if use_validation:
        more = grey if binarize == "dynamic" else splits
        splits["train"] = splits["train"].joined(more["validation"])
    if len(splits["train"]) < batch_size:
        raise checks.InputError(
            f"batch_size={batch_size} is larger than the {len(splits['train'])} training examples of {info.name}: "
            f"pass a batch_size of at most {len(splits['train'])}."
        )
    return Splits(
        info, splits, batch_size, seed, policy, augment_share, bucket, binarize == "dynamic"
    )


def resized(info, splits, size):
    """Brings images in memory to another size; everything else comes back as it is.

    Args:
        info: The `DataInfo`.
        splits: Dict from split to `Arrays`.
        size: Height and width in pixels, or `None`.

    Returns:
        The `DataInfo` and the splits.
    """
    if size is None or info.kind != "image" or tuple(size) == info.input_shape[:2]:
        return info, splits

    def bring(data):
        batches = np.array_split(data.inputs, -(-len(data) // 1024))
        pixels = [images.resize(batch, tuple(size)).numpy() for batch in batches]
        return sources.Arrays(np.concatenate(pixels), data.targets)

    info = dataclasses.replace(info, input_shape=(*size, info.input_shape[-1]))
    return info, {split: bring(data) for split, data in splits.items()}


def _without_repeats(splits, info):
    """Train, without what is in the carved validation, and validation; a set of a name keeps its published examples."""
    carved = {split: splits[split] for split in ("train", "validation")}
    in_memory = all(isinstance(data, sources.Arrays) for data in carved.values())
    is_own = info.source == sources.DataInfo.source
    if not (in_memory and is_own) or info.kind == "series":  # its windows share steps by design
        return carved
    return checking.without_repeats(carved, name=info.name, given=False)


def _binarized(splits, info, binarize):
    """Images of black and white pixels, drawn once; with `"dynamic"` those of train are left to the pipeline."""
    checks.one_of("binarize", binarize, ("none", "dynamic", "static"))
    in_memory = all(isinstance(data, sources.Arrays) for data in splits.values())
    if info.task != "generation" or info.kind != "image" or not in_memory:
        raise checks.InputError(
            f"binarize={binarize!r} is for generation of images that fit into memory (cache_mb); {info.name} is a "
            f"{info.task} of {info.kind} inputs."
        )
    drawn = {}
    for number, (split, data) in enumerate(sorted(splits.items())):
        level, rng = data.inputs, np.random.default_rng(number)
        if split != "train" or binarize == "static":
            white = rng.random(level.shape, "float32") * 255 < level
            data = sources.Arrays(np.where(white, 255, 0).astype("uint8"), data.targets)
        drawn[split] = data
    return drawn


def _limited(data, limit, info):
    """Some examples, the same for every seed; picked from all over, as the caller's may be sorted by class."""
    if len(data) <= limit:
        return data
    if info.kind == "series":  # the newest, without gaps
        return data.take(np.arange(len(data) - limit, len(data)))
    return data.take(np.sort(np.random.default_rng(0).permutation(len(data))[:limit]))
