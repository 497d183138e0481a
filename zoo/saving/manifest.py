"""The manifest: SHA-256 and size of every file of a SavedModel, checked before anything else is read."""

import hashlib
import json
import os
from pathlib import Path

from zoo import files
from zoo.models import checks

EXTRA = "assets.extra"  # the SavedModel format's own place for files that TensorFlow does not read
PATH = f"{EXTRA}/manifest.json"
SIGNATURE = f"{EXTRA}/signature.json"  # signs the manifest, too


class DamagedModelError(checks.InputError):
    """A SavedModel is not what was exported: a file is missing, added or changed."""


def write(folder):
    """Writes the manifest of a finished SavedModel."""
    files.write_atomic(Path(folder) / PATH, _render(_describe(folder)))


def _render(entries):
    """The manifest's text; it holds the digest of its own list, so that it answers for itself, too."""
    own = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
    return json.dumps({"files": entries, "sha256": own}, indent=1, sort_keys=True) + "\n"


def _describe(folder):
    folder, entries = Path(folder), {}
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            relative = path.relative_to(folder).as_posix()
            if relative not in (PATH, SIGNATURE):
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                entries[relative] = {"sha256": digest, "size": path.stat().st_size}
    return entries


def check(folder, *, shown=None):
    """Compares every file with the manifest.

    Args:
        folder: The folder of a version.
        shown: The folder that messages name, where `folder` is a copy of it.

    Raises:
        DamagedModelError: Names the first file that is missing, added or changed.
    """
    path, found = Path(folder) / PATH, _describe(folder)
    folder = shown or folder
    try:
        text = path.read_text(encoding="utf-8")
        expected = dict(json.loads(text)["files"])
    except FileNotFoundError:
        raise DamagedModelError(
            f"{folder} has no {PATH}: it is not a SavedModel of this project. For one that plain Keras or TensorFlow made "
            "pass foreign=True (zoo verify --foreign)."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedModelError(f"{folder}: {PATH} is damaged.") from None
    if text != _render(expected):
        raise DamagedModelError(f"{folder}: {PATH} has changed.")
    for name in sorted(set(expected) | set(found)):
        said = checks.shown(name)
        if name not in found:
            raise DamagedModelError(f"{folder}: {said} is missing.")
        if name not in expected:
            raise DamagedModelError(
                f"{folder}: {said} does not belong there; {PATH} does not list it."
            )
        if found[name] != expected[name]:
            raise DamagedModelError(
                f"{folder}: {said} has changed: its size or SHA-256 is not the manifest's."
            )
