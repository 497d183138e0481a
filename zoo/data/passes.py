"""One pass over the training split in order, for what a family counts before its training."""

import dataclasses

import numpy as np

_BATCH = 2048


def of_training(splits, prepared):
    """Yields prepared inputs and targets of the training split, each example once.

    Args:
        splits: The `Splits`.
        prepared: (inputs, targets) of a batch → what the model takes.

    Yields:
        Pairs of inputs, as tensors, and targets, float32 `[B, K]`: 0 or 1 for each class or label, or numbers.
    """
    # What is read in order is the validation split: here it is the training split, whole, whatever its share of a batch.
    examples = {**splits.examples, "validation": splits.examples["train"]}
    whole = dataclasses.replace(
        splits, examples=examples, batch_size=_BATCH, share=(0, 1), preparation=prepared
    )
    for inputs, targets, *_ in whole.validation:
        yield inputs, _columns(targets.numpy(), splits)


def _columns(targets, splits):
    if splits.task.targets == "class":
        return np.eye(len(splits.info.labels), dtype="float32")[targets]
    return targets.astype("float32").reshape(len(targets), -1)
