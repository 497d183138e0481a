"""Pictures of a run: what they are called, what they explain, and what stands where."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from test_report import RNG, X, quick

import zoo
from zoo import files
from zoo.tasks import pictures


@pytest.mark.parametrize("count", [1, 4, 18])
def test_the_title_of_images_stands_above_their_captions(count, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    captions = ["eight, taken for\nthree (47%)"] * count
    pictures.mistakes(np.zeros((count, 8, 8, 1)), captions, tmp_path / "x.png")
    (figure,) = drawn
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    texts = [text.get_window_extent() for text in axes.texts]
    assert len(texts) == count
    for text in texts:
        assert not axes.title.get_window_extent().overlaps(text)
        assert not any(image.get_window_extent().overlaps(text) for image in axes.images)


def drawn(monkeypatch, function, *arguments):
    """The figure of a picture, and all that stands in it."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    monkeypatch.setattr(files, "write_atomic", lambda *_: None)
    function(*arguments)
    (figure,) = figures
    FigureCanvasAgg(figure).draw()
    axes = figure.axes
    words = [text.get_text() for text in (*figure.texts, *(t for a in axes for t in a.texts))]
    words += [text for a in axes for text in (a.get_xlabel(), a.get_ylabel(), a.get_title())]
    return figure, " ".join(" ".join(words).split())


def test_predictions_name_their_axes_and_show_how_dense_they_lie(monkeypatch):
    x = RNG.normal(size=1000)
    figure, words = drawn(monkeypatch, pictures.predicted, x, x + 0.1, ("price_in_$",), "x.png")
    assert "true price_in_$" in words
    assert "predicted price_in_$" in words
    assert "test examples in a cell" in words
    held = figure.axes[0].collections[0].get_array()
    assert held.sum() == 1000
    few, words = drawn(monkeypatch, pictures.predicted, x[:50], x[:50], ("price",), "x.png")
    assert "in a cell" not in words
    assert len(few.axes[0].collections[0].get_offsets()) == 50


def test_the_axes_of_a_regression_are_called_after_the_column(in_tmp, monkeypatch):
    called = []
    monkeypatch.setattr(
        pictures,
        "predicted",
        lambda targets, outputs, names, path: called.extend(names) or path.touch(),
    )
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(**{"price ($)": X[:, 0]})
    zoo.train("dense:tiny", table, target="price ($)", epochs=1, batch_size=16, quiet=True)
    quick((X, X[:, 0]))
    assert called == ["price ($)", "target"]


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        ("reliability", (np.array([3, 4]), np.array([0.2, 0.7]), np.array([0.3, 0.6]), 0.0321), "ece, the expected calibration error, is 0.0321: how far"),
        ("forecast", (np.ones((30, 2)), np.ones((30, 2)), np.zeros((30, 2)), 1.0, "kW"), "MASE is the mean absolute error, divided by"),
        ("confusion", (np.arange(2), np.arange(2), ["a" * 40, "b"]), "How many test examples of each class (row)"),
        ("curves", ({"scaled_mae": [1.0], "val_scaled_mae": [1.0]}, 0), "in standard deviations of the training targets"),
        ("labels", (["a"], np.ones(1), np.ones(1)), "F1 is the harmonic mean"),
    ],
)  # fmt: skip
def test_a_picture_says_what_its_words_mean_below_all_else(function, arguments, told, monkeypatch):
    figure, words = drawn(monkeypatch, getattr(pictures, function), *arguments, "x.png")
    assert told in words
    (caption,) = figure.texts
    top = caption.get_window_extent().y1
    assert all(axes.get_tightbbox().y0 >= top - 1 for axes in figure.axes)


def test_nothing_of_a_picture_is_cut_off(tmp_path):
    figure = pictures.blank((2, 2))
    figure.subplots().set(
        ylabel="far out to the left " * 3, title="a title wider than the figure " * 2
    )
    pictures.save(figure, tmp_path / "x.png", "And words below it.")
    picture = keras.utils.img_to_array(keras.utils.load_img(tmp_path / "x.png"))
    for edge in (picture[:5], picture[-5:], picture[:, :5], picture[:, -5:]):
        assert edge.min() > 250


def test_mistakes_on_files_are_called_by_them(in_tmp):
    for kind in ("cat", "dog"):
        for i in range(30):
            path = in_tmp / "photos" / kind / f"{kind}-number-{i:02}-of-a-long-name.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            keras.utils.save_img(path, RNG.integers(0, 256, (8, 8, 3)), scale=False)
    run = zoo.train("cnn:tiny", "photos", epochs=1, batch_size=8, quiet=True)
    lines = (run.folder / "report.md").read_text().splitlines()
    start = lines.index("| worst mistakes | is | taken for |")
    rows = [line.strip("| ").split(" | ") for line in lines[start + 2 : lines.index("", start)]]
    assert rows
    model = zoo.load(run.export)
    for file, target, guess in rows:
        assert target == Path(file).parent.name
        label = model.predict([file])["label"][0]
        assert guess.startswith(label)
        assert label != target


def test_mistakes_on_files_of_texts_are_called_by_them(in_tmp):
    for kind in ("good", "poor"):
        for i in range(30):
            path = in_tmp / "reviews" / kind / f"{i}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{' '.join(RNG.choice(['a', 'b', 'c', 'd'], 6))} {kind}-{i}")
    run = zoo.train("recurrent:tiny", "reviews", epochs=1, batch_size=8, quiet=True)
    lines = (run.folder / "report.md").read_text().splitlines()
    start = lines.index("| worst mistakes | text | is | taken for |")
    file, text, target, _ = lines[start + 2].strip("| ").split(" | ")
    assert (in_tmp / file).read_text() == text
    assert Path(file).parent.name == target
