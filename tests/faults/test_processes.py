"""Faults of a running process: killed, asked to end, out of disk, out of numbers."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fault_table as table
import harness
import pytest
from fault_table import OPTIONS, SAVED

from zoo import files

pytestmark = pytest.mark.slow
FRESH = {  # resumed in a process of its own, too; the others in this one, which is quicker
    "at a random moment of an epoch",
    "when half of a checkpoint is written",
    "SIGTERM in mid-epoch",
    "Ctrl-C in mid-epoch",
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What the run leaves when nothing happens to it."""
    run = tmp_path_factory.mktemp("unbroken") / "RUN"
    code, printed = harness.here(*OPTIONS, *SAVED, "--out", run)
    assert code == 0, printed
    return harness.outcome(run)


def inject(row):
    """Runs into the fault of a row and checks what the row says of it."""
    code, printed = harness.child(row.how, *OPTIONS, *row.options, "--out", "RUN")
    check(row, code, printed)


def check(row, code, printed):
    assert code == (-9 if row.code == 137 else row.code), printed
    assert harness.says(row.says, printed), printed
    assert "Traceback" not in printed, printed
    assert "Exception ignored" not in printed, printed
    if row.again:
        code, printed = harness.child(row.again, "--resume", "RUN")
        assert code == -9, printed
    if row.kept is not None:
        assert harness.newest("RUN") == row.kept
    if "no half version" in row.happens:
        assert not os.listdir("RUN/export")


def resume(row, unbroken):
    if not harness.is_left_anew("RUN") and row.happens not in FRESH:
        return
    run = harness.child if row.happens in FRESH else lambda faults, *rest: harness.here(*rest)
    code, printed = run([], "--resume", "RUN")
    assert code == 0, printed
    assert harness.outcome("RUN") == unbroken
    assert files.versions("RUN/export") == [1]


@pytest.mark.parametrize(
    "row", table.KILLED + table.ASKED + table.NUMBERS, ids=lambda row: row.happens
)
def test_a_fault_and_what_comes_after(row, unbroken, in_tmp):
    inject(row)
    if row.then == table.NO_RUN:
        code, printed = harness.here("--resume", "RUN")
        assert code == 2
        assert "RUN is not the folder of a run" in printed
        assert "has lost nothing: remove it and begin again" in printed
    else:
        resume(row, unbroken)


@pytest.mark.parametrize("row", table.FULL_DISK, ids=lambda row: row.happens)
def test_a_full_disk(row, unbroken, in_tmp):
    with harness.small_disk(in_tmp, 8 if "too small" in row.happens else 24):
        inject(row)
        if row.then == table.NOTHING:
            assert not os.path.exists("RUN")
            return
        (shutil.rmtree if os.path.isdir("filler") else os.remove)("filler")
        resume(row, unbroken)


def test_a_loop_of_the_shell_ends_when_the_run_is_finished(unbroken, in_tmp):
    killed, finished = table.LOOPED
    code, printed = harness.child(table.step(12, *table.KILL), *OPTIONS, *SAVED, "--out", "RUN")
    check(killed, code, printed)
    loop = f"until '{sys.executable}' '{harness.TABLE}' --resume RUN; do :; done"
    shell = subprocess.run(["sh", "-c", loop], capture_output=True, text=True, check=True)
    assert shell.stdout.count("exported RUN/export/1") == 1
    assert harness.outcome("RUN") == unbroken
    again = harness.child([], "--resume", "RUN")
    check(finished, *again)
    assert harness.outcome("RUN") == unbroken
    assert files.versions("RUN/export") == [1]


def test_the_clock_of_the_system_jumps_back(unbroken, in_tmp):
    """What the C library tells of the time, as the rows above do to Python's: a day back in mid-epoch, before a kill."""
    library = Path(pytest.importorskip("libfaketime").__file__).parent
    (library,) = library.rglob("libfaketime.so.1")
    Path("clock").write_text("+0")
    variables = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(Path("clock").absolute()),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    faults = json.dumps(table.step(4, "wait", "step") + table.step(12, *table.KILL))
    command = [sys.executable, harness.DRIVER, faults, harness.TABLE, *OPTIONS, *SAVED, "--out", "RUN"]  # fmt: skip
    process = subprocess.Popen(
        command,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not os.path.exists("step.reached"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    Path("clock").write_text("-1d")
    Path("go").touch()
    printed = process.communicate()[0]
    assert process.returncode == -9, printed
    days = [line[:10] for line in Path("RUN/log.txt").read_text().splitlines()]
    assert days[-1] < days[0], days
    assert harness.newest("RUN") == 11
    code, printed = harness.here("--resume", "RUN")
    assert code == 0, printed
    assert harness.outcome("RUN") == unbroken
