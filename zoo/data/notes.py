"""What the log says while data are read, kept for the report and the card."""

import contextlib
import logging

log = logging.getLogger("zoo")


class _Heard(logging.Handler):
    """Keeps messages in the order in which they come, each once."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = {}

    def emit(self, record):
        if not hasattr(record, "is_place"):  # where data lie is nobody else's business
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
def kept_aside():
    """Within the block everything that the log says is heard, and nothing of it is shown."""
    before = log.level, log.propagate, log.handlers
    log.setLevel(logging.INFO)
    log.propagate, log.handlers = False, [logging.NullHandler()]
    try:
        yield
    finally:
        log.level, log.propagate, log.handlers = before
        log.setLevel(log.level)
