"""The gate: what is loaded is a private copy of a SavedModel, and that copy is what was checked.

Nothing else in the zoo calls `tf.saved_model.load` on a folder (`golden_check.py` and `runtimes/child.py` do in processes of their
own, on the copy).
In order: names, kinds and sizes of the files, while they are copied; the manifest's hashes, before anything is parsed; the
graph, by the rules of `graph_check.py`; then TensorFlow. `docs/security.md` says what this does not protect from.
"""

import contextlib
import itertools
import logging
import math
import os
import re
import stat
import tempfile
from pathlib import Path

import tensorflow as tf

from zoo.models import checks
from zoo.saving import graph_check, manifest, node_check, signing, store

log = logging.getLogger("zoo")

MIB = 2**20
GRAPH_LIMIT = 64 * MIB  # saved_model.pb: read into memory to be checked
FILE_LIMIT = 16 * 1024 * MIB  # each file of variables
EXTRA_LIMIT = 256 * MIB  # each other file
TOTAL_LIMIT = 64 * 1024 * MIB
COUNT_LIMIT = 100  # files
TEXT_LIMIT = 4096  # bytes of each text among the variables
LONGEST = 2000  # characters of an error of TensorFlow

# File → its largest size. A folder that is not named here must be empty, as `assets` in what plain TensorFlow writes.
_FILES = {
    r"saved_model\.pb": GRAPH_LIMIT,
    r"fingerprint\.pb": MIB,
    r"keras_metadata\.pb": GRAPH_LIMIT,  # Keras 2 wrote it; TensorFlow does not read it
    r"variables/variables\.index": GRAPH_LIMIT,
    r"variables/variables\.data-\d{5}-of-\d{5}": FILE_LIMIT,
    rf"{re.escape(manifest.EXTRA)}/(card\.json|card\.md|manifest\.json|signature\.json|vocabulary\.json)": 16
    * MIB,
    rf"{re.escape(manifest.EXTRA)}/(golden|novelty)\.npz": EXTRA_LIMIT,
}
_FOLDERS = ("variables", manifest.EXTRA, "assets")
_ADVICE = (
    "If you trust whoever made it, pass unsafe=True (--unsafe); otherwise run it in a process of its own: "
    "zoo predict --sandbox."
)


class RefusedModelError(manifest.DamagedModelError):
    """A SavedModel holds what no model needs and an attack does; the message names it."""


@contextlib.contextmanager
def checked(folder, *, foreign=False, unsafe=False, allow=(), key=None):
    """Gives a private copy of a SavedModel that has passed every check; it is removed when the block ends.

    Args:
        folder: The folder of a version.
        foreign: Whether it may be without a manifest: made with plain Keras or TensorFlow.
        unsafe: Gives the folder itself, with nothing checked but signature and manifest, if there are any.
        allow: Names of operations that its graph may use besides those of the lists.
        key: A file with the public key that must have signed it.

    Raises:
        RefusedModelError: It breaks a rule.
        DamagedModelError: A file is not the one that was exported.
    """
    folder, allow = Path(folder), [allow] if isinstance(allow, str) else allow
    if unsafe:
        log.warning("%s is loaded unchecked: a SavedModel is a program, and may do what you may do", folder)  # fmt: skip
        _check_authenticity(folder, folder, True, key)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="zoo-") as private:  # for this user alone
        copy = Path(private) / "model"
        try:
            _copy(folder, copy)
            _check_authenticity(copy, folder, foreign, key)
            graph_check.check((copy / "saved_model.pb").read_bytes(), allow)
        except node_check.Refusal as refusal:
            raise RefusedModelError(f"{folder} is refused: {refusal}. {_ADVICE}") from None
        yield copy


def _check_authenticity(folder, shown, foreign, key):
    if key is not None:
        signing.check(folder, shown, key)
    if not foreign or (folder / manifest.PATH).exists():
        manifest.check(folder, shown=shown)


def _check_variables(folder, shown):
    """Reads the index of the variables: refuses handles; returns how many bytes the variables take up."""
    try:
        reader = tf.train.load_checkpoint(os.fspath(folder / "variables"))
        dtypes, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes the reader raise
        raise manifest.DamagedModelError(
            f"Cannot read the variables of {shown} (variables/variables.index): {_said(error)}"
        ) from None
    total = 0
    for name, dtype in dtypes.items():
        if dtype in (tf.resource, tf.variant):
            raise node_check.Refusal(
                f"the variable {name!r} is a handle of the process that loads it"
            )
        total += math.prod(shapes[name]) * (TEXT_LIMIT if dtype == tf.string else dtype.size)
    return total


def load(folder, shown):
    """Loads the folder that `checked` gave; `shown` is the one that messages name.

    Raises:
        DamagedModelError: TensorFlow cannot load it.
    """
    try:
        return tf.saved_model.load(os.fspath(folder))
    except Exception as error:  # noqa: BLE001 - whatever a crafted graph makes TensorFlow raise
        raise manifest.DamagedModelError(
            f"TensorFlow cannot load {shown}: {_said(error)}"
        ) from error


def _said(error):
    """What TensorFlow says of a model, with the model's own names in it, in one line."""
    return checks.shown(str(error)[:LONGEST])


def _copy(source, target):
    """Copies the files of a SavedModel, if they are plain ones with the names that belong there."""
    try:
        root = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise manifest.DamagedModelError(f"Cannot read {source}: {error.strerror}.") from error
    try:
        budget = {"files": COUNT_LIMIT, "bytes": TOTAL_LIMIT, "shown": source}
        links = store.PACKAGED in Path(source).resolve().parents  # installers link files
        _copy_folder(root, "", target, budget, links)
    except OSError as error:
        raise manifest.DamagedModelError(
            f"Cannot copy {source} to {target}: {error.strerror}."
        ) from error
    finally:
        os.close(root)
    for name in ("saved_model.pb", "variables/variables.index"):
        if not (target / name).exists():
            raise node_check.Refusal(f"{name} is missing")


def _copy_folder(descriptor, prefix, target, budget, links):
    target.mkdir()
    with os.scandir(descriptor) as found:
        # No more than would be refused. The index of the variables comes before what it names.
        entries = sorted(itertools.islice(found, COUNT_LIMIT + 1), key=_is_shard)
    for entry in entries:
        name = f"{prefix}{entry.name}"
        budget["files"] -= 1
        if budget["files"] < 0:
            raise node_check.Refusal(f"it holds more than {COUNT_LIMIT} files and folders")
        if entry.is_symlink():
            raise node_check.Refusal(f"{name} is a symbolic link")
        if entry.is_dir(follow_symlinks=False):
            if name not in _FOLDERS:
                raise node_check.Refusal(f"the folder {name} does not belong there")
            inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)  # fmt: skip
            try:
                _copy_folder(inner, f"{name}/", target / entry.name, budget, links)
            finally:
                os.close(inner)
            continue
        if _is_shard(entry) and prefix == "variables/":
            _check_shard(entry, [e.name for e in entries if _is_shard(e)], target, budget)
        _copy_file(descriptor, entry, name, target / entry.name, budget, links)


_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")


def _is_shard(entry):
    return _SHARD.fullmatch(entry.name) is not None


def _check_shard(entry, shards, folder, budget):
    """Refuses a file of variables that is none of the index's, or larger than what the index names."""
    if "variables" not in budget:
        if not (folder / "variables.index").exists():
            raise node_check.Refusal("variables/variables.index is missing")
        budget["variables"] = (
            _check_variables(folder, budget["shown"]) + MIB
        )  # and some space between them
        count = int(_SHARD.fullmatch(shards[0])[2])
        expected = {f"variables.data-{i:05}-of-{count:05}" for i in range(len(shards))}
        if len(shards) != count or set(shards) != expected:
            raise node_check.Refusal(
                f"its files of variables do not belong together: {', '.join(sorted(shards))}"
            )
    budget["variables"] -= entry.stat(follow_symlinks=False).st_size
    if budget["variables"] < 0:
        raise node_check.Refusal(
            f"variables/{entry.name} is larger than the variables that its index, variables.index, names"
        )


def _copy_file(folder, entry, name, target, budget, links):
    limit = next((limit for pattern, limit in _FILES.items() if re.fullmatch(pattern, name)), None)
    if name.startswith("assets/"):
        raise node_check.Refusal(f"{name} is an asset; a vocabulary belongs into the graph")
    if limit is None:
        raise node_check.Refusal(f"{name} does not belong there")
    _check_file(
        entry.stat(follow_symlinks=False), name, limit, links
    )  # not opened before: a pipe waits
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(entry.name, flags, dir_fd=folder), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_file(os.fstat(file.fileno()), name, limit, links)
        budget["bytes"] -= size
        if budget["bytes"] < 0:
            raise node_check.Refusal(f"its files are larger than {TOTAL_LIMIT // MIB:,} MiB")
        with open(target, "xb") as copy:
            while size > 0 and (
                part := file.read(min(size, MIB))
            ):  # no more, if it grows meanwhile
                copy.write(part)
                size -= len(part)


def _check_file(status, name, limit, links):
    if not stat.S_ISREG(status.st_mode):
        raise node_check.Refusal(f"{name} is no plain file")
    if status.st_nlink > 1 and not links:
        raise node_check.Refusal(
            f"{name} is a hard link, another name of a file that may be anywhere (copy the folder: cp -r)"
        )
    if status.st_size > limit:
        raise node_check.Refusal(f"{name} is larger than {limit / MIB:,.0f} MiB")
