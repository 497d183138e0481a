"""Pictures of a run, as PNG files."""

import os

import numpy as np
from matplotlib.figure import Figure


def _save(figure, path):
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format="png", dpi=110, bbox_inches="tight")
    os.replace(beside, path)


def curves(history, best_epoch, path):
    """Draws loss and metrics of train and validation over the epochs; the kept epoch is marked.

    Args:
        history: Name → value per epoch, as in `History.history`.
        best_epoch: Number of the epoch kept, from 0.
        path: PNG file to write.
    """
    names = [name for name in history if f"val_{name}" in history]
    figure = Figure(figsize=(5 * len(names), 3.6))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        epochs = np.arange(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], marker=".", label="train")
        axes.plot(epochs, history[f"val_{name}"], marker=".", label="validation")
        axes.axvline(best_epoch + 1, color="grey", linestyle=":", label="kept")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    _save(figure, path)


def confusion(targets, predicted, labels, path):
    """Draws how often each class was taken for which.

    Args:
        targets: Class ids, int `[N]`.
        predicted: Predicted class ids, int `[N]`.
        labels: The classes' names.
        path: PNG file to write.
    """
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (targets, predicted), 1)
    size = min(12, 2.5 + 0.45 * len(labels))
    figure = Figure(figsize=(size, size))
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(labels) <= 20:
        for row, column in np.argwhere(counts > 0):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column, row, counts[row, column], ha="center", va="center", color=color, fontsize=8
            )
    ticks = range(len(labels)) if len(labels) <= 40 else []
    axes.set_xticks(ticks, [labels[i] for i in ticks], rotation=60, ha="right")
    axes.set_yticks(ticks, [labels[i] for i in ticks])
    axes.set(xlabel="predicted", ylabel="true", title="test examples")
    _save(figure, path)


def mistakes(images, captions, path):
    """Draws the worst mistakes on images, or says that there are none.

    Args:
        images: uint8 or float `[N, H, W, C]`.
        captions: A text for each.
        path: PNG file to write.
    """
    columns = 6
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.5 * columns, 1.8 * rows))
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, image, caption in zip(figure.axes, images, captions):
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray")
        axes.set_title(caption, fontsize=8)
    figure.suptitle(
        "worst mistakes on the test split" if len(images) else "no mistake on the test split"
    )
    _save(figure, path)


def predicted(targets, outputs, path):
    """Draws predictions of a regression against the true values, in their own units."""
    figure = Figure(figsize=(4.5, 4.5))
    axes = figure.subplots()
    axes.scatter(targets, outputs, s=12, alpha=0.6)
    ends = [min(targets.min(), outputs.min()), max(targets.max(), outputs.max())]
    axes.plot(ends, ends, color="grey", linestyle=":")
    axes.set(xlabel="true", ylabel="predicted", title="test examples")
    _save(figure, path)
