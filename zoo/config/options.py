"""The parts of `TrainConfig`: each option with its type, its constraint, its default and the line that `--help` shows.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import ast
import dataclasses
import functools
import inspect
import textwrap
from typing import Annotated, Literal

import tyro

from zoo.config.arguments import ClassWeight, ColumnKinds
from zoo.config.constraints import (
    ChoiceOrOwn,
    Interval,
    Joined,
    Listed,
    Names,
    Text,
    TwoSizes,
    check_all,
    declared,
)
from zoo.models import checks

Count = Annotated[int, Interval(1)]
BelowOne = Annotated[float, Interval(0, 1, closed="left")]
AboveZero = Annotated[float, Interval(0, closed="neither")]
NotNegative = Annotated[float, Interval(0)]
PATH = Text("a path")
PIXELS = TwoSizes("height and width in pixels", (64, 64))
WORDS = TwoSizes("words of a text, words in the vocabulary", (256, 20000))
# Options that say something of a table alone.
OF_TABLES = (
    "target", "columns", "files", "folder", "kinds", "missing", "decimal", "dates", "target_separator",
)  # fmt: skip
# The keys of `zoo.data.augment.POLICIES`, which cannot be imported without TensorFlow.
POLICIES = ("none", "digits", "photographs", "randaugment", "erase", "mixup", "cutmix")
# The keys of `zoo.tasks.TASKS`, likewise; `zoo.tasks.add` appends the name of a new row.
TASK_NAMES = [
    "classification", "regression", "multilabel", "forecasting", "generation", "translation",
]  # fmt: skip
# The keys of `zoo.training.compile.OPTIMIZERS`, likewise.
OPTIMIZERS = ("adam", "adamw", "adafactor", "adagrad", "lion", "muon", "nadam", "rmsprop", "sgd")
# The keys of `zoo.tasks.of_keras.LOSSES`, likewise.
LOSSES = (
    "auto", "focal",
    "sparse_categorical_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge",
    "binary_crossentropy", "binary_focal_crossentropy", "hinge", "squared_hinge",
    "mean_squared_error", "mse", "mean_absolute_error", "mae", "huber", "log_cosh",
)  # fmt: skip


@functools.cache
def descriptions(kind):
    """Option of a dataclass → what `--help` says of it: the text below the field."""
    found = {}
    for part in reversed(kind.__mro__[:-1]):
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        for field, text in zip(node.body, node.body[1:]):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[field.target.id] = " ".join(text.value.value.split())
    return found


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read, and how."""

    dataset: Annotated[str, Text("a name or a path")] = "digits"
    """digits, breast_cancer, wine, diabetes, co2, cmudict, cmudict_stress (embedded), a TFDS name (mnist, imdb_reviews, ...), or your own: a folder
    of class-named folders of images or texts, a .csv, a .npz"""
    target: Annotated[tuple[str, ...], Names()] = ()
    """Your CSV's target column; several columns of 0 and 1 for a multi-label task, of other numbers for a regression of several."""
    columns: Annotated[tuple[str, ...], Names()] = ()
    """Your CSV's columns to learn from; default: all but the target."""
    files: Annotated[str, Text("the title of a column")] | None = None
    """Your CSV's column that names files, of images or texts, to learn from; the ending of the names may be missing."""
    folder: Annotated[str, PATH] | None = None
    """The folder of the files that `files` names; default: that of your CSV."""
    task: Annotated[str, Listed(TASK_NAMES)] | None = None
    """What your targets are; default: told from the targets. classification, regression, multilabel: several labels at once;
    forecasting: a CSV's rows are steps in time; generation: learn the images alone; translation: targets are texts."""
    binarize: Literal["none", "dynamic", "static"] = "none"
    """For generation: make each pixel white with the probability that its grey level is; dynamic: anew at each step;
    static: once. Validation and test images are drawn once either way."""
    skip_bad: bool = False
    """Leave unusable examples of your own files out (counted) in place of an error."""
    sample_weight: Annotated[str, Text("the title of a column")] | None = None
    """Your table's column that says how much each example counts in the loss and in weighted metrics; it is not learned from."""
    target_separator: Annotated[str, Text("a text such as |")] | None = None
    """What stands between several labels in one cell of your target column, as in drama|comedy."""
    kinds: ColumnKinds = dataclasses.field(default_factory=dict)
    """What columns of your tables are, where their values do not say it: number, category, date or text, as in region_code=category"""
    missing: Annotated[tuple[str, ...], Names()] = ()
    """Texts that stand for a gap in your tables, such as NA; an empty cell always does."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of numbers that your tables hold as texts, where it cannot be told from them: 9,750."""
    dates: Literal["day-first", "month-first"] | None = None
    """How 03/04/2023 in your tables is meant, where it cannot be told from them: 3 April or March 4."""
    split_by: Annotated[str, Text("the title of a column")] | None = None
    """Your table's column that says which rows may be split. One of dates or times: the newest rows are test, those before them
    validation; any other, such as patient_id: all rows with the same value are in the same split. Default: split at random."""
    repeats: Literal["auto", "keep", "drop"] = "auto"
    """Training examples of your own that are in validation or test, too. auto: those that chance explains stay, others are left
    out of train, up to 5 % of it, and beyond that the run stops; keep: all stay; drop: all are left out."""
    data_dir: Annotated[str, PATH] | None = None
    """Folder that TFDS prepared, looked in first; default: the variable ZOO_DATA_DIR."""
    batch_size: Count = 32
    """Global batch size: examples in one step over all devices."""
    validation_fraction: BelowOne = 0.1
    """Share of train that becomes validation where the set has none."""
    use_validation: bool = False
    """Train on the validation examples, too, for exactly the epochs asked for, and keep the last epoch: the last training
    of settings that are chosen."""
    image_size: Annotated[tuple[int, int], PIXELS] | None = None
    """Height and width in pixels to bring images to."""
    text_size: Annotated[tuple[int, int], WORDS] | None = None
    """Words kept of each text, and words in the vocabulary; default: 256 20000."""
    text_unit: Literal["words", "tokens", "characters"] | None = None
    """What a text is split into; tokens are words and signs of punctuation. Default: characters where the training texts are names,
    single words, or of a script without spaces between words, otherwise words."""
    bucket: bool = True
    """Put texts of similar length into a training batch, so that little padding is computed."""
    limit: Count | None = None
    """Use at most this many examples of each split."""
    cache_mb: Annotated[int, Interval(0)] = 256
    """A split of up to this many MiB, decoded, is held in memory; a larger one is streamed from disk."""
    augment: Annotated[str, Joined(POLICIES)] = "none"
    """Augmentation of training images; joined by +, as in digits+mixup. none; digits: shift, rotate, zoom;
    photographs: flip, shift, brightness, contrast, colour; randaugment: two of ten operations for each image (slow);
    erase: a random patch; mixup, cutmix: blend, or paste a patch of, another example, labels too."""
    augment_share: Annotated[float, Interval(0, 1, closed="right")] = 1.0
    """Share of the training images that are augmented, drawn anew at each step; the others stay as they are."""


@dataclasses.dataclass(frozen=True)
class SeriesConfig:
    """How a series over time is cut into examples."""

    window: Count | None = None
    """Steps of the past that a forecast is made from; default: two seasons, but 24 at least."""
    horizon: Count | None = None
    """Steps to forecast; default: 1."""
    season: Count | None = None
    """Steps after which the series resembles itself, such as 12 for months; default: what the data set says, or none."""


@dataclasses.dataclass(frozen=True)
class DataOptions(SeriesConfig, DataConfig):
    """All that says how data are read: the options of `zoo.load_dataset`, which a run's config holds in parts."""

    seed: Annotated[int, Interval(0, 2**31 - 1)] = 0
    """Seed of order and augmentation."""

    def replace(self, **changes):
        """Returns a copy with some options changed.

        Raises:
            InputError: There is no such option, or a value does not meet its constraint.
        """
        if not changes:
            return self
        return dataclasses.replace(self, **check_all(changes, declared(type(self))))


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are updated."""

    name: Annotated[
        str, ChoiceOrOwn(OPTIMIZERS), tyro.conf.arg(name="optimizer", metavar="STR")
    ] = "adam"
    """adam, adamw, adafactor, adagrad, lion, muon, nadam, rmsprop or sgd"""
    learning_rate: AboveZero = 1e-3
    """Highest learning rate of the schedule."""
    schedule: Literal["constant", "cosine", "one_cycle", "coslog4", "piecewise", "plateau"] = (
        "constant"
    )
    """constant; cosine: falls to 0; one_cycle: rises for a quarter of the run, then falls to 0; coslog4: four waves from 0 to the rate and
    back, each twice as long as the one before (Holzmüller et al. 2024); piecewise: a tenth of it
    after half of the run, a hundredth after three quarters; plateau: half of it when three epochs bring nothing better."""
    warmup: BelowOne = 0.0
    """Share of the run in which the learning rate rises to its highest."""
    momentum: BelowOne = 0.9
    """Momentum of sgd; the other optimizers have their own."""
    nesterov: bool = False
    """Nesterov's momentum, of sgd."""
    beta_2: BelowOne | None = None
    """How long adam, adamw and nadam remember the size of gradients, less forgets sooner, default: Keras's 0.999; the others have none."""
    weight_decay: NotNegative | None = None
    """Decoupled weight decay of kernels; biases and normalizations are left out."""
    clip_norm: AboveZero | None = None
    """Largest global norm of the gradient, over all weights and devices."""
    clip_value: AboveZero | None = None
    """Largest absolute value of a gradient's element."""
    accumulate: Count = 1
    """Parts that each device's share of a batch is computed in, one after the other: less memory, the same update.
    Batch normalization sees one part at a time."""
    label_smoothing: BelowOne = 0.0
    """Share of each target's probability that is spread over all classes."""
    loss: Annotated[str, ChoiceOrOwn(LOSSES)] = "auto"
    """auto: cross-entropy, or squared error for a regression; focal: cross-entropy in which examples that are
    right already count little (Lin et al. 2017); or a loss of Keras's by name, made for logits: mae, mse, huber or log_cosh for
    numbers, binary_crossentropy, binary_focal_crossentropy, hinge or squared_hinge for several labels, and for classes
    categorical_crossentropy, categorical_focal_crossentropy or categorical_hinge."""
    metrics: Annotated[tuple[str, ...], Names()] = ()
    """Metrics of Keras's by name that are shown and logged beside the task's own, such as top_k_categorical_accuracy, auc, mae."""
    weighted_metrics: Annotated[tuple[str, ...], Names()] = ()
    """Metrics of Keras's by name, likewise, in which each example counts as much as in the loss."""
    class_weight: ClassWeight = "none"
    """What an example of each class counts in the training loss: none; balanced: the rarer the more, so that every
    class has the same sum; or LABEL=WEIGHT for every label. The validation loss stays unweighted."""
    ema: BelowOne | None = None
    """Momentum of a moving average of the weights, for example 0.99; the average is evaluated and exported.
    Statistics of batch normalization stay those of the weights that are not averaged."""


@dataclasses.dataclass(frozen=True)
class DistillConfig:
    """What is learned from another model."""

    teacher: Annotated[str, Text("a name or a path")] | None = None
    """Learn from this trained model's probabilities, too: a name or a path. It must be for the same data."""
    teacher_weight: Annotated[float, Interval(0, 1)] = 0.5
    """What they count in the loss, from 0 to 1; the labels count the rest."""
    teacher_temperature: AboveZero = 3.0
    """Both models' logits are divided by it, so that small probabilities tell more."""


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where and how long the run goes."""

    epochs: Count = 10
    """Passes over the training split."""
    monitor: Annotated[str, Text("a metric's name, or loss")] = "loss"
    """What chooses the epoch that is kept, and what patience and schedule=plateau go by, on the validation split: loss, or a metric of
    the task such as accuracy; of equally good epochs the one with the lower loss is kept. task: as before version 0.2, which went by the
    accuracy of a classification."""
    patience: Count | None = None
    """Stop when the monitor has not become better for this many epochs."""
    out: Annotated[str, PATH] | None = None
    """Folder of this run, which must not exist; default: runs/<dataset>-<model>-<number>."""
    seed: Annotated[int, Interval(0, 2**31 - 1)] = 0
    """Seed of weights, order, augmentation and dropout."""
    strategy: Literal["auto", "one", "mirrored", "multi_worker", "tpu"] = "auto"
    """one device; mirrored: all GPUs of this machine; multi_worker: all machines that TF_CONFIG lists; tpu: all cores
    of a TPU; auto: what there is, but for a TPU."""
    replicas: Count | None = None
    """Devices of mirrored; without a GPU this many logical CPU devices are made."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    """Keras's dtype policy; auto: mixed_bfloat16 on GPUs that are fast in it (Ampere and later), mixed_float16 on one
    older GPU, otherwise float32."""
    jit: Literal["auto", "on", "off"] = "auto"
    """Compile the step with XLA; auto: Keras decides (off on CPUs)."""
    steps_per_execution: Count = 1
    """Training steps in one call of the compiled function, which must divide those of an epoch: fewer returns to Python
    between small steps, above all on a TPU. Checkpoints are then taken after whole calls."""
    deterministic: bool = False
    """Operations that give the same bits in each run, on GPUs too; may cost speed there. TensorFlow keeps
    this on until the process ends."""
    tensorboard: bool = False
    """Write TensorBoard logs to <run>/tensorboard."""
    quiet: bool = False
    """Print nothing but errors; a command still prints its result, the test scores and where the export is."""
    smoke: bool = False
    """Try everything on the tiny size, 200 examples and one epoch."""


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """How a run is kept, so that it can go on after it was stopped."""

    resume: Annotated[str, PATH] | None = None
    """Go on with the run in this folder, exactly where it was; its settings are taken from there. auto: with that in
    --out, or begin it there: for schedulers, which start the same command again."""
    checkpoint_minutes: AboveZero = 5.0
    """Save the whole state at least this often within an epoch; it is saved at the end of each epoch, too."""
    checkpoint_steps: Count | None = None
    """Save it each time this many steps of an epoch are done, too."""
    keep_checkpoints: Count = 2
    """Checkpoints kept, the newest ones; that of the best epoch is kept besides."""


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
    """Fit a linear model, and of a table boosted trees, on the same rows; put their scores beside the model's and say who won."""
    likelihood_samples: Count = 100
    """For generation: importance samples of each test image for its NLL; published figures use 5000."""
    beam_width: Count = 4
    """For translation: partial answers that are followed side by side, in the test and in the export."""
    calibrate: bool = False
    """Fit a temperature on the validation split, by which the exported model divides its logits."""
    novelty: bool = False
    """Keep embeddings of training examples in the export, by which `predict(..., novelty=True)` tells inputs unlike any of them."""
