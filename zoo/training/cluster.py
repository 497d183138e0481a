"""Which of several workers this process is: what `TF_CONFIG` says. Imports no TensorFlow."""

import dataclasses
import json
import os
import sys

from zoo.models import checks

VARIABLE = "TF_CONFIG"
LOST = 75  # exit code of a worker whose fellows are gone: a later try may succeed (sysexits.h: EX_TEMPFAIL)
_EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Place:
    """This process among the workers of a run.

    Attributes:
        index: Its number, from 0: the chief, which alone writes the run's folder.
        count: How many workers there are.
        addresses: `host:port` of each.
    """

    index: int = 0
    count: int = 1
    addresses: tuple[str, ...] = ()

    @property
    def is_chief(self):
        return self.index == 0


def tf_config(addresses, index):
    """The value of `TF_CONFIG` for one of some workers.

    >>> tf_config(["a:1", "b:1"], 1)
    '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    """
    return json.dumps(
        {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    )


def here(environment=None):
    """The place of this process; that of a single worker where `TF_CONFIG` is not set.

    Args:
        environment: Environment variables; those of the process where it is `None`.

    Raises:
        InputError: `TF_CONFIG` is none, or describes other roles than workers.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "")
    if not text.strip():
        return Place()
    try:
        content = json.loads(text)
        cluster, task = content.get("cluster") or {}, content.get("task") or {}
        if not cluster:
            return Place()
        kind, index = task["type"], int(task["index"])
        addresses = {name: list(cluster[name]) for name in cluster}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise checks.InputError(
            f"{VARIABLE} cannot be read ({type(error).__name__}: {error}). It must be like {_EXAMPLE}. Received: {text}"
        ) from error
    roles = sorted({*addresses, kind} - {"chief", "worker"})
    if roles:
        raise checks.InputError(
            f"{VARIABLE} has the role {roles[0]!r}; this project runs on workers only (and a chief among them). "
            f"It must be like {_EXAMPLE}."
        )
    if not 0 <= index < len(addresses.get(kind, ())):
        raise checks.InputError(
            f"{VARIABLE} says that this is {kind} {index}, but it lists {len(addresses.get(kind, ()))} of them: {text}"
        )
    chiefs = addresses.get("chief", [])
    place = index if kind == "chief" else index + len(chiefs)
    every = (*chiefs, *addresses.get("worker", []))
    return Place(place, len(every), every)


def let_the_chief_speak():
    """Of several workers one prints results, which are the same on all; every one prints its errors."""
    if not here().is_chief:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
