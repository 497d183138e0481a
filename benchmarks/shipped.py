"""The models that ship, and which weights a figure of them belongs to."""

import json

from zoo.saving import manifest, store

WEIGHTS = "variables/variables.data-00000-of-00001"


def names():
    return [path.name for path in sorted(store.CHECKOUT.iterdir()) if path.is_dir()]


def weights(name):
    """The hash of a model's weights, by its manifest; a figure that was measured of others is out of date."""
    described = json.loads((store.find(name) / manifest.PATH).read_text(encoding="utf-8"))
    return described["files"][WEIGHTS]["sha256"]


def missing(measured):
    """A sentence that names the models which are not among those measured."""
    left = [f"`{name}`" for name in names() if name not in measured]
    return f"Not measured yet: {', '.join(left)}." if left else "All that ship are measured."
