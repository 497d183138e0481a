"""Folders of SavedModels: finding a model by name, and the generated table."""

import logging
import os
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import manifest

log = logging.getLogger("zoo")

PACKAGED = Path(__file__).parents[1] / "saved_models"  # in a wheel
LONGEST = 4096  # characters of a path
CHECKOUT = Path(__file__).parents[2] / "saved_models"  # in an editable install


def folders():
    """The folders that are searched for a name, in order."""
    given = os.environ.get("ZOO_MODELS_DIR")
    candidates = [Path(given)] if given else []
    candidates += [Path("saved_models"), PACKAGED, CHECKOUT]
    return [folder for folder in candidates if folder.is_dir()]


def names():
    """The names of all models in `folders()`."""
    found = {}
    for folder in folders():
        for path in sorted(folder.iterdir()):
            if (
                files.versions(path)
                and (path / str(files.versions(path)[-1]) / manifest.PATH).exists()
            ):
                found.setdefault(path.name, path)
    return found


def find(name_or_path):
    """Returns the folder of a model's newest version.

    Args:
        name_or_path: A path to a version, to a folder of versions or to a run; or the name of a shipped model.

    Raises:
        InputError: Nothing is there; the message lists the nearest names.
    """
    name_or_path = getattr(name_or_path, "export", name_or_path)  # of what `zoo.train` returns
    if not isinstance(name_or_path, (str, os.PathLike)) or len(os.fspath(name_or_path)) > LONGEST:
        raise checks.InputError(
            f"A model is found by its name, or by the path of its folder. Received: {str(name_or_path)[:50]!r}, a {type(name_or_path).__name__}"
        )
    path = Path(name_or_path)
    if path.is_dir():
        for base in (path, path / "export"):
            if (base / "saved_model.pb").exists():
                return base
            if files.versions(base):
                return base / str(files.versions(base)[-1])
        for other in (*path.glob("saved_model.*"), *path.glob("*.keras"), *path.glob("*.h5")):
            _refuse_other_formats(other)
        raise checks.InputError(
            f"{path} holds no SavedModel: expected saved_model.pb, or versions such as {path}/1."
        )
    _refuse_other_formats(path)
    known = names()
    if str(name_or_path) not in known:
        if not known:
            searched = ", ".join(map(str, folders())) or "no folder"
            raise checks.InputError(
                f"No model {str(name_or_path)!r}: it is no path, and {searched} holds none."
            )
        checks.one_of("model", str(name_or_path), known)
    base = known[str(name_or_path)]
    return base / str(files.versions(base)[-1])


def _refuse_other_formats(path):
    if path.suffix in (".keras", ".h5", ".hdf5", ".pkl", ".pickle", ".pt"):
        raise checks.InputError(
            f"{path} is not loaded: a {path.suffix} file can run code of whoever made it. Have it exported as a "
            "SavedModel (model.export), which can be checked, and load that with foreign=True."
        )
    if path.suffix in (".pb", ".pbtxt", ".cpb"):
        raise checks.InputError(
            f"{path} is no folder of a SavedModel with saved_model.pb; text and chunked forms are not read."
        )


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
            f"| {', '.join(map(str, versions))} | {card.model} | {card.data.name} "
            f"| {card.headline} | {size:,.0f} KiB | {card.data.licence} |"
        )
    return "\n".join(lines) + "\n"
