"""Published models exported again, so that old weights have the signatures of today."""

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import yaml

from zoo.config.config import TrainConfig, data_options
from zoo.data.load import load_dataset
from zoo.data.prepare import prepare
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import gate, golden_check, manifest, publishing, store, trained
from zoo.saving.export import export_model
from zoo.training.run import Run
from zoo.training.strategy import make_strategy


def renew(name, *, folder="saved_models"):
    """Exports a published model's weights again, as its next version; its data are read once more, to prepare inputs.

    Args:
        name: The model's name.
        folder: The folder of published models.

    Returns:
        The path of the new version.

    Raises:
        InputError: There is no such model, or it was made from a model or data of its maker's own; or what it is made
            of has changed since, so that its answers would, too.
    """
    old = store.find(Path(folder) / name)
    with gate.checked(old) as checked, tempfile.TemporaryDirectory() as place:
        card = cards.read(checked, shown=old)
        run_folder = Path(place)
        settings = card.config | {"made_by": card.made_by}
        (run_folder / "config.yaml").write_text(yaml.safe_dump(settings))
        (run_folder / "score.json").write_text(json.dumps(card.runs[0].to_json()))
        config = TrainConfig.from_yaml(run_folder / "config.yaml")
        splits = load_dataset(**data_options(config))
        model = trained.build_trained(None, None, checked, {})
        run = Run(config, run_folder, make_strategy("one"))
        new = export_model(model, splits.mapped(prepare(splits)), run)
        _check_same(old, checked, new)
        renewed = dataclasses.replace(cards.read(new), runs=card.runs)
        return publishing.add_version(new, renewed, name, folder)


def _check_same(old, checked, new):
    """Raises `InputError` unless a new export gives the golden outputs of the old one, where both have them."""
    before, after = (np.load(path / manifest.EXTRA / "golden.npz") for path in (checked, new))
    for key in sorted(set(before) & set(after)):
        if not _is_same(after[key], before[key]):
            raise checks.InputError(
                f"{old} cannot be exported again: its {key} would differ, so its data or their preparation have changed. "
                "Train it again."
            )


def _is_same(found, wanted):
    if found.shape != wanted.shape or wanted.dtype.kind != "f":
        return np.array_equal(found, wanted)
    return golden_check.difference(found, wanted) <= golden_check.TOLERANCE
