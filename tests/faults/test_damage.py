"""Faults of what a run stands on: its files, the data, its folder, other processes, other settings."""

import contextlib
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import fault_table as table
import harness
import pytest
from fault_table import OPTIONS, SAVED

import zoo
from zoo import files

pytestmark = pytest.mark.slow
DIGITS = ["--model", "dense:tiny", "--model-args", "dropout=0.3", "--epochs", "2", "--batch-size", "128"]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run that nothing happened to."""
    run = tmp_path_factory.mktemp("finished") / "RUN"
    code, printed = harness.here(*OPTIONS, *SAVED, "--out", run)
    assert code == 0, printed
    return run


@pytest.fixture(scope="module")
def unbroken(finished):
    return harness.outcome(finished)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run that was killed after 23 of its 32 steps."""
    run = tmp_path_factory.mktemp("killed") / "RUN"
    code, printed = harness.child(
        table.step(23, *table.KILL), *OPTIONS, *SAVED, "--out", run, "--keep-checkpoints", "2"
    )
    assert code == -9, printed
    names = [path.name for path in sorted((run / "checkpoints").iterdir())]
    assert names == [f"step-{number:09}.npz" for number in (16, 19, 22)]
    return run


def resume(row, *arguments, script=harness.TABLE):
    """Resumes RUN and checks what the row says of it."""
    code, printed = harness.here("--resume", "RUN", *arguments, script=script)
    assert code == row.code, printed
    assert harness.says(row.says, printed), printed
    return code


def goes_on(unbroken, run="RUN", script=harness.TABLE):
    code, printed = harness.here("--resume", run, script=script)
    assert code == 0, printed
    assert harness.outcome(run) == unbroken


@pytest.mark.parametrize("row", table.DAMAGED, ids=lambda row: row.happens)
def test_damaged_files(row, killed, finished, unbroken, in_tmp):
    whole = finished if row.finished else killed
    shutil.copytree(whole, "RUN")
    row.how(Path("RUN"))
    if "zoo verify" in row.happens:
        with pytest.raises(zoo.InputError, match="variables.data-00000-of-00001 has changed"):
            zoo.verify("RUN")
    if resume(row) != 0:
        if "all checkpoints" in row.happens:
            resume(row)  # still refused: nobody has mended anything
            shutil.rmtree("RUN/checkpoints")
        elif "in place of metrics.csv" in row.happens:
            os.rmdir("RUN/metrics.csv")
        else:
            shutil.copy(whole / "config.yaml", "RUN")
        goes_on(unbroken)
        return
    left = harness.outcome("RUN")
    if row.then == table.LAST_KEPT:
        assert left["weights of the export"] != unbroken["weights of the export"]
        kept = ("steps", "every variable after the last step", "metrics.csv", "leftovers")
        left, unbroken = ({key: side[key] for key in kept} for side in (left, unbroken))
    assert left == unbroken
    assert files.versions("RUN/export")[-1] == (
        2 if "/export/2" in row.says or row.then == table.LAST_KEPT else 1
    )


# Data


def killed_on_digits(place, streamed):
    """Makes a run that is killed after 13 of its 20 steps; returns what an unbroken one leaves."""
    with way_of(place, streamed) as patch:
        patch.chdir(place)
        code, printed = harness.here(*DIGITS, *SAVED, "--out", "WHOLE", script=harness.IMAGES)
        assert code == 0, printed
        faults = table.call(table.LOAD, "stream") * streamed + table.step(13, *table.KILL)
        code, printed = harness.child(
            faults, *DIGITS, *SAVED, "--out", "RUN", script=harness.IMAGES
        )
        assert code == -9, printed
        assert harness.newest("RUN") == 10
        return harness.outcome("WHOLE")


@contextlib.contextmanager
def way_of(place, streamed):
    """Has data prepared in a place of their own, and perhaps none of them held in memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place))
        if streamed:
            patch.setattr("zoo.data.examples.example_bytes", lambda spec: 2**30)
        yield patch


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory):
    place = tmp_path_factory.mktemp("memory")
    return place, False, killed_on_digits(place, False)


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    place = tmp_path_factory.mktemp("streamed")
    return place, True, killed_on_digits(place, True)


def prepared(place, split):
    (path,) = place.glob(f"keras-zoo/tfds/zoo_digits/*/*-{split}.tfrecord*")
    return path


def record(content, number):
    """Where a record begins: its length (8 bytes), their check sum (4), the record, its check sum (4)."""
    start = 0
    for _ in range(number):
        start += 16 + struct.unpack_from("<Q", content, start)[0]
    return start


def damage(row, place):
    """Damages a file of the data; returns a function that mends it."""
    path = prepared(place, "test" if "test file" in row.happens else "train")
    content = path.read_bytes()
    start = record(content, 300)
    if "missing" in row.happens:
        path.unlink()
    elif "flipped" in row.happens:
        path.write_bytes(
            content[: start + 20] + bytes([content[start + 20] ^ 1]) + content[start + 21 :]
        )
    else:
        path.write_bytes(content[: start + (20 if "within" in row.happens else 0)])
    return lambda: path.write_bytes(content)


@pytest.mark.parametrize("row", table.DATA, ids=lambda row: row.happens)
def test_damaged_data(row, request, in_tmp):
    kind = "streamed" if "streamed" in row.happens else "in_memory"
    place, is_streamed, unbroken = request.getfixturevalue(kind)
    shutil.copytree(place / "RUN", "RUN")
    mend = damage(row, place)
    with way_of(place, is_streamed):
        try:
            resume(row, script=harness.IMAGES)
        finally:
            mend()
        assert harness.newest("RUN") == (20 if "after the training" in row.happens else 10)
        assert f"data: {prepared(place, 'train').parent}" in Path("RUN/log.txt").read_text()
        goes_on(unbroken, script=harness.IMAGES)


# Places and other processes


def wait_for(path):
    for _ in range(6000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} has not come")


def read_only_disk(row, unbroken):
    code, printed = harness.child(table.step(12, *table.KILL), *OPTIONS, *SAVED, "--out", "RUN")
    assert code == -9, printed
    assert harness.newest("RUN") == row.kept
    subprocess.run(["mount", "-o", "remount,ro", os.getcwd()], check=True)
    resume(row)
    subprocess.run(["mount", "-o", "remount,rw", os.getcwd()], check=True)
    goes_on(unbroken)


def read_only_in_mid_epoch(row, unbroken):
    code, printed = harness.child(
        table.step(12, "protect", "RUN"), *OPTIONS, *SAVED, "--out", "RUN"
    )
    subprocess.run(["umount", "RUN"], check=True)
    assert code == row.code, printed
    assert harness.says(row.says, printed), printed
    assert "Traceback" not in printed
    assert harness.newest("RUN") == row.kept
    goes_on(unbroken)


def new_run_on_a_read_only_disk(row, unbroken):
    subprocess.run(["mount", "-o", "remount,ro", os.getcwd()], check=True)
    code, printed = harness.here(*OPTIONS, "--out", "OTHER")
    assert code == row.code
    assert harness.says(row.says, printed), printed
    assert not os.path.exists("OTHER")


def folder_removed(row, unbroken):
    code, printed = harness.child(table.step(12, "remove", "RUN"), *OPTIONS, *SAVED, "--out", "RUN")
    assert code == row.code, printed
    assert harness.says(row.says, printed), printed
    assert "Traceback" not in printed
    assert not os.path.exists("RUN")


def checkpoints_removed(row, unbroken):
    faults = table.step(12, "remove", "RUN/checkpoints")
    code, printed = harness.child(faults, *OPTIONS, *SAVED, "--out", "RUN")
    assert code == row.code, printed
    assert harness.says(row.says, printed), printed
    assert harness.outcome("RUN") == unbroken


def folder_renamed(row, unbroken):
    faults = table.step(12, "rename", "RUN", "ELSEWHERE")
    code, printed = harness.child(faults, *OPTIONS, *SAVED, "--out", "RUN")
    assert code == row.code, printed
    assert harness.says(row.says, printed), printed
    assert "Traceback" not in printed
    assert not os.path.exists("RUN")
    assert harness.newest("ELSEWHERE") == row.kept
    goes_on(unbroken, "ELSEWHERE")


def resumed_while_it_goes_on(row, unbroken):
    process = harness.start(table.step(12, "wait", "step"), *OPTIONS, *SAVED, "--out", "RUN")
    wait_for("step.reached")
    resume(row)
    _, printed = harness.here("--resume", "RUN")
    assert f"in use by process {process.pid} on" in printed
    assert harness.newest("RUN") == row.kept
    Path("go").touch()
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert harness.outcome("RUN") == unbroken


def two_begin(row, unbroken):
    processes = [
        harness.start(
            table.call("zoo.files.claim_folder", "wait", str(i)), *OPTIONS, *SAVED, "--out", "RUN"
        )
        for i in range(2)
    ]
    wait_for("0.reached")
    wait_for("1.reached")
    Path("go").touch()
    ends = [
        (printed, process.returncode)
        for process in processes
        for printed in process.communicate()[:1]
    ]
    ((trained, _), (refused, _)) = sorted(ends, key=lambda end: end[1])
    assert sorted(code for _, code in ends) == [0, row.code], ends
    assert harness.says(row.says, refused), refused
    assert "exported" in trained
    assert harness.outcome("RUN") == unbroken


PLACES = dict(
    zip(
        (row.happens for row in table.PLACE),
        (
            read_only_disk,
            read_only_in_mid_epoch,
            new_run_on_a_read_only_disk,
            folder_removed,
            checkpoints_removed,
            folder_renamed,
            resumed_while_it_goes_on,
            two_begin,
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("row", table.PLACE, ids=lambda row: row.happens)
def test_places_and_other_processes(row, unbroken, in_tmp):
    with harness.small_disk(in_tmp, 24):
        PLACES[row.happens](row, unbroken)


@pytest.mark.parametrize("row", table.REFUSED, ids=lambda row: row.happens)
def test_something_else_is_refused(row, killed, unbroken, in_tmp):
    shutil.copytree(killed, "RUN")
    resume(row, *row.how)
    assert harness.newest("RUN") == row.kept
    goes_on(unbroken)
