"""A SavedModel that plain Keras or TensorFlow made: without a card, so called by the names of its own tensors."""

import contextlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.data.examples import as_unicode
from zoo.models import checks
from zoo.saving import gate


class ForeignModel:
    """A SavedModel without a card.

    Attributes:
        path: The folder of the version.
        card: `None`.
        labels: Empty.
        signatures: Name → TensorFlow function.
    """

    card, labels = None, ()

    def __init__(self, path, folder):
        """Loads the checked copy `folder` of the model in `path`."""
        self.path = Path(path)
        self._loaded = gate.load(folder, path)  # kept: its variables die with it
        self.signatures = dict(self._loaded.signatures)

    def __call__(self, inputs, signature="serving_default"):
        """The outputs of a signature for a dict of arrays by the names of its inputs, as a dict of tensors.

        Raises:
            InputError: An input is missing, unknown or no array of the dtype and shape that the signature takes.
        """
        checks.one_of("signature", signature, self.signatures)
        specs = self._specs(signature)
        if not hasattr(inputs, "keys") or set(inputs.keys()) != set(specs):
            given = sorted(inputs.keys()) if hasattr(inputs, "keys") else type(inputs).__name__
            raise checks.InputError(
                f"{signature} of {self.path} takes a dict of arrays: {self._describe(signature)}. Received: {given}"
            )
        tensors = {}
        for name, spec in specs.items():
            tensors[name] = _tensor(name, inputs[name], spec.dtype)
            if not spec.shape.is_compatible_with(tensors[name].shape):
                raise checks.InputError(
                    f"{name!r} must have shape {spec.shape}. Received: {tensors[name].shape}"
                )
        try:
            return self.signatures[signature](**tensors)
        except tf.errors.OpError as error:
            raise checks.InputError(
                f"{self.path} cannot compute with these inputs: {checks.shown(error.message)}"
            ) from None

    def predict(self, *_, **__):
        """Raises `InputError`: nobody said what this model's raw inputs are."""
        raise checks.InputError(
            f"{self.path} was not made by this project: it has no card that says what its raw inputs are and how its "
            f"outputs are named. Call it with tensors: model(inputs), a dict of {self._describe('serving_default')}."
        )

    def _specs(self, signature):
        return self.signatures[signature].structured_input_signature[1]

    def _describe(self, signature):
        if signature not in self.signatures:
            return f"no signature {signature!r}; it has {', '.join(map(repr, self.signatures)) or 'none'}"
        specs = self._specs(signature).items()
        return ", ".join(f"{name!r} ({spec.dtype.name} {spec.shape})" for name, spec in specs)


def _tensor(name, values, dtype):
    """A tensor of the dtype; refuses values that would be others in it."""
    try:
        if dtype == tf.string:
            return tf.constant(values, dtype)
        array = np.asarray(values)
        is_kind = (array.dtype.kind in "iu" and dtype.is_integer) or np.can_cast(
            array.dtype, dtype.as_numpy_dtype, "same_kind"
        )
        cast = array.astype(dtype.as_numpy_dtype) if is_kind else None
    except (ValueError, TypeError) as error:
        raise checks.InputError(f"{name!r} must be {dtype.name}, but {error}") from None
    if cast is None or (dtype.is_integer and not np.array_equal(cast, array)):
        raise checks.InputError(
            f"{name!r} must be {dtype.name}: bring it to that dtype. Received: {array.dtype} with values that differ in it"
        )
    return tf.constant(cast)


def predict_files(model, given):
    """Runs `serving_default` on files of named arrays.

    Args:
        model: A `ForeignModel`.
        given: `.npz` files that hold an array for each input.

    Yields:
        A dict per file: `input` and `outputs`, a dict.

    Raises:
        InputError: A file is no `.npz`, or holds other arrays than the model takes.
    """
    for path in given:
        inputs = None
        with contextlib.suppress(ValueError):
            inputs = files.read_arrays(path)
        if not isinstance(inputs, dict):
            raise checks.InputError(
                f"{path} cannot be read: a model without a card takes .npz files of named arrays (np.savez)."
            )
        yield {
            "input": path,
            "outputs": {name: _plain(found) for name, found in model(inputs).items()},
        }


def _plain(found):
    """A tensor as JSON holds it: of complex numbers pairs of real and imaginary part, of a ragged one lists, of a sparse one its parts."""
    if isinstance(found, tf.SparseTensor):  # written out it may be larger than any memory
        parts = {"indices": found.indices, "values": found.values, "shape": found.dense_shape}
        return {name: _plain(part) for name, part in parts.items()}
    if isinstance(found, tf.RaggedTensor):
        return [_plain(row) for row in found]
    values = found.numpy()  # of one text the text alone
    if found.dtype.is_complex:
        values = np.stack([values.real, values.imag], -1)
    values = np.asarray(values, object if found.dtype == tf.string else None)
    return as_unicode(values).tolist()
