"""Pictures of a run, as PNG files."""

import io
import textwrap

import numpy as np

from zoo import files

AUGMENTED = 32  # training examples shown
SHOWN_STEPS = 500  # of a series, at least
MOST_NUMBERS = 12  # of a regression of several
MANY = 300  # points that hide each other


def blank(size):
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure  # not where a model is loaded only

    return Figure(figsize=size)


def save(figure, path, explained=""):
    """Writes a figure into a PNG file, with what its words mean below it.

    What is drawn is measured here, once: `savefig` would draw everything to find the same box.
    """
    box = figure.get_tightbbox()
    if explained:
        lines = textwrap.fill(explained, int(15 * figure.get_figwidth()))
        below = box.y0 / figure.get_figheight() - 0.02
        text = figure.text(0.5, below, lines, ha="center", va="top", fontsize=8, color="dimgrey")
        extent = text.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        box = box.union([box, extent])
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, bbox_inches=box.padded(0.1))
    files.write_atomic(path, picture.getvalue())


# Metric of the training → what it means, where its name does not say it.
_METRICS = {
    "scaled_mae": "scaled_mae is the mean absolute error, in standard deviations of the training targets.",
    "binary_accuracy": "binary_accuracy is the share of all labels, there or not there, that are told right.",
}


def curves(history, best_epoch, path):
    """Draws loss and metrics of train and validation over the epochs; the kept epoch is marked.

    Args:
        history: Name → value per epoch, as in `History.history`.
        best_epoch: Number of the epoch kept, from 0.
        path: PNG file to write.
    """
    # A training step of the caller's may log other names than validation has.
    names = [name.removeprefix("val_") for name in history if name.startswith("val_")]
    figure = blank((5 * len(names), 3.6))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        epochs = np.arange(1, len(history[f"val_{name}"]) + 1)
        if name in history:
            axes.plot(epochs, history[name], marker=".", label="train")
        axes.plot(epochs, history[f"val_{name}"], marker=".", label="validation")
        axes.axvline(best_epoch + 1, color="grey", linestyle=":", label="kept")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    told = [_METRICS[name] for name in names if name in _METRICS]
    save(figure, path, " ".join([*told, "The dotted line is the epoch that is kept."]))


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
    figure = blank((size, size))
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
    save(
        figure,
        path,
        "How many test examples of each class (row) were taken for which (column); the darker, the larger their share of the row.",
    )


def reliability(counts, confidence, accuracy, error, path):
    """Draws the accuracy in each bin of the top probability, above how many examples each bin holds.

    Args:
        counts, confidence, accuracy: Of each bin, as `scores.confidence_bins` returns them.
        error: The expected calibration error.
        path: PNG file to write.
    """
    edges = np.linspace(0, 1, len(counts) + 1)
    figure = blank((4.5, 5.5))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.bar(edges[:-1], accuracy, 1 / len(counts), align="edge", edgecolor="white")
    held = counts > 0
    above.plot(confidence[held], accuracy[held], ".", color="black", label="mean confidence")
    above.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfectly calibrated")
    above.set(ylabel="accuracy", ylim=(0, 1.02), title="test examples")
    above.legend(loc="upper left", bbox_to_anchor=(1, 1))
    below.bar(edges[:-1], counts, 1 / len(counts), align="edge", edgecolor="white", color="grey")
    below.set(xlabel="confidence (top probability)", ylabel="examples", xlim=(0, 1))
    save(
        figure,
        path,
        f"ece, the expected calibration error, is {error:.4f}: how far accuracy and confidence are apart on average over the test examples. "
        "Of a calibrated model, 80 % of the answers with a probability of 80 % are right.",
    )


def labels(names, f1, precision, path):
    """Draws F1 at a probability of 0.5 and average precision of each label; of many labels the 40 worst.

    Args:
        names: The labels.
        f1: Of each label; NaN counts as 0.
        precision: Average precision of each label; NaN where no test example has the label, which is left out.
        path: PNG file to write.
    """
    occur = np.flatnonzero(~np.isnan(precision))
    shown = occur[np.argsort(precision[occur], kind="stable")][:40][::-1]
    figure = blank((6, 1.5 + 0.3 * len(shown)))
    axes, rows = figure.subplots(), np.arange(len(shown))
    axes.barh(rows + 0.2, precision[shown], 0.4, label="average precision")
    axes.barh(rows - 0.2, np.nan_to_num(f1[shown]), 0.4, label="F1 at 0.5")
    axes.set_yticks(rows, [names[i] for i in shown])
    axes.set(xlim=(0, 1), title="test examples")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    save(
        figure,
        path,
        "F1 is the harmonic mean of precision (how many of the answers are right) and recall (how many of those that are there are found). Average "
        "precision is that over all thresholds.",
    )


def mistakes(images, captions, path):
    """Draws the worst mistakes on images, or says that there are none.

    Args:
        images: uint8 or float `[N, H, W, C]`.
        captions: A text for each.
        path: PNG file to write.
    """
    found = "worst mistakes" if len(images) else "no mistake"
    save(_grid(images, captions, 6, f"{found} on the test split"), path)


def augmented(images, captions, policy, path):
    """Draws training examples as augmentation leaves them.

    Args:
        images: `AUGMENTED` images or fewer, `[H, W, C]`, pixels in 0..255.
        captions: A text for each: the label, or the labels that were mixed.
        policy: The policy's name.
        path: PNG file to write.
    """
    pixels = [np.clip(np.round(image), 0, 255).astype("uint8") for image in images]
    title = f"training examples, augmentation {policy}"
    save(_grid(pixels, captions, 8, title, vmin=0, vmax=255), path)


def images(pixels, columns, path, title):
    """Draws images side by side.

    Args:
        pixels: Float `[N, H, W, C]` in 0..1.
        columns: Images in a row.
        path: PNG file to write.
        title: What they are.
    """
    captions = [""] * len(pixels)
    save(_grid(np.clip(pixels, 0, 1), captions, columns, title, vmin=0, vmax=1), path)


def latent(means, targets, labels, path):
    """Draws the posterior means of test examples in a plane: two units, or the two main directions of more.

    Args:
        means: Float `[N, L]`.
        targets: Class ids `[N]`, or `None`.
        labels: The classes' names.
        path: PNG file to write.
    """
    title = "units of the latent space"
    if means.shape[1] == 1:
        means = np.concatenate([means, np.zeros_like(means)], axis=1)
    if means.shape[1] > 2:
        centred, title = means - means.mean(0), "the two main directions of the latent space"
        means = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    figure = blank((6, 5))
    axes = figure.subplots()
    points = axes.scatter(
        *means.T, c=targets, s=6, cmap="tab10" if len(labels) <= 10 else "viridis"
    )
    if targets is not None and len(labels) <= 20:
        handles, _ = points.legend_elements(num=None)
        shown = [labels[i] for i in np.unique(targets)]
        axes.legend(handles, shown, loc="upper left", bbox_to_anchor=(1, 1))
    axes.set(title=f"test examples in {title}")
    save(figure, path)


def _grid(images, captions, columns, title, **options):
    """Images in rows, a caption above each, in one pair of axes: a pair for each takes four times as long to draw."""
    rows = -(-len(images) // columns)
    shapes = [np.array(image.shape[:2]) / max(image.shape[:2]) for image in images]
    above = max((0.12 + 0.115 * (c.count("\n") + 1) for c in captions if c), default=0.12)
    pitch = max([height for height, _ in shapes], default=0) + above
    figure = blank((1.5 * columns, 1.35 * pitch * rows + 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    for i, (image, (height, width), caption) in enumerate(zip(images, shapes, captions)):
        row, column = divmod(i, columns)
        left, top = 1.12 * column + (1 - width) / 2, -pitch * row
        axes.imshow(
            image[..., 0] if image.shape[-1] == 1 else image,
            cmap="gray",
            extent=(left, left + width, top - height, top),
            **options,
        )
        place = {"ha": "center", "va": "bottom", "fontsize": 8}
        axes.text(left + width / 2, top + 0.04, caption, **place)
    axes.set(xlim=(0, 1.12 * columns), ylim=(-pitch * rows, above if any(captions) else 0.05))
    axes.set_title(title)
    axes.axis("off")
    return figure


def predicted(targets, outputs, names, path):
    """Draws predictions of a regression against the true values, in their own units; of many how dense they lie.

    Args:
        targets, outputs: `[N]`, or `[N, K]` of several numbers, of which the first are drawn.
        names: What each number is called.
        path: PNG file to write.
    """
    names = names[:MOST_NUMBERS]
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure = blank((5.5 * columns, 4.5 * rows))
    grid = figure.subplots(rows, columns, squeeze=False).flat
    pairs = zip(targets.reshape(len(targets), -1).T, outputs.reshape(len(outputs), -1).T)
    for axes, name, (true, found) in zip(grid, names, pairs):
        _against(figure, axes, name, true, found)
    save(figure, path, "On the dotted line a prediction is the true value.")


def _against(figure, axes, name, true, found):
    """Draws the predictions of one number against the true values."""
    ends = [min(true.min(), found.min()), max(true.max(), found.max())]
    if len(true) < MANY or ends[0] == ends[1]:
        axes.scatter(true, found, s=12, alpha=0.6)
    else:
        held = axes.hexbin(true, found, gridsize=40, mincnt=1, bins="log", extent=(*ends, *ends))
        figure.colorbar(held, label="test examples in a cell")
    axes.plot(ends, ends, color="grey", linestyle=":")
    axes.set_xlabel(f"true {name}", parse_math=False)
    axes.set_ylabel(f"predicted {name}", parse_math=False)
    axes.set(title=f"{len(true):,} test examples")


def forecast(targets, forecasts, naive, scale, unit, path):
    """Draws forecasts one after the other beside the truth, and above each step of the horizon the error.

    Args:
        targets, forecasts, naive: Truth, forecasts and those that repeat the last season, `[N, horizon]`, of examples
            one step apart.
        scale: Absolute error that counts as 1.
        unit: Name of the series.
        path: PNG file to write.
    """
    count, horizon = targets.shape
    figure = blank((11, 4))
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    begin = max(0, count - max(SHOWN_STEPS, 20 * horizon))
    truth = np.concatenate([targets[:, 0], targets[-1, 1:]])
    left.plot(np.arange(begin, len(truth)), truth[begin:], color="black", linewidth=1, label="true")
    starts = np.arange(begin, count, horizon)
    for name, values, color in (("seasonal naive", naive, "C1"), ("forecast", forecasts, "C0")):
        steps, shown = starts[:, None] + np.arange(horizon + 1.0), values[starts]
        if horizon > 1:  # a gap between two forecasts
            shown = np.concatenate([shown, np.full((len(starts), 1), np.nan)], axis=1)
        style = {"color": color, "markersize": 3, "linewidth": 1, "label": name}
        left.plot(steps[:, : shown.shape[1]].ravel(), shown.ravel(), ".-", **style)
        errors = np.abs(values - targets).mean(0) / scale
        right.plot(np.arange(1, horizon + 1), errors, ".-", color=color, label=name)
    left.set(xlabel="step of the test split", ylabel=unit, title=f"{horizon} steps at a time")
    left.legend()
    right.set(xlabel="steps ahead", ylabel="MASE", title="test examples", ylim=(0, None))
    save(
        figure,
        path,
        "MASE is the mean absolute error, divided by that of forecasting each step of the training series by its value one season earlier (the step before "
        "where there is no season): below 1 a forecast is better than that. The seasonal naive forecast repeats the last season.",
    )
