"""Files and folders that are never half-written: write beside, flush to disk, then rename."""

import contextlib
import os
import platform
import re
import secrets
import shutil
import tokenize
import zipfile
import zlib
from pathlib import Path

from zoo.models import checks


def write_atomic(path, content):
    """Writes a file so that a reader sees the old content or the new, never a part.

    Args:
        path: File to write; its folder must exist.
        content: `str` (written as UTF-8), `bytes`, or a function that writes into the open file it is given.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _flush_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def claim_folder(path):
    """Creates a folder that nobody else writes to, and returns its path.

    Raises:
        InputError: The folder exists, or cannot be created.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()  # fails if it exists: of two processes, one gets it
    except FileExistsError:
        if not path.exists():  # what exists is no folder, further up
            raise checks.InputError(f"Cannot create {path}: a part of it is a file.") from None
        raise checks.InputError(
            f"{path} exists already. Every run writes a folder of its own: choose another name or remove it."
        ) from None
    except OSError as error:
        raise checks.InputError(f"Cannot create the folder {path}: {error.strerror}.") from error
    return path


def claim_numbered_folder(base, stem):
    """Creates `base/stem-N` with the first free N, and returns its path."""
    number = 1
    while True:
        path = Path(base) / f"{stem}-{number}"
        if not path.exists():
            try:
                return claim_folder(path)
            except checks.InputError:
                if not path.exists():
                    raise
        number += 1


# What NumPy and zipfile raise for a file that somebody damaged or made up: of a cut header TokenError and SyntaxError, of an unknown way of
# packing NotImplementedError, of a password RuntimeError, of a made-up size MemoryError.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError, RuntimeError, SyntaxError),
    *(MemoryError, OverflowError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)  # fmt: skip


def read_arrays(path):
    """The arrays of a `.npz` file by name, or the array of a `.npy` file.

    Raises:
        ValueError: It cannot be read, or holds Python objects.
    """
    import numpy as np  # `zoo --help` reads this file, too

    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return {name: found[name] for name in found.files}
    except _UNREADABLE as error:
        raise ValueError(f"it cannot be read: {type(error).__name__}") from error


_LEFT_BEHIND = re.compile(
    r"\.staged-.+|\..+\.[0-9a-f]{8}"
)  # as write_atomic and new_version name them


def remove_leftovers(folder):
    """Removes what writers of a folder left half-written when they were killed; hold its lock meanwhile."""
    for path in [p for p in Path(folder).rglob(".*") if _LEFT_BEHIND.fullmatch(p.name)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def locked(folder):
    """Keeps other processes out of a folder while the block runs.

    The lock is the system's: it ends with the process that holds it, however that process ends.

    Raises:
        InputError: Another process has the folder; the message names it.
    """
    import fcntl  # not on Windows

    path = Path(folder) / ".lock"
    if path.is_dir():
        raise checks.InputError(
            f"{path} is a folder, and should be the file by which processes are kept apart: remove it."
        )
    with open(path, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise checks.InputError(
                f"{folder} is in use by process {lock.read() or '(unknown)'}: wait until that has ended, or stop it."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {platform.node()}")
        lock.flush()
        yield


def check_space(folder, size):
    """Raises `InputError` unless the disk of a folder has room.

    Args:
        folder: A folder that exists.
        size: Bytes to be written.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise checks.InputError(
            f"The disk of {folder} has {free / 2**20:,.0f} MiB left, but this run writes about {size / 2**20:,.0f} MiB: "
            "free some, or choose another folder with out=FOLDER (--out FOLDER)."
        )


def versions(base):
    """Returns the version numbers (folders with a whole number as name) in a folder, in rising order."""
    if not Path(base).is_dir():
        return []
    return sorted(int(p.name) for p in Path(base).iterdir() if p.name.isdecimal() and p.is_dir())


@contextlib.contextmanager
def new_version(base):
    """Gives a temporary folder that becomes `base/<next version>` when the block ends without an error.

    Yields:
        A dict with the key `folder`, to write into; after the block `path` is the finished version.
    """
    base = Path(base)
    base.mkdir(parents=True, exist_ok=True)
    staged = {"folder": base / f".staged-{os.getpid()}-{secrets.token_hex(4)}"}
    staged["folder"].mkdir()
    try:
        yield staged
        _flush_tree(staged["folder"])
        staged["path"] = _rename_to_next(staged["folder"], base)
    finally:
        shutil.rmtree(staged["folder"], ignore_errors=True)


def _rename_to_next(folder, base):
    while True:
        target = base / str(max(versions(base), default=0) + 1)
        try:
            os.rename(
                folder, target
            )  # fails on a folder that holds anything: of two writers, each gets a number
        except OSError:
            if not target.exists():
                raise
        else:
            _flush_folder(base)
            return target


def _flush_tree(folder):
    for directory, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                os.fsync(file.fileno())
        _flush_folder(directory)


def _flush_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
