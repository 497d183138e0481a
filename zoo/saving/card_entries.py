"""The parts of a card, from JSON and back; what of a card cannot be used, and how an older one is brought up to date."""

import dataclasses
from collections.abc import Mapping

from zoo.data import kinds
from zoo.data.kinds import date_forms, units

# Entries that the first cards of version 1 lack → what is meant where they do.
_LATER = {
    "card": {
        "input_range": None,
        "column_kinds": [],
        "readings": None,
        "taken_for": None,
        "categories": None,
        "ranges": None,
        "novelty": None,
        "text_cleaning": None,
        "decoding": None,
        "text_size": None,
        "text_unit": "words",
    },
    "run": {"interval": None, "constant": {}, "temperature": 1.0},
}


def up_to_date(content, part):
    """The entries of an older `"card"`, or `"run"` in it, as those of today; the only place that knows older ones."""
    return {**_LATER[part], **content}


def _optional():
    """A field that JSON holds only where it is not `None`."""
    return dataclasses.field(default=None, metadata={"optional": True})


class Entries:
    """What all parts of a card share: from JSON and back, in the order of their fields.

    `others` holds the entries that this version does not know, so that they are written again.
    """

    @classmethod
    def values_of(cls, content):
        """The fields of some JSON, by name; lists as tuples."""
        known = {field.name for field in dataclasses.fields(cls)} - {"others"}
        found = {key: tuple(v) if isinstance(v, list) else v for key, v in content.items()}
        others = {key: content[key] for key in content if key not in known}
        return {key: found[key] for key in found if key in known} | {"others": others}

    def to_json(self):
        """The entries as JSON holds them: dicts, lists, texts and numbers."""
        found = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_left_out = value is None and "optional" in field.metadata
            if field.name != "others" and not is_left_out:
                found[field.name] = _plain(value)
        return found | _plain(self.others)


def _plain(value):
    if isinstance(value, Entries):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Builder(Entries):
    """What rebuilds the Keras model.

    Attributes:
        family, size: As in `FAMILIES`.
        arguments: All arguments of the family's builder that are not its defaults: numbers, texts and lists of them.
        quantize: `"int8"` or `"int4"` where the weights are quantized.
    """

    family: str
    size: str
    arguments: Mapping
    quantize: str | None = _optional()
    others: Mapping = dataclasses.field(default_factory=dict)

    @property
    def model(self):
        """Family and size: `"cnn:base"`."""
        return f"{self.family}:{self.size}"

    @classmethod
    def from_json(cls, content):
        """Makes it of what JSON gives; the arguments stay as they are."""
        return cls(**cls.values_of(content))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data(Entries):
    """What a model was trained on.

    Attributes:
        name: Of the data set.
        source: Where it comes from.
        licence: Of the data.
        examples: Split → number of examples.
    """

    name: str
    source: str
    licence: str
    examples: Mapping
    others: Mapping = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, content):
        """Makes it of what JSON gives."""
        return cls(**cls.values_of(content))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunScores(Entries):
    """What one run reached: `score.json`.

    Attributes:
        seed: Of the run.
        scores: Name → value on the test split; the headline first.
        interval: Low and high end of the headline's 95 % interval; `None` where there are too few examples.
        num_test: Number of test examples.
        fit_seconds: How long the training took; `None` where nobody measured it.
        constant: Name → value for the best guess without a model.
        temperature: What the logits are divided by.
        uncalibrated: The scores at temperature 1, where another was fitted.
        baseline: What a linear model reaches, where it was asked for.
        shrunk: From which model it was pruned (`prune`: share) or quantized (`quantize`: mode), where it was.
    """

    seed: int
    scores: Mapping
    interval: tuple | None
    num_test: int
    fit_seconds: float | None
    constant: Mapping
    temperature: float
    uncalibrated: Mapping | None = _optional()
    baseline: Mapping | None = _optional()
    shrunk: Mapping | None = _optional()
    others: Mapping = dataclasses.field(default_factory=dict)

    @classmethod
    def from_json(cls, content):
        """Makes it of what `score.json` or a card gives, also of an older version."""
        return cls(**cls.values_of(up_to_date(content, "run")))


def unusable(content):
    """The first entry of a card's JSON, brought up to date, that cannot be used; `None` where all can. Anybody may have made it."""
    usable = {key: key in content and is_one(content[key]) for key, is_one in _USABLE.items()}
    if usable["input_kind"] and usable["input_shape"]:
        kind, rank = content["input_kind"], len(content["input_shape"])
        usable["input_kind"] = kind in kinds.KINDS
        usable["input_shape"] = not usable["input_kind"] or kinds.kind(kind).fits(rank)
    return next((key for key, is_one in usable.items() if not is_one), None)


def _is_text(value):
    return isinstance(value, str)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value):
    return type(value) is int and value >= 0


def _is_dict(value):
    return isinstance(value, dict)


def _is_list_of(is_one, lengths=None):
    def is_list(value):
        fits = isinstance(value, list) and (lengths is None or len(value) == lengths)
        return fits and all(map(is_one, value))

    return is_list


def _or_none(is_one):
    return lambda value: value is None or is_one(value)


def _is_file_name(name):
    """Whether a file of this name lies in the folder it is put into, and can be shown."""
    is_shown = isinstance(name, str) and name.isprintable() and name not in ("", ".", "..")
    return is_shown and not set(name) & {"/", "\\"}


def _is_builder(value):
    """Whether it names a family and a size, and gives plain arguments: of a dict Keras makes whatever object it names."""
    parts = [value.get(key) for key in ("family", "size")] if isinstance(value, dict) else [None]
    arguments = value.get("arguments") if isinstance(value, dict) else None
    if not all(isinstance(part, str) for part in parts) or not isinstance(arguments, dict):
        return False
    waiting = list(arguments.values())
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif not isinstance(found, (int, float, str, type(None))):
            return False
    return True


def _has(**entries):
    """A function that tells whether a value is a dict with entries that can be used."""

    def has_all(value):
        return _is_dict(value) and all(
            key in value and is_one(value[key]) for key, is_one in entries.items()
        )

    return has_all


def _is_of_signatures(value):
    return _is_dict(value) and all(map(_has(inputs=_is_dict, outputs=_is_dict), value.values()))


def _is_of_runs(value):
    is_run = _has(seed=_is_count, num_test=_is_count, scores=_is_of_scores, fit_seconds=_or_none(_is_number))  # fmt: skip
    return bool(value) and _is_list_of(is_run)(value)


def _is_of_scores(value):
    return _is_dict(value) and bool(value) and all(map(_is_number, value.values()))


_are_texts = _is_list_of(_is_text)
_USABLE = {
    "name": _is_file_name,
    "card_version": lambda version: _is_count(version) and version > 0,
    "task": _is_text,
    "input_kind": _is_text,
    "input_shape": _is_list_of(_or_none(_is_count)),
    "preprocessing": _are_texts,
    "labels": _are_texts,
    "columns": _are_texts,
    "runs": _is_of_runs,
    "data": _has(name=_is_text, source=_is_text, licence=_is_text, examples=_is_dict),
    "signatures": _is_of_signatures,
    "config": _is_dict,
    "builder": _or_none(_is_builder),
    "input_range": _or_none(_is_list_of(_is_number, 2)),
    "column_kinds": _are_texts,
    "readings": lambda styles: (
        styles is None
        or _is_dict(styles)
        and all(units.is_style(s) or date_forms.is_form(s) for s in styles.values())
    ),
    "taken_for": _or_none(_are_texts),
    "decoding": _or_none(_is_count),
    "text_size": _or_none(_is_list_of(_is_count, 2)),
    "text_unit": _is_text,
    "categories": lambda known: (
        known is None or _is_dict(known) and all(map(_are_texts, known.values()))
    ),
    "novelty": lambda found: found is None or _has(threshold=_is_number)(found),
    "ranges": lambda found: (
        found is None or _is_dict(found) and all(map(_is_list_of(_is_number, 2), found.values()))
    ),
    "text_cleaning": _or_none(_are_texts),
    "protocol": _is_text,
    "made_by": _is_dict,
    "limits": _is_text,
}
