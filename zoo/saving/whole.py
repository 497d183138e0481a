"""One Keras model from raw inputs to answers: the preparation as its first layers, then the network, then the targets' own units.

A run's folder holds it as `model.keras`, for whoever goes on with Keras. It is no part of an export.
"""

import logging
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving.raw_compile import compiled, loads_again
from zoo.saving.raw_inputs import check_inputs
from zoo.tasks import targets as conversions
from zoo.training import own as own_parts

log = logging.getLogger("zoo")

FILE = "model.keras"  # in a run's folder


@keras.saving.register_keras_serializable(package="zoo")
class Answer(keras.layers.Layer):
    """Passes a model's answers on, and holds its card, so that a file of Keras's has it, too.

    Args:
        card: What `card.json` of the export holds.
        std: The standard deviation of the targets that are numbers; 1 for others.
        mean: Their mean; 0 for others.
    """

    def __init__(self, card, std=1.0, mean=0.0, **kwargs):
        super().__init__(**kwargs)
        self.card, self.std, self.mean = card, std, mean

    def call(self, outputs):
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"card": self.card, "std": self.std, "mean": self.mean}


@keras.saving.register_keras_serializable(package="zoo")
class RawModel(keras.Model):
    """A Keras model that takes raw inputs, as `zoo.load` of its export does, and can go on training.

    Outputs are logits `[B, K]` of classes and labels; numbers `[B, 1]` and forecasts `[B, steps]` in the units of the targets.
    Targets are class ids `0..K-1` in the order of `labels`, or the labels themselves, which win where both are possible; for several
    labels rows of 0 and 1, otherwise numbers. Inputs that are a `tf.data.Dataset` or a generator pass as Keras takes them: arrays
    under the names of the model's inputs, with class ids.
    """

    @property
    def card(self):
        """The `Card` of the export."""
        return cards.Card.from_json(dict(self.layers[-1].card))

    @property
    def labels(self):
        """The classes' names in the order of the outputs."""
        return self.card.labels

    @property
    def network(self):
        """The network that takes prepared inputs."""
        inner = [layer for layer in self.layers if isinstance(layer, keras.Model)]
        return next(layer for layer in inner if layer.name != "prepare")

    def get_config(self):
        config = super().get_config()
        for layer in config["layers"]:
            if not loads_again(layer.get("compile_config")):  # of the network
                del layer["compile_config"]
        return config

    def get_compile_config(self):
        config = super().get_compile_config()
        if loads_again(config):
            return config
        log.warning(
            "%s: its loss, a metric or its optimizer cannot be made again from a file, so that it is written as a model that is not "
            "compiled: keras.saving.register_keras_serializable, or model.compile after loading",
            self.name,
        )
        return None

    def save(self, filepath, *arguments, **options):
        if Path(filepath).suffix != ".keras":
            raise checks.InputError(
                f"{filepath}: Keras's format of today ends in .keras, model.save({str(Path(filepath).with_suffix('.keras'))!r}); "
                "trained.save(folder) writes a SavedModel."
            )
        return super().save(filepath, *arguments, **options)

    def fit(self, x=None, y=None, *arguments, **options):
        if options.get("validation_data") is not None and not _is_stream(
            options["validation_data"]
        ):
            inputs, targets, *weights = options["validation_data"]
            pair = (self._raw(inputs), self._targets(targets))
            options["validation_data"] = (*pair, *weights)
        return super().fit(self._raw(x), self._targets(y), *arguments, **options)

    def evaluate(self, x=None, y=None, *arguments, **options):
        return super().evaluate(self._raw(x), self._targets(y), *arguments, **options)

    def predict(self, x, *arguments, **options):
        return super().predict(self._raw(x), *arguments, **options)

    def _raw(self, x):
        if x is None or _is_stream(x):
            return x
        found = check_inputs(x, self.card)
        arrays = {
            name: tf.constant(values.tolist()) if values.dtype == object else values
            for name, values in found.items()
        }
        return arrays if isinstance(self.input, dict) else next(iter(arrays.values()))

    def _targets(self, y):
        labels = self.card.labels
        if y is None or not labels or np.ndim(y) > 1 and np.shape(y)[-1] > 1:
            return y
        return class_ids(y, labels)


def class_ids(targets, labels):
    """The class ids, int64 `[N]`, of labels, or of ids themselves.

    Args:
        targets: One for each example, in any form that training reads.
        labels: The classes' names in the order of their ids.

    Raises:
        InputError: One is neither a label nor an id.

    Example:

    >>> class_ids(["yes", "no"], ("no", "yes")).tolist()
    [1, 0]
    """
    targets = np.asarray(targets)
    found, at = conversions.different(targets)
    known = {label: i for i, label in enumerate(labels)}
    if all(str(label) in known for label in found):
        return np.array([known[str(label)] for label in found], "int64")[at]
    if found.dtype.kind in "iu" and found.min() >= 0 and found.max() < len(labels):
        return found.astype("int64")[at]
    strange = [label for label in found.tolist() if str(label) not in known]
    shown = ", ".join(map(repr, labels[:5])) + ", ..." * (len(labels) > 5)
    raise checks.InputError(
        f"Targets are the labels {shown}, or their numbers 0..{len(labels) - 1}. Received: {strange[0]!r}"
    )


def _is_stream(x):
    return isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)) or hasattr(x, "__next__")


def make(network, splits, card):
    """Makes the model that takes raw inputs of a trained one that takes prepared inputs.

    Args:
        network: The trained model; both share their weights.
        splits: The `Splits` that it was trained on, with their `Preparation`.
        card: The `Card` of its export.

    Returns:
        A `RawModel`, not compiled.

    Raises:
        InputError: The task or a part of the model does not allow it; the message says why.
    """
    info, preparation, kind = splits.info, splits.preparation, splits.kind
    if isinstance(getattr(network, "input", None), dict):
        raise checks.InputError(
            f"A {info.task} has no Keras model of raw inputs alone: its network takes the answer so far, too. "
            "trained.predict(inputs) answers, and trained.network is that network, which takes ids."
        )
    raw = {
        name: keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=name)
        for name, spec in kind.specs(info).items()
    }
    first = next(iter(raw.values()))
    try:
        outputs = network(kind.to_model(raw, info, preparation.inputs))
        if not isinstance(outputs, dict):
            outputs = preparation.targets.restored(outputs, first)
    except (TypeError, ValueError) as error:  # of a kind or a task of the caller's own
        raise checks.InputError(
            f"The {info.kind} inputs of a {info.task} cannot be prepared by Keras layers ({error}): trained.predict(inputs) "
            "takes raw inputs, and trained.network prepared ones."
        ) from error
    scale = (preparation.target_std, preparation.target_mean)
    answer = Answer(card.to_json(), *scale, name="answer", dtype="float32", autocast=False)
    inputs = raw if len(raw) > 1 else first
    return RawModel(inputs, answer(outputs), name=network.name)


def of_export(network, splits, export):
    """The compiled model of a network and its export's folder: `make`, then `compiled`."""
    with network.distribute_strategy.scope():
        return compiled(make(network, splits, cards.read(export)), own_parts.of(network))


def write(network, splits, run, card):
    """Writes `model.keras`, not compiled, into a run's folder; where that cannot be, the log says why."""
    try:
        make(network, splits, card).save(run.folder / FILE)
    # What Keras and a caller's own layers raise where they cannot be called with a placeholder, or be written down.
    except (ValueError, TypeError, NotImplementedError, AttributeError, RuntimeError) as error:
        (run.folder / FILE).unlink(missing_ok=True)
        log.info("no %s: %s", FILE, str(error).partition("\n")[0])


def read(folder):
    """Loads `model.keras` of a run's folder; raises `InputError` where there is none, or Keras cannot load it.

    Keras reads it in its safe mode, which makes layers that are known or imported by name, but no Python code from the file. It is not
    checked further: load runs of people you trust.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise checks.InputError(
            f"{folder} holds no {FILE}: the run is of a version before, or its model takes no raw inputs alone, as log.txt says. "
            "`predict` takes raw inputs, and `network` is the network, which takes prepared ones."
        )
    try:
        return compiled(keras.saving.load_model(path, safe_mode=True))
    except (TypeError, ValueError, OSError) as error:
        raise checks.InputError(
            f"{path} cannot be loaded ({str(error).strip().splitlines()[0]}). Layers of your own must be registered before: "
            "keras.saving.register_keras_serializable."
        ) from error
