"""The card: what a model is, where it comes from, how well it does, and what it is not for."""

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import yaml

from zoo import files
from zoo.data.examples import Arrays
from zoo.models import checks
from zoo.saving import card_page
from zoo.saving.card_entries import (
    VERSION,
    Builder,
    Data,
    Entries,
    RunScores,
    checked,
    described,
    headline,
    read_json,
)  # fmt: skip
from zoo.saving.manifest import EXTRA
from zoo.tasks.row import monitor_in_words

MOST_LINES = 100  # of what the inputs were taken for


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Card(Entries, Mapping):
    """What `card.json` says of a model. Until 0.3.0 it can be read as the dict in that file, too: `card["labels"]`.

    Attributes:
        name: Of the model.
        builder: The `Builder`; `None` for a model of its maker's own.
        task: A key into TASKS.
        data: The `Data`.
        input_kind: A key into KINDS.
        input_shape: Of one prepared example.
        input_range: Lowest and highest of the features that it was trained on; `None` for other inputs.
        preprocessing: What the graph does to raw inputs, in words.
        signatures: Signature → {"inputs": {name: [dtype, shape]}, "outputs": the same}.
        labels: The classes' names.
        label_type: What the labels of the training data were, `"int"` or `"bool"`; `None` for texts, and for a model of before.
        target_names: The names of several predicted numbers, in their order; `None` for one.
        inputs: Name → what this card says of a single input, `card_checks.OF_INPUT`, of each of several; `None` of one.
        columns: A table's or a series' columns.
        column_kinds: `"number"`, `"precise"`, `"category"` or `"date"` for each column; empty where all are numbers without gaps.
        text_size: Units kept of each text, and units in the vocabulary; `None` for other inputs.
        text_unit: What texts are split into.
        taken_for: What the inputs were taken for, and what was said while they were read, in words; `None` for a model of before.
        categories: Column → the categories that it knows; `None` for a model of before.
        ranges: Column → lowest and highest number of the training split, of dates the first and last day as texts; `None` for a model
            of before.
        novelty: What tells inputs unlike any of training, and from which distance on; `None` where the run did not ask for it.
        text_cleaning: What of texts is brought to plain text, keys of `kinds.cleaning.STEPS`; `None` for a model of before.
        readings: Column → how its numbers are written in a CSV file; `None` for a model of before, which reads NA as a gap.
        decoding: `Kind.decoding` of the export; `None` for a model of before, whose files of images lose what is not 8 bits in RGB.
        runs: The `RunScores` of each seed; the weights are those of the first.
        protocol: How the scores were measured, in words.
        config: The `TrainConfig`, as a dict.
        made_by: Versions, platform, date, commit and command.
        limits: What the model is not for.
    """

    name: str
    builder: Builder | None
    task: str
    data: Data
    input_kind: str
    input_shape: tuple[int, ...]
    input_range: tuple[float, float] | None
    preprocessing: tuple[str, ...]
    signatures: Mapping
    labels: tuple[str, ...]
    label_type: str | None = dataclasses.field(default=None, metadata={"optional": True})
    target_names: tuple[str, ...] | None = dataclasses.field(
        default=None, metadata={"optional": True}
    )
    inputs: Mapping | None = dataclasses.field(default=None, metadata={"optional": True})
    columns: tuple[str, ...]
    column_kinds: tuple[str, ...]
    text_size: tuple[int, int] | None
    text_unit: str
    categories: Mapping | None = dataclasses.field(default=None, metadata={"optional": True})
    ranges: Mapping | None = dataclasses.field(default=None, metadata={"optional": True})
    novelty: Mapping | None = dataclasses.field(default=None, metadata={"optional": True})
    text_cleaning: tuple[str, ...] | None = dataclasses.field(
        default=None, metadata={"optional": True}
    )
    readings: Mapping | None = dataclasses.field(default=None, metadata={"optional": True})
    taken_for: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"optional": True})
    decoding: int | None = dataclasses.field(default=None, metadata={"optional": True})
    runs: tuple[RunScores, ...]
    protocol: str
    config: Mapping
    made_by: Mapping
    limits: str
    others: Mapping = dataclasses.field(default_factory=dict)

    def __repr__(self):
        return checks.shown(f"<Card {self.name} ({self.model}), {self.task}: {self.headline}>")

    @property
    def model(self):
        """Family and size, or the name of the caller's own model."""
        return self.builder.model if self.builder else self.config["model"]

    @property
    def parts(self):
        """Name → a card that says of one of several inputs what another says of its only one; empty where there is one."""
        return {
            name: dataclasses.replace(
                self, name=f"{self.name} (input {name!r})", inputs=None, **Entries.plain_values(one)
            )
            for name, one in (self.inputs or {}).items()
        }

    @property
    def unbounded(self):
        """The same for inputs of any scale: without the range that others are refused for."""
        inputs = {name: {**one, "input_range": None} for name, one in (self.inputs or {}).items()}
        return dataclasses.replace(self, input_range=None, inputs=inputs or None)

    @property
    def described(self):
        """The same with the arguments that differ from the size's: `cnn:base + filters=[16,32,64]`."""
        return described(self.model, self.config)

    @property
    def temperature(self):
        """What the logits are divided by."""
        return self.runs[0].temperature

    @property
    def headline(self):
        """The first score over all seeds, in words: `accuracy 0.9931 ± 0.0004 (3 seeds)`."""
        return headline(self.runs)

    @classmethod
    def from_json(cls, content, where="The card"):
        """Makes a card of what JSON gives, also of an older version.

        Args:
            content: What `card.json` holds.
            where: What messages begin with.

        Raises:
            DamagedModelError: It is no card, or lacks an entry; the message names it.
            InputError: A newer version of the project wrote it.
        """
        content = checked(content, where)
        fields = cls.values_of({key: content[key] for key in content if key != "card_version"})
        builder = content["builder"]
        fields["builder"] = None if builder is None else Builder.from_json(builder)
        fields["data"] = Data.from_json(content["data"])
        fields["runs"] = tuple(map(RunScores.from_json, content["runs"]))
        return cls(**fields)

    def to_json(self):
        """The card as `card.json` holds it."""
        return {"card_version": VERSION, **super().to_json()}

    def __getitem__(self, key):
        warnings.warn(
            f"a card is read by attributes: card.{key} in place of card[{key!r}], which works until keras-zoo 0.3.0",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.to_json()[key]

    def __iter__(self):
        return iter(self.to_json())

    def __len__(self):
        return len(self.to_json())


def make(splits, builder, run, signatures):
    """Makes the card of an export.

    Args:
        splits: The `Splits`, with their `Preparation`.
        builder: The `Builder`; `None` for a model that is not of the table.
        run: The `Run`, whose folder holds `config.yaml` and `score.json`.
        signatures: Signature → {"inputs": {name: [dtype, shape]}, "outputs": the same}.
    """
    info, preparation = splits.info, splits.preparation
    counts = {split: len(examples) for split, examples in splits.examples.items()}
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    made_by = config.pop("made_by")
    score = RunScores.from_json(json.loads((run.folder / "score.json").read_text()))
    return Card(
        name=run.folder.name,
        builder=builder,
        task=info.task,
        data=Data(name=info.name, source=info.source, licence=info.licence, examples=counts),
        **_of_input(splits, preparation),
        inputs={
            name: _of_input(splits.of_input(name), preparation.parts[name]) for name in info.parts
        }
        or None,
        preprocessing=(*preparation.steps, *_calibration(score), *_decoding(splits.kind)),
        signatures=signatures,
        labels=tuple(info.labels),
        label_type=info.label_type or None,
        target_names=tuple(info.target_names) or None,
        taken_for=splits.taken_for[:MOST_LINES],
        runs=(score,),
        protocol=_protocol(splits.task, run.config, info),
        config=config,
        made_by=made_by,
        limits=info.limits,
    )


def _of_input(splits, prepared):
    """The entries `OF_INPUT` of the inputs of some splits, or of one of several."""
    info, is_in_memory = splits.info, isinstance(splits.examples["train"], Arrays)
    return {
        "input_kind": info.kind,
        "input_shape": tuple(info.input_shape),
        "input_range": prepared.input_range,
        "columns": tuple(info.columns),
        "column_kinds": tuple(info.column_kinds),
        "readings": info.styles,
        "text_size": info.text_size,
        "text_unit": info.text_unit,
        "text_cleaning": tuple(info.text_cleaning) or None,
        "categories": splits.kind.categories(splits) or None,
        "ranges": splits.kind.ranges(splits) if is_in_memory else {},
        "decoding": splits.kind.decoding,
    }


def _protocol(task, config, info):
    """How the scores were measured, in words."""
    kept = f"the epoch is chosen by {monitor_in_words(task.watched(config.run.monitor)[0])}"
    if config.data.use_validation:
        kept = "the last epoch is kept, as the validation examples were trained on, too"
    parts = ["test split, read once after training", info.split, kept, *task.protocol(config)]
    return "; ".join(part for part in parts if part)


def _decoding(kind):
    return [kind.decoding_is] if kind.decoding_is else []


def _calibration(run):
    if run.temperature == 1.0:
        return []
    return [
        f"logits divided by {run.temperature:.4g}, a temperature fitted on the validation split"
    ]


def read(folder, *, shown=None):
    """Reads the card of a SavedModel folder.

    Args:
        folder: The folder of a version.
        shown: The folder that messages name, where `folder` is a copy of it.

    Returns:
        A `Card`.

    Raises:
        DamagedModelError: It is no card, or lacks an entry; the message names it.
        InputError: A newer version of the project wrote it.
    """
    where = f"{shown or folder}: {EXTRA}/card.json"
    return Card.from_json(read_json(folder, where), where)


def write(folder, card):
    """Writes `card.json` and `card.md`."""
    extra = Path(folder) / EXTRA
    files.write_atomic(extra / "card.json", json.dumps(card.to_json(), indent=1) + "\n")
    files.write_atomic(extra / "card.md", card_page.render(card))
