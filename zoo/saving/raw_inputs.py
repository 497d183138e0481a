"""Raw inputs as a model's signature takes them, of whatever a caller passed."""

from zoo.data import kinds
from zoo.data.kinds import pixel_arrays
from zoo.data.user import forms
from zoo.models import checks
from zoo.saving import frames


def check_inputs(inputs, card, vocabulary=None):
    """Brings raw inputs in any form that training reads to named arrays; raises `InputError` for what cannot be used.

    Args:
        inputs: What a caller passes to `predict`.
        card: The model's `Card`.
        vocabulary: The units that a model of texts knows; `None` where they are not looked up.
    """
    kind = kinds.kind(card.input_kind)
    what = f"The inputs of {card.name}"
    inputs = frames.one_row(inputs, card.columns)
    if not kind.names_files(inputs):
        inputs = forms.inputs_alone(what, inputs, is_of_pictures=kind.is_drawn)
        inputs = pixel_arrays.for_model(inputs, card) if kind.is_drawn else inputs
    found = kind.check_raw(inputs, card, vocabulary)
    if len(next(iter(found.values()))) == 0:
        raise checks.InputError(f"{card.name} received no examples.")
    return found
