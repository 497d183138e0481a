"""Messages as they are read where options are typed: `epochs=5` is `--epochs 5` there.

Messages are written once, with the names of Python; the command line shows them through `said`. Imports nothing heavy.
"""

import ast
import contextlib
import contextvars
import functools
import logging
import re
import shlex

# Options of verbs that are no settings of a run.
_OF_VERBS = (
    "trials", "tuner", "objective", "fix", "space", "max_params", "max_latency_ms", "max_minutes", "retrain", "quantize", "foreign", "unsafe",
    "allow",
)  # fmt: skip
_VALUE = r"""\.\.\.|'[^']*'|"[^"]*"|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|-?\w+(?:[.-]\w+)*"""
_CALL = re.compile(r"\w\([^()]*(?:\([^()]*\)[^()]*)*\)")  # of Python, which stays as it is
_BOTH_WAYS = re.compile(r"(--(?P<flag>[\w-]+)(?: [^()]*?)?) \((?P<typed>--(?P=flag)\b[^()]*)\)")
_TWICE = re.compile(r"--(?P<flag>[\w-]+)(?: \.\.\.)?(?:,| or) --(?P=flag)\b")

_NAMED = re.compile(r"\b([a-z_]+)(?:,| or) (--[\w-]+)")

_IS_TYPED = contextvars.ContextVar("is_typed", default=False)


@contextlib.contextmanager
def on_the_command_line():
    """Within the block `said` and `Formatter` show messages with the names of options as they are typed."""
    token = _IS_TYPED.set(True)
    try:
        yield
    finally:
        _IS_TYPED.reset(token)


def said(message):
    """A message as it is shown here: on the command line with the options as they are typed."""
    return as_typed(message) if _IS_TYPED.get() else message


class Formatter(logging.Formatter):
    """Shows records of the log as `said` shows messages."""

    def format(self, record):
        return said(super().format(record))


def as_typed(message):
    """A message with settings of Python as options.

    >>> as_typed("epochs=0 is too few: pass epochs=5 (--epochs 5), or skip_bad=True")
    '--epochs 0 is too few: pass --epochs 5, or --skip-bad'
    """
    parts, at = [], 0
    for call in _CALL.finditer(message):
        parts += [_shown(message[at : call.start() + 1]), message[call.start() + 1 : call.end()]]
        at = call.end()
    found = "".join([*parts, _shown(message[at:])])
    found = _BOTH_WAYS.sub(lambda m: max(m[1], m["typed"], key=len), found)
    found = _TWICE.sub(lambda m: f"--{m['flag']}", found)
    return _NAMED.sub(lambda m: m[2] if _flag(m[1]) == m[2] else m[0], found)


@functools.cache
def _patterns():
    """What a setting looks like in a message: with its value, in backticks, or bare where its name is no word of English."""
    from zoo.config.config import OPTIONS  # brings tyro, which `zoo --help` does without

    names = sorted({*OPTIONS, *_OF_VERBS}, key=len, reverse=True)
    every, of_two = "|".join(names), "|".join(name for name in names if "_" in name)
    return (
        re.compile(rf"(?<![\w/.'\"-])({every})=({_VALUE})"),
        re.compile(rf"`({every})`"),
        re.compile(rf"(?<![\w/.'\"=-])({of_two})(?=[ ,.:;)]|$)"),
    )


def _shown(text):
    setting, quoted, bare = _patterns()
    text = setting.sub(lambda m: _typed(m[1], m[2]), text)
    text = quoted.sub(lambda m: _flag(m[1]), text)
    return bare.sub(lambda m: _flag(m[1]), text)


def _flag(name):
    return f"--{name.replace('_', '-')}"


def _typed(name, value):
    """A setting as it is typed: `--kinds a=category` of `kinds={'a': 'category'}`."""
    if value == "...":
        return f"{_flag(name)} ..."
    try:
        value = ast.literal_eval(value)
    except (ValueError, SyntaxError):  # the name of something
        return f"{_flag(name)} {value}"
    if isinstance(value, bool):
        return _flag(name) if value else f"--no-{name.replace('_', '-')}"
    if isinstance(value, dict):
        value = [f"{key}={one}" for key, one in value.items()]
    several = value if isinstance(value, (list, tuple)) else [value]
    return " ".join([_flag(name), *(shlex.quote(str(one)) for one in several)])
