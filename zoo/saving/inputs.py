"""Raw inputs from files, for `zoo predict`: images, texts, folders of them, CSV rows, NumPy arrays, stdin."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.data import images, paths, tables
from zoo.models import checks
from zoo.saving import foreign, raw

FILES = (*images.ENDINGS, ".txt")


def predict_files(model, given):
    """Predicts files one after the other.

    Args:
        model: A `LoadedModel`, or a `ForeignModel` with `.npz` files of named arrays.
        given: Images, texts, folders of them, `.csv` with a header, `.npy`, or `-` for standard input.

    Yields:
        A dict per example: `input` (file, or file and row), then the outputs.

    Raises:
        InputError: A file is missing, unreadable or of a kind that the model does not take.
    """
    if model.card is None:
        yield from foreign.predict_files(model, given)
        return
    for path in _expand(given):
        for names, examples in _read(model, path):
            outputs = model.predict(examples)
            for i, name in enumerate(names):
                yield {"input": name, **{key: _plain(values[i]) for key, values in outputs.items()}}


def as_text(row):
    """One example's prediction as a line for a person; what would steer a terminal is escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in _described(row))


def _described(row):
    if "outputs" in row:  # of a model without a card
        return f"{row['input']}: {json.dumps(row['outputs'])}"
    if "prediction" in row:
        return f"{row['input']}: {row['prediction']:.6g}"
    if "answer" in row:
        return f"{row['input']}: {row['answer']}"
    if "forecast" in row:
        return f"{row['input']}: {', '.join(f'{value:.6g}' for value in row['forecast'])}"
    if "reconstruction" in row:
        return f"{row['input']}: {', '.join(f'{mean:.3f}' for mean in row['mean'])}"
    if "label" not in row:  # several labels
        return f"{row['input']}: {', '.join(f'{p:.1%}' for p in row['probabilities'])}"
    return f"{row['input']}: {row['label']} ({max(row['probabilities']):.1%})"


def write_csv(rows, path):
    """Writes predictions as a CSV file with a header; returns how many."""
    text, count, writer = io.StringIO(), 0, None
    for row in rows:
        flat = {key: value for key, value in row.items() if not isinstance(value, list)}
        if "outputs" in row:
            flat["outputs"] = json.dumps(row["outputs"])
        elif "answer" in row:
            pass
        elif "forecast" in row:
            flat |= {f"step_{i}": value for i, value in enumerate(row["forecast"], 1)}
        elif "reconstruction" in row:
            flat |= {f"mean_{i}": mean for i, mean in enumerate(row["mean"])}
        elif "label" not in row:
            flat |= {f"probability_{i}": p for i, p in enumerate(row.get("probabilities", ()))}
        elif "probabilities" in row:
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


def _expand(given):
    for path in given:
        if path != "-" and not os.path.exists(path):
            raise checks.InputError(f"There is no file {path}.")
        if path != "-" and os.path.isdir(path):
            inside = sorted(str(p) for p in Path(path).rglob("*") if p.suffix.lower() in FILES)
            if not inside:
                raise checks.InputError(f"The folder {path} holds no files in {', '.join(FILES)}.")
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
        yield from _read_npy(path, model.card)
    elif kind == "image":
        yield [path], _decode(path, content, model.card["input_shape"][-1])[None]
    elif kind == "text" and (suffix == ".txt" or content is not None):
        yield [path], [_bytes(path, content)]
    elif suffix == ".csv" or content is not None:
        yield _read_csv(path, content, model.card)
    else:
        others = {"features": " or .npy", "series": " or .npy", "text": " or .txt"}.get(kind, "")
        raise checks.InputError(
            f"{model.card['name']} takes {kind} inputs as .csv{others}. Received: {path}"
        )


def _read_npy(path, card):
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise checks.InputError(
            f"{path} is no NumPy array, or one of Python objects: save numbers or texts with np.save."
        ) from error
    if array.ndim == 0:
        raise checks.InputError(f"{path} holds one number: expected a batch of examples.")
    if card["input_kind"] == "series" and raw.is_one_series(array, card):
        yield [str(path)], array
    else:
        yield [f"{path}:{i}" for i in range(len(array))], array


def _decode(path, content, channels):
    try:
        return images.decode(_bytes(path, content), channels).numpy()
    except tf.errors.OpError as error:
        kinds = "PNG, JPEG, BMP or GIF"
        raise checks.InputError(
            f"{path} cannot be read as an image ({kinds}): it is damaged or no image."
        ) from error


def _bytes(path, content):
    try:
        return Path(path).read_bytes() if content is None else content
    except OSError as error:
        raise checks.InputError(f"Cannot read {path}: {error.strerror}.") from error


def _read_csv(path, content, card):
    kinds = zip(card["columns"], card.get("column_kinds") or (), strict=False)
    frame = paths.read_csv(path, content, texts=[name for name, kind in kinds if kind != "number"])
    if len(frame) == 0:
        raise checks.InputError(f"{path} needs a header line and at least one row.")
    names = [f"{path}:{line}" for line in frame.index]
    if card["input_kind"] == "series":  # one, whose newest steps count
        return [str(path)], frame
    if card["input_kind"] == "table":
        return names, frame
    if card["input_kind"] == "text":
        column = "text" if "text" in frame.columns else frame.columns[0]
        if len(frame.columns) > 1 and column != "text":
            raise checks.InputError(
                f"{path} has the columns {', '.join(frame.columns)}: name the one to read `text`."
            )
        return names, frame[column].fillna("").astype(str).to_numpy(object)
    shape = card["input_shape"]
    if _is_row(list(frame.columns)):
        raise checks.InputError(
            f"{path} needs a header line: its first line holds numbers ({', '.join(frame.columns[:3])})."
        )
    if len(frame.columns) != np.prod(shape) or any(t.kind not in "iuf" for t in frame.dtypes):
        raise checks.InputError(
            f"{path} has {len(frame.columns)} columns of {', '.join(sorted(set(map(str, frame.dtypes))))}; "
            f"{card['name']} takes {np.prod(shape)} numbers."
        )
    return names, frame.to_numpy("float32").reshape(len(frame), *shape)


def _is_row(titles):
    """Whether a CSV file's titles are a row of numbers, and not 0, 1, 2, as pandas calls columns without a name."""
    given = [title if tables.is_number(title) else title.rpartition(".")[0] for title in titles]
    return all(map(tables.is_number, given)) and titles != list(map(str, range(len(titles))))
