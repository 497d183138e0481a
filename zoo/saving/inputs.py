"""Raw inputs from files, for `zoo predict`: images, texts, folders of them, CSV rows, NumPy arrays, stdin."""

import csv
import io
import json
import logging
import os
import sys
from pathlib import Path

import numpy as np

from zoo import files
from zoo.data import kinds, naming
from zoo.data.kinds import date_forms, readings, units
from zoo.data.user import csv_files, folders, paths
from zoo.models import checks
from zoo.saving import foreign
from zoo.tasks import TASKS

log = logging.getLogger("zoo")

MOST_IMAGES = 1024  # of a table that are in memory at once
FILES = tuple(ending for kind in kinds.KINDS.values() for ending in kind.file_endings)


def predict_files(model, given, *, with_rows=False, **options):
    """Predicts files one after the other.

    Args:
        model: A `LoadedModel`, or a `ForeignModel` with `.npz` files of named arrays.
        given: Images, texts, folders of them, `.csv` with a header (whose cells may name images or hold their pixels), `.npy`, or `-` for standard
            input. For a model that reads texts, what neither is a file nor looks like the path of one is a text itself.
        with_rows: Whether an example that is a row of a table also gets `row`, its cells as they are in the file.
        **options: More of `LoadedModel.predict`, such as `novelty=True`.

    Yields:
        A dict per example: `input` (file, or file and row, or the text), then the outputs.

    Raises:
        InputError: A file is missing, unreadable or of a kind that the model does not take.
    """
    if model.card is None:
        yield from foreign.predict_files(model, given)
        return
    paths.check_inputs(given)
    kind = kinds.kind(model.card.input_kind)
    texts = [text for text in given if text != "-" and not paths.exists(text)]
    if texts and not kind.is_quoted:
        raise checks.InputError(f"There is no file {texts[0]}.")
    for path in _expand(given, kind.file_endings or FILES):
        for names, batch, rows in _read(model, path):
            outputs = model.predict(batch, **options)
            for i, name in enumerate(names):
                own = {"row": rows.iloc[i].to_dict()} if with_rows and rows is not None else {}
                row = {key: _plain(values[i]) for key, values in outputs.items()}
                yield {"input": name, **own, **_by_target(row, model.card.target_names)}


def _by_target(row, names):
    """A row in which several predicted numbers have their names."""
    if not names:
        return row
    return {
        key: dict(zip(names, value))
        if isinstance(value, list) and len(value) == len(names)
        else value
        for key, value in row.items()
    }


def as_text(row):
    """One example's prediction as a line for a person; what would steer a terminal is escaped."""
    row_of = _task(row)
    words = json.dumps(row["outputs"]) if row_of is None else row_of.in_words(row)
    words += ", unlike anything in training" if row.get("is_novel") else ""
    return checks.shown(f"{row['input']}: {words}")


def _task(row):
    """The task whose answer a row of `predict_files` holds; `None` of a model without a card."""
    return next((task for task in TASKS.values() if task.key in row), None)


def write_csv(rows, path):
    """Writes predictions as a CSV file with a header; returns how many.

    A row of a table keeps its own cells, and the answer follows; a column of the answer that the table has, too, is called
    `predicted_NAME`.
    """
    found = [{**_own(row), **_answer(row)} for row in rows]
    titles = list(dict.fromkeys(title for row in found for title in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, titles, restval="")
    writer.writeheader()
    writer.writerows(found)
    try:
        files.write_atomic(path, text.getvalue())
    except OSError as error:
        raise checks.InputError(f"Cannot write {path}: {error.strerror}.") from error
    return len(found)


def _own(row):
    """What a line of the answers begins with: the cells of the caller's own row, or what the example is called."""
    if "row" not in row:
        return {"input": row["input"]}
    cells = row["row"].items()
    return {title: "" if cell is None or cell != cell else cell for title, cell in cells}  # of NaN


def _answer(row):
    """The columns of an answer."""
    flat = {
        k: v
        for k, v in row.items()
        if k not in ("input", "row") and not isinstance(v, (list, dict))
    }
    row_of = _task(row)
    if row_of is not None:
        flat |= row_of.columns(row)
    elif "outputs" in row:
        flat["outputs"] = json.dumps(row["outputs"])
    own = row.get("row", ())
    return {f"predicted_{name}" if name in own else name: value for name, value in flat.items()}


def _plain(value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _expand(given, endings):
    for path in given:
        if path != "-" and os.path.isdir(path):
            inside = [str(p) for p in folders.files_in(Path(path)) if p.suffix.lower() in endings]
            if not inside:
                raise checks.InputError(
                    f"The folder {path} holds no files in {', '.join(endings)}."
                )
            yield from inside
        else:
            yield path


def _read(model, path):
    """Yields (names of the examples, raw inputs of a batch, their rows of a table or `None`) of a file."""
    card, content = model.card, None
    kind = kinds.kind(card.input_kind)
    if path != "-" and not paths.exists(path):
        if len(path.split()) == 1:  # perhaps a name that was mistyped
            log.warning("there is no file %s: it is taken for a text", path)
        yield [path], [path], None
        return
    if path == "-":
        content = sys.stdin.buffer.read()
        if not content:
            raise checks.InputError("Standard input is empty: pipe an image or a CSV file into it.")
    suffix = Path(path).suffix.lower()
    is_csv = csv_files.is_csv(path) or (suffix == ".txt" and suffix not in kind.file_endings)
    is_table = is_csv and kind.of_frame is not None
    is_one = (
        kind.reads_any_file and not is_table or suffix in kind.file_endings or content is not None
    )
    if card.inputs:
        yield *_read_several(path, card), None
    elif suffix == ".npy":
        yield from _read_npy(path, card, kind)
    elif is_one and kind.example_of_file is not None:
        yield [path], kind.example_of_file(path, _bytes(path, content), card), None
    elif is_csv or content is not None:
        yield from _read_csv(path, content, card, kind)
    else:
        raise checks.InputError(
            f"{card.name} takes {kind.name} inputs as .csv{kind.other_files}. Received: {path}"
        )


def _read_npy(path, card, kind):
    try:
        array = files.read_arrays(path)
    except ValueError as error:
        raise checks.InputError(
            f"{path} is no NumPy array, or one of Python objects: save numbers or texts with np.save."
        ) from error
    if array.ndim == 0:
        raise checks.InputError(f"{path} holds one number: expected a batch of examples.")
    if kind.is_one(array, card):
        yield [str(path)], array, None
    else:
        yield [f"{path}:{i}" for i in range(len(array))], array, None


def _read_several(path, card):
    """Names and inputs of a `.npz` file that has an array for each of several inputs, and of a table for each of its columns."""
    wanted = {
        name: {column: f"{name}_{column}" for column in part.columns} or name
        for name, part in card.parts.items()
    }
    try:
        arrays = files.read_arrays(path)
        found = {
            name: {column: arrays[key] for column, key in keys.items()} if isinstance(keys, dict) else arrays[keys]
            for name, keys in wanted.items()
        }  # fmt: skip
    except (ValueError, KeyError, IndexError) as error:  # the last of one array, which has no names
        names = [
            k
            for keys in wanted.values()
            for k in ([keys] if isinstance(keys, str) else keys.values())
        ]
        raise checks.InputError(
            f"{card.name} takes several inputs, from a .npz file with the arrays {', '.join(names)} (np.savez). Received: {path}"
        ) from error
    first = next(iter(found.values()))
    count = len(next(iter(first.values())) if isinstance(first, dict) else first)
    return [f"{path}:{i}" for i in range(count)], found


def _bytes(path, content):
    try:
        return Path(path).read_bytes() if content is None else content
    except OSError as error:
        raise checks.InputError(f"Cannot read {path}: {error.strerror}.") from error


def _read_csv(path, content, card, kind):
    kinds_of_columns = zip(card.columns, card.column_kinds or (), strict=False)
    texts = [name for name, is_of in kinds_of_columns if is_of in ("category", "date")]
    if kind.is_quoted or kind.is_drawn:
        texts = ["text", *card.columns]
    own, separator = csv_files.read_csv(path, content)
    if card.readings is None:
        frame = _read_as_before(path, own, texts)
    else:
        frame = own
        wanted = list(dict.fromkeys([*card.columns, *texts]))
        known = naming.by_name(list(frame.columns), wanted)
        frame = frame.rename(columns={title: name for name, title in known.items()})
        usual = {name: "plain" for name in card.columns if name not in texts}
        styles = {name: s for name, s in card.readings.items() if not date_forms.is_form(s)}
        # Read with the table's other columns of texts, where a number that has no sign is told from one that has.
        texts += [name for name, style in styles.items() if units.is_share(style)]
        styles |= dict.fromkeys(texts)
        names = dict(zip(frame.columns, naming.column_names(frame.columns), strict=True))
        frame, _ = readings.typed_frame(
            frame,
            styles={title: styles.get(name, usual.get(name)) for title, name in names.items()},
            texts=[title for title, name in names.items() if name in texts or kind.is_quoted],
            missing=card.config.get("data", {}).get("missing", ()),
            decimal=card.config.get("data", {}).get("decimal"),
            quoted_in=separator,
        )
        frame = frame.rename(columns=known)  # the caller's own titles again, for what is said
    if len(frame) == 0:
        raise checks.InputError(f"{path} needs a header line and at least one row.")
    rows = MOST_IMAGES if kind.is_drawn else len(frame)
    for start in range(0, len(frame), rows):
        part = frame[start : start + rows]
        called = [f"{path}:{line}" for line in part.index]
        part = part.rename_axis(f"{path}, {part.index.name or 'row'}")  # for what is said of a cell
        names, batch = kind.of_frame(part, called, path, card)
        is_row_each = len(names) == len(part)
        yield names, batch, own[start : start + rows] if is_row_each else None


def _read_as_before(path, frame, texts):
    """A table as models of before were trained on: pandas tells what a cell is, so that NA is a gap."""
    import pandas as pd

    if any(naming.column_name(title) in texts for title in frame.columns):
        log.info("%s: read as when this model was trained; NA and None are gaps", path)
    source = frame.to_csv(index=False)
    dtype = {title: str for title in frame.columns if naming.column_name(title) in texts}
    return pd.read_csv(io.StringIO(source), dtype=dtype).set_axis(frame.index)
