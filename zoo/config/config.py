"""Every setting of a run, in one dataclass of parts: the command line is made from it and `config.yaml` is saved from it.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path

import yaml

from zoo.config.arguments import ModelArguments
from zoo.config.options import (
    CheckpointConfig,
    DataConfig,
    DiagnoseConfig,
    DistillConfig,
    OptimizerConfig,
    ReportConfig,
    RunConfig,
    SeriesConfig,
)
from zoo.models import checks

AUTO = "auto"  # as `resume`: go on where the run has begun, otherwise begin it
OWN = "own:"  # what a run's config calls a model that is not of the table: own:<its name>
OWN_DATA = "own_data"  # what a run's config calls data that came from Python


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A whole run. `zoo.train` and every recipe take it; a run's `config.yaml` holds it."""

    model: str = "cnn:base"
    """Family and size; `zoo models` lists them."""
    model_args: ModelArguments = dataclasses.field(default_factory=dict)
    """Builder arguments on top of the size, for example filters=[8,16] dropout=0.1"""
    weights: str | None = None
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
            InputError: No part has a field of that name.
        """
        parts = {}
        homes = _homes()
        for key, value in flat.items():
            checks.one_of("option", key, homes)
            part, field = homes[key]
            parts.setdefault(part, {})[field] = value
        own = parts.pop(None, {})
        nested = {
            part: dataclasses.replace(getattr(self, part), **fields)
            for part, fields in parts.items()
        }
        return dataclasses.replace(self, **own, **nested)

    def flat(self):
        """All fields by their own names, as `replace` takes them."""
        parts = {None: self, **{part: getattr(self, part) for part in _PARTS}}
        return {key: getattr(parts[part], field) for key, (part, field) in _homes().items()}

    def check(self):
        """Raises `InputError` for a number that no run can use; returns the config."""
        checks.positive_int("batch_size", self.data.batch_size)
        checks.positive_int("epochs", self.run.epochs)
        checks.fraction("validation_fraction", self.data.validation_fraction)
        checks.share("augment_share", self.data.augment_share)
        checks.positive("learning_rate", self.optimizer.learning_rate)
        checks.positive("checkpoint_minutes", self.checkpoints.checkpoint_minutes)
        checks.fraction("warmup", self.optimizer.warmup)
        checks.fraction("momentum", self.optimizer.momentum)
        checks.fraction("label_smoothing", self.optimizer.label_smoothing)
        for key in ("weight_decay", "clip_norm", "clip_value"):
            if getattr(self.optimizer, key) is not None:
                checks.not_negative(key, getattr(self.optimizer, key))
        self._check_optimizer()
        _check_class_weight(self.optimizer.class_weight)
        self.distill.check()
        self.diagnose.check()
        for part, key in (
            ("run", "patience"),
            ("run", "replicas"),
            ("data", "limit"),
            ("data", "cache_mb"),
            ("series", "window"),
            ("series", "horizon"),
            ("series", "season"),
            ("checkpoints", "checkpoint_steps"),
            ("checkpoints", "keep_checkpoints"),
            ("report", "likelihood_samples"),
            ("report", "beam_width"),
            ("optimizer", "accumulate"),
            ("run", "steps_per_execution"),
        ):
            if getattr(getattr(self, part), key) is not None:
                checks.positive_int(key, getattr(getattr(self, part), key))
        if not isinstance(self.model, str) or not isinstance(self.model_args, dict):
            raise checks.InputError(
                "`model` must be a name and `model_args` a mapping of builder arguments."
            )
        if self.freeze and not self.weights:
            raise checks.InputError(
                "freeze=True would train the last layer of a new model: pass weights=..., or leave it out."
            )
        self._check_data()
        if not isinstance(self.run.seed, int) or not 0 <= self.run.seed < 2**31:
            raise checks.InputError(
                f"`seed` must be a whole number in 0..2**31-1. Received: {self.run.seed!r}"
            )
        self._check_choices()
        if self.checkpoints.resume == AUTO and self.run.out is None:
            raise checks.InputError("resume='auto' needs the run's folder: pass out=... (--out).")
        return self

    def _check_data(self):
        """Raises `InputError` for settings of the data, and of what comes with them."""
        for key in ("input_shape", "num_classes"):
            if key in self.model_args:
                raise checks.InputError(
                    f"`model_args` holds {key}, which comes with the data: leave it out."
                )
        for key in ("image_size", "text_size"):
            size = getattr(self.data, key)
            if size is not None:
                checks.positive_ints(key, size)
                if len(size) != 2:
                    raise checks.InputError(f"`{key}` must be two numbers. Received: {size!r}")
        led = self.run.patience is not None or self.optimizer.schedule == "plateau"
        if self.data.use_validation and (led or self.report.calibrate):
            raise checks.InputError(
                "use_validation leaves no examples aside that patience, schedule='plateau' or calibrate could go by: leave "
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
        if self.optimizer.nesterov and self.optimizer.name != "sgd":
            raise checks.InputError(
                f"nesterov is for optimizer='sgd'. Received: {self.optimizer.name!r}"
            )
        if self.optimizer.ema is not None:
            checks.fraction("ema", self.optimizer.ema)

    def _check_choices(self):
        """Raises `InputError` for a word that is none of a field's `Literal`."""
        for key, field in (
            ("binarize", "data"),
            ("schedule", "optimizer"),
            ("loss", "optimizer"),
            ("strategy", "run"),
            ("precision", "run"),
            ("jit", "run"),
        ):
            hints = {f.name: f.type for f in dataclasses.fields(getattr(self, field))}
            checks.one_of(key, getattr(getattr(self, field), key), hints[key].__args__)

    def smoked(self):
        """The config that is really run: with `smoke`, the family's tiny size on a few examples for one epoch."""
        if not self.run.smoke:
            return self
        tiny = f"{self.model.partition(':')[0]}:tiny"
        given = self.model.startswith(OWN) or self.weights
        model = {} if given else {"model": tiny, "model_args": {}}
        return self.replace(**model, epochs=1, limit=200, batch_size=min(self.data.batch_size, 32))

    def to_yaml(self):
        """The config as YAML text."""
        return yaml.safe_dump(_plain(dataclasses.asdict(self)), sort_keys=False)

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
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise checks.InputError(f"The config {path} is not YAML: {error}") from error
        if not isinstance(content, dict):
            raise checks.InputError(
                f"The config {path} must hold a mapping with keys such as `model` and `data`."
            )
        content.pop("made_by", None)
        return cls.from_mapping(content, str(path))

    @classmethod
    def from_mapping(cls, content, where):
        """Makes a config of a mapping such as a card holds; `where` it was found goes into messages.

        Raises:
            InputError: It has a key or a value that a config has not.
        """
        return _from_dict(cls, content, where).check()


def data_options(config):
    """The arguments of `load_dataset` that a `TrainConfig` holds."""
    options = dataclasses.asdict(config.data) | dataclasses.asdict(config.series)
    return {"name": options.pop("dataset"), "seed": config.run.seed, **options}


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


def _check_class_weight(asked):
    if not isinstance(asked, dict):
        checks.one_of("class_weight", asked, ("none", "balanced"))
        return
    for label, weight in asked.items():
        checks.positive(f"class_weight[{label!r}]", weight)


def _homes():
    """Option → (part, field): `optimizer` stands for the optimizer's name."""
    homes = {key: (None, key) for key in ("model", "model_args", "weights", "freeze")}
    for part, kind in _PARTS.items():
        homes |= {f.name: (part, f.name) for f in dataclasses.fields(kind)}
    homes["optimizer"] = homes.pop("name")
    return homes


def _from_dict(kind, content, where):
    if not isinstance(content, dict):
        raise checks.InputError(f"{where} must hold a mapping. Received: {content!r}")
    fields = {field.name for field in dataclasses.fields(kind)}
    values = {}
    for key, value in content.items():
        checks.one_of(f"key of {where}", key, sorted(fields))
        if kind is TrainConfig and key in _PARTS:
            value = _from_dict(_PARTS[key], value or {}, f"{where}: {key}")
        values[key] = tuple(value) if isinstance(value, list) and kind is DataConfig else value
    return kind(**values)


def _plain(value):
    """Tuples become lists and NumPy's numbers and names Python's, so that safe YAML can hold them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(value)
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
