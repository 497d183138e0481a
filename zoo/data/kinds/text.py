"""Texts to ids: words or characters, with a vocabulary of the training split, and batches of texts of similar length."""

import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import cells, numbers
from zoo.data.kinds.row import Kind, Prepared
from zoo.models import checks

UNITS = ("words", "characters")
SIZE = (256, 20_000)  # units kept of each text, units in the vocabulary
WINDOW = 50  # batches whose texts are sorted together
LENGTHS = 8  # different lengths of batches at most: XLA compiles each
_BREAK = r"<\s*br\s*/?\s*>"
_PUNCTUATION = r"""[!"#$%&()\*\+,\-\./:;<=>?@\[\\\]^_`{|}~']"""


def describe(options):
    """The fields of a `DataInfo` of texts, with the defaults where the options say nothing."""
    fields = {"kind": "text", "input_shape": (), "input_dtype": "string"}
    size, unit = options.text_size or SIZE, options.text_unit or UNITS[0]
    return fields | {"text_size": tuple(size), "text_unit": unit}


def clean(texts, unit):
    """Brings a tensor of texts to lower case, HTML's breaks to spaces, none at the ends; of words the punctuation goes."""
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.strip(tf.strings.regex_replace(texts, _BREAK, " "))
    return tf.strings.regex_replace(texts, _PUNCTUATION, "") if unit == "words" else texts


def decode(text):
    """Returns the `str` of a text or of UTF-8 bytes, and `None` for anything else."""
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        return None
    return text if isinstance(text, str) else None


def units(text, unit):
    """The words or characters of a text, which is `str` or UTF-8 bytes, as `clean` and the layer tell them apart."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    text = re.sub(_BREAK, " ", text.lower()).strip(" \t\n\r\f\v")
    return list(text) if unit == "characters" else re.sub(_PUNCTUATION, "", text).split()


def lengths(texts, unit):
    """Units in each of some texts: int64 `[N]`."""
    return np.fromiter((len(units(text, unit)) for text in texts), "int64")


def padded_length(longest, limit):
    """Steps of a batch whose longest text has so many units: rounded up, at least one, at most the limit."""
    multiple = -(-limit // LENGTHS)
    return tf.minimum(-(-tf.maximum(longest, 1) // multiple) * multiple, limit)


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
    (limit, most), unit = info.text_size, info.text_unit
    in_memory = isinstance(data, examples.Arrays)
    if in_memory:
        counts = lengths(data.inputs, unit)
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
        standardize=lambda x: clean(x, unit),
        split="whitespace" if unit == "words" else "character",
        name="vectorize",
    )
    layer.adapt(texts.batch(1024))

    def cut_and_fill(ids):
        ids = ids[:, :limit]
        steps = tf.shape(ids)[1]
        filled = limit if fixed_length else padded_length(steps, limit)
        return tf.pad(ids, [[0, 0], [0, filled - steps]])

    raw = keras.Input((), dtype="string", name="raw")
    shape = (limit if fixed_length else None,)
    fill = keras.layers.Lambda(cut_and_fill, output_shape=shape, name="fill")
    model = keras.Model(raw, fill(layer(raw)), name="prepare")
    unknown = _unknown_share(model, splits)
    padding = None if fixed_length else padding_share(splits, limit)
    examples.log.info("texts: %.1f %% of the validation split's %s are not in the vocabulary", 100 * unknown, unit)  # fmt: skip
    if padding is not None:
        examples.log.info("texts: padding is %.1f %% of the training batches", 100 * padding)
    marks = ", without punctuation" if unit == "words" else ""
    steps = [
        f"texts in lower case{marks}, HTML's breaks taken for spaces, split into {unit}",
        f"the first {limit} {unit} as ids of {layer.vocabulary_size():,} (1 stands for all others)",
    ]
    return Prepared(model, steps, {"vocabulary_size": layer.vocabulary_size()})


def _unknown_share(model, splits):
    """Share of the units of validation texts that the vocabulary lacks."""
    unknown = total = 0
    traced = tf.function(model, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    for texts, _ in splits.mapped(None).validation:
        ids = traced(texts).numpy()
        unknown, total = unknown + (ids == 1).sum(), total + (ids > 0).sum()
    return unknown / max(total, 1)


def padding_share(splits, limit):
    """Share of the steps of an epoch's training batches that is padding; `None` of a stream."""
    data = splits.examples["train"]
    if not isinstance(data, examples.Arrays):
        return None
    counts = np.minimum(lengths(data.inputs, splits.info.text_unit), limit)
    batches = counts[np.stack(list(splits.order().as_numpy_iterator()))]
    padded = batches.shape[1] * padded_length(batches.max(axis=1), limit).numpy().sum()
    return 1 - batches.sum() / max(padded, 1)


def similar_lengths(picked, counts, seed):
    """Regroups the batches of a window by the length of their texts.

    Sorting all texts would make every epoch's batches alike; within a window of a shuffled epoch they differ, and
    their number is that of an epoch without sorting.

    Args:
        picked: Numbers of the examples of some whole batches, int64 `[n, B]`.
        counts: Length of each text, int64 `[N]`.
        seed: int64 `[2]`, for the order of the batches.

    Returns:
        The same numbers, int64 `[n, B]`: each row of similar lengths, the rows in random order.
    """
    flat = tf.reshape(picked, [-1])
    by_length = tf.gather(flat, tf.argsort(tf.gather(counts, flat), stable=True))
    rows = tf.reshape(by_length, tf.shape(picked))
    last = tf.shape(picked, tf.int64)[0] - 1
    order = tf.random.experimental.index_shuffle(tf.range(last + 1), seed=seed, max_index=last)
    return tf.gather(rows, order)


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
        plain = (text.decode() for text in clean(rows[:, 0], info.text_unit).numpy())
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
    texts = [decode(text) for text in numbers.one_each("texts", np.asarray(inputs, object))]
    unit = card.text_unit
    if None in texts:
        raise checks.InputError(f"Example {texts.index(None)} is no UTF-8 text: pass strings.")
    long, strange, length = 0, [], card.text_size[0]
    for row, text in enumerate(texts):
        found = units(text, unit)
        if not found:
            raise checks.InputError(
                f"The text of example {row} is empty or holds no {unit} ({text[:50]!r}): the answer would mean nothing."
            )
        long += len(found) > length
        if vocabulary is not None and vocabulary.isdisjoint(found):
            strange.append(row)
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
    named = dict(zip(examples.column_names(titles), titles, strict=True))
    found = next((named[name] for name in wanted if name in named), None)
    if found is None and len(titles) > 1:
        raise checks.InputError(
            f"{where} has the columns {', '.join(map(str, titles))}: name the one to read `{wanted[0]}`."
        )
    return titles[0] if found is None else found


def _of_frame(frame, names, path, card):
    column = _column(list(frame.columns), card, path)
    if card.config.get("data", {}).get("files"):
        return names, _of_files(cells.files_of(column, frame[column], path, KIND.file_endings))
    return names, frame[column].fillna("").astype(str).to_numpy(object)


KIND = Kind(
    name="text",
    meaning="one UTF-8 text each",
    is_quoted=True,
    recognises=_recognises,
    describe=lambda parts, options: (describe(options), lambda part: part.x),
    problems=_problems,
    of_feature=_of_feature,
    file_endings=(".txt",),
    of_files=_of_files,
    lengths=lambda texts, info: lengths(texts, info.text_unit),
    prepare=vectorizer,
    linear_features=_linear_features,
    linear_strengths=(1.0, 10.0, 100.0),
    specs=lambda info: {"text": tf.TensorSpec((None,), info.input_dtype, name="text")},
    as_numbers=_as_numbers,
    check_raw=_check_raw,
    example_of_file=lambda path, content, card: [content],
    of_frame=_of_frame,
    other_files=" or .txt",
    vocabulary=lambda inputs: inputs.get_layer("vectorize").get_vocabulary(),
)
