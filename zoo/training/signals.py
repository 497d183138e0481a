"""Ctrl-C and SIGTERM: what a process does when it is asked to end."""

import contextlib
import contextvars
import os
import signal
import sys
import threading

_MEANT = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


@contextlib.contextmanager
def terminating():
    """Within the block SIGTERM ends the process with 143 after its `finally` blocks, not in the middle of a write."""

    def end(number, frame):
        sys.exit(128 + number)

    with _handling({signal.SIGTERM: end}):
        yield


_COMMAND = contextvars.ContextVar("command", default=False)


@contextlib.contextmanager
def of_a_command():
    """Within the block Ctrl-C means the process, as at a terminal; elsewhere, as in a notebook, it means the training."""
    token = _COMMAND.set(True)
    try:
        yield
    finally:
        _COMMAND.reset(token)


def is_command():
    """Whether Ctrl-C means the process: `of_a_command`."""
    return _COMMAND.get()


@contextlib.contextmanager
def deferring():
    """Within the block Ctrl-C and SIGTERM are noted and acted on after it; the second of them ends the process at once.

    Yields:
        A list that gets the signal's number.
    """
    asked = []

    def note(number, frame):
        if asked:
            os._exit(128 + number)
        asked.append(number)
        text = f"\n{_MEANT[number]}: saving at the end of this step; once more ends at once\n"
        os.write(2, text.encode())  # a signal may come in the middle of a print

    with _handling(dict.fromkeys(_MEANT, note)):
        yield asked
    if asked:
        leave_if(asked[0])


def leave_if(number):
    """Ends the process as a signal asked for: with 130 (Ctrl-C) or 143 (SIGTERM); goes on where it is `None`."""
    if number is None:
        return
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


@contextlib.contextmanager
def _handling(handlers):
    """Sets signal handlers for a block; only a process's main thread can.

    A signal that the process was started to ignore, as a shell script's `command &` ignores Ctrl-C, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
