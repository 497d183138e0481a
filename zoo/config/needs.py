"""Options that do nothing without another: refused where they are set alone."""

from zoo.config.config import OPTIONS
from zoo.models import checks

# Option → another one, a value of that with which it counts, and whether a value is such.
NEEDS = {
    "augment_share": ("augment", "photographs", lambda value: value != "none"),
    "folder": ("files", "FILE_COLUMN", lambda value: value is not None),
    "momentum": ("optimizer", "sgd", lambda value: value == "sgd"),
    "teacher_weight": ("teacher", "mnist_cnn", lambda value: value is not None),
    "teacher_temperature": ("teacher", "mnist_cnn", lambda value: value is not None),
}


def check(config):
    """Raises `InputError` for an option of a single training that does nothing; in a search the other may be searched.

    Args:
        config: The `TrainConfig`.
    """
    flat = config.flat()
    for name, (needed, example, counts) in NEEDS.items():
        if flat[name] != OPTIONS[name].default and not counts(flat[needed]):
            raise checks.InputError(
                f"{name}={flat[name]!r} does nothing here: it needs {needed}={example!r}. Pass that, too, or leave it out."
            )
