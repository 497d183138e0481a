"""Faults of two workers, each a real process."""

import contextlib
import io
import json
import os
import random
import re
import signal
import time
from pathlib import Path

import crew
import harness
import numpy as np
import pytest
import test_kills
import worker_table as table
from fault_table import NOTHING, OPTIONS, SAVED, step
from tolerances import ROUNDING, assert_close

from zoo import files

pytestmark = pytest.mark.slow
WORKERS = 2


def start(how, *arguments, own=None, late=0.0):
    """Starts the workers with their faults and their own options."""
    more = [
        [json.dumps(how.get(index, [])), harness.TABLE, *arguments, *(own or {}).get(index, [])]
        for index in range(WORKERS)
    ]
    return crew.start(WORKERS, harness.DRIVER, own=more, late=late)


def end(processes):
    """Waits for the workers; returns their exit codes and what each printed."""
    printed = [process.communicate()[0] for process in processes]
    return tuple(process.returncode for process in processes), printed


def assert_same(run, unbroken):
    """Checks that a run ended with the bits of the unbroken one.

    The mean loss of an epoch that was broken is added up in another order: its last digit may differ.
    """
    ended, unbroken = harness.outcome(run), dict(unbroken)
    rows, others = (
        np.genfromtxt(io.StringIO(found.pop("metrics.csv")), delimiter=",", skip_header=1)
        for found in (ended, unbroken)
    )
    for column, other in zip(rows.T, others.T, strict=True):
        assert_close(column, other, ROUNDING, scale=np.nanmax(np.abs(other)) or 1)
    assert ended == unbroken


def wake(pid):
    """Waits until a process is stopped, and lets it go on after three seconds."""
    deadline = time.monotonic() + 120
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "it was not stopped"
        time.sleep(0.05)
    time.sleep(3)
    os.kill(pid, signal.SIGCONT)


def resume():
    codes, printed = end(start({}, "--resume", "RUN"))
    assert codes == (0, 0), printed


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What two workers leave when nothing happens to them."""
    run = tmp_path_factory.mktemp("unbroken") / "RUN"
    codes, printed = end(start({}, *OPTIONS, *SAVED, "--out", run))
    assert codes == (0, 0), printed
    return harness.outcome(run)


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.happens)
def test_a_fault_of_two_workers_and_what_comes_after(row, unbroken, in_tmp):
    with (
        harness.small_disk(in_tmp, 24)
        if "chief's disk" in row.happens
        else contextlib.nullcontext()
    ):
        processes = start(row.how, *OPTIONS, *SAVED, "--out", "RUN", own=row.own, late=row.late)
        if "SIGCONT" in row.happens:
            wake(processes[next(iter(row.how))].pid)
        if "hangs" in row.happens:
            printed = [processes[0].communicate()[0], ""]
            os.kill(processes[1].pid, signal.SIGKILL)
            processes[1].communicate()
            codes = tuple(process.returncode for process in processes)
        else:
            codes, printed = end(processes)
        assert codes == tuple(-9 if code == 137 else code for code in row.codes), printed
        assert harness.says(row.says, printed[1] + printed[0] + printed[1]), printed
        assert not any("Traceback" in text for text in printed), printed
        if row.then == NOTHING:
            assert not os.path.exists("RUN/checkpoints") or not os.listdir("RUN/checkpoints")
            return
        if row.kept is not None:
            assert harness.newest("RUN") == row.kept
        if os.path.exists("filler"):
            os.remove("filler")
        if codes != (0, 0):
            if not harness.is_left_anew("RUN"):
                return
            resume()
        assert_same("RUN", unbroken)
        assert files.versions("RUN/export") == [1]


@pytest.mark.parametrize("number", range(test_kills.KILLS))
def test_a_random_worker_is_killed_at_a_random_moment(number, unbroken, in_tmp):
    rng = random.Random(number)
    victim, moment = rng.randrange(WORKERS), rng.randrange(1, 32)
    fault = step(moment, "kill after", rng.uniform(0, 0.05))
    processes = start({victim: fault}, *OPTIONS, *SAVED, "--out", "RUN")
    printed = processes[victim].communicate()[0]
    begun = time.monotonic()
    others = [process.communicate()[0] for process in processes if process is not processes[victim]]
    noticed = time.monotonic() - begun
    assert processes[victim].returncode == -9, printed
    assert all(process.returncode in (75, -9) for process in processes), others
    where = re.search("moment: (.*)", printed)[1]
    resume()
    ended = harness.outcome("RUN")
    test_kills.note(
        f"workers, kill {number + 1}: worker {victim}, {where}; noticed and left after {noticed:.1f} s; "
        f"ended with {ended['every variable after the last step'][:16]}"
    )
    assert_same("RUN", unbroken)


@pytest.mark.parametrize("seconds", [None, 3.0], ids=["for good", "for three seconds"])
def test_the_link_between_two_machines_is_cut_in_mid_step(seconds, unbroken, in_tmp):
    reached = [[["keras.callbacks.CallbackList.on_train_batch_begin", "", 13], "wait", "step"]]
    with crew.two_machines() as (names, link):
        chief = [json.dumps(reached), harness.TABLE, *OPTIONS, *SAVED, "--out", "RUN"]
        processes = crew.start_on(names, harness.DRIVER, *chief)
        while not os.path.exists("step.reached"):  # by both, or by the first of them
            assert processes[0].poll() is None, processes[0].communicate()
            time.sleep(0.01)
        link("down")
        Path("go").touch()
        if seconds is not None:
            time.sleep(seconds)
            link("up")
        begun = time.monotonic()
        printed = [process.communicate()[0] for process in processes]
        codes = tuple(process.returncode for process in processes)
        if seconds is None:
            assert codes == (75, 75), printed
            assert all(harness.says(table.LOST, text) for text in printed), printed
            test_kills.note(f"workers, link cut: left after {time.monotonic() - begun:.1f} s")
            assert harness.newest("RUN") == 11
            resume()
        else:
            assert codes == (0, 0), printed
    assert_same("RUN", unbroken)
