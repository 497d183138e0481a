"""Folders of SavedModels: the generated table of them; finding one is in `places.py`."""

import logging
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import manifest
from zoo.saving.places import CHECKOUT, PACKAGED, find, folders, names  # noqa: F401 - found here, too

log = logging.getLogger("zoo")


def weights_size(path):
    """Bytes of the weights of a SavedModel."""
    return sum(file.stat().st_size for file in (path / "variables").iterdir())


def write_table(folder="saved_models"):
    """Writes `README.md` of a folder of models from their cards."""
    files.write_atomic(Path(folder) / "README.md", render_table(folder))


def render_table(folder):
    """Renders the table of a folder of models."""
    lines = [
        "# Trained models",
        "",
        "Generated from the models' cards by `zoo publish`; a card says how each score was measured.",
        "Every model is a SavedModel: raw inputs in, named outputs out, and TensorFlow alone can load it.",
        "",
        "| model | versions | family | data | test score | parameters on disk | licence of the data |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted(Path(folder).iterdir()):
        versions = files.versions(path) if path.is_dir() else []
        if not versions or not (path / str(versions[-1]) / manifest.PATH).exists():
            continue  # no model of this project
        newest = path / str(versions[-1])
        try:
            card = cards.read(newest)
        except checks.InputError as error:  # damaged, or of a newer version
            log.warning("not in the table: %s", error)
            continue
        size = weights_size(newest) / 1024
        lines.append(
            f"| [{path.name}]({path.name}/{versions[-1]}/{manifest.EXTRA}/card.md) "
            f"| {', '.join(map(str, versions))} | {card.described} | {card.data.name} "
            f"| {card.headline} | {size:,.0f} KiB | {card.data.licence} |"
        )
    return "\n".join(map(checks.shown, lines)) + "\n"
