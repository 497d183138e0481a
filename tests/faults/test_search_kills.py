"""A search is killed at random moments, and ends with the trials and scores of one that was not.

One kill; `ZOO_KILLS=10 python -m pytest tests/faults/test_search_kills.py --slow` makes ten, half as many of one of several
processes. The order in which trials are proposed differs there from run to run; what must hold then is that none is lost
or counted twice.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import harness
import pytest
import search_script
import test_kills

from zoo.tuning import results

pytestmark = pytest.mark.slow
WRITES = 80  # of files in a search, about
SCRIPT = str(Path(__file__).with_name("search_script.py"))


def outcome(out):
    """What each trial of a search came to."""
    state = json.loads(Path(out, "oracle.json").read_text())
    found = {}
    for name in state["start_order"]:
        result = results.read(Path(out) / f"trial_{name}")
        found[name] = (result.values, result.score, result.loss, result.epochs, result.reason)
    return sorted(state["end_order"]), found


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def kill_at_random(run, tuner, kills):
    """Kills a search so often at random moments; returns how often it was still going on."""
    rng, codes = random.Random(tuner), []
    for number in range(1, kills + 1):
        # So long after the write of a file: its number among some more than what is left for each kill.
        write = rng.randint(1, 1 + 3 * WRITES // (2 * kills))
        fault = [["zoo.files.write_atomic", "", write], "kill after", rng.uniform(0, 0.5)]
        code, printed = harness.child([fault], run, tuner, script=SCRIPT)
        assert code in (-9, 0), printed  # 0: nothing was left to do
        codes.append(code)
        done = len(list(Path(run).glob("trial_*/result.json")))
        moment = re.search("moment: (.*)", printed)
        moment = moment[1] if moment else "none, it had ended"
        test_kills.note(f"{tuner}, kill {number}: {moment}; {done} trials done")
    return codes.count(-9)


@pytest.mark.parametrize("tuner", ["hyperband", "random", "grid", "bayesian"])
def test_a_search_killed_at_random_moments(tuner, in_tmp):
    search_script.main("WHOLE", tuner)
    kill_at_random("RUN", tuner, test_kills.KILLS)
    search_script.main("RUN", tuner)
    assert outcome("RUN") == outcome("WHOLE")
    assert not [path for path in Path("RUN").rglob(".*") if path.name != ".lock"]
    assert Path("RUN/best.yaml").read_text() == Path("WHOLE/best.yaml").read_text()


KILLS = max(1, test_kills.KILLS // 2)  # three processes begin anew after each
TRIALS = 2 + 2 * KILLS


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
    search = [sys.executable, SCRIPT, "RUN", "random", str(TRIALS)]
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
    process = launched("--max-restarts", str(KILLS))
    rng = random.Random(str(victim))
    for number in range(KILLS if victim else 0):
        known = lambda n=number: len(list(Path("RUN").glob("trial_*"))) > 2 * n  # noqa: E731
        wait_for(known)
        time.sleep(rng.uniform(0, 3))
        os.kill(wait_for(lambda: one_named(process.pid, victim)), signal.SIGKILL)
    printed = process.communicate(timeout=500)[0]
    assert process.returncode == 0, printed
    ended, found = outcome("RUN")
    assert ended == list(found), "a trial was lost or counted twice"
    assert len(found) == TRIALS
    assert all(reason is None for *_, reason in found.values())
    assert len({json.dumps(values, sort_keys=True) for values, *_ in found.values()}) == TRIALS
    assert Path("RUN/best.yaml").exists()
    assert printed.count("was ended by SIGKILL") == (KILLS if victim else 0)
    assert "[tuner1] trial" in printed
