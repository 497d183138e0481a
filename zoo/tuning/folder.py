"""The folder of a search: begun once, gone on with by the same settings only, one search at a time."""

import contextlib
import json
import logging
import os
import time
from pathlib import Path

import yaml

from zoo import files
from zoo.config.config import TrainConfig
from zoo.models import checks
from zoo.training import signals
from zoo.training.run import logging_to

log = logging.getLogger("zoo.tuning")

SETTINGS = "search.yaml"
EXAMPLES = "examples"  # their digest in the settings
CODE = "builder"  # the setting that holds a digest of the code of a builder function
WAIT = 600  # seconds that a worker waits for the chief to begin the search
_UNUSED = (".lock", "log*.txt", f".{SETTINGS}.*")  # what may be left of a search that was refused


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
        settings: From `compared`.

    Yields:
        The folder; `begin` comes before its first trial.

    Raises:
        InputError: It is in use, holds something else, or a search with other settings.
    """
    folder = Path(config.run.out)
    name = "log.txt"
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.terminating())
        if is_worker():
            name = f"log-{os.environ['KERASTUNER_TUNER_ID']}.txt"
            _wait_for(folder)
        else:
            if not folder.is_dir():
                files.claim_folder(folder)
            stack.enter_context(files.locked(folder))
            _check_unused(folder)
        if (folder / SETTINGS).exists():  # before the data are read
            _check_same(folder, settings)
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


def compared(config, settings):
    """What must be the same when a search goes on: settings, as a dict, and the `TrainConfig`."""
    return {**settings, "config": config.to_dict(without=("out", "quiet", "data_dir"))}


def begin(folder, settings):
    """Writes the settings of a search that nothing is wrong with, unless it goes on: then they must be the same.

    Args:
        folder: From `opened`.
        settings: From `compared`, with what only the data told.
    """
    if is_worker():
        _wait_for(folder / SETTINGS)
    elif not (folder / SETTINGS).exists():
        text = yaml.safe_dump(_plain(settings), sort_keys=False)
        files.write_atomic(folder / SETTINGS, text)
    _check_same(folder, settings)


def _check_unused(folder):
    """Refuses a folder that is neither empty nor a search's."""
    if (folder / SETTINGS).exists():
        return
    if any(not any(map(path.match, _UNUSED)) for path in folder.iterdir()):
        raise checks.InputError(
            f"{folder} holds other files and no search: choose another folder with out=FOLDER (--out FOLDER)."
        )


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
    # An option that the version did not have which began it is at its default.
    then = _flat({"config": TrainConfig().to_dict()}) if "config" in now else {}
    if begun.get(CODE) is None:  # of a version that did not keep it
        now = {key: value for key, value in now.items() if key != CODE}
    then, now = then | _flat({key: begun.get(key) for key in now}), _flat(_plain(now))
    for key in sorted({**then, **now}, key=lambda key: key == CODE):  # what differs says more
        if then.get(key) != now.get(key):
            if key == EXAMPLES:
                raise checks.InputError(
                    f"The search in {folder} was begun with other training or validation examples, with which these trials "
                    "would not compare: use those, or choose another folder with out=FOLDER (--out FOLDER)."
                )
            if key == CODE:
                raise checks.InputError(
                    f"The search in {folder} was begun with another builder function of the same name, whose trials these would "
                    "not compare with: choose another folder with out=FOLDER (--out FOLDER)."
                )
            raise checks.InputError(
                f"The search in {folder} was begun with {key}={then.get(key)!r} and cannot go on with {now.get(key)!r}: "
                "leave that as it was, or choose another folder with out=FOLDER (--out FOLDER)."
            )


def _plain(settings):
    """The settings as a file gives them back."""
    return json.loads(json.dumps(settings, default=repr))


def _flat(settings, before=""):
    found = {}
    for key, value in settings.items():
        parts = (
            _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        )
        found |= parts
    return found
