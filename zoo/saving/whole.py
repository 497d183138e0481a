"""One Keras model from raw inputs to answers: the preparation as its first layers, then the network, then the targets' own units.

A run's folder holds it as `model.keras`, for whoever goes on with Keras. It is no part of an export.
"""

import inspect
import logging
from pathlib import Path

import keras
import tensorflow as tf

from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import frames, raw_batches
from zoo.saving.raw_compile import as_lists, compiled, loads_again
from zoo.saving.raw_inputs import check_inputs
from zoo.tasks import model_checks, task
from zoo.training import own as own_parts

log = logging.getLogger("zoo")

FILE = "model.keras"  # in a run's folder


@keras.saving.register_keras_serializable(package="zoo")
class Answer(keras.layers.Layer):
    """Divides logits by the temperature of the export, passes other answers on, and holds its card, so that a file of Keras's has it, too.

    Args:
        card: What `card.json` of the export holds.
        std: The standard deviation of the targets that are numbers; 1 for others.
        mean: Their mean; 0 for others.
    """

    def __init__(self, card, std=1.0, mean=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)  # which no config of a layer holds
        self.card, self.std, self.mean = card, as_lists(std), as_lists(mean)

        known, self.temperature = cards.Card.from_json(dict(card)), 1.0
        if task(known.task).calibrate is not None:
            self.temperature = known.temperature

    def call(self, outputs):
        return outputs if self.temperature == 1.0 else outputs / self.temperature

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"card": self.card, "std": self.std, "mean": self.mean}


@keras.saving.register_keras_serializable(package="zoo")
class RawModel(keras.Model):
    """A Keras model that takes raw inputs, as `zoo.load` of its export does, and can go on training.

    Outputs are logits `[B, K]` of classes and labels; numbers `[B, 1]` and forecasts `[B, steps]` in the units of the targets.
    Targets are labels; for several labels rows of 0 and 1, otherwise numbers. Inputs that are a `tf.data.Dataset` or a generator pass as
    Keras takes them: arrays under the names of the model's inputs; their targets are labels, too.
    """

    has_gone_on = False  # whether `fit` has been called

    @property
    def card(self):
        """The `Card` of the export."""
        return cards.Card.from_json(dict(self.layers[-1].card))

    @property
    def labels(self):
        """The classes' names in the order of the outputs; whole numbers or truth values where the labels of the data were such."""
        return frames.typed_labels(self.card)

    @property
    def network(self):
        """The network that takes prepared inputs."""
        return [layer for layer in self.layers if isinstance(layer, keras.Model)][-1]

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
        options = _by_name("fit", arguments, options)
        given = options.get("validation_data")
        if given is not None:
            options["validation_data"] = self._validation(given, options)
        options = self._brought(options, x, y, shuffles=True)
        self.has_gone_on = True
        with raw_batches.clear_errors():
            return super().fit(**options)

    def evaluate(self, x=None, y=None, *arguments, **options):
        options = _by_name("evaluate", arguments, options)
        if options.get("_use_cached_eval_dataset"):  # of `fit`, which has brought it
            return super().evaluate(x, y, **options)
        with raw_batches.clear_errors():
            return super().evaluate(**self._brought(options, x, y))

    def predict(self, x, *arguments, **options):
        return super().predict(**self._brought(_by_name("predict", arguments, options), x))

    @property
    def _classes(self):
        """The labels of targets that are classes; otherwise none."""
        return self.card.labels if task(self.card.task).targets == "class" else ()

    def _brought(self, options, x, y=None, shuffles=False):
        """Arguments of a method of Keras's with prepared ones in place of raw inputs and labels."""
        if raw_batches.is_stream(x):
            return options | {"x": raw_batches.stream_for(x, self._classes)}
        x, y = self._raw(x), raw_batches.targets_for(y, self._classes)
        ends = [*self.inputs, *keras.tree.flatten(self.outputs)]
        if x is not None and any(end.dtype == "float64" for end in ends):
            return raw_batches.precise(options, x, y, shuffles=shuffles)
        return options | {"x": x} | ({} if y is None else {"y": y})

    def _validation(self, given, options):
        if raw_batches.is_stream(given):
            return raw_batches.stream_for(given, self._classes)
        x, y, *weights = given
        size = options.get("validation_batch_size") or options.get("batch_size")
        own = {"batch_size": size, "sample_weight": weights[0] if weights else None}
        found = self._brought(own, x, y)
        return (
            found["x"] if raw_batches.is_stream(found["x"]) else (found["x"], found["y"], *weights)
        )

    def _raw(self, x):
        if x is None:
            return x
        found = check_inputs(x, self.card)
        arrays = {
            name: tf.constant(values.tolist()) if values.dtype == object else values
            for name, values in found.items()
        }
        return arrays if isinstance(self.input, dict) else next(iter(arrays.values()))


def _by_name(method, arguments, options):
    """The arguments of a method of Keras's after inputs and targets, by their names."""
    names = list(inspect.signature(getattr(keras.Model, method)).parameters)
    names = [name for name in names if name not in ("self", "x", "y")]
    return dict(zip(names, arguments)) | options


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
    if isinstance(getattr(network, "input", None), dict) and not info.parts:
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
        outputs = network(_as_taken(kind.to_model(raw, info, preparation.inputs), network))
        if not isinstance(outputs, dict):
            outputs = preparation.targets.restored(outputs, first)
    except (TypeError, ValueError) as error:  # of a kind or a task of the caller's own
        raise checks.InputError(
            f"The {info.kind} inputs of a {info.task} cannot be prepared by Keras layers ({error}): trained.predict(inputs) "
            "takes raw inputs, and trained.network prepared ones."
        ) from error
    scale = (preparation.target_std, preparation.target_mean)
    answer = Answer(card.to_json(), *scale, name="answer", dtype="float32")
    inputs = raw if len(raw) > 1 else first
    return RawModel(inputs, answer(outputs), name=network.name)


def _as_taken(prepared, network):
    """Prepared inputs as a network takes them: several in the order of its list, or in its dict."""
    if not isinstance(prepared, dict) or isinstance(getattr(network, "input", None), dict):
        return prepared
    return [prepared[name] for name in model_checks.input_names(network)] or prepared


def refuse_as_model(model):
    """Raises `InputError` for a `RawModel` in place of a model that takes prepared inputs."""
    if isinstance(model, RawModel):
        raise checks.InputError(
            f"{model.name!r} takes raw inputs, as trained.model of the zoo does, and zoo.train prepares inputs itself. Go on from its export, "
            "zoo.train(trained.export, x, y), or train it with model.fit(x, y)."
        )


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


def load_file(path, **options):
    """`keras.saving.load_model` of a `.keras` file; raises `InputError` where there is none."""
    if not Path(path).is_file():
        raise checks.InputError(
            f"There is no file {str(path)!r}: expected one that model.save wrote, such as 'm.keras'. A SavedModel is for zoo.load."
        )
    return keras.saving.load_model(path, **options)


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
