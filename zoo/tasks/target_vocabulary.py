"""The target vocabulary of a text-to-text task: answers as ids for training, and ids as answers."""

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.models import checks, decoding, seq2seq
from zoo.tasks import targets

OR = " | "  # between several right answers; training takes the first
UNKNOWN = "[UNK]"
_FIRST = decoding.END + 1  # the id of the first token


def right_answers(target):
    """All right answers of a stored target, each a `str`.

    >>> right_answers(b"T AH M EY T OW | T AH M AA T OW")
    ['T AH M EY T OW', 'T AH M AA T OW']
    """
    text = target.decode(errors="replace") if isinstance(target, bytes) else target
    return [answer.strip() for answer in text.split(OR)]


def units(answer, unit):
    """The units of an answer: its words, or its characters."""
    return answer.split() if unit == "words" else list(answer)


class TargetVocabulary(targets.Unchanged):
    """The tokens of the training split's answers: texts to ids and back, both inside of a graph.

    Ids 0, 1 and 2 are padding, start and end, 3 a unit that training never saw.

    Args:
        splits: The `Splits` of pairs.

    Attributes:
        tokens: The unit of each id.
        max_length: Ids of the longest training answer, with its end.
    """

    def __init__(self, splits):
        info, data = splits.info, splits.examples["train"]
        if info.text_size is None:
            raise checks.InputError(
                f"A translation answers texts with texts; {info.name} has {info.kind} inputs. Pass a list of texts and one of answers."
            )
        self._unit, limit = info.target_unit, info.text_size[0]
        if isinstance(data, examples.Arrays):
            counts = [len(units(right_answers(target)[0], self._unit)) for target in data.targets]
            limit = min(limit, max(counts))
            cut = np.mean(np.array(counts) > limit)
            examples.log.info("answers: up to %d %s; %.1f %% are longer and are cut", limit, self._unit, 100 * cut)  # fmt: skip
            targets = tf.data.Dataset.from_tensor_slices(data.tensors[1])
        else:
            targets = data.examples.map(lambda _, y: y)
        self._layer = keras.layers.TextVectorization(
            max_tokens=info.text_size[1],
            standardize=lambda x: tf.strings.strip(tf.strings.regex_replace(x, r"(?s) \| .*", "")),
            split="whitespace" if self._unit == "words" else "character",
            name="vectorize_answers",
        )
        self._layer.adapt(targets.batch(1024))
        self.tokens = ("",) * _FIRST + (UNKNOWN, *self._layer.get_vocabulary()[2:])
        self.max_length = limit + 1
        super().__init__(splits, {"num_classes": len(self.tokens)})

    def prepared(self, features, targets, raw):
        """Source and target of a decoder, which is taught by the right tokens before each one."""
        return seq2seq.teacher_forcing(features, self.ids(targets))[:2]

    def ids(self, targets):
        """Ids `[B, T]` of targets `[B]`, without start and end."""
        ids = self._layer(targets)[:, : self.max_length - 1]
        return tf.where(ids > 0, ids + _FIRST - 1, 0)

    def texts(self, ids):
        """Answers `[B]` of ids `[B, T]`; what is no token is left out."""
        between = " " if self._unit == "words" else ""
        pieces = tf.gather(tf.constant(self.tokens), ids)
        ragged = tf.ragged.boolean_mask(pieces, ids >= _FIRST)
        return tf.strings.reduce_join(ragged, axis=-1, separator=between)
