"""What the log says while data are read, kept for the report and the card."""

import contextlib
import logging
import sys
import threading
import time

from zoo.config import typed

log = logging.getLogger("zoo")
MOMENT = 1.0  # seconds for which nobody asks what is going on


class _Heard(logging.Handler):
    """Keeps messages in the order in which they come, each once."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = {}

    def emit(self, record):
        # Where data lie is nobody else's business, and how long it took is not about them.
        if not (hasattr(record, "is_place") or hasattr(record, "is_time")):
            self.lines[record.getMessage().replace("\n", " ")] = record.levelno


@contextlib.contextmanager
def heard():
    """What the log says within a block: yields a dict whose keys are the messages."""
    handler = _Heard()
    log.addHandler(handler)
    try:
        yield handler.lines
    finally:
        log.removeHandler(handler)


@contextlib.contextmanager
def timed(what):
    """Within a block that takes longer than a moment the log says what is being done, and at its end how long it took.

    Args:
        what: Such as `"reading 43,152 examples"`.
    """
    aside, begun = {"is_time": True}, time.monotonic()
    timer = threading.Timer(MOMENT, lambda: log.info("%s ...", what, extra=aside))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if (seconds := time.monotonic() - begun) > MOMENT:
        log.info("%s took %.1f s", what, seconds, extra=aside)


@contextlib.contextmanager
def kept_aside(quiet=False):
    """Within the block everything that the log says is heard, and nothing of it is shown but what takes long.

    Args:
        quiet: Whether that is not shown either.
    """
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(typed.Formatter("%(message)s"))
    terminal.addFilter(lambda record: hasattr(record, "is_time"))
    before = log.level, log.propagate, log.handlers
    log.setLevel(logging.INFO)
    log.propagate, log.handlers = False, [logging.NullHandler() if quiet else terminal]
    try:
        yield
    finally:
        log.level, log.propagate, log.handlers = before
        log.setLevel(log.level)
