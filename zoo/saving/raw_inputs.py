"""Raw inputs as a model's signature takes them, of whatever a caller passed."""

from collections.abc import Mapping

import tensorflow as tf

from zoo.data import kinds
from zoo.data.kinds import pixel_arrays, several
from zoo.data.user import batched, forms
from zoo.models import checks
from zoo.saving import frames


def check_inputs(inputs, card, vocabulary=None):
    """Brings raw inputs in any form that training reads to named arrays; raises `InputError` for what cannot be used.

    Args:
        inputs: What a caller passes to `predict`.
        card: The model's `Card`.
        vocabulary: The units that a model of texts knows; `None` where they are not looked up.
    """
    parts = card.parts
    if parts:
        given = _by_name(inputs, card)
        inputs = {n: several.as_column(_plain(given[n], part)) for n, part in parts.items()}
    else:
        inputs = _plain(inputs, card)
    found = kinds.kind(card.input_kind).check_raw(inputs, card, vocabulary)
    if len(next(iter(found.values()))) == 0:
        raise checks.InputError(f"{card.name} received no examples.")
    return found


def _plain(inputs, card):
    """What a caller passed, without what the model's kind of input has no part in: other libraries' forms, targets, floats of pixels."""
    kind = kinds.kind(card.input_kind)
    inputs = frames.one_row(inputs, card.columns)
    if not kind.names_files(inputs):
        what = f"The inputs of {card.name}"
        inputs = forms.inputs_alone(what, inputs, is_of_pictures=kind.is_drawn)
        inputs = pixel_arrays.for_model(inputs, card) if kind.is_drawn else inputs
    return inputs


def _by_name(inputs, card):
    """Several inputs as a dict by their names; a list of them is in the order of the card."""
    if isinstance(inputs, tf.data.Dataset):
        is_alone = isinstance(inputs.element_spec, dict)
        inputs = (
            batched.of_dicts("given", inputs, several.plain)
            if is_alone
            else forms.read("given", inputs, None).x
        )
    if isinstance(inputs, several.Inputs):
        inputs = inputs.parts
    if isinstance(inputs, (list, tuple)) and len(inputs) == len(card.inputs):
        inputs = dict(zip(card.inputs, inputs))
    if not isinstance(inputs, Mapping) or set(inputs) != set(card.inputs):
        given = list(inputs) if isinstance(inputs, Mapping) else type(inputs).__name__
        raise checks.InputError(
            f"{card.name} takes a dict of its inputs, {', '.join(card.inputs)}. Received: {given}"
        )
    return inputs
