"""Pictures of a search, as PNG files."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from zoo.tasks.pictures import save


def parallel(names, columns, labels, scores, objective, sign, path):
    """Draws each trial as a line through its hyperparameters to its score; the better, the darker.

    Args:
        names: The hyperparameters.
        columns: Where each trial stands in the range of each, 0 to 1, `[trials, names]`.
        labels: The values themselves, for the ends of the axes.
        scores: Of each trial.
        objective: The score's name.
        sign: 1 where more is better, otherwise -1.
        path: PNG file to write.
    """
    figure = Figure(figsize=(1.6 + 1.25 * len(names), 4.2))
    axes = figure.subplots()
    low, high = scores.min(), scores.max()
    heights = (scores - low) / (high - low) if high > low else np.full(len(scores), 0.5)
    ranks = np.argsort(np.argsort(sign * scores, kind="stable"), kind="stable")
    shades = ranks / max(len(scores) - 1, 1)
    for i in np.argsort(shades, kind="stable"):
        points = [*columns[i], heights[i]]
        axes.plot(points, color=colormaps["viridis_r"](shades[i]), alpha=0.3 + 0.7 * shades[i])
    for x in range(len(names)):
        _ends(axes, x, columns[:, x], [row[x] for row in labels])
        axes.axvline(x, color="grey", linewidth=0.6)
    axes.axvline(len(names), color="black", linewidth=0.8)
    axes.text(len(names) + 0.05, 1, f"{high:.4g}", va="center", fontsize=7)
    axes.text(len(names) + 0.05, 0, f"{low:.4g}", va="center", fontsize=7)
    axes.set_xticks(range(len(names) + 1), [*names, objective], rotation=30, ha="right")
    axes.set(yticks=[], ylim=(-0.08, 1.08), xlim=(-0.3, len(names) + 0.6))
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    save(figure, path)


def _ends(axes, x, places, values):
    """Writes the lowest and the highest value that was tried beside an axis."""
    for i in {int(np.argmin(places)), int(np.argmax(places))}:
        value = values[i]
        text = "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
        axes.text(x + 0.04, places[i], text, va="center", fontsize=7)


def importance(names, mean, deviation, objective, path):
    """Draws the importance of each hyperparameter, the largest on top.

    Args:
        names: The hyperparameters.
        mean, deviation: Of each.
        objective: The score's name.
        path: PNG file to write.
    """
    order = np.argsort(mean)
    figure = Figure(figsize=(5.5, 1 + 0.3 * len(names)))
    axes = figure.subplots()
    axes.barh(range(len(names)), mean[order], xerr=deviation[order], color="steelblue")
    axes.set_yticks(range(len(names)), [names[i] for i in order])
    axes.set(xlabel="loss of R² when shuffled", title=f"what {objective} depended on")
    save(figure, path)


def curves(values, captions, name, path):
    """Draws a logged value of some trials over the epochs.

    Args:
        values: Of each trial, epoch by epoch.
        captions: A text for each.
        name: What the value is called.
        path: PNG file to write.
    """
    figure = Figure(figsize=(6, 3.8))
    axes = figure.subplots()
    for curve, caption in zip(values, captions):
        axes.plot(np.arange(1, len(curve) + 1), curve, marker=".", label=caption)
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, path)
