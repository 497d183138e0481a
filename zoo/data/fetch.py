"""How a TFDS data set comes to lie on this disk: prepared folders first, then the network; embedded ones are made."""

import contextlib
import io
import logging
import os
import random
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import tensorflow_datasets as tfds

from zoo.models import checks


def cache_dir():
    """The folder where the embedded data sets are prepared: `$XDG_CACHE_HOME/keras-zoo/tfds`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "keras-zoo" / "tfds"


@contextlib.contextmanager
def _random_state_kept():
    """Preparing draws from Python's generator (names of files), and so does Keras (seeds of weights)."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@_random_state_kept()
def find(source, data_dir=None, known=()):
    """Returns a TFDS builder whose data lie on disk; prepares or downloads them where that is needed.

    Looks in `data_dir` (or `ZOO_DATA_DIR`), which may be read-only, then in TFDS's own folders, then downloads.

    Args:
        source: A builder class of ours, or a name of TFDS.
        data_dir: The folder to look in first.
        known: Names to suggest where a name is unknown.

    Raises:
        InputError: There is no such data set, or it is on no disk and the network cannot be reached.
    """
    if not isinstance(source, str):
        return _prepare_embedded(source)
    given = data_dir or os.environ.get("ZOO_DATA_DIR")
    if given and not Path(given).is_dir():
        raise checks.InputError(
            f"The data folder {given} does not exist (given by --data-dir or ZOO_DATA_DIR)."
        )
    looked_in = []
    for folder in [given, None] if given else [None]:  # None: TFDS's own folder
        builder = _builder(source, folder, known)
        if builder.is_prepared():
            return builder
        looked_in.append(str(builder.data_dir))
    return _download(builder, looked_in)


def _builder(name, folder, known):
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.DatasetNotFoundError:
        checks.one_of(
            "data set",
            name,
            known,
            _tfds_names(known),
            "another name of TFDS, or a path to your own",
        )
        raise
    except (
        ValueError,
        AssertionError,
    ) as error:  # a version or a configuration that does not exist
        why = str(error).partition("\n")[0][:300]
        raise checks.InputError(f"TFDS has no data set {name!r}: {why}") from error


def _tfds_names(known):
    with contextlib.suppress(FileNotFoundError):  # the list of community sets may not be on disk
        return [
            name
            for name in tfds.list_builders()
            if name not in known and not name.startswith("zoo_")
        ]
    return []


def _prepare_embedded(builder_class):
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(
        logging.ERROR
    )  # TFDS warns that a set which is not prepared yet is not prepared yet
    try:
        builder = builder_class(data_dir=os.fspath(cache_dir()))
        if builder.is_prepared():
            return builder
        with _alone(builder.name):
            builder = builder_class(
                data_dir=os.fspath(cache_dir())
            )  # another process may have prepared it
            if builder.is_prepared():
                return builder
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                builder.download_and_prepare()
    finally:
        absl.setLevel(level)
    return builder


@contextlib.contextmanager
def _alone(name):
    """Lets one process at a time prepare an embedded data set."""
    import fcntl  # not on Windows

    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        lock = open(cache_dir() / f".{name}.lock", "w")  # noqa: SIM115
    except OSError as error:
        raise checks.InputError(
            f"Cannot prepare data in {cache_dir()}: {error.strerror}. Set XDG_CACHE_HOME to a folder you can write."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(builder, looked_in):
    hosts = {urlsplit(url).hostname for url in builder.url_infos}
    proxied = any(
        os.environ.get(key) for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    )
    for host in sorted(hosts) if not proxied else []:
        if not _reachable(host):
            raise checks.InputError(
                f"The data set {builder.name!r} is not prepared in {' or '.join(looked_in)}, and {host} cannot be "
                "reached to download it.\nPrepare it on a machine with a network and pass its folder with "
                "--data-dir, or use an embedded set: digits, breast_cancer, wine, diabetes."
            )
    builder.download_and_prepare()
    return builder


def _reachable(host, seconds=5):
    """Whether a host answers; TFDS itself would try for minutes."""
    answered = []

    def connect():
        with contextlib.suppress(OSError), socket.create_connection((host, 443), timeout=seconds):
            answered.append(True)

    thread = threading.Thread(
        target=connect, daemon=True
    )  # looking up the name has no time limit of its own
    thread.start()
    thread.join(seconds + 1)
    return bool(answered)
