"""Tables: named columns of numbers, categories and dates. The inputs are a dict of columns, or one matrix where all are
numbers without gaps.
"""

import logging

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, naming
from zoo.data.kinds import categories, cells, doubtful, image, numbers, pixels, plain_columns, text
from zoo.data.kinds import columns as kinds_of_columns
from zoo.data.kinds.encoder import encoder
from zoo.data.kinds.row import Kind, Prepared
from zoo.models import checks

log = logging.getLogger("zoo")

# Kinds of columns that are learned from alone → what is said of those that are not.
_TEXTS = {
    "text": "free text",
    "name": "texts that differ in most rows (dates are read as YYYY-MM-DD)",
}
DTYPES = {"number": tf.float32, "precise": tf.float64, "category": tf.string, "date": tf.string}


def _describe(parts, options):
    skip_bad, train = options.skip_bad, parts["train"].x
    if (lists := _column_of_lists(train, options.kinds)) is not None:
        return _describe_pixels(lists, parts, options)
    kinds = kinds_of_columns.column_kinds(train, skip_bad=skip_bad, told=options.kinds)
    for part in parts.values():
        missing = [title for title in kinds if title not in part.x.columns]
        if missing:
            raise checks.InputError(
                f"The {part.split} table lacks columns that the train table has: {', '.join(missing)}."
            )
    read_as_text = _only_text(kinds, train, options.kinds)
    for title, kind in kinds.items():
        if kind in _TEXTS and title != read_as_text:
            log.warning(
                "column %r is left out: it holds %s. To learn from it alone pass columns=(%r,)",
                title, _TEXTS[kind], title,
            )  # fmt: skip
    if read_as_text is not None:
        if kinds[read_as_text] != "text":
            log.info(
                "%s: read as text (for categories pass kinds={%r: 'category'}, --kinds %s=category)",
                read_as_text, read_as_text, read_as_text,
            )  # fmt: skip
        return _describe_text(parts, read_as_text, options)
    kinds = {title: kind for title, kind in kinds.items() if kind not in _TEXTS}
    kinds = _looked_at(kinds, train, options.kinds)
    gaps = any(part.x[list(kinds)].isna().any(axis=None) for part in parts.values())
    names = dict(zip(kinds, naming.column_names(kinds), strict=True))
    is_plain = set(kinds.values()) == {"number"} and not gaps and not skip_bad
    known = {}  # column of categories → its texts in train

    def convert(part):
        found = {
            names[title]: kinds_of_columns.convert_column(
                title, part.x[title], kind, split=part.split, skip_bad=skip_bad
            )
            for title, kind in kinds.items()
        }
        told = [n for n, kind in zip(found, kinds.values()) if kind == "category"]
        categories.warn_of_new({n: found[n] for n in told}, known, part.split)
        return np.stack(list(found.values()), -1) if is_plain else found

    fields = {
        "kind": "table",
        "input_shape": (len(kinds),),
        "input_dtype": "float32" if is_plain else "mixed",
        "columns": tuple(names.values()),
        "column_kinds": () if is_plain else tuple(kinds.values()),
    }
    return fields, convert


def _looked_at(kinds, train, told):
    """The kinds of the columns, with large numbers that differ by little as `"precise"`; says what is odd about them."""
    import pandas as pd

    kinds = dict(kinds)
    for title, kind in kinds.items():
        if kind in kinds_of_columns.NUMBERS:
            numbers.warn_of_placeholder(
                title,
                pd.to_numeric(train[title], errors="coerce").to_numpy("float64", na_value=np.nan),
            )
        if kind in kinds_of_columns.NUMBERS and kinds_of_columns.is_precise(train[title]):
            kinds[title] = "precise"
            log.info("%s: large numbers that differ by little, read in float64", title)
        is_told = title in told
        if kind == "category" and not is_told and kinds_of_columns.are_phrases(train[title], 3):
            log.warning(
                "%s: its phrases are taken for categories, so that a new one is unknown. To learn from their words alone pass "
                "columns=(%r,)", title, title,
            )  # fmt: skip
    return kinds


def _only_text(kinds, train, told):
    """The column that a table is learned from as text, where no other is of use; otherwise `None`.

    Raises:
        InputError: There are several.
    """
    first, *others = kinds.items()
    if not others and first[1] == "category" and first[0] not in told:
        is_said = str(train[first[0]].dtype) == "category"
        return first[0] if kinds_of_columns.are_phrases(train[first[0]]) and not is_said else None
    if any(kind not in _TEXTS for kind in kinds.values()):
        return None
    found = [title for title, kind in kinds.items() if kind == "text"] or list(kinds)
    if len(found) > 1:
        raise checks.InputError(
            f"Several columns hold free text ({', '.join(found)}): choose one, columns=({found[0]!r},)."
        )
    return found[0]


def _describe_text(parts, title, options):
    """A table of one column of use, as texts."""
    for part in parts.values():
        part.x = categories.as_texts(part.x[title])
        part.drop(text.KIND.problems(part), options.skip_bad)
    fields, convert = text.KIND.describe(parts, options)
    return fields | {"columns": tuple(naming.column_names([title]))}, convert


def _column_of_lists(train, told):
    """The first column whose cells are lists of numbers; raises `InputError` for one whose cells name files."""
    for title in train.columns:
        if title in told:
            continue
        if cells.are_file_names(train[title], (*pixels.ENDINGS, *text.KIND.file_endings)):
            raise checks.InputError(
                f"The column {title!r} names files, such as {str(train[title].dropna().iloc[0])!r}: to learn from the files pass "
                f"files={title!r} (--files {title}), with folder=... where they lie elsewhere.\nTo learn from the other columns name "
                f"them, columns=...; to learn from the names themselves pass kinds={{{title!r}: 'category'}}."
            )
        if cells.are_lists(train[title]):
            return title
    return None


def _describe_pixels(title, parts, options):
    """Images whose pixels stand in one column of a table."""
    others = [str(other) for other in parts["train"].x.columns if other != title]
    if others:
        raise checks.InputError(
            f"The cells of {title!r} hold lists of numbers: to learn from them alone pass columns=({title!r},) (--columns {title}); to "
            f"learn from the other columns, columns={tuple(others[:5])}."
        )
    shape = None
    for part in parts.values():
        part.x, bad = cells.pixels(title, part.x[title], shape)
        shape = part.x.shape[1:]
        part.drop(
            {f"{title!r} holds no list of {part.x[0].size} whole numbers from 0 to 255": bad},
            options.skip_bad,
        )
    log.info(
        "%s: %d whole numbers in a cell, read as images of %dx%dx%d",
        title,
        parts["train"].x[0].size,
        *shape,
    )
    fields, convert = image.KIND.describe(parts, options)
    return fields | {"columns": tuple(naming.column_names([title]))}, convert


def _of_feature(name, feature, key, options):
    columns = tuple(feature) if hasattr(feature, "keys") else ()
    if not columns or not all(_is_number(feature[column]) for column in columns):
        return None
    fields = {
        "kind": "table",
        "input_shape": (len(columns),),
        "input_dtype": "float32",
        "columns": columns,
    }
    return fields, lambda value: tf.stack([tf.cast(value[c], tf.float32) for c in columns])


def _is_number(feature):
    return feature.shape == () and np.dtype(feature.np_dtype).kind in "fiub"


def _prepare(splits, fixed_length):
    if splits.info.column_kinds:
        return Prepared(*encoder(splits.info, splits.examples["train"].inputs))
    layer, steps = numbers.standardisation(splits)
    return Prepared(numbers.as_model(layer, splits.info), steps)


def _kinds_of(columns, kinds):
    """The kind of each column; where a description has none, all are numbers without gaps."""
    return dict(zip(columns, kinds or ("number",) * len(columns), strict=True))


def _specs(info):
    return {
        column: tf.TensorSpec((None,), DTYPES[kind], name=column)
        for column, kind in _kinds_of(info.columns, info.column_kinds).items()
    }


def _overview(info, data):
    if not isinstance(data, examples.Arrays):
        return dict.fromkeys(info.columns, "number, streamed")
    rows = _named(data.inputs, info)
    return {
        column: f"{kind}, {kinds_of_columns.in_words(rows[column], kind)}"
        for column, kind in _kinds_of(info.columns, info.column_kinds).items()
    }


def _named(rows, info):
    if isinstance(rows, dict):
        return rows
    return {column: rows[:, i] for i, column in enumerate(info.columns)}


def _dated(info):
    kinds = _kinds_of(info.columns, info.column_kinds)
    return [column for column, kind in kinds.items() if kind == "date"]


def _to_model(raw, info, inputs):
    if info.column_kinds:
        return inputs(raw)
    return inputs(keras.ops.stack([raw[column] for column in info.columns], -1))


def _as_numbers(rows, info, inputs):
    if isinstance(rows, dict):  # texts among them
        return "features", inputs(rows).numpy(), True
    return "features", rows.astype("float32"), False


def _numbers_are(card):
    if not card.column_kinds:
        return "one number for each column, unscaled, in the order of the columns", card.columns
    said = (
        "numbers that the SavedModel makes of the columns, as its preprocessing says: the medians, spreads and categories stand in the SavedModel "
        "alone, so for raw columns ask that, with TensorFlow"
    )
    return said, card.columns


def _golden(rows, info):
    """Rows, and three of them again: with spaces and capitals, with gaps, and with a category and a date that are none."""
    if not isinstance(rows, dict):
        return rows
    found = {}
    for column, kind in zip(info.columns, info.column_kinds, strict=True):
        value = rows[column][:1]
        if DTYPES[kind] == tf.string:
            text = value[0] if isinstance(value[0], str) else value[0].decode()
            is_flag = text.lower() in categories.CleanTexts.WORDS
            odd = [f" {text.upper() if is_flag else text}\t", "", "no such value"]
        else:
            odd = [value[0], np.nan, value[0]]
        found[column] = np.concatenate([rows[column], np.array(odd, rows[column].dtype)])
    return found


def _check_raw(inputs, card, vocabulary):
    columns = card.columns
    kinds = _kinds_of(columns, card.column_kinds)
    if not hasattr(inputs, "keys"):
        raise checks.InputError(
            f"A table's inputs are a DataFrame or a dict of columns. Received: {type(inputs)}"
        )
    titles = naming.column_names(inputs.keys())
    if twice := [column for column in columns if titles.count(column) > 1]:
        raise checks.InputError(f"The column {twice[0]!r} is there twice: keep one.")
    by_name = naming.by_name(list(inputs.keys()), columns)
    given = {name: inputs[title] for name, title in by_name.items()}
    given |= {
        name: plain_columns.dated(values)
        for name, values in given.items()
        if kinds.get(name) == "date" and plain_columns.is_pandas(values)
    }
    missing = [column for column in columns if column not in given]
    extra = [str(title) for title in inputs if title not in by_name.values()]
    if missing:
        raise checks.InputError(
            f"The columns differ from the model's. Missing: {missing}. Not known: {extra or 'none'}."
        )
    if extra:
        log.warning("columns that the model does not know are not read: %s", ", ".join(extra))
    has_gaps, styles = bool(card.column_kinds), card.readings or {}
    titles = {column: str(by_name[column]) for column in columns}  # as the caller knows them
    arrays = {
        column: kinds_of_columns.check_raw(
            titles[column], given[column], kind, has_gaps, styles.get(column)
        )
        for column, kind in kinds.items()
    }
    lengths = {column: len(values) for column, values in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise checks.InputError(f"The columns differ in length: {lengths}")
    ranges, categories_of = card.ranges or {}, card.categories or {}
    for column, values in arrays.items():
        title, known = titles[column], categories_of.get(column)
        if known is not None:
            categories.warn_of_unknown(title, values, known)
        if card.ranges is not None:
            where = doubtful.places(given[column])
            bounds = ranges.get(column)
            doubtful.warn(title, values, where, bounds=bounds, fills_gaps=has_gaps, known=known)
    return arrays


KIND = Kind(
    name="table",
    called="a table",
    meaning="one unscaled column each; a gap in a column of numbers is NaN, in one of texts an empty text",
    recognises=lambda x: hasattr(x, "columns"),
    describe=_describe,
    of_feature=_of_feature,
    prepare=_prepare,
    specs=_specs,
    named=_named,
    to_model=_to_model,
    as_numbers=_as_numbers,
    numbers_are=_numbers_are,
    golden=_golden,
    categories=categories.known,
    ranges=lambda splits: doubtful.ranges(
        _named(splits.examples["train"].inputs, splits.info), _dated(splits.info)
    ),
    check_raw=_check_raw,
    far=lambda named, card: np.any(
        [doubtful.far(v, (card.ranges or {}).get(column)) for column, v in named.items()], 0
    ),
    overview=_overview,
    otherwise=lambda info: (
        "in a table of your own kinds={'COLUMN': 'category'} (--kinds COLUMN=category) says what a column is"
    ),
    of_frame=lambda frame, names, path, card: (names, frame),
)
