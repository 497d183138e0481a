"""The row of a kind of input: everything that depends on what a model is given, in training and in `predict`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Prepared:
    """How a kind's raw inputs become what a model takes.

    Attributes:
        inputs: Keras model from a raw batch to float32 features, or to int64 ids.
        steps: The steps in words, for the card.
        arguments: What the inputs say about the model, for its builder, besides `input_shape`.
        input_range: Lowest and highest value in the training split, where other inputs are to be refused.
        parts: Of several inputs the `Prepared` of each, by its name.
    """

    inputs: keras.Model
    steps: list[str]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    input_range: tuple[float, float] | None = None
    parts: dict = dataclasses.field(default_factory=dict)


def one_array(examples, info):
    """Names a batch of raw examples that is one array as its signature takes it: by the kind's name."""
    return {info.kind: examples}


def from_one_array(raw, info, inputs):
    """What the model takes, of raw inputs that are one array."""
    return inputs(raw[info.kind])


def as_floats(examples, info, inputs):
    """The input of the signature `tensors`, for raw inputs that are numbers already: (name, float32 array, not prepared)."""
    return info.kind, examples.astype("float32"), False


def _no_more(*_):
    return {}


def _usual_model(info):
    return "dense:small" if len(info.input_shape) == 1 else "cnn:base"


def _never(*_):
    return None


@dataclasses.dataclass(frozen=True)
class Kind:
    """One row of the table KINDS.

    Nobody else asks for a kind's name: code asks for these properties, or calls these functions. In them `info` is a
    `DataInfo`, `card` a model's card, `inputs` the Keras model of `Prepared`, `options` the `DataOptions`, and a part one
    split of the caller's own data (`data.part.Part`).

    Attributes:
        name: What `DataInfo.kind` and the cards hold.
        called: What messages call inputs of this kind.
        options: The `DataOptions` that are for these inputs alone: for others they are refused.
        asked_by: How a caller says that the inputs are of this kind, where they do not tell it.
        meaning: What a raw input is, for the card; `{height}`, `{width}`, `{channels}`, `{shape}`, `{steps}` and `{columns}`
            stand for the card's.
        rank: Dimensions of an example's `input_shape`; `None` for any.
        least_rank: The fewest dimensions that it can have.
        is_drawn: Whether examples are pictures.
        is_quoted: Whether examples are texts that a report can quote.
        is_ordered: Whether examples follow each other in time, so that splits are stretches of it.

        recognises: A part's inputs → whether they are of this kind; of several kinds that do, the last of the table is taken.
        describe: (dict from split to part, options) → fields of the `DataInfo`, and a function from a part to its inputs.
        problems: Part → dict from a reason to the examples, bool `[N]`, that cannot be used for it.
        of_feature: (name, TFDS feature, key, options) → fields of the `DataInfo`, and a function from a TFDS feature to an
            input; `None` for a feature of another kind.
        file_endings: Endings of files that hold one example each.
        of_files: Their paths → the inputs of a part.
        decoding: How files become examples in exports of today, which their cards keep; `None` where it has never changed.
        decoding_is: The same in words, for the card.
        resize: (info, dict from split to `Arrays`, size) → both, for inputs that have a size.

        overview: (info, training examples) → what inputs were taken for, in words: name of an input or a column → its kind, range
            and gaps. Streamed examples are not read for it.
        otherwise: info → how a caller says that the inputs are something else.
        model: info → the family and size that a first training takes.
        check: (split, `Arrays`, info) → raises `InputError` for inputs that would train to nonsense;
            `None` for the check that all numbers are finite.
        lengths: (inputs, info) → int64 `[N]`, for batches of examples of similar length; `None` where all are alike.
        prepare: (splits, fixed_length) → `Prepared`; statistics come from the training split alone.
        linear_features: (info, training rows) → function from raw rows to what a linear model takes; `None` for prepared rows.
        linear_strengths: Inverse penalties that logistic regression chooses from.
        policies: Augmentations that a search tries, for so many channels.

        specs: info → the raw inputs of a signature: name → `tf.TensorSpec`.
        named: (raw examples, info) → arrays by the names of the signature.
        to_model: (named raw inputs, info, inputs) → what the model takes.
        as_numbers: (raw examples, info, inputs) → name, array and whether it is prepared, of the signature `tensors`.
        numbers_are: card → what the numbers of the signature `tensors` are, in words, and the columns that they are of.
        signatures: (info, default signature, raw examples) → further signatures: name → (function, specs, golden inputs).

        golden: (raw examples, info) → these and some more, written as people write them, that an export is proved with.
        check_raw: (what a caller passed to `predict`, card, vocabulary) → named arrays; raises `InputError`.
        far: (named arrays, card) → which examples are far outside of those of training by their numbers or dates alone, bool `[N]`.
        example_of_file: (path, bytes, card) → raw examples, for a file that is one example.
        reads_any_file: Whether every file is one example, whatever its ending; otherwise those of `file_endings`.
        of_frame: (DataFrame, names of the rows, path, card) → names and raw examples of a CSV file.
        names_files: What a caller passed to `predict` → whether it is a list of paths, or of files' bytes.
        is_one: (array, card) → whether an array of a file is one example, and not a batch.
        other_files: What a message lists besides .csv.
        categories: `Splits` → column → the categories that training knows, for the card.
        ranges: `Splits` in memory → column → lowest and highest number or date of training, for the card.
        vocabulary: Prepared inputs → the token of each id; `None` where inputs are no tokens.
    """

    name: str
    meaning: str
    describe: Callable
    prepare: Callable
    specs: Callable
    check_raw: Callable
    called: str = "inputs of another kind"
    options: tuple[str, ...] = ()
    asked_by: str = ""
    rank: int | None = None
    least_rank: int = 0
    is_drawn: bool = False
    is_quoted: bool = False
    is_ordered: bool = False
    recognises: Callable = _never
    problems: Callable = _no_more
    of_feature: Callable = _never
    file_endings: tuple[str, ...] = ()
    of_files: Callable | None = None
    decoding: int | None = None
    decoding_is: str = ""
    resize: Callable | None = None
    overview: Callable = _no_more
    otherwise: Callable = lambda info: ""
    model: Callable = _usual_model
    check: Callable | None = None
    lengths: Callable | None = None
    linear_features: Callable | None = None
    linear_strengths: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    policies: Callable | None = None
    named: Callable = one_array
    to_model: Callable = from_one_array
    as_numbers: Callable = as_floats
    numbers_are: Callable | None = None
    signatures: Callable = _no_more
    golden: Callable = lambda examples, info: examples
    far: Callable = lambda named, card: np.zeros(len(next(iter(named.values()))), bool)
    example_of_file: Callable | None = None
    reads_any_file: bool = False
    of_frame: Callable | None = None
    names_files: Callable = _never
    is_one: Callable = _never
    other_files: str = ""
    categories: Callable = _no_more
    ranges: Callable = _no_more
    vocabulary: Callable | None = None

    def __post_init__(self):
        if self.numbers_are is None:
            object.__setattr__(self, "numbers_are", lambda card: (self.describe_raw(card), ()))

    def describe_raw(self, card):
        """What a raw input is, in words."""
        shape = card.input_shape
        sizes = dict(zip(("height", "width", "channels"), shape)) | {"shape": tuple(shape)}
        sizes |= {"steps": shape[0] if shape else 0, "columns": ", ".join(card.columns)}
        return self.meaning.format(**sizes)

    def fits(self, rank):
        """Whether an `input_shape` can have so many dimensions."""
        return rank >= self.least_rank and self.rank in (None, rank)
