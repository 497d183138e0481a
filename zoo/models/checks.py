"""Checks of arguments, shared by every file of the project: what was received, expected, and what to write."""

import difflib
import numbers
import re

_LISTED = 25  # choices that a message names


class InputError(ValueError):
    """What the caller passed cannot be used; the message says what to write instead.

    Commands print the message alone and exit with code 2.
    """


def shown(text):
    """A text that others made, in one line: what would steer a terminal, or begin a line of its own, is escaped.

    >>> shown("a name\\x1b[2J\\nok      everything")
    'a name\\\\x1b[2J\\\\nok      everything'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def positive_int(name, value):
    """Raises `InputError` unless `value` is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(
            f"`{name}` must be a whole number above 0, for example {name}=32. Received: {value!r}"
        )


def positive_ints(name, values, *, empty=False):
    """Raises `InputError` unless `values` is a sequence of whole numbers above 0."""
    is_sequence = isinstance(values, (tuple, list))
    if not is_sequence or not (values or empty):
        raise InputError(
            f"`{name}` must be a sequence of whole numbers, for example {name}=(64, 64). Received: {values!r}"
        )
    for value in values:
        positive_int(f"each of {name}", value)


def fraction(name, value):
    """Raises `InputError` unless 0 <= `value` < 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise InputError(
            f"`{name}` must be at least 0 and below 1, for example {name}=0.5. Received: {value!r}"
        )


def share(name, value):
    """Raises `InputError` unless 0 < `value` <= 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise InputError(
            f"`{name}` must be above 0 and at most 1, for example {name}=0.5. Received: {value!r}"
        )


def not_negative(name, value):
    """Raises `InputError` unless `value` is a number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InputError(f"`{name}` must be a number of at least 0. Received: {value!r}")


def positive(name, value):
    """Raises `InputError` unless `value` is a number above 0."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 < value < float("inf")
    ):
        raise InputError(
            f"`{name}` must be a number above 0, for example {name}=0.001. Received: {value!r}"
        )


def did_you_mean(value, choices, cutoff=0.5):
    """A sentence with the choices that a value is nearest to, and a space before it; empty where none is near."""
    near = difflib.get_close_matches(str(value), [*map(str, choices)], n=3, cutoff=cutoff)
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def one_of(name, value, choices, others=(), others_are=""):
    """Raises `InputError`, naming the nearest choices, unless `value` is one of `choices`.

    Args:
        name: What the value is called.
        value: What the caller passed.
        choices: What it may be.
        others: More choices, too many to list.
        others_are: What the message says in place of them.
    """
    choices = list(choices)
    if value in choices or value in others:
        return
    hint = did_you_mean(value, [*choices, *others])
    listed = ", ".join(repr(choice) for choice in choices[:_LISTED])
    if len(choices) > _LISTED:
        listed += f", ... ({len(choices)} in all)"
    listed += f", {others_are}" * bool(others_are)
    raise InputError(f"Unknown {name} {value!r}.{hint} Choose one of: {listed}")


def input_shape(value, ranks, example, *, any_steps=False):
    """Returns the shape of one example as a tuple of whole numbers.

    Args:
        value: What the caller passed: the shape without the batch dimension.
        ranks: The numbers of dimensions that the family can take, or `None` for any above 0.
        example: A shape to show in the message.
        any_steps: Whether a sequence, `(steps, channels)`, may have `None` for any number of steps.
    """
    received = f"Received: input_shape={value!r}"
    if not isinstance(value, (tuple, list)) or not value:
        raise InputError(
            f"`input_shape` must be the shape of one example, for example {example}. {received}"
        )
    if ranks is not None and len(value) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise InputError(
            f"`input_shape` must have {wanted} dimensions (without the batch), for example {example}. {received}"
        )
    free = any_steps and len(value) == 2 and value[0] is None
    for size in value[1:] if free else value:
        positive_int("each size of input_shape", size)
    return tuple(value)


def num_classes(value):
    """Raises `InputError` unless `value` is `None` (no head) or a whole number above 0."""
    if value is not None:
        positive_int("num_classes", value)


def token_shape(value):
    """Returns the shape of one example of token ids, `(steps,)`; `(None,)` stands for any number of steps."""
    if not isinstance(value, (tuple, list)) or len(value) != 1:
        raise InputError(
            "`input_shape` of token ids is (steps,), or (None,) for texts of any length. "
            f"Received: input_shape={value!r}"
        )
    if value[0] is not None:
        positive_int("the size of input_shape", value[0])
    return tuple(value)


def plainly(error, words=40):
    """What an error of Keras or TensorFlow says, in a line: without colours and the names of its nodes.

    Args:
        error: The exception.
        words: How many of its words; Keras names the layer first.
    """
    text = re.sub(r"\x1b\[\d*m|\{\{.*?\}\}|\[Op:.*", "", str(error))
    return f"{type(error).__name__}: {' '.join(text.split()[:words])}"
