"""Every setting of a run, in one dataclass: the command line is made from it and `config.yaml` is saved from it.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro
import yaml

from zoo.models import checks
from zoo.training.arguments import ClassWeight, ModelArguments

OWN = "own:"  # what a run's config calls a model that is not of the table: own:<its name>


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read, and how."""

    dataset: str = "digits"
    """digits, breast_cancer, wine, diabetes (embedded), a TFDS name (mnist, imdb_reviews, ...), or your own: a folder
    of class-named folders of images or texts, a .csv, a .npz"""
    target: tuple[str, ...] = ()
    """Your CSV's target column; several columns of 0 and 1 for a multi-label task."""
    columns: tuple[str, ...] = ()
    """Your CSV's columns to learn from; default: all but the target."""
    task: Literal["classification", "multilabel", "regression"] | None = None
    """What your targets are; default: told from the targets."""
    skip_bad: bool = False
    """Leave unusable examples of your own files out (counted) in place of an error."""
    data_dir: str | None = None
    """Folder that TFDS prepared, looked in first; default: the variable ZOO_DATA_DIR."""
    batch_size: int = 32
    """Global batch size: examples in one step over all devices."""
    validation_fraction: float = 0.1
    """Share of train that becomes validation where the set has none."""
    image_size: tuple[int, int] | None = None
    """Height and width in pixels to bring images to."""
    text_size: tuple[int, int] | None = None
    """Words kept of each text, and words in the vocabulary; default: 256 20000."""
    limit: int | None = None
    """Use at most this many examples of each split."""
    cache_mb: int = 256
    """A split of up to this many MiB, decoded, is held in memory; a larger one is streamed from disk."""
    augment: str = "none"
    """Augmentation of training images; joined by +, as in digits+mixup. none; digits: shift, rotate, zoom;
    photographs: flip, shift, brightness, contrast, colour; randaugment: two of ten operations for each image (slow);
    erase: a random patch; mixup, cutmix: blend, or paste a patch of, another example, labels too."""


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are updated."""

    name: Annotated[str, tyro.conf.arg(name="optimizer")] = "adam"
    """adam, adamw, adafactor, adagrad, lion, nadam, rmsprop or sgd"""
    learning_rate: float = 1e-3
    """Highest learning rate of the schedule."""
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    """constant; cosine: falls to 0; one_cycle: rises for a quarter of the run, then falls to 0."""
    warmup: float = 0.0
    """Share of the run in which the learning rate rises to its highest."""
    momentum: float = 0.9
    """Momentum of sgd; the other optimizers have their own."""
    weight_decay: float | None = None
    """Decoupled weight decay of kernels; biases and normalizations are left out."""
    clip_norm: float | None = None
    """Largest global norm of the gradient, over all weights and devices."""
    clip_value: float | None = None
    """Largest absolute value of a gradient's element."""
    label_smoothing: float = 0.0
    """Share of each target's probability that is spread over all classes."""
    loss: Literal["auto", "focal"] = "auto"
    """auto: cross-entropy, or squared error for a regression; focal: cross-entropy in which examples that are
    right already count little (Lin et al. 2017)."""
    class_weight: ClassWeight = "none"
    """What an example of each class counts in the training loss: none; balanced: the rarer the more, so that every
    class has the same sum; or LABEL=WEIGHT for every label. The validation loss stays unweighted."""
    ema: float | None = None
    """Momentum of a moving average of the weights, for example 0.99; the average is evaluated and exported.
    Statistics of batch normalization stay those of the weights that are not averaged."""


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where and how long the run goes."""

    epochs: int = 10
    """Passes over the training split."""
    patience: int | None = None
    """Stop when the validation score has not improved for this many epochs."""
    out: str | None = None
    """Folder of this run, which must not exist; default: runs/<dataset>-<model>-<number>."""
    seed: int = 0
    """Seed of weights, order, augmentation and dropout."""
    strategy: Literal["auto", "one", "mirrored"] = "auto"
    """one device; mirrored: all GPUs of this machine; auto: mirrored with two GPUs or more."""
    replicas: int | None = None
    """Devices of mirrored; without a GPU this many logical CPU devices are made."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras's dtype policy."""
    jit: Literal["auto", "on", "off"] = "auto"
    """Compile the step with XLA; auto: Keras decides (off on CPUs)."""
    deterministic: bool = False
    """Operations that give the same bits in each run, on GPUs too; may cost speed there. TensorFlow keeps
    this on until the process ends."""
    tensorboard: bool = False
    """Write TensorBoard logs to <run>/tensorboard."""
    quiet: bool = False
    """Print nothing but errors."""
    smoke: bool = False
    """Try everything on the tiny size, 200 examples and one epoch."""


@dataclasses.dataclass(frozen=True)
class DiagnoseConfig:
    """What is looked into when training disappoints. find_lr and overfit_batch take the place of the training."""

    find_lr: bool = False
    """Try rising learning rates on up to 200 steps, draw the loss (learning_rates.png), suggest one, and end."""
    overfit_batch: bool = False
    """Train on one batch, without augmentation and dropout, and end: a sound model drives its loss to almost 0."""
    profile: bool = False
    """Record steps 10 to 20 into <run>/tensorboard: pip install xprof, then xprof --logdir <run>/tensorboard."""

    def check(self):
        """Raises `InputError` for parts that exclude each other."""
        asked = [field.name for field in dataclasses.fields(self) if getattr(self, field.name)]
        if len(asked) > 1:
            raise checks.InputError(f"Ask for one at a time: {' or '.join(asked)}.")


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """What the report says beyond the test scores."""

    baseline: bool = False
    """Fit a linear model on the same inputs and put its scores beside the model's."""
    calibrate: bool = False
    """Fit a temperature on the validation split, by which the exported model divides its logits."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A whole run. `zoo.train` and every recipe take it; a run's `config.yaml` holds it."""

    model: str = "cnn:base"
    """Family and size; `zoo models` lists them."""
    model_args: ModelArguments = dataclasses.field(default_factory=dict)
    """Builder arguments on top of the size, for example filters=[8,16] dropout=0.1"""
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()
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

    def check(self):
        """Raises `InputError` for a number that no run can use; returns the config."""
        checks.positive_int("batch_size", self.data.batch_size)
        checks.positive_int("epochs", self.run.epochs)
        checks.fraction("validation_fraction", self.data.validation_fraction)
        checks.positive("learning_rate", self.optimizer.learning_rate)
        checks.fraction("warmup", self.optimizer.warmup)
        checks.fraction("momentum", self.optimizer.momentum)
        checks.fraction("label_smoothing", self.optimizer.label_smoothing)
        for key in ("weight_decay", "clip_norm", "clip_value"):
            if getattr(self.optimizer, key) is not None:
                checks.not_negative(key, getattr(self.optimizer, key))
        if self.optimizer.clip_norm is not None and self.optimizer.clip_value is not None:
            raise checks.InputError("Pass clip_norm or clip_value, not both.")
        if self.optimizer.ema is not None:
            checks.fraction("ema", self.optimizer.ema)
        _check_class_weight(self.optimizer.class_weight)
        self.diagnose.check()
        for part, key in (
            ("run", "patience"),
            ("run", "replicas"),
            ("data", "limit"),
            ("data", "cache_mb"),
        ):
            if getattr(getattr(self, part), key) is not None:
                checks.positive_int(key, getattr(getattr(self, part), key))
        if not isinstance(self.model, str) or not isinstance(self.model_args, dict):
            raise checks.InputError(
                "`model` must be a name and `model_args` a mapping of builder arguments."
            )
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
        if not isinstance(self.run.seed, int) or not 0 <= self.run.seed < 2**31:
            raise checks.InputError(
                f"`seed` must be a whole number in 0..2**31-1. Received: {self.run.seed!r}"
            )
        for key, field in (
            ("schedule", "optimizer"),
            ("loss", "optimizer"),
            ("strategy", "run"),
            ("precision", "run"),
            ("jit", "run"),
        ):
            hints = {f.name: f.type for f in dataclasses.fields(getattr(self, field))}
            checks.one_of(key, getattr(getattr(self, field), key), hints[key].__args__)
        return self

    def smoked(self):
        """The config that is really run: with `smoke`, the family's tiny size on a few examples for one epoch."""
        if not self.run.smoke:
            return self
        tiny = f"{self.model.partition(':')[0]}:tiny"
        own = self.model.startswith(OWN)
        model = {} if own else {"model": tiny, "model_args": {}}
        return self.replace(**model, epochs=1, limit=200, batch_size=min(self.data.batch_size, 32))

    def to_yaml(self):
        """The config as YAML text."""
        return yaml.safe_dump(_plain(dataclasses.asdict(self)), sort_keys=False)

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
        return _from_dict(cls, content, str(path)).check()


_PARTS = {
    "data": DataConfig,
    "optimizer": OptimizerConfig,
    "run": RunConfig,
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
    homes = {"model": (None, "model"), "model_args": (None, "model_args")}
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


def from_command_line(default, description, arguments=None):
    """Makes a config from command-line arguments.

    Args:
        default: The config that the arguments change.
        description: What `--help` says first.
        arguments: The arguments; those of the process where it is `None`. `--config FILE` replaces the default.
    """
    import sys

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    arguments = [
        part for a in arguments for part in (a.split("=", 1) if a.startswith("--config=") else [a])
    ]
    if "--config" in arguments:
        at = arguments.index("--config")
        if at + 1 == len(arguments):
            raise checks.InputError("--config needs a file: the config.yaml of a run.")
        default = TrainConfig.from_yaml(arguments[at + 1])
        default = default.replace(out=None)
        del arguments[at : at + 2]
    description += (
        "\n\n--config FILE runs the config.yaml of another run again; further options change it."
    )
    flat = tyro.conf.OmitArgPrefixes[TrainConfig]
    config = tyro.cli(flat, default=default, description=description, args=arguments)
    return config.check()
