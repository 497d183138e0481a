"""THE TABLE of kinds of input: how each is described, read, prepared, served and checked, in training and in `predict`.

To add a kind, write `kinds/<name>.py` with its row and add that here.
"""

from zoo.config.recommended import RECOMMENDED
from zoo.data.kinds import features, image, series, several, table, text
from zoo.data.kinds.row import Kind
from zoo.models import checks

KINDS = {  # those that recognise more inputs come first
    "features": features.KIND,
    "series": series.KIND,
    "table": table.KIND,
    "text": text.KIND,
    "image": image.KIND,
    "several": several.row(lambda name: kind(name), lambda x: recognise(x)),  # asks the others
}


def add(row):
    """Adds a kind of input of your own to the table; it is looked for before those that are there.

    Args:
        row: The `Kind`.

    Raises:
        InputError: The table has a kind of that name.
    """
    if row.name in KINDS:
        raise checks.InputError(f"There is a kind {row.name!r} already: give yours another name.")
    KINDS[row.name] = row


def kind(name) -> Kind:
    """Returns a row of the table; an unknown name raises `InputError`."""
    if name not in KINDS:
        checks.one_of("kind of input", name, KINDS)
    return KINDS[name]


def check_options(info, options):
    """Raises `InputError` for an option that is set and that only other kinds of inputs read.

    Args:
        info: The `DataInfo`.
        options: The `DataOptions`.
    """
    rows = [kind(info.kind), *(kind(part.kind) for part in info.parts.values())]
    read, default = {name for row in rows for name in row.options}, type(options)()
    for other in KINDS.values():
        for name in other.options:
            value = getattr(options, name)
            if name not in read and value != getattr(default, name):
                instead = f", or pass {other.asked_by}" if other.asked_by else ""
                bringing = [size for size, of in RECOMMENDED.items() if of.get(name) == value]
                if bringing:
                    instead += f". Where you did not pass it, it comes with the model: {', '.join(bringing)} read {other.called} alone"
                raise checks.InputError(
                    f"{name}={value!r} is for {other.called}, and the inputs of {info.name} are {rows[0].called}: leave it out{instead}."
                )


def recognise(x) -> Kind:
    """Returns the kind of what a caller passed as the inputs of a split; raises `InputError` where it is none."""
    for row in reversed(KINDS.values()):
        if row.recognises(x):
            return row
    raise checks.InputError(
        f"Inputs are {x.dtype} of shape {x.shape}: expected numbers (uint8 images, or floats of any shape), or "
        "one text per example; columns of texts or of dates come as a DataFrame."
    )
