"""Pictures of what training looks at: learning rates, one batch again and again, attention; as PNG files."""

import numpy as np

from zoo.tasks import pictures


def learning_rates(rates, losses, smooth, marks, path):
    """Draws the loss over rising learning rates.

    Args:
        rates: Learning rates, rising.
        losses: The loss at each.
        smooth: The smoothed loss at each.
        marks: Reason → suggested learning rate.
        path: PNG file to write.
    """
    figure = pictures.blank((6, 4))
    axes = figure.subplots()
    axes.plot(rates, losses, alpha=0.4, label="loss of the step")
    axes.plot(rates, smooth, label="smoothed")
    for (reason, rate), style in zip(marks.items(), (":", "--")):
        axes.axvline(rate, color="grey", linestyle=style, label=f"{rate:.2g}: {reason}")
    # What follows the lowest loss would press the rest flat.
    axes.set_ylim(0.9 * min(smooth), 1.5 * max(smooth[: np.argmin(smooth) + 1]))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", title="learning rate range test")
    axes.legend()
    pictures.save(figure, path)


def steps(values, wanted, path):
    """Draws loss and metrics over training steps on one batch.

    Args:
        values: A dict per step: name → value.
        wanted: Name → value to reach; only these names are drawn.
        path: PNG file to write.
    """
    names = [name for name in wanted if name in values[0]]
    figure = pictures.blank((5 * len(names), 3.6))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        axes.plot(range(1, len(values) + 1), [step[name] for step in values])
        axes.axhline(wanted[name], color="grey", linestyle=":", label="wanted")
        axes.set(xlabel="step", title=name, yscale="log" if name == "loss" else "linear")
        axes.legend()
    figure.suptitle("one batch, again and again")
    pictures.save(figure, path)


def attention(maps, path):
    """Draws attention weights from the parts of an answer (down) to those of its source (across).

    Args:
        maps: For each example a title, weights `[T, S]`, the S names across and the T names down.
        path: PNG file to write.
    """
    figure = pictures.blank((13, 9))
    for axes, (title, weights, across, down) in zip(figure.subplots(2, 3).flat, maps):
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        turned = 60 if max(map(len, across)) > 2 else 0
        axes.set_xticks(range(len(across)), across, rotation=turned, parse_math=False)
        axes.set_yticks(range(len(down)), down, parse_math=False)
        shown = title if len(title) < 60 else title[:58] + " …"
        axes.set_title(shown, fontsize=9, parse_math=False)
    figure.subplots_adjust(hspace=0.3)
    pictures.save(figure, path)


def looked_at(images, weights, path):
    """Draws images, and below each how much attention its places get.

    Args:
        images: uint8 `[N, H, W, C]`.
        weights: Of each place, `[N, h, w]`.
        path: PNG file to write.
    """
    figure = pictures.blank((1.5 * len(images), 3.4))
    above, below = figure.subplots(2, len(images), squeeze=False)
    for first, second, image, places in zip(above, below, images, weights):
        first.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray")
        second.imshow(places, cmap="viridis", vmin=0)
        first.axis("off")
        second.axis("off")
    figure.suptitle("test images, and the attention of the last block to their places")
    pictures.save(figure, path)
