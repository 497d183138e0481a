"""Folders of SavedModels: publishing a run's export, the generated table; finding one is in `places.py`."""

import dataclasses
import logging
import shutil
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import manifest
from zoo.saving.places import CHECKOUT, PACKAGED, find, folders, names  # noqa: F401 - found here, too

log = logging.getLogger("zoo")


def publish(run, name, *, also=(), folder="saved_models"):
    """Copies a run's newest export into `saved_models/` as the next version of a model.

    Args:
        run: The run's folder.
        name: The model's name.
        also: Runs of the same settings with other seeds, whose scores the card then lists too.
        folder: The folder of published models.

    Returns:
        The path of the new version.

    Raises:
        InputError: A run is not finished, or the other runs' settings differ in more than the seed.
    """
    if not name.isidentifier():
        raise checks.InputError(
            f"A model's name has letters, digits and underscores only. Received: {name!r}"
        )
    source = find(run)
    manifest.check(source)
    card = cards.read(source)
    for other in also:
        other_card = cards.read(find(other))
        if _without_seed(other_card.config) != _without_seed(card.config):
            raise checks.InputError(
                f"{other} has other settings than {run}: only the seed may differ."
            )
        card = dataclasses.replace(card, runs=card.runs + other_card.runs)
    seeds = [run.seed for run in card.runs]
    if len(set(seeds)) < len(seeds):
        raise checks.InputError(f"The runs repeat a seed: {seeds}.")
    return add_version(source, card, name, folder)


def add_version(source, card, name, folder):
    """Copies an export into a folder of models as the next version of a model, with a card; returns its path."""
    with files.new_version(Path(folder) / name) as staged:
        unsigned = shutil.ignore_patterns(Path(manifest.SIGNATURE).name)  # of another card
        shutil.copytree(source, staged["folder"], dirs_exist_ok=True, ignore=unsigned)
        cards.write(staged["folder"], dataclasses.replace(card, name=name))
        manifest.write(staged["folder"])
    write_table(folder)
    return staged["path"]


def _without_seed(config):
    return {**config, "run": {**config["run"], "seed": None, "out": None, "quiet": None}}


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
