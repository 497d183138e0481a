"""A conversion, run as a script in a process of its own, which a converter may crash.

    python -m zoo.saving.runtimes.child SAVEDMODEL OUT '{"to": "litert", "quantize": null, "batch": null, ...}'

Writes the converted model and its description into OUT, and prints how far its golden outputs are from those of the SavedModel.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import golden_check, manifest, runtimes, trained
from zoo.saving.runtimes import litert
from zoo.tasks import task

ROUNDING = 32 * 2.0**-24  # of float32 numbers, in a network's last few operations


class Traced:
    """The signature `tensors` of a SavedModel, its variables turned to constants: what converters take.

    Attributes:
        outputs: The names of its outputs, in the order in which the frozen function returns them.
        frozen: The concrete function.
    """

    def __init__(self, function):
        self.outputs = sorted(function.structured_outputs)
        self.frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)

    @contextlib.contextmanager
    def saved(self):
        """The folder of a SavedModel that holds nothing else, while the context lasts."""
        specs = {
            tensor.name.partition(":")[0]: tf.TensorSpec(tensor.shape, tensor.dtype)
            for tensor in self.frozen.inputs
        }

        def run(**given):
            return dict(zip(self.outputs, self.frozen(*given.values()), strict=True))

        concrete = tf.function(run).get_concrete_function(**specs)
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(tf.Module(), folder, signatures={"tensors": concrete})
            yield folder


def main(saved_model, out, options):
    options = json.loads(options)
    row, quantize = runtimes.RUNTIMES[options["to"]], options["quantize"]
    try:
        golden = golden_check.read(Path(saved_model) / manifest.EXTRA / "golden.npz")
    except ValueError as error:
        raise checks.InputError(f"{manifest.EXTRA}/golden.npz: {error}") from None
    inputs, wanted = (
        {key.removeprefix(group): golden[key] for key in golden if key.startswith(group)}
        for group in ("inputs:tensors/", "tensors/")
    )
    loaded = tf.saved_model.load(saved_model)  # kept: its variables die with it
    traced = Traced(_function(loaded.signatures["tensors"], saved_model, options))
    examples = dict(np.load(options["examples"])) if options.get("examples") else None
    row.convert(traced, str(Path(out) / row.file), quantize, examples)
    (Path(out) / runtimes.DESCRIPTION).write_text(json.dumps(options))
    found = runtimes.open_converted(out)(inputs)
    print(json.dumps(compare(found, wanted, row.tolerances[quantize], exact=quantize is None)))


def compare(found, wanted, tolerance, *, exact):
    """Compares the outputs of a converted model with those of the SavedModel.

    Args:
        found, wanted: Dicts of arrays.
        tolerance: Largest difference of a float output, as a share of what its values differ by; of probabilities, whose scale
            is known, as a share of the largest.
        exact: Whether all other outputs, such as class ids, must be the same.

    Returns:
        A dict: the largest difference of float outputs, and the share of examples with the same answers.

    Raises:
        InputError: They are too far apart.
    """
    if set(found) != set(wanted):
        raise checks.InputError(f"It returns {sorted(found)}, and the model {sorted(wanted)}.")
    largest, same = 0.0, 1.0
    for name, values in wanted.items():
        if values.dtype.kind != "f":
            same = min(same, float(np.mean(found[name] == values)))
            continue
        difference = golden_check.difference(found[name].astype(values.dtype), values)
        largest = max(largest, difference)
        allowed = tolerance * _spread(name, values)
        if exact:  # the numbers are computed in float32, however close together they are
            allowed += ROUNDING
        if not difference <= allowed:
            raise checks.InputError(
                f"Its golden output {name} differs by {difference:.2g} of its largest value, more than {allowed:.2g}."
            )
    if same < 1 and exact:
        raise checks.InputError(
            f"It answers only {same:.0%} of the golden examples as the model does."
        )
    return {"largest_difference": largest, "same_answers": same}


def _spread(name, values):
    """What the values of an output differ by, as a share of the largest: a constant must not pass for numbers close together."""
    largest = float(np.abs(values).max(initial=0))
    spread = float(np.ptp(values)) if values.size else 0.0
    return 1.0 if name == "probabilities" or not spread else spread / largest


def _function(signature, saved_model, options):
    """The signature `tensors` as a concrete function; `batch` 1 fixes the number of examples."""
    if options["batch"] is None:
        return signature
    specs = {
        name: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=name)
        for name, spec in signature.structured_input_signature[1].items()
    }
    if options["retrace"]:
        return tf.function(_answer_by_rebuilt(saved_model)).get_concrete_function(**specs)
    return tf.function(lambda **given: signature(**given)).get_concrete_function(**specs)


def _answer_by_rebuilt(saved_model):
    """The same function from the rebuilt model, traced anew: a loop keeps the shapes that it was traced with."""
    card, model = cards.read(saved_model), trained.build_trained(None, None, saved_model, {})
    answer, temperature = task(card.task).answer, card.runs[0].temperature
    if answer is None:
        raise checks.InputError(
            f"{card.name} is a {card.task}, whose answers need more than the outputs of the model."
        )

    def run(**given):
        ((name, values),) = given.items()
        outputs = tf.cast(model(litert.PREPARED[name](values), training=False), tf.float32)
        return answer(outputs, temperature)

    return run


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except checks.InputError as error:
        sys.exit(f"error: {error}")
