"""Constraints: what the value of an option must be, declared in the option's type and checked by one function.

>>> of_type(Annotated[float, Interval(0, 1, closed="left")] | None).check("ema", 1.0)
Traceback (most recent call last):
zoo.models.checks.InputError: `ema` must be a number, at least 0 and below 1, or None. Received: 1.0

`bool` and `Literal` say by themselves what they take; every other type needs a `Constraint` beside it. The idea is that of
scikit-learn's parameter validation. Imports nothing heavy, so that `--help` answers at once.
"""

import abc
import dataclasses
import functools
import os
import sys
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.config.elsewhere import ELSEWHERE
from zoo.models import checks


@dataclasses.dataclass(frozen=True)
class Constraint(abc.ABC):
    """A condition on one value.

    Attributes:
        optional: Whether `None` is accepted, too: `Annotated[int, Interval(1)] | None`.
    """

    optional: bool = dataclasses.field(default=False, kw_only=True)

    shows_default = False  # whether a message gives the option's default as the example

    @property
    @abc.abstractmethod
    def words(self):
        """What the value must be: the end of the sentence "it must be"."""

    @abc.abstractmethod
    def accepts(self, value):
        """Whether a value, which is not `None` and holds Python's own numbers, meets the condition."""

    def bound(self, kind):
        """This constraint for the type that it stands beside."""
        return self

    def stored(self, value):
        """The value as a config stores it; what it cannot make sense of comes back unchanged."""
        return plain(value)

    def check(self, name, value, default=None):
        """Checks one value and returns it as a config stores it.

        Args:
            name: What messages call the option.
            value: What the caller passed.
            default: The option's default, which messages give as the example where it is one.

        Raises:
            InputError: The value does not meet the condition.
        """
        value = self.stored(value)
        if value is None and self.optional:
            return None
        if not self.accepts(value):
            self.refuse(name, value, default)
        return value

    def refuse(self, name, value, default):
        """Raises the `InputError` about a value that is not accepted."""
        wanted = self.words + ", or None" * self.optional
        if self.shows_default and default is not None:
            wanted += f", for example {name}={default!r}"
        raise checks.InputError(f"`{name}` must be {wanted}. Received: {value!r}")


@dataclasses.dataclass(frozen=True)
class Interval(Constraint):
    """A finite number in a range: whole for the type `int`, any for `float`.

    Attributes:
        low: The lower bound.
        high: The upper bound; `None`: there is none.
        closed: Which bounds are numbers of the range themselves.
        whole: Whether the number must be whole; the type says it.
    """

    low: float
    high: float | None = None
    closed: Literal["both", "left", "right", "neither"] = "both"
    whole: bool = False

    shows_default = True

    def bound(self, kind):
        if kind not in (int, float):
            raise TypeError(f"an interval is a condition on int or float, not on {kind}")
        return dataclasses.replace(self, whole=kind is int)

    @property
    def words(self):
        number = "a whole number" if self.whole else "a number"
        if self.closed == "both" and self.high is not None:
            return f"{number} from {self.low} to {self.high}"
        if self.high is not None:
            least = "at least" if self.closed == "left" else "above"
            most = "at most" if self.closed == "right" else "below"
            return f"{number}, {least} {self.low} and {most} {self.high}"
        if self.whole and self.low == 1:
            return f"{number} above 0"
        return (
            f"{number} {'of at least' if self.closed in ('both', 'left') else 'above'} {self.low}"
        )

    def accepts(self, value):
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        if not self.whole and not abs(value) <= sys.float_info.max:  # NaN, too
            return False
        if value < self.low or (value == self.low and self.closed in ("right", "neither")):
            return False
        if self.high is None:
            return True
        return value < self.high or (value == self.high and self.closed in ("both", "right"))


@dataclasses.dataclass(frozen=True)
class Flag(Constraint):
    """True or false: neither a number nor a text, of which "no" would count as true."""

    words = "True or False"

    def accepts(self, value):
        return isinstance(value, bool)


@dataclasses.dataclass(frozen=True)
class Choice(Constraint):
    """One of some words."""

    choices: tuple[str, ...]

    @property
    def words(self):
        return f"one of {', '.join(map(repr, self.choices))}"

    def accepts(self, value):
        return isinstance(value, str) and value in self.choices

    def refuse(self, name, value, default):
        if isinstance(value, str):  # with the nearest ones
            checks.one_of(name, value, self.choices)
        super().refuse(name, value, default)


@dataclasses.dataclass(frozen=True, eq=False)
class Listed(Choice):
    """One of the words of a list that may grow."""

    choices: list[str]
    __hash__ = object.__hash__


@dataclasses.dataclass(frozen=True)
class Joined(Choice):
    """Some words of a list, joined by `+`."""

    @property
    def words(self):
        return f"{', '.join(map(repr, self.choices))}, or several of them joined by +"

    def accepts(self, value):
        return isinstance(value, str) and set(value.split("+")) <= set(self.choices)

    def refuse(self, name, value, default):
        for word in value.split("+") if isinstance(value, str) else ():
            checks.one_of(name, word, self.choices)
        super().refuse(name, value, default)


OWN = "own:"  # what a config calls an object of the caller's, which only Python can pass: own:<its name>


@dataclasses.dataclass(frozen=True)
class ChoiceOrOwn(Choice):
    """One of some words, or what a config calls an object of the caller's."""

    def accepts(self, value):
        return super().accepts(value) or isinstance(value, str) and value.startswith(OWN)


@dataclasses.dataclass(frozen=True)
class Text(Constraint):
    """A text; a path of `pathlib` counts as the text that it stands for.

    Attributes:
        what: What the text is, for messages: "a path".
    """

    what: str = "a text"

    shows_default = True

    @property
    def words(self):
        return self.what

    def accepts(self, value):
        return isinstance(value, str)


@dataclasses.dataclass(frozen=True)
class Names(Constraint):
    """Several texts, stored as a tuple; one alone stands for itself, `None` for none."""

    words = "a name or a sequence of names"

    def stored(self, value):
        value = plain(value)
        if value is None or isinstance(value, str):
            return () if value is None else (value,)
        if hasattr(value, "tolist") and not hasattr(value, "iloc"):  # an index of pandas, an array
            value = value.tolist()
        return tuple(value) if isinstance(value, list) else value

    def accepts(self, value):
        return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


def as_titles(value):
    """Titles of columns as texts, also those that are whole numbers, as pandas has them."""
    if hasattr(value, "iloc"):
        raise checks.InputError(
            "`target` is the title of a column; targets beside their inputs come third: zoo.train(model, x, y)."
        )
    several = hasattr(value, "__iter__") and not isinstance(value, str)
    return tuple(map(str, value if several else (value,)))


@dataclasses.dataclass(frozen=True)
class TwoSizes(Constraint):
    """Two whole numbers above 0, stored as a tuple.

    Attributes:
        what: What the two are, for messages.
        example: Two that are accepted.
    """

    what: str
    example: tuple[int, int]

    @property
    def words(self):
        return f"two whole numbers above 0 ({self.what}) such as {self.example}"

    def stored(self, value):
        value = plain(value)
        return tuple(value) if isinstance(value, list) else value

    def accepts(self, value):
        one = Interval(1, whole=True)
        return isinstance(value, tuple) and len(value) == 2 and all(map(one.accepts, value))


@dataclasses.dataclass(frozen=True)
class Declared:
    """What a field of a dataclass declares: its constraint, and its default."""

    constraint: Constraint
    default: Any


@functools.cache
def declared(kind):
    """Name → `Declared` for the fields of a dataclass."""
    return {
        field.name: Declared(of_type(field.type), field.default)
        for field in dataclasses.fields(kind)
    }


def check_all(values, options):
    """Checks the values of several options; returns them as a config stores them.

    Args:
        values: Name → value.
        options: Name → `Declared`, or another object with its two attributes.

    Raises:
        InputError: There is no option of a name, or a value does not meet its constraint.
    """
    found = {}
    for name, value in values.items():
        if name not in options:
            if name in ELSEWHERE:
                raise checks.InputError(f"Unknown option {name!r}: here it is {ELSEWHERE[name]}.")
            checks.one_of("option", name, options)
        option = options[name]
        found[name] = option.constraint.check(name, value, option.default)
    return found


def of_type(kind):
    """The constraint that a type declares.

    Raises:
        TypeError: It declares none.
    """
    if kind is bool:
        return Flag()
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return Choice(parts)
    if origin is Annotated:
        declared = [part for part in parts[1:] if isinstance(part, Constraint)]
        return declared[0].bound(parts[0]) if declared else of_type(parts[0])
    others = [part for part in parts if part is not types.NoneType]
    if origin in (Union, types.UnionType) and len(others) == 1:
        return dataclasses.replace(of_type(others[0]), optional=True)
    raise TypeError(f"the type {kind} declares no constraint")


def plain(value: Any):
    """NumPy's numbers, texts and truth values as Python's, paths as texts, within lists and tuples too."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else value
    is_scalar = hasattr(value, "item") and hasattr(value, "dtype") and value.shape == ()
    return value.item() if is_scalar else value


def for_yaml(value):
    """Nested values as safe YAML can hold them: dicts with texts as keys, lists, and Python's own values."""
    if isinstance(value, dict):
        return {str(key): for_yaml(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [for_yaml(item) for item in value]
    return plain(value)
