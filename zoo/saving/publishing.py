"""Publishing: a run's export as the next version of a model, with the scores of all its seeds on the card."""

import dataclasses
import logging
import shutil
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import alone, gate, manifest, store
from zoo.saving import card as cards

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
    source = store.find(run)
    manifest.check(source)
    card = cards.read(source)
    for other in also:
        other_card = cards.read(store.find(other))
        if _without_seed(other_card.config) != _without_seed(card.config):
            raise checks.InputError(
                f"{other} has other settings than {run}: only the seed may differ."
            )
        card = dataclasses.replace(card, runs=card.runs + other_card.runs)
    seeds = [run.seed for run in card.runs]
    if len(set(seeds)) < len(seeds):
        raise checks.InputError(f"The runs repeat a seed: {seeds}.")
    _check_same(card, name, folder)
    return add_version(source, card, name, folder)


def _check_same(card, name, folder):
    """Raises `InputError` where a model of this name takes other inputs or answers something else: it is no next version of it."""
    known = Path(folder) / name
    if not files.versions(known):
        if name in store.names():
            log.warning(
                "%s is the name of %s, too, which this model hides where it is found first",
                name,
                store.names()[name],
            )
        return
    before = cards.read(store.find(known))
    for key in ("task", "input_kind", "columns", "labels"):
        then, now = getattr(before, key), getattr(card, key)
        if then != now:
            raise checks.InputError(
                f"{known} is another model, so this is no next version of it: its {key.replace('_', ' ')} is {then!r}, and here it is "
                f"{now!r}. Choose another name."
            )


def add_version(source, card, name, folder):
    """Copies an export into a folder of models as the next version of a model, with a card; returns its path."""
    with files.new_version(Path(folder) / name) as staged:
        unsigned = shutil.ignore_patterns(Path(manifest.SIGNATURE).name)  # of another card
        shutil.copytree(source, staged["folder"], dirs_exist_ok=True, ignore=unsigned)
        cards.write(staged["folder"], dataclasses.replace(card, name=name))
        manifest.write(staged["folder"])
        _check_example(staged["folder"])
    store.write_table(folder)
    return staged["path"]


def _check_example(folder):
    """Runs the lines of code on a card before anybody reads them; raises `InputError` where they fail."""
    try:
        with gate.checked(folder) as checked:
            child = alone.run(Path(__file__).with_name("card_example.py"), checked)
    except gate.RefusedModelError as error:
        log.warning("the lines on the card are not run: %s", error)
        return
    if child.returncode:
        raise checks.InputError(
            f"The lines of Python on the card do not run with TensorFlow alone: {child.stderr.strip()[-500:]}"
        )


def _without_seed(config):
    return {**config, "run": {**config["run"], "seed": None, "out": None, "quiet": None}}
