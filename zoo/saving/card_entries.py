"""The parts of a card, from JSON and back, and how an older one is brought up to date.

Imports no TensorFlow by itself, so that `zoo models` answers at once.
"""

import dataclasses
import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from zoo.config.arguments import with_arguments
from zoo.models import checks
from zoo.saving import card_checks
from zoo.saving.manifest import EXTRA, DamagedModelError

VERSION = 1  # counts up with a change that an older reader would take for something else

# Entries that the first cards of version 1 lack → what is meant where they do.
_LATER = {
    "card": {
        "input_range": None,
        "label_type": None,
        "target_names": None,
        "inputs": None,
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


def read_json(folder, where):
    """What `card.json` of a SavedModel's folder holds; messages begin with `where`.

    Raises:
        DamagedModelError: There is none, or it is no JSON.
    """
    try:
        return json.loads((Path(folder) / EXTRA / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModelError(f"{where} cannot be read: {error}") from None


def checked(content, where, entries=None):
    """The JSON of a card, brought up to date.

    Args:
        content: What `card.json` holds.
        where: What messages begin with.
        entries: The entries that have to be usable; all where it is `None`.

    Raises:
        DamagedModelError: It is no card, or lacks an entry; the message names it.
        InputError: A newer version of the project wrote it.
    """
    content = content if isinstance(content, dict) else {}
    version = content.get("card_version")
    if type(version) is int and version > VERSION:
        raise checks.InputError(
            f"{where} is of version {version}, which a newer keras-zoo wrote; this one reads cards up to version "
            f"{VERSION}. Upgrade it: pip install --upgrade keras-zoo."
        )
    content = up_to_date(content, "card")
    key = card_checks.first_unusable(content, entries)
    if key is not None:
        raise DamagedModelError(f"{where} has no usable entry {key!r}.")
    return content


def headline(runs):
    """The first score over all seeds, in words: `accuracy 0.9931 ± 0.0004 (3 seeds)`."""
    name = next(iter(runs[0].scores))
    values = [run.scores[name] for run in runs]
    if len(values) == 1:
        return f"{name} {values[0]:.4f} (1 seed)"
    return f"{name} {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} ({len(values)} seeds)"


def described(model, config):
    """Family and size of a card's model, with the builder's arguments that its config has on top of the size."""
    arguments = config.get("model_args") or {}
    return with_arguments(model, arguments if isinstance(arguments, dict) else {})


@dataclasses.dataclass(frozen=True)
class Glance:
    """What `zoo models` shows of a trained model: family and size, data, score, bytes of its folder."""

    model: str
    data: str
    headline: str
    size: int


def glance(folder):
    """Reads what `zoo models` shows of the model in a folder.

    Raises:
        DamagedModelError: Its card lacks an entry.
        InputError: A newer version of the project wrote it.
    """
    where = f"{folder}: {EXTRA}/card.json"
    content = checked(
        read_json(folder, where), where, ("card_version", "runs", "builder", "config", "data")
    )
    builder = content["builder"]
    config = content["config"]
    model = Builder.from_json(builder).model if builder else str(config.get("model"))
    return Glance(
        model=described(model, config),
        data=content["data"]["name"],
        headline=headline([RunScores.from_json(run) for run in content["runs"]]),
        size=sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()),
    )


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
        found = cls.plain_values(content)
        others = {key: content[key] for key in content if key not in known}
        return {key: found[key] for key in found if key in known} | {"others": others}

    @staticmethod
    def plain_values(content):
        """Some JSON's entries by name; lists as tuples."""
        return {key: tuple(v) if isinstance(v, list) else v for key, v in content.items()}

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
        shrunk: From which model it was pruned (`prune`: share), quantized (`quantize`: mode) or cut (`members`), where it was.
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
