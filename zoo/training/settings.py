"""The settings of a run that goes on: those that must stay as they are, in its `config.yaml` and in its checkpoints."""

import json
import re

import yaml

from zoo.config.config import AUTO, MADE_BY, OWN
from zoo.models import checks

# What may change when a run goes on, because nothing that is trained depends on it, or because it is checked elsewhere.
_FREE = {
    "out", "resume", "quiet", "data_dir", "dataset", "tensorboard", "profile", "baseline", "calibrate", "novelty",
    "likelihood_samples", "beam_width",
    "checkpoint_minutes", "checkpoint_steps", "keep_checkpoints",
}  # fmt: skip


def check_resumable(config, begun):
    """Raises `InputError` unless a config can go on with a run that was begun with another.

    Args:
        config: What is asked for.
        begun: What the run was begun with.
    """
    now, folder = config.flat(), config.checkpoints.resume
    for key, value in lasting(begun).items():
        if _without_number(now[key]) != _without_number(value):
            why = ": its schedule was made for them" if key == "epochs" else ""
            raise checks.InputError(
                f"{folder} was begun with {key}={value!r} and cannot go on with {now[key]!r}{why}. "
                f"Leave it out, or begin a new run with other settings: --config {folder}/config.yaml."
            )


def lasting(config):
    """The settings of a config that must stay as they are while its run goes on, by name."""
    open_ended = config.optimizer.schedule in ("constant", "plateau")
    free = _FREE | ({"epochs"} if open_ended and not config.optimizer.warmup else set())
    return {key: value for key, value in config.flat().items() if key not in free}


def check_settings(config, then):
    """Raises `InputError` where a checkpoint was made with other settings than a run's `config.yaml` says by now.

    Args:
        config: The `TrainConfig` of the run.
        then: `recorded` of the config that the checkpoint was made with.
    """
    for key, value in recorded(config).items():
        if key == "epochs" and config.checkpoints.resume in (None, AUTO):
            continue  # a trial of a search, which goes on with another for longer
        if key in then and _without_number(then[key]) != _without_number(value):
            raise checks.InputError(
                f"{config.checkpoints.resume}: its checkpoints were made with {key}={then[key]!r}, but its config.yaml says {value!r}: it was "
                "edited. Write back what it was, or begin a new run with the file: --config."
            )


def recorded(config):
    """The `lasting` settings as JSON holds them."""
    return json.loads(json.dumps(lasting(config), default=str))


def _without_number(value):
    """The name of a caller's model without the number that Keras appends to later ones in a process; other values unchanged."""
    is_own = isinstance(value, str) and value.startswith(OWN)
    return re.sub(r"_\d+$", "", value) if is_own else value


def check_record(folder):
    """Raises `InputError` where a run's `config.yaml` lacks what made the run, which its export will need at the end."""
    content = yaml.safe_load((folder / "config.yaml").read_text())
    made_by = content.get("made_by")
    missing = [key for key in MADE_BY if not isinstance(made_by, dict) or key not in made_by]
    if missing:
        raise checks.InputError(
            f"{folder}/config.yaml was cut or edited: below `made_by` it lacks {', '.join(missing)}, which the model's card needs. A new run "
            "that is begun with the same command writes the same file to copy."
        )
