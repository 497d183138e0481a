"""Loading: verified first, then as a callable, or as weights for a model that goes on training."""

import json
import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.data import kinds
from zoo.data.examples import as_unicode
from zoo.data.kinds import numbers
from zoo.models import checks
from zoo.saving import alone, frames, gate, manifest, store
from zoo.saving import card as cards
from zoo.saving import novelty as novelties
from zoo.saving.foreign import ForeignModel
from zoo.saving.raw_inputs import check_inputs

log = logging.getLogger("zoo")

SECONDS = 600  # that TensorFlow may take to load a model and answer its golden inputs


class LoadedModel:
    """A SavedModel that takes raw inputs and returns named outputs.

    Attributes:
        path: The folder of the version.
        card: The `Card`.
        labels: The classes' names: whole numbers or truth values where the labels of the training data were such, otherwise texts.
        signatures: Name → TensorFlow function.
    """

    def __init__(self, path, folder):
        """Loads the checked copy `folder` of the model in `path`."""
        self.path = Path(path)
        self.card = cards.read(folder, shown=path)
        self.labels = frames.typed_labels(self.card)
        self._vocabulary = _vocabulary(folder, path)
        self._novelty = novelties.read(folder, self.card)
        self._loaded = gate.load(folder, path)  # kept: its variables die with it
        self.signatures = dict(self._loaded.signatures)

    def __repr__(self):
        return checks.shown(
            f"<{self.card.name} ({self.card.model}), {self.card.task} of {self.card.input_kind}; "
            f"signatures: {', '.join(sorted(self.signatures))}>"
        )

    def __call__(self, inputs):
        """The outputs of `serving_default` for one batch, as a dict of tensors."""
        return self._run("serving_default", check_inputs(inputs, self.card, self._vocabulary))

    def predict(self, inputs, *, batch_size=256, as_frame=False, novelty=False):
        """Predicts any number of raw examples.

        Args:
            inputs: Images `[N, H, W, C]` (grey ones also `[N, H, W]`), uint8 or floats 0..1 or 0..255, or a list of them; a DataFrame
                or a dict of columns for a table; texts; an array of features; or the newest steps of a series, `[T, C]` or a
                DataFrame; of several inputs a dict of these by their names. Objects of other libraries, and `tf.data` sets, are read as in training.
            batch_size: Examples at a time.
            as_frame: Whether the answers come as a DataFrame, with the index of the inputs where those are one.
            novelty: Whether the answers say which inputs are unlike any of training: `is_novel` bool `[N]`, and `novelty` float32 `[N]`, the
                distance of their features to those of training examples. Numbers far outside of those of training, which are refused or
                warned of otherwise, are then novel, at the distance 2. Of models that were trained with `novelty=True`.

        Returns:
            A DataFrame, whose probabilities are columns `p(LABEL)`, or a dict of NumPy arrays: `class_id` int64 `[N]`, `label` `[N]` (str, or int64 or bool as `labels` are) and `probabilities` float32 `[N, K]`
            (these alone for a multi-label task), or `prediction` float32 `[N]`, `[N, K]` of several numbers, in the order of
            `card.target_names` (in a DataFrame the columns `prediction_NAME`); `forecast` float32 `[N, steps]`; of a VAE `reconstruction`, `mean` and
            `log_variance`.

        Raises:
            InputError: The inputs have another dtype, shape or other columns than the model takes.
        """
        if novelty and self._novelty is None:
            raise checks.InputError(
                f"{self.card.name} holds nothing that tells novel inputs: train it with novelty=True (--novelty)."
            )
        card = self.card.unbounded if novelty else self.card
        named = check_inputs(inputs, card, self._vocabulary)
        outputs = self._of_named("serving_default", named, batch_size)
        if novelty:
            embeddings = self._of_named("embed", named, batch_size)["embedding"]
            far = kinds.kind(self.card.input_kind).far(named, self.card)
            outputs |= self._novelty.answers(embeddings, far)
        if "label" in outputs and self.labels != self.card.labels:
            typed = dict(zip(self.card.labels, self.labels, strict=True))
            outputs["label"] = np.array([typed.get(label, label) for label in outputs["label"]])
        if not as_frame:
            return outputs
        index = inputs.index if hasattr(inputs, "columns") and hasattr(inputs, "iloc") else None
        return frames.of_outputs(outputs, self.card.labels, index, self.card.target_names or ())

    def embed(self, inputs, *, batch_size=256):
        """The features before the last layer, float32 `[N, D]`, for the same inputs as `predict`."""
        checks.one_of("signature", "embed", self.signatures)
        return self._in_batches("embed", inputs, batch_size)["embedding"]

    def encode(self, images, *, batch_size=256):
        """Mean and log variance of the latent vector of raw images, a dict of float32 `[N, L]`; of a VAE."""
        checks.one_of("signature", "encode", self.signatures)
        return self._in_batches("encode", images, batch_size)

    def reconstruct(self, images, *, batch_size=256):
        """What the decoder makes of raw images, float32 `[N, H, W, C]` in 0..1; of a VAE."""
        checks.one_of("signature", "reconstruct", self.signatures)
        return self._in_batches("reconstruct", images, batch_size)["reconstruction"]

    def decode(self, latent):
        """The images of latent vectors `[N, L]`, float32 `[N, H, W, C]` in 0..1; of a VAE."""
        checks.one_of("signature", "decode", self.signatures)
        width = self.card.signatures["decode"]["inputs"]["latent"][1][-1]
        latent = numbers.as_float32("latent", latent)
        if latent.ndim != 2 or latent.shape[1] != width:
            raise checks.InputError(
                f"Latent vectors of {self.card.name} have shape (N, {width}). Received: {latent.shape}"
            )
        return self._run("decode", {"latent": latent})["image"].numpy()

    def sample(self, count, *, seed=0):
        """Draws `count` images, float32 `[count, H, W, C]` in 0..1, the same for the same seed; of a VAE."""
        checks.one_of("signature", "sample", self.signatures)
        checks.positive_int("count", count)
        _check_32_bits("count", count)
        _check_32_bits("seed", seed)
        numbers = {"count": np.int32(count), "seed": np.int32(seed)}
        return self._run("sample", numbers)["image"].numpy()

    def generate(self, texts, *, beam_width=4, max_length=64, batch_size=256):
        """Answers to texts, of a translation; `predict` answers with the beam width of the test.

        Args:
            texts: A list of texts.
            beam_width: Partial answers that are followed side by side; 1 is greedy.
            max_length: Words or characters of the longest answer, and its end.
            batch_size: Texts at a time.

        Returns:
            A dict of NumPy arrays: `answer` str `[N]` and `score` float32 `[N]`.
        """
        checks.one_of("signature", "generate", self.signatures)
        settings = {"beam_width": beam_width, "max_length": max_length}
        for name, value in settings.items():
            checks.positive_int(name, value)
            _check_32_bits(name, value)
        return self._in_batches("generate", texts, batch_size, **settings)

    def _in_batches(self, signature, inputs, batch_size, **settings):
        named = check_inputs(inputs, self.card, self._vocabulary)
        return self._of_named(signature, named, batch_size, **settings)

    def _of_named(self, signature, inputs, batch_size, **settings):
        checks.positive_int("batch_size", batch_size)
        count = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, count, batch_size):
            outputs = self._run(
                signature,
                {k: v[start : start + batch_size] for k, v in inputs.items()} | settings,
            )
            parts.append({k: v.numpy() for k, v in outputs.items()})
        merged = {k: np.concatenate([part[k] for part in parts]) for k in sorted(parts[0])}
        return as_unicode(merged)

    def _run(self, signature, inputs):
        return self.signatures[signature](
            **{name: tf.constant(values) for name, values in inputs.items()}
        )


def _check_32_bits(name, value):
    if not isinstance(value, (int, np.integer)) or not -(2**31) <= value < 2**31:
        raise checks.InputError(f"`{name}` must be a whole number of 32 bits. Received: {value!r}")


def _vocabulary(folder, shown):
    """The units that a model of texts knows; `None` for another model.

    Raises:
        DamagedModelError: The file does not hold them.
    """
    path = Path(folder) / manifest.EXTRA / "vocabulary.json"
    if not path.exists():
        return None
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # not UTF-8, no JSON, or nested without end
        known = None
    units = known.values() if isinstance(known, dict) else ()
    are_texts = [isinstance(u, list) and all(isinstance(text, str) for text in u) for u in units]
    if not are_texts or not all(are_texts) or len(known.get("inputs", ())) < 3:
        raise manifest.DamagedModelError(
            f"{shown}: {manifest.EXTRA}/vocabulary.json is damaged: expected the units of each id, lists of texts."
        )
    return frozenset(known["inputs"][2:])  # after padding and the unknown


def load(name_or_path, *, foreign=False, unsafe=False, allow=()):
    """Loads a SavedModel by name or path, after every file was checked against its manifest, and its graph for harm.

    A SavedModel is a program. The check keeps it from files, network and Python; it cannot keep it from using up memory or
    time, or from answering wrongly. `docs/security.md` says more.

    Args:
        name_or_path: The name of a shipped model, or a path to a version, to a folder of versions or to a run.
        foreign: Whether the model may be without card and manifest, as plain Keras and TensorFlow write it.
        unsafe: Skips the check of the graph: for models of people you trust.
        allow: Names of operations that the graph may use besides those that are known to be harmless, such as `["RFFT"]`.

    Returns:
        A `LoadedModel`; without a card a `ForeignModel`.

    Raises:
        RefusedModelError: The model could do harm, or nobody can tell; the message says by what.
        DamagedModelError: A file is missing, added or changed; the message names it.
        InputError: There is no such model; the message lists the nearest names.

    Example:

    >>> model = load("wine_dense")
    >>> model.labels
    ('class_0', 'class_1', 'class_2')
    """
    path = store.find(name_or_path)
    with gate.checked(path, foreign=foreign, unsafe=unsafe, allow=allow) as folder:
        return open_checked(path, folder)


def open_checked(path, folder):
    """Loads the checked copy `folder` of the model in `path`, with or without a card."""
    has_card = (Path(folder) / manifest.PATH).exists()
    return LoadedModel(path, folder) if has_card else ForeignModel(path, folder)


def verify(name_or_path, *, foreign=False, unsafe=False, allow=(), key=None):
    """Proves a SavedModel: its files' hashes, its operations, its signatures and its golden pair, with TensorFlow alone.

    Args:
        name_or_path: As in `load`.
        foreign: As in `load`; a model without a card has no golden pair.
        unsafe, allow: As in `load`.
        key: A file with the public key that must have signed the model (`zoo sign`).

    Returns:
        A dict: `path`, `signatures`, `largest_difference` from the golden outputs (a share of each; `None` without any).

    Raises:
        DamagedModelError: Names the file, the operation or the output.
    """
    path = store.find(name_or_path)
    with gate.checked(path, foreign=foreign, unsafe=unsafe, allow=allow, key=key) as folder:
        is_own = (folder / manifest.PATH).exists()
        if is_own:
            cards.read(folder, shown=path)
        child = alone.run(Path(__file__).with_name("golden_check.py"), folder)
    if child.returncode != 0:
        reason = (child.stderr.strip().splitlines() or [f"it ended with {child.returncode}"])[-1]
        raise manifest.DamagedModelError(
            f"{path} does not load with TensorFlow alone: {checks.shown(reason[:2000])}"
        )
    result = json.loads(child.stdout.strip().splitlines()[-1])
    if is_own and result["largest_difference"] is None:
        raise manifest.DamagedModelError(f"{path} has no golden pair, {manifest.EXTRA}/golden.npz.")
    if result["problems"]:
        raise manifest.DamagedModelError(f"{path}: {checks.shown('; '.join(result['problems']))}")
    return {"path": str(path), **result}


def load_weights(model, name_or_path, *, skip=()):
    """Copies a SavedModel's weights into a model, by the weights' names.

    Args:
        model: A Keras model whose layers have the names of the saved one's.
        name_or_path: As in `load`.
        skip: Names of layers that keep their own weights.

    Returns:
        The paths of the weights that were not loaded.

    Raises:
        InputError: A weight that is not skipped is missing or has another shape.
    """
    path = store.find(name_or_path)
    with gate.checked(path) as folder:
        return copy_weights(model, folder, path, skip)


def copy_weights(model, folder, path, skip):
    """Does what `load_weights` says with the checked copy `folder` of the model in `path`."""
    loaded = gate.load(folder, path)
    saved = {variable.name.partition(":")[0]: variable for variable in loaded.variables}
    left = []
    for weight in model.weights:
        if weight.path.partition("/")[0] in skip:
            left.append(weight.path)
            continue
        if weight.path not in saved:
            raise checks.InputError(
                f"{path} has no weight {weight.path!r}. It has: {checks.shown(', '.join(saved))}"
            )
        if tuple(saved[weight.path].shape) != tuple(weight.shape):
            raise checks.InputError(
                f"The weight {weight.path!r} has shape {tuple(saved[weight.path].shape)} in {path}, but "
                f"{tuple(weight.shape)} in the model."
            )
        weight.assign(saved[weight.path])
    log.info(
        "weights from %s: %d loaded, not loaded: %s",
        path,
        len(model.weights) - len(left),
        left or "none",
    )
    return left
