"""Texts to ids: words or characters, with a vocabulary of the training split, and batches of texts of similar length."""

import re
import unicodedata

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, naming
from zoo.data.kinds import buckets, categories, cells, cleaning, numbers
from zoo.data.kinds import columns as tables
from zoo.data.kinds.row import Kind, Prepared
from zoo.keras_fixes import kept_vocabulary
from zoo.models import checks

UNITS = ("words", "tokens", "characters")
SIZE = (256, 20_000)  # units kept of each text, units in the vocabulary
_LOOKED_AT = 10_000  # texts, to say how long they are


def describe(options, unit=None, steps=()):
    """The fields of a `DataInfo` of texts, with the defaults where the options say nothing."""
    fields = {"kind": "text", "input_shape": (), "input_dtype": "string"}
    size, unit = options.text_size or SIZE, options.text_unit or unit or UNITS[0]
    return fields | {"text_size": tuple(size), "text_unit": unit, "text_cleaning": steps}


def _describe(parts, options):
    """The fields for texts of the caller's own: what they are split into, and what is cleaned, is told from those of train."""
    texts = parts["train"].x
    steps, marked = cleaning.steps_for(texts)
    unit, why = (options.text_unit, None) if options.text_unit else cleaning.unit_for(texts)
    if why:
        examples.log.info("texts: split into characters, as %s (text_unit=words, --text-unit words, for words)", why)  # fmt: skip
    elif unit == "words" and (share := cleaning.spaceless_share(texts)) > 0.001:
        examples.log.info(
            "texts: %.1f %% of the words are of scripts without spaces; each of their characters counts as a word "
            "(text_unit=characters, --text-unit characters, splits all texts so)", 100 * share,
        )  # fmt: skip
    if marked:
        examples.log.info("texts: %d of %d training texts hold HTML: %s", marked, len(texts), cleaning.STEPS["html"])  # fmt: skip
    for part in parts.values():
        _warn_of_empty(part, unit, steps)
        _warn_of_forms(part.x, f"{part.split} texts", part.row)
    return describe(options, unit, steps), lambda part: part.x


def _warn_of_empty(part, unit, steps):
    """Says which texts have nothing left to learn from, such as those of punctuation alone."""
    plain = (re.sub("<[^>]*>|&[^;]*;", "", text) for text in part.x)
    rows = [i for i, text in enumerate(plain) if not any(map(str.isalnum, text))]
    found = cleaning.units(part.x[rows], unit, steps) if rows else []
    rows = [row for row, of_text in zip(rows, found) if not of_text]
    if rows:
        more = "; text_unit='characters' (--text-unit characters) reads signs, too" * (
            unit == "words"
        )
        examples.log.warning(
            "%d of %d %s texts hold no %s, first %s (%r): nothing can be told from them%s",
            len(rows), len(part.x), part.split, unit, part.row(rows[0]), part.x[rows[0]][:50], more,
        )  # fmt: skip


def _warn_of_forms(texts, what, where):
    """Says that letters are written in parts, a letter and its accent, which the graph cannot put together."""
    rows = [i for i, text in enumerate(texts) if not unicodedata.is_normalized("NFC", text)]
    if rows:
        examples.log.warning(
            "%d of %d %s write letters in parts (an e, then its accent), first %s: they are other ones than é in one piece. "
            "Bring all to one form: unicodedata.normalize('NFC', text)", len(rows), len(texts), what, where(rows[0]),
        )  # fmt: skip


def decode(text):
    """Returns the `str` of a text or of UTF-8 bytes, and `None` for anything else, such as half of a pair of surrogates."""
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        return text if isinstance(text, str) and text.encode() is not None else None
    except UnicodeError:
        return None


def lengths(texts, unit, steps=()):
    """Units in each of some texts: int64 `[N]`."""
    return np.fromiter(map(len, cleaning.units(texts, unit, steps)), "int64")


def vectorizer(splits, fixed_length=False):
    """Makes the layers that turn texts into ids; the vocabulary is that of the training split.

    Id 0 is padding, 1 any unit that the training texts do not teach. A batch is as long as its longest text, rounded
    up, and never longer than `text_size` says.

    Args:
        splits: The `Splits` of texts; `train` is read for the vocabulary, `validation` to tell how well it fits.
        fixed_length: Fill all texts up to one length, for models that do not pass over padding.

    Returns:
        A `Prepared`: its model takes texts `[B]` to ids int64 `[B, T]`.
    """
    info, data = splits.info, splits.examples["train"]
    (limit, most), unit, steps = info.text_size, info.text_unit, info.text_cleaning
    in_memory = isinstance(data, examples.Arrays)
    if in_memory:
        counts = lengths(data.inputs, unit, steps)
        limit = min(limit, int(counts.max()))
        cut = np.mean(counts > limit)
        examples.log.info(
            "texts: half have up to %d %s; %.1f %% are longer than %d and are cut%s",
            np.median(counts), unit, 100 * cut, limit, " (text_size sets another length)" * bool(cut),
        )  # fmt: skip
        texts = tf.data.Dataset.from_tensor_slices(data.tensors[0])
    else:
        texts = data.examples.map(lambda x, _: x)
    layer = keras.layers.TextVectorization(
        max_tokens=most,
        standardize=cleaning.Clean(unit, steps),
        split="character" if unit == "characters" else "whitespace",
        name="vectorize",
    )
    layer.adapt(texts.batch(1024))
    kept_vocabulary.keep(layer)

    raw = keras.Input((), dtype="string", name="raw")
    fill = buckets.Fill(limit, fixed_length, dtype="int64", name="fill")
    model = keras.Model(raw, fill(layer(raw)), name="prepare")
    unknown = _unknown_share(model, splits)
    padding = None if fixed_length else padding_share(splits, limit)
    examples.log.info("texts: %.1f %% of the validation split's %s are not in the vocabulary", 100 * unknown, unit)  # fmt: skip
    if padding is not None:
        examples.log.info("texts: padding is %.1f %% of the training batches", 100 * padding)
    if unknown > 0.5:
        other = UNITS[0] if unit == UNITS[-1] else UNITS[-1]
        examples.log.warning(
            "texts: a model that does not know most %s of new texts answers by chance: pass text_unit='%s' (--text-unit %s), more "
            "texts, or texts of one language", unit, other, other,
        )  # fmt: skip
    marks = {"words": ", without punctuation", "tokens": ", signs of punctuation by themselves"}.get(unit, "")  # fmt: skip
    said = [
        *(f"{cleaning.STEPS[step]}" for step in steps),
        f"texts in lower case{marks}, HTML's breaks taken for spaces, split into {unit}",
        f"the first {limit} {unit} as ids of {layer.vocabulary_size():,} (1 stands for all others)",
    ]
    return Prepared(model, said, {"vocabulary_size": layer.vocabulary_size()})


def _unknown_share(model, splits):
    """Share of the units of validation texts that the vocabulary lacks."""
    unknown = total = 0
    traced = tf.function(model, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    for texts, *_ in splits.mapped(None).validation:
        ids = traced(texts).numpy()
        unknown, total = unknown + (ids == 1).sum(), total + (ids > 0).sum()
    return unknown / max(total, 1)


def _lengths(texts, info):
    return lengths(texts, info.text_unit, info.text_cleaning)


def padding_share(splits, limit):
    """Share of the steps of an epoch's training batches that is padding; `None` of a stream."""
    data = splits.examples["train"]
    if not isinstance(data, examples.Arrays):
        return None
    counts = np.minimum(_lengths(data.inputs, splits.info), limit)
    batches = counts[np.stack(list(splits.order().as_numpy_iterator()))]
    padded = batches.shape[1] * buckets.padded_length(batches.max(axis=1), limit).numpy().sum()
    return 1 - batches.sum() / max(padded, 1)


def _overview(info, data):
    (length, most), unit = info.text_size, info.text_unit
    name, told = ", ".join(info.columns) or "text", "streamed"
    if isinstance(data, examples.Arrays):
        counts = lengths(data.inputs[:: -(-len(data) // _LOOKED_AT)], unit)
        told = f"half have up to {np.median(counts):.0f} {unit}, the longest {counts.max():,}"
    return {
        name: f"texts, {told}; up to {length} are read of each, and {most:,} {unit} are learned"
    }


def _recognises(x):
    return not hasattr(x, "columns") and x.ndim == 1 and x.dtype.kind in "OUST"


def _problems(part):
    decoded = [decode(text) for text in part.x]
    part.x = np.array([text if isinstance(text, str) else "" for text in decoded], object)
    return {
        "it is no UTF-8 text": np.array([text is None for text in decoded]),
        "it is empty or holds spaces only": np.array(
            [text is not None and not text.strip() for text in decoded]
        ),
    }


def _of_feature(name, feature, key, options):
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Text):
        return None
    return describe(options), lambda value: value


def _of_files(paths):
    """Text files as bytes, so that what is no UTF-8 is found and counted with the other checks."""
    return np.array([path.read_bytes() for path in paths], object)


def _linear_features(info, train):
    """Returns a function from texts `[N, 1]` to weighted n-grams: words and pairs of them, or one to four characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_characters = info.text_unit == "characters"
    grams = (
        {"analyzer": "char", "ngram_range": (1, 4)} if of_characters else {"ngram_range": (1, 2)}
    )
    vectorizer = TfidfVectorizer(min_df=2, sublinear_tf=True, dtype=np.float32, **grams)

    def cleaned(rows):
        unit, steps = info.text_unit, info.text_cleaning
        plain = (text.decode() for text in cleaning.clean(rows[:, 0], unit, steps).numpy())
        # The edges are part of an n-gram of characters.
        return [f"<{text}>" if of_characters else text for text in plain]

    vectorizer.fit(cleaned(train))
    return lambda rows: vectorizer.transform(cleaned(rows))


def _as_numbers(texts, info, inputs):
    return "ids", inputs(texts).numpy().astype("int32"), True


def _check_raw(inputs, card, vocabulary):
    if isinstance(inputs, (str, bytes)):
        raise checks.InputError("Received one text: pass a list of texts, [text].")
    if hasattr(inputs, "columns") or isinstance(inputs, dict):
        inputs = inputs[_column(list(inputs.keys()), card, "The table")]
    if hasattr(inputs, "to_numpy"):  # a column, read as that of a training table
        inputs = categories.as_texts(inputs)
    texts = [decode(text) for text in numbers.one_each("texts", np.asarray(inputs, object))]
    unit = card.text_unit
    if None in texts:
        raise checks.InputError(f"Example {texts.index(None)} is no UTF-8 text: pass strings.")
    found, length = cleaning.units(texts, unit, card.text_cleaning or ()), card.text_size[0]
    if [] in found:
        row = found.index([])
        raise checks.InputError(
            f"The text of example {row} is empty or holds no {unit} ({texts[row][:50]!r}): the answer would mean nothing."
        )
    long = sum(len(of_text) > length for of_text in found)
    is_strange = (vocabulary is not None and vocabulary.isdisjoint(of_text) for of_text in found)
    strange = [row for row, strange in enumerate(is_strange) if strange]
    if card.text_cleaning is not None:
        _warn_of_forms(texts, "texts", "example {}".format)
        if "html" not in card.text_cleaning and (marked := cleaning.steps_for(texts)[1]):
            examples.log.warning(
                "%d of %d texts hold HTML, which the texts that %s learned from did not: its tags are read as words", marked, len(texts),
                card.name,
            )  # fmt: skip
    if long:
        examples.log.warning("%d of %d texts are longer than %d %s: the rest is not read", long, len(texts), length, unit)  # fmt: skip
    if strange:
        examples.log.warning(
            "%d of %d texts hold no %s that %s knows, first example %d: the answer to them means nothing",
            len(strange), len(texts), unit, card.name, strange[0],
        )  # fmt: skip
    return {"text": np.array(texts, object)}


def _column(titles, card, where):
    """The column that holds the texts: that of the training table, `text`, or the only one there is."""
    wanted = (*card.columns, "text")
    if not titles:
        raise checks.InputError(f"{where} has no columns.")
    found = list(naming.by_name(titles, wanted).values())
    others = [title for title in titles if not tables.numbers_rows(title)]
    if not found and len(others) > 1:
        raise checks.InputError(
            f"{where} has the columns {', '.join(map(str, titles))}: name the one to read `{wanted[0]}`."
        )
    return [*found, *others, *titles][0]


def _of_frame(frame, names, path, card):
    column = _column(list(frame.columns), card, path)
    if card.config.get("data", {}).get("files"):
        return names, _of_files(cells.files_of(column, frame[column], path, KIND.file_endings))
    return names, frame[column].fillna("").astype(str).to_numpy(object)


def _numbers_are(card):
    said = (
        f"ids of {card.text_unit}: their places in `inputs` of vocabulary.json; 1 stands for any other, 0 fills up at the end; up to "
        f"{card.text_size[0]} are read"
    )
    return said, ()


def _golden(texts, info):
    """Texts, and some with HTML, of other scripts and widths, and without a known word; those alone for a set that has a name."""
    odd = ["  <P>FISH &amp; Chips</P>\t&#233;", "\u201cＡ１\u201d\u3000好的\u00a0ไทย 😀", "qzxqzx"]
    return np.array([*texts, *odd], object) if info.text_cleaning else texts


KIND = Kind(
    name="text",
    called="texts",
    options=("text_size", "text_unit", "bucket"),
    meaning="one UTF-8 text each",
    numbers_are=_numbers_are,
    is_quoted=True,
    recognises=_recognises,
    describe=_describe,
    problems=_problems,
    of_feature=_of_feature,
    file_endings=(".txt",),
    of_files=_of_files,
    lengths=_lengths,
    prepare=vectorizer,
    linear_features=_linear_features,
    linear_strengths=(1.0, 10.0, 100.0),
    specs=lambda info: {"text": tf.TensorSpec((None,), info.input_dtype, name="text")},
    as_numbers=_as_numbers,
    golden=_golden,
    check_raw=_check_raw,
    overview=_overview,
    otherwise=lambda info: (
        "text_unit (--text-unit words, tokens or characters) says what they are split into"
    ),
    model=lambda info: "cnn:text",
    example_of_file=lambda path, content, card: [content],
    of_frame=_of_frame,
    other_files=" or .txt",
    vocabulary=lambda inputs: inputs.get_layer("vectorize").get_vocabulary(),
)
