"""Raw inputs from files, for `zoo predict`: images of any size, folders of images, CSV rows, NumPy arrays, stdin."""

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.models import checks

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def predict_files(model, paths):
    """Predicts files one after the other.

    Args:
        model: A `LoadedModel`.
        paths: Images, folders of images, `.csv` with a header, `.npy`, or `-` for standard input.

    Yields:
        A dict per example: `input` (file, or file and row), then the outputs.

    Raises:
        InputError: A file is missing, unreadable or of a kind that the model does not take.
    """
    for path in _expand(paths):
        for names, raw in _read(model, path):
            outputs = model.predict(raw)
            for i, name in enumerate(names):
                yield {"input": name, **{key: _plain(values[i]) for key, values in outputs.items()}}


def as_text(row):
    """One example's prediction as a line for a person."""
    if "prediction" in row:
        return f"{row['input']}: {row['prediction']:.6g}"
    return f"{row['input']}: {row['label']} ({max(row['probabilities']):.1%})"


def write_csv(rows, path):
    """Writes predictions as a CSV file with a header; returns how many."""
    text, count, writer = io.StringIO(), 0, None
    for row in rows:
        flat = {key: value for key, value in row.items() if not isinstance(value, list)}
        if "probabilities" in row:
            flat["probability"] = max(row["probabilities"])
        if writer is None:
            writer = csv.DictWriter(text, list(flat))
            writer.writeheader()
        writer.writerow(flat)
        count += 1
    try:
        files.write_atomic(path, text.getvalue())
    except OSError as error:
        raise checks.InputError(f"Cannot write {path}: {error.strerror}.") from error
    return count


def _plain(value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _expand(paths):
    for path in paths:
        if path != "-" and not os.path.exists(path):
            raise checks.InputError(f"There is no file {path}.")
        if path != "-" and os.path.isdir(path):
            inside = sorted(str(p) for p in Path(path).rglob("*") if p.suffix.lower() in IMAGES)
            if not inside:
                raise checks.InputError(f"The folder {path} holds no images ({', '.join(IMAGES)}).")
            yield from inside
        else:
            yield path


def _read(model, path):
    """Yields (names of the examples, raw inputs of a batch) of a file."""
    kind, content = model.card["input_kind"], None
    if path == "-":
        content = sys.stdin.buffer.read()
        if not content:
            raise checks.InputError("Standard input is empty: pipe an image or a CSV file into it.")
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        yield from _read_npy(path)
    elif kind == "image":
        yield [path], _decode(path, content, model.card["input_shape"][-1])[None]
    elif suffix == ".csv" or content is not None:
        yield _read_csv(path, content, model.card)
    else:
        raise checks.InputError(
            f"{model.card['name']} takes {kind} inputs as .csv{' or .npy' * (kind == 'features')}. Received: {path}"
        )


def _read_npy(path):
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise checks.InputError(f"{path} is no NumPy array: {error}") from error
    if array.ndim == 0:
        raise checks.InputError(f"{path} holds one number: expected a batch of examples.")
    yield [f"{path}:{i}" for i in range(len(array))], array


def _decode(path, content, channels):
    try:
        data = tf.io.read_file(path) if content is None else tf.constant(content)
        pixels = tf.io.decode_image(data, channels=0, expand_animations=False)
        return _with_channels(pixels, channels).numpy()
    except tf.errors.OpError as error:
        kinds = "PNG, JPEG, BMP or GIF"
        raise checks.InputError(
            f"{path} cannot be read as an image ({kinds}): it is damaged or no image."
        ) from error


def _with_channels(pixels, channels):
    """Brings an image to 1 or 3 channels; TensorFlow itself cannot for BMP and GIF."""
    if pixels.shape[-1] in (2, 4):  # the last one is transparency
        pixels = pixels[..., :-1]
    if channels == 1 and pixels.shape[-1] == 3:
        return tf.image.rgb_to_grayscale(pixels)
    return tf.image.grayscale_to_rgb(pixels) if channels == 3 and pixels.shape[-1] == 1 else pixels


def _read_csv(path, content, card):
    try:
        text = (
            Path(path).read_text(encoding="utf-8") if content is None else content.decode("utf-8")
        )
    except UnicodeDecodeError as error:
        raise checks.InputError(f"{path} is not UTF-8 text, so it is no CSV file.") from error
    rows = list(csv.reader(io.StringIO(text)))
    if len(rows) < 2:
        raise checks.InputError(f"{path} needs a header line and at least one row.")
    header, rows = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
    numbers = np.empty((len(rows), len(header)), "float32")
    for i, row in enumerate(rows):
        try:
            numbers[i] = [float(row[j]) for j in range(max(len(row), len(header)))]
        except (ValueError, IndexError) as error:
            raise checks.InputError(
                f"{path}, row {i + 1}: expected {len(header)} numbers. Received: {','.join(row)[:100]}"
            ) from error
    names = [f"{path}:{i + 1}" for i in range(len(rows))]
    if card["input_kind"] == "table":
        return names, {name: numbers[:, i] for i, name in enumerate(header)}
    if len(header) != np.prod(card["input_shape"]):
        raise checks.InputError(
            f"{path} has {len(header)} columns; {card['name']} takes {np.prod(card['input_shape'])}."
        )
    return names, numbers.reshape(len(rows), *card["input_shape"])
