"""Bag of weighted n-grams: how often each occurs in which class, times what is learned.

    token ids [B, T]
      └ n-grams of 1 to L tokens, hashed: the rows of those that are known, each once          [B, L T]
          ├ embedding of one number for each column, learned, near 0 at the start ─ dropout    [B, L T, E]
          ├ log-count ratios of the training texts, fixed                                      [B, L T, E]
          └ product, summed over the n-grams, divided by the root of their number: evidence    [B, E]
      └ logits                                                                                 [B, K]

B batch, T tokens, L the longest n-gram, E columns of evidence, K classes. Word order counts within an n-gram only. How n-grams are told apart
is in `ngrams.py`; those of the training texts that occur most are known, all others count as nothing.
"""

import keras
import numpy as np

from zoo.models import checks, layers
from zoo.models.ngrams import NONE, NGrams, array_of, by_length, checks_of

SIZES = {
    "tiny": {"rows": 2**12},
    # Of 20,000 film reviews 0.9 million n-grams occur more than once; half of them find a row of `small`, seven in ten one of `base`.
    "small": {"rows": 2**19},
    "base": {"rows": 2**20},
}

_LONGEST = 5
_USUAL = 300.0
_RAISED, _MOST_RAISED = 50, 0.1


def build_bag(
    input_shape,
    num_classes,
    *,
    vocabulary_size=None,
    rows=2**20,
    ngrams=3,
    dropout=0.0,
    columns=None,
    name="bag",
):
    """Builds a bag of n-grams for token ids, weighted by log-count ratios.

    Use it for texts that some words and phrases tell apart, such as reviews: with IMDB's 25,000 it is more accurate than our networks that start
    from random weights (docs/results.md). `zoo.train` counts the n-grams of the training split; elsewhere `zoo.models.bag.adapt` does.
    Without that count it is a linear model of hashed n-grams.

    Reference: Wang & Manning 2012, "Baselines and bigrams: Simple, good sentiment and topic classification" (NB-SVM); hashing as in
    Weinberger et al. 2009.

    Args:
        input_shape: `(steps,)`, or `(None,)` for texts of any length.
        num_classes: Width of the last layer; `None` leaves it off and returns the evidence before it.
        vocabulary_size: The inputs are token ids from 1 to `vocabulary_size` - 1, and 0 for padding at the end.
        rows: Of the tables, a power of two: at most so many n-grams are known. A row takes 1 + 5 `columns` bytes.
        ngrams: The longest n-gram, in tokens, from 1 to 5.
        dropout: Share of a text's n-grams dropped in training, 0 <= dropout < 1.
        columns: Columns of evidence; default: one for each class. For two classes one is enough, which `zoo.train` takes.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: int32 `[B, steps]`. Output of the layer `logits`: float32 `[B, num_classes]`. The evidence
        of a text without known n-grams is 0.

    Raises:
        InputError: An argument is out of its range; the message names it. (A `ValueError`.)

    Example:

    >>> model = build_bag((None,), 2, vocabulary_size=1000, rows=2**12, columns=1)
    >>> model.output_shape
    (None, 2)
    """
    if vocabulary_size is None:
        raise checks.InputError(
            "A bag is for token ids: pass vocabulary_size=20000 and input_shape=(None,), or zoo.train texts. For numbers take "
            "'dense', for images 'cnn'."
        )
    checks.positive_int("vocabulary_size", vocabulary_size)
    shape = checks.token_shape(input_shape)
    checks.num_classes(num_classes)
    checks.positive_int("rows", rows)
    if rows & (rows - 1):
        raise checks.InputError(
            f"`rows` must be a power of two, for example rows=2**20. Received: {rows!r}"
        )
    checks.positive_int("ngrams", ngrams)
    if ngrams > _LONGEST:
        raise checks.InputError(
            f"`ngrams` must be at most {_LONGEST}, for example ngrams=3. Received: {ngrams!r}"
        )
    checks.fraction("dropout", dropout)
    checks.num_classes(columns)
    columns = columns or num_classes or 1

    inputs = keras.Input(shape, dtype="int32", name="inputs")
    found = NGrams(vocabulary_size, rows, ngrams, dtype="float32", name="ngrams")(inputs)
    start = keras.initializers.RandomUniform(-0.01, 0.01)
    x = keras.layers.Embedding(
        rows + 1, columns, embeddings_initializer=start, dtype="float32", name="weights"
    )(found)
    x = layers.dropout(x, dropout, "dropout")
    x = Evidence(rows, dtype="float32", name="evidence")([found, x])
    return keras.Model(inputs, layers.classification_head(x, num_classes, "identity"), name=name)


@keras.saving.register_keras_serializable(package="zoo")
class Evidence(keras.layers.Layer):
    """The sum of n-grams' weights times their log-count ratios, divided by the root of their number: a longer text is not so much surer.

    It is multiplied by the root of the 300 n-grams that a review has. The ratios are kept in 8 bits; all are 1 before `adapt`.

    Args:
        rows: Rows of the tables; the row after the last one stands for no n-gram, and counts as nothing.
        **kwargs: Keras's own, such as `name`.

    Input: a list of rows `[B, N]` and weights `[B, N, E]`. Output: `[B, E]`.
    """

    def __init__(self, rows, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows

    def build(self, input_shape):
        columns = input_shape[1][-1]
        self.ratios = self.add_weight(
            name="ratios",
            shape=(self.rows + 1, columns),
            dtype="int8",
            trainable=False,
            initializer="ones",
        )
        self.scale = self.add_weight(
            name="scale", shape=(columns,), trainable=False, initializer="ones"
        )

    def set_ratios(self, ratios):
        """Takes the ratios, float `[rows, E]`, and rounds them to 255 steps for each column."""
        scale = np.maximum(np.abs(ratios).max(0), 1e-6) / 127
        coded = np.round(ratios / scale).astype("int8")
        self.ratios.assign(np.concatenate([coded, np.zeros_like(coded[:1])]))
        self.scale.assign(scale.astype("float32"))

    def call(self, inputs):
        rows, weights = inputs
        ops = keras.ops
        ratios = ops.cast(ops.take(self.ratios, rows, axis=0), weights.dtype)
        is_one = ops.cast(rows < self.rows, weights.dtype)[..., None]
        count = ops.maximum(ops.sum(is_one, axis=1), 1.0)
        total = ops.sum(is_one * ratios * weights, axis=1)
        return total * ops.rsqrt(count / _USUAL) * self.scale

    def compute_output_shape(self, input_shape):
        (batch, _), (*_, columns) = input_shape
        return batch, columns

    def get_config(self):
        return {**super().get_config(), "rows": self.rows}


def adapt(model, batches):
    """Counts the n-grams of training texts: the most frequent ones get the rows, each with its log-count ratios.

    The ratio of an n-gram and a class is how much likelier its texts are than others to hold it, log (p / q) with
    p = (its texts that hold it + 1) / (its texts + 1), q likewise of all other texts. For targets that are no classes it is the mean of
    those of the texts that hold it, drawn towards 0 by one text more.

    The weights, so far near 0, are raised by 50 / N for N texts, at most by 0.1, as few texts are few steps, and better told by the ratios alone (Ng
    & Jordan 2001): with 800 reviews this was worth a point of accuracy, with 20,000 it is as good as nothing.

    The texts are read twice, a batch at a time; memory is taken for different n-grams, up to 16 million of them.

    Args:
        model: A model of `build_bag`, before its training.
        batches: A function that returns the training batches, an iterable of pairs: token ids `[B, T]`, and targets `[B, K]`, 0 or 1 for
            each class, or numbers with a mean of about 0. With one column for two classes the first one's targets count.

    Returns:
        The share of the n-grams that occur more than once and found no row, as a more frequent one has it.

    Example:

    >>> model = build_bag((None,), 2, vocabulary_size=9, rows=2**10, columns=1)
    >>> ids, targets = np.array([[1, 2], [1, 3], [2, 2]]), np.array([[1, 0], [0, 1], [1, 0]])
    >>> adapt(model, lambda: [(ids, targets)])
    0.0
    """
    grams, evidence = model.get_layer("ngrams"), model.get_layer("evidence")
    table, lost = checks_of(grams, by_length(batches()))
    grams.checks.assign(table)
    columns = evidence.ratios.shape[1]
    held, texts, total = np.zeros(grams.rows), 0, 0
    sums = np.zeros((grams.rows, columns))
    is_class = True
    for ids, targets in by_length(batches()):
        rows, targets = array_of(grams(ids)), np.asarray(targets, "float64")[:, :columns]
        text, at = np.nonzero(rows < grams.rows)
        picked = rows[text, at]
        np.add.at(held, picked, 1)
        np.add.at(sums, picked, targets[text])
        texts, total = texts + len(targets), total + targets.sum(0)
        is_class = is_class and bool(np.isin(targets, (0, 1)).all())
    if is_class:
        ours = np.log((sums + 1) / (total + 1))
        ratios = ours - np.log((held[:, None] - sums + 1) / (texts - total + 1))
    else:
        ratios = sums / (held[:, None] + 1)
    weights = model.get_layer("weights").embeddings
    weights.assign(weights + min(_MOST_RAISED, _RAISED / max(texts, 1)))
    evidence.set_ratios(np.where(table[:, None] == NONE, 0, ratios))
    return lost


def search_space(hp):
    """Rows, the longest n-gram and dropout; `hp` is a `keras_tuner.HyperParameters`."""
    return {
        "rows": 2 ** hp.Int("log2_rows", 16, 21),
        "ngrams": hp.Int("ngrams", 1, 4),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
    }
