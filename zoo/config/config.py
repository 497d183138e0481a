"""Every setting of a run, in one dataclass of parts: the command line is made from it and `config.yaml` is saved from it.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import yaml

from zoo.config import constraints
from zoo.config.arguments import ModelArguments
from zoo.config.options import (
    CheckpointConfig,
    DataConfig,
    DataOptions,
    DiagnoseConfig,
    DistillConfig,
    OptimizerConfig,
    ReportConfig,
    RunConfig,
    SeriesConfig,
)
from zoo.models import checks

AUTO = "auto"  # as `resume`: go on where the run has begun, otherwise begin it
TASK = "task"  # as `monitor`: what the task had for it before it was an option
OWN = constraints.OWN  # also of a model that is not of the table
MADE_BY = (
    "command",
    "date",
    "keras",
    "tensorflow",
    "python",
    "device",
)  # what a card says of who made a run
OWN_DATA = "own_data"  # what a run's config calls data that came from Python

# Settings of an optimizer that Keras's objects hold themselves.
OF_OPTIMIZER = (
    "learning_rate", "schedule", "warmup", "momentum", "nesterov", "beta_2", "weight_decay", "clip_norm", "clip_value", "ema",
)  # fmt: skip

_PARTS = {
    "data": DataConfig,
    "series": SeriesConfig,
    "optimizer": OptimizerConfig,
    "distill": DistillConfig,
    "run": RunConfig,
    "checkpoints": CheckpointConfig,
    "diagnose": DiagnoseConfig,
    "report": ReportConfig,
}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A whole run. `zoo.train` and every recipe take it; a run's `config.yaml` holds it."""

    model: Annotated[str, constraints.Text("a name")] = "cnn:base"
    """Family and size; `zoo models` lists them. `zoo train` without it takes one that suits the data."""
    model_args: ModelArguments = dataclasses.field(default_factory=dict)
    """Builder arguments on top of the size, for example filters=[8,16] dropout=0.1"""
    weights: Annotated[str, constraints.Text("a name or a path")] | None = None
    """Go on from this trained model, a name or a path: its family, size and arguments take the place of `model`."""
    freeze: bool = False
    """With weights: train the last layer only."""
    data: DataConfig = DataConfig()
    series: SeriesConfig = SeriesConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    distill: DistillConfig = DistillConfig()
    run: RunConfig = RunConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    diagnose: DiagnoseConfig = DiagnoseConfig()
    report: ReportConfig = ReportConfig()

    def replace(self, **flat):
        """Returns a copy with fields changed by their own names, whichever part they stand in.

        >>> TrainConfig().replace(epochs=3, batch_size=64).run.epochs
        3

        Raises:
            InputError: No part has a field of that name, or a value does not meet the field's constraint. What excludes
                each other is left to `check`.
        """
        parts = {}
        for key, value in constraints.check_all(flat, OPTIONS).items():
            parts.setdefault(OPTIONS[key].part, {})[OPTIONS[key].field] = value
        own = parts.pop(None, {})
        nested = {
            part: dataclasses.replace(getattr(self, part), **fields)
            for part, fields in parts.items()
        }
        return dataclasses.replace(self, **own, **nested)

    @property
    def data_options(self):
        """All that says how data are read, as `DataOptions`."""
        return DataOptions(**vars(self.data), **vars(self.series), seed=self.run.seed)

    def flat(self):
        """All fields by their own names, as `replace` takes them."""
        parts = {None: self, **{part: getattr(self, part) for part in _PARTS}}
        return {key: getattr(parts[option.part], option.field) for key, option in OPTIONS.items()}

    def check(self):
        """Raises `InputError` for a value or for settings together that no run can use; returns the config."""
        for part, kind in _PARTS.items():
            if not isinstance(getattr(self, part), kind):
                raise checks.InputError(
                    f"`{part}` must be a {kind.__name__}. Received: {getattr(self, part)!r}"
                )
        constraints.check_all(self.flat(), OPTIONS)
        self._check_optimizer()
        self.diagnose.check()
        if self.freeze and not self.weights:
            raise checks.InputError(
                "freeze=True would train the last layer of a new model: pass weights=..., or leave it out; in a model of your own set "
                "layer.trainable = False."
            )
        self._check_data()
        if self.checkpoints.resume == AUTO and self.run.out is None:
            raise checks.InputError(
                "resume='auto' needs the run's folder: pass out=FOLDER (--out FOLDER)."
            )
        return self

    def _check_data(self):
        """Raises `InputError` for settings that exclude what comes with the data."""
        for key in ("input_shape", "num_classes"):
            if key in self.model_args:
                raise checks.InputError(
                    f"`model_args` holds {key}, which comes with the data: leave it out."
                )
        led = self.run.patience is not None or self.optimizer.schedule == "plateau"
        if self.data.use_validation and (led or self.report.calibrate or self.report.novelty):
            raise checks.InputError(
                "use_validation leaves no examples aside that patience, schedule='plateau', calibrate or novelty could go by: leave "
                "them out."
            )

    def _check_optimizer(self):
        """Raises `InputError` for settings of the optimizer that exclude each other."""
        if self.optimizer.clip_norm is not None and self.optimizer.clip_value is not None:
            raise checks.InputError("Pass clip_norm or clip_value, not both.")
        if self.optimizer.schedule == "plateau" and self.optimizer.warmup:
            raise checks.InputError(
                "schedule='plateau' sets the learning rate after each epoch, warmup at each step: leave one out."
            )
        if self.optimizer.name.startswith(OWN):
            self.check_optimizer_alone("an optimizer of your own")
        if self.optimizer.nesterov and self.optimizer.name != "sgd":
            raise checks.InputError(
                f"nesterov is for optimizer='sgd'. Received: {self.optimizer.name!r}"
            )

    def check_optimizer_alone(self, what):
        """Raises `InputError` for a setting that an optimizer object would not see.

        Args:
            what: What the object is, for the message.
        """
        default = OptimizerConfig()
        for field in dataclasses.fields(OptimizerConfig):
            value = getattr(self.optimizer, field.name)
            if field.name in OF_OPTIMIZER and value != getattr(default, field.name):
                raise checks.InputError(
                    f"{field.name}={value!r} is for an optimizer by name, but {what} has its own: set it there and leave it out "
                    "here, or pass optimizer='adam'."
                )

    def smoked(self):
        """The config that is really run: with `smoke`, the family's tiny size on a few examples for one epoch."""
        if not self.run.smoke:
            return self
        tiny = f"{self.model.partition(':')[0]}:tiny"
        given = self.model.startswith(OWN) or self.weights
        model = {} if given else {"model": tiny, "model_args": {}}
        return self.replace(**model, epochs=1, limit=200, batch_size=min(self.data.batch_size, 32))

    def to_dict(self, *, without=()):
        """The config as nested dicts of Python's own values, with `None` for the options named in `without`."""
        found = constraints.for_yaml(dataclasses.asdict(self))
        for key in without:
            option = OPTIONS[key]
            (found if option.part is None else found[option.part])[option.field] = None
        return found

    def to_yaml(self):
        """The config as YAML text."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @classmethod
    def of_run(cls, folder):
        """The config that goes on with the run in a folder.

        Raises:
            InputError: The folder holds no run.
        """
        path = Path(folder) / "config.yaml"
        if not path.exists():
            raise checks.InputError(
                f"{folder} is not the folder of a run: it has no config.yaml. A run names its folder when it starts; "
                "one that was killed before it wrote that file has lost nothing: remove it and begin again."
            )
        try:
            return cls.from_yaml(path).replace(resume=str(folder))
        except checks.InputError as error:
            raise checks.InputError(
                f"{error}\nIf it is damaged: a new run that is begun with the same command writes the same file to copy."
            ) from error

    @classmethod
    def from_yaml(cls, path):
        """Reads a config that `to_yaml` wrote; other keys of a run's `config.yaml` (`made_by`) are left out.

        Raises:
            InputError: The file cannot be read, or has a key or a value that a config has not.
        """
        try:
            content = yaml.safe_load(Path(path).read_text())
        except OSError as error:
            raise checks.InputError(f"Cannot read the config {path}: {error.strerror}.") from error
        # Besides what it names, YAML raises ValueError for a date that is none, and RecursionError for lists within lists.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            why = f"line {mark.line + 1}: {error.problem}" if mark else " ".join(str(error).split())
            raise checks.InputError(f"The config {path} is not YAML: {why}") from error
        if not isinstance(content, dict):
            raise checks.InputError(
                f"The config {path} must hold a mapping, with the keys model, data and others."
            )
        return cls.from_mapping(content, str(path))

    @classmethod
    def from_mapping(cls, content, where):
        """Makes a config of a mapping such as a card holds; `where` it was found goes into messages.

        Raises:
            InputError: It has a key or a value that a config has not.
        """
        return _from_dict(cls, _up_to_date(content), where).check()


# Options that a whole config of an earlier version lacks, by part → what its runs did.
_LATER = {"run": {"monitor": TASK}}


def _up_to_date(content):
    """A config's mapping, of whichever version, as this version writes it; the only place that knows earlier ones.

    A run writes every part of its config, with every option that its version has. A mapping that lacks a part is
    written by a person, and what it leaves out has its default.
    """
    content = {key: value for key, value in content.items() if key != "made_by"}
    parts = [content.get(part) for part in _PARTS]
    if not all(isinstance(part, dict) and part for part in parts):
        return content
    for part, options in _LATER.items():
        content[part] = options | content[part]
    for key in ("clip_norm", "clip_value"):
        if content["optimizer"].get(key) == 0:  # what Keras takes for no clipping
            content["optimizer"] = {**content["optimizer"], key: None}
    return content


def data_options(config):
    """The arguments of `load_dataset` that a `TrainConfig` holds."""
    options = dataclasses.asdict(config.data_options)
    return {"name": options.pop("dataset"), **options}


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a run.

    Attributes:
        part: The part of the config that holds it; `None`: the config itself.
        field: Its name there.
        constraint: What its value must be.
        default: Its default.
    """

    part: str | None
    field: str
    constraint: constraints.Constraint
    default: Any


def options_of(kind, part=None):
    """The options that the fields of a dataclass are, by the names that `replace` takes.

    Args:
        kind: The dataclass.
        part: The part of the config that it is.

    Raises:
        TypeError: The type of a field declares no constraint.
    """
    found = {}
    for field in dataclasses.fields(kind):
        if field.type in _PARTS.values():
            continue
        name = "optimizer" if (part, field.name) == ("optimizer", "name") else field.name
        default = None if field.default is dataclasses.MISSING else field.default
        found[name] = Option(part, field.name, constraints.of_type(field.type), default)
    return found


# Every option by the name that `replace`, the command line and messages call it.
OPTIONS = options_of(TrainConfig)
for _part, _kind in _PARTS.items():
    OPTIONS |= options_of(_kind, _part)
_NAMES = {(option.part, option.field): name for name, option in OPTIONS.items()}


def check_field(name, value):
    """Checks the value of one option, whichever way it came; returns it as a config stores it.

    >>> check_field("image_size", [8, 8])
    (8, 8)

    Args:
        name: The option, as `replace` takes it.
        value: Its value.

    Raises:
        InputError: There is no such option, or the value does not meet its constraint.
    """
    return constraints.check_all({name: value}, OPTIONS)[name]


def _from_dict(kind, content, where, part=None):
    if not isinstance(content, dict):
        raise checks.InputError(f"{where} must hold a mapping. Received: {content!r}")
    fields, values, own = [field.name for field in dataclasses.fields(kind)], {}, {}
    for key, value in content.items():
        if key not in fields:
            checks.one_of(f"key of {where}", key, sorted(fields))
        if kind is TrainConfig and key in _PARTS:
            value = {} if value is None else value
            values[key] = _from_dict(_PARTS[key], value, f"{where}: {key}", key)
        else:
            own[_NAMES[part, key]] = value
    checked = constraints.check_all(own, OPTIONS)
    return kind(**values, **{OPTIONS[name].field: value for name, value in checked.items()})
