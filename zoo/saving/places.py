"""Where trained models lie, and which one a name or a path means. Imports no TensorFlow, so that a wrong path is refused at once."""

import os
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import manifest

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


def check_named(name, families):
    """Raises `InputError`, with the nearest names of both, for a name that neither a family nor a trained model has.

    Args:
        name: Of a family, perhaps with a size, or of a trained model, or its path.
        families: The names of families.
    """
    if len(Path(name).parts) > 1:
        find(name)
    trained = "or a trained model (zoo models lists them)"
    checks.one_of("model", name.partition(":")[0], families, names(), trained)


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
        if (path / "config.yaml").exists():
            raise checks.InputError(
                f"{path} is a run without an export: zoo finish {path} exports its best epoch so far, and zoo train --resume {path} goes on."
            )
        for other in (*path.glob("saved_model.*"), *path.glob("*.keras"), *path.glob("*.h5")):
            _refuse_other_formats(other)
        raise checks.InputError(
            f"{path} holds no SavedModel: expected saved_model.pb, or versions such as {path}/1."
        )
    _refuse_other_formats(path)
    known = names()
    if str(name_or_path) not in known:
        if len(path.parts) > 1:
            raise checks.InputError(f"There is no folder {path}, and no model of that name.")
        if not known:
            searched = ", ".join(map(str, folders())) or "no folder"
            raise checks.InputError(
                f"No model {str(name_or_path)!r}: it is no path, and {searched} holds none."
            )
        checks.one_of("model", str(name_or_path), known, (), "or the folder of a run or a model")
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
