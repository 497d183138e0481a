"""The folder of a search: begun once, gone on with by the same settings only, one search at a time."""

import contextlib
import logging
import os
import time
from pathlib import Path

import yaml

from zoo import files
from zoo.models import checks
from zoo.training import signals
from zoo.training.run import logging_to

log = logging.getLogger("zoo.tuning")

SETTINGS = "search.yaml"
WAIT = 600  # seconds that a worker waits for the chief to begin the search
_UNUSED = {".lock", "log.txt"}


def is_worker():
    """Whether this process runs trials that a chief in another process proposes."""
    return _has_chief() and "chief" not in os.environ.get("KERASTUNER_TUNER_ID", "")


def _has_chief():
    return "KERASTUNER_ORACLE_IP" in os.environ


@contextlib.contextmanager
def opened(config, settings):
    """The folder of a search, which no other search can use meanwhile; a worker's chief has it already.

    Args:
        config: The `TrainConfig`; its `out` is the folder.
        settings: What else must be the same when the search goes on, as a dict.

    Yields:
        The folder.

    Raises:
        InputError: It is in use, holds something else, or a search with other settings.
    """
    folder = Path(config.run.out)
    free = dict.fromkeys(("out", "quiet", "data_dir"))
    settings = {**settings, "config": yaml.safe_load(config.replace(**free).to_yaml())}
    text = yaml.safe_dump(settings, sort_keys=False)
    name = "log.txt"
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.terminating())
        if is_worker():
            name = f"log-{os.environ['KERASTUNER_TUNER_ID']}.txt"
            _wait_for(folder / SETTINGS)
        else:
            if not folder.is_dir():
                files.claim_folder(folder)
            stack.enter_context(files.locked(folder))
            _begin(folder, text)
        _check_same(folder, yaml.safe_load(text))
        if not _has_chief():  # otherwise other processes may be writing
            files.remove_leftovers(folder)
        quiet = config.run.quiet
        stack.enter_context(logging_to(folder / name, quiet=quiet, level=logging.INFO, log=log))
        log.info("search: %s", folder)
        try:
            yield folder
        except (KeyboardInterrupt, SystemExit):
            log.info("stopped; the same command goes on with it")
            raise


def _begin(folder, text):
    """Writes the settings into a folder where nothing is yet."""
    if (folder / SETTINGS).exists():
        return
    left = {path.name for path in folder.iterdir() if not path.name.startswith(f".{SETTINGS}.")}
    if left - _UNUSED:
        raise checks.InputError(
            f"{folder} holds other files and no search: choose another folder with out=... (--out)."
        )
    files.write_atomic(folder / SETTINGS, text)


def _wait_for(path):
    begun = time.monotonic()
    while not path.exists():
        if time.monotonic() - begun > WAIT:
            raise checks.InputError(
                f"There is no {path} after {WAIT} s: the chief has not begun. All workers need the chief's folder (--out)."
            )
        time.sleep(0.2)


def _check_same(folder, now):
    begun = yaml.safe_load((folder / SETTINGS).read_text())
    then, now = (_flat(settings) for settings in (begun, now))
    for key in {**then, **now}:
        if then.get(key) != now.get(key):
            raise checks.InputError(
                f"The search in {folder} was begun with {key}={then.get(key)!r} and cannot go on with {now.get(key)!r}: "
                "leave that as it was, or choose another folder with out=... (--out)."
            )


def _flat(settings, before=""):
    found = {}
    for key, value in settings.items():
        parts = (
            _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        )
        found |= parts
    return found
