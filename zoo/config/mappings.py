"""Constraints on options that are mappings: builder arguments, kinds of columns, weights of labels."""

import dataclasses

from zoo.config.constraints import Choice, Constraint, Interval, plain


@dataclasses.dataclass(frozen=True)
class Arguments(Constraint):
    """A mapping of arguments by name; what they may be, their builder says."""

    words = "a mapping of builder arguments"

    def stored(self, value):
        return value

    def accepts(self, value):
        return isinstance(value, dict)


@dataclasses.dataclass(frozen=True)
class Pairs(Choice):
    """A mapping from names to one of some words each."""

    @property
    def words(self):
        return f"a mapping from names to {super().words}"

    def stored(self, value):
        return value

    def accepts(self, value):
        return isinstance(value, dict)

    def check(self, name, value, default=None):
        value = super().check(name, value, default)
        for key, word in value.items():
            Choice(self.choices).check(f"{name}[{key!r}]", word)
        return value


@dataclasses.dataclass(frozen=True)
class WordOrWeights(Choice):
    """One of some words, or a mapping from labels to numbers above 0."""

    @property
    def words(self):
        return f"{super().words}, or a mapping from labels to weights"

    def stored(self, value):
        if not isinstance(value, dict):
            return plain(value)
        found = {str(k): plain(v) for k, v in value.items()}  # as a config file has them
        return found if len(found) == len(value) else value

    def accepts(self, value):
        return isinstance(value, dict) or super().accepts(value)

    def check(self, name, value, default=None):
        value = super().check(name, value, default)
        for label, weight in value.items() if isinstance(value, dict) else ():
            Interval(0, closed="neither").check(f"{name}[{label!r}]", weight)
        return value
