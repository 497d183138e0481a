"""A search is killed at random moments, and ends with the trials and scores of one that was not.

Two kills; `ZOO_KILLS=10 python -m pytest tests/faults/test_search_kills.py --slow` makes ten. With several processes the
order in which trials are proposed differs from run to run; what must hold then is that none is lost or counted twice.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import search_script
import test_kills
import warm

from zoo.tuning import results

pytestmark = pytest.mark.slow
SCRIPT = str(Path(__file__).with_name("search_script.py"))


def outcome(out):
    """What each trial of a search came to."""
    state = json.loads(Path(out, "oracle.json").read_text())
    found = {}
    for name in state["start_order"]:
        result = results.read(Path(out) / f"trial_{name}")
        found[name] = (result.values, result.score, result.loss, result.epochs, result.reason)
    return sorted(state["end_order"]), found


def starts(out):
    """How often a search has begun or gone on."""
    log = Path(out, "log.txt")
    return log.read_text().count(" search: ") if log.exists() else 0


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("tuner", ["hyperband", "random", "grid", "bayesian"])
def test_a_search_killed_at_random_moments(tuner, in_tmp):
    begun = time.monotonic()
    search_script.main("WHOLE", tuner)
    seconds = time.monotonic() - begun
    rng = random.Random(tuner)
    for number in range(test_kills.KILLS):
        process = warm.start(SCRIPT, "RUN", tuner, together=True)
        wait_for(lambda n=number: starts("RUN") > n)
        delay = rng.uniform(0, 1.5 * seconds / test_kills.KILLS)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        printed = process.communicate()[0]
        done = len(list(Path("RUN").glob("trial_*/result.json")))
        test_kills.note(f"{tuner}, kill {number} after {delay:.1f} s: {done} trials done")
        assert process.returncode in (-9, 0), printed
    search_script.main("RUN", tuner)
    assert outcome("RUN") == outcome("WHOLE")
    assert Path("RUN/best.yaml").read_text() == Path("WHOLE/best.yaml").read_text()


def launched(*options):
    """`zoo launch --tuner` with two workers, as a process."""
    command = [
        sys.executable,
        "-m",
        "zoo.cli",
        "launch",
        "--tuner",
        "--workers",
        "2",
        *options,
        "--",
    ]
    search = [sys.executable, SCRIPT, "RUN", "random"]
    return subprocess.Popen(
        [*command, *search], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def one_named(parent, name):
    """The number of the child process that has a name among the tuners."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes().split(b"\0")
            stat = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if f"KERASTUNER_TUNER_ID={name}".encode() in environment and int(stat[1]) == parent:
            return int(path.name)
    return None


@pytest.mark.parametrize("victim", [None, "tuner0", "chief"])
def test_several_workers_one_of_which_is_killed(victim, in_tmp):
    process = launched("--max-restarts", str(test_kills.KILLS))
    rng = random.Random(str(victim))
    for number in range(test_kills.KILLS if victim else 0):
        known = lambda n=number: len(list(Path("RUN").glob("trial_*"))) > n  # noqa: E731
        wait_for(known)
        time.sleep(rng.uniform(0, 3))
        os.kill(wait_for(lambda: one_named(process.pid, victim)), signal.SIGKILL)
    printed = process.communicate(timeout=500)[0]
    assert process.returncode == 0, printed
    ended, found = outcome("RUN")
    assert ended == list(found), "a trial was lost or counted twice"
    assert len(found) == 6
    assert all(reason is None for *_, reason in found.values())
    assert len({json.dumps(values, sort_keys=True) for values, *_ in found.values()}) == 6
    assert Path("RUN/best.yaml").exists()
    assert printed.count("was ended by SIGKILL") == (test_kills.KILLS if victim else 0)
    assert "[tuner1] trial" in printed
