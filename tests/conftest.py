"""Shared by all tests: two logical CPU devices, the option --slow, the prepared data sets."""

import ctypes
import functools
import gc
import logging
import os
import shutil
import signal
import sys

import pytest
import warm

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
QUICK = 10  # seconds that a test of the default suite may take


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config):
    # As at a terminal: what runs in the background of a script is born with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the process that hands the tests out needs no TensorFlow
    import zoo

    logging.getLogger("zoo").setLevel(logging.INFO)  # as every run does, whichever test comes first
    # Logical devices can be made only before TensorFlow starts.
    zoo.make_strategy("mirrored", replicas=2)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow: run with --slow (make test SLOW=1)")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
    """Names the tests without the mark `slow` that take too long for the default suite."""
    seconds = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "duration", None) and "slow" not in report.keywords:
                seconds[report.nodeid] = seconds.get(report.nodeid, 0) + report.duration
    for name, taken in sorted(seconds.items(), key=lambda pair: -pair[1]):
        if taken > QUICK:
            terminalreporter.write_line(
                f"over {QUICK} s, but not marked slow: {name} {taken:.1f} s", yellow=True
            )


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """A test that writes `runs/` into a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prepared_mnist():
    """The folder that holds MNIST as TFDS prepared it."""
    folder = os.environ.get("ZOO_DATA_DIR")
    if not folder or not os.path.isdir(os.path.join(folder, "mnist")):
        pytest.skip("needs MNIST as TFDS prepares it, in the folder that ZOO_DATA_DIR names")
    return folder


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Function: kind → the folder of its short run, which tests only read; each is trained once for all processes."""
    import runs

    @functools.cache
    def of(kind):
        with runs.made_once(tmp_path_factory, f"run-{kind.replace(' ', '-')}") as (folder, is_made):
            if not is_made:
                runs.train(kind, folder)
        return folder

    return of


@pytest.fixture
def bait(tmp_path):
    """What a harmful model may reach for."""
    from harmful_programs import Bait

    return Bait(tmp_path / "bait").lay()


@pytest.fixture
def wine(tmp_path):
    """A copy of a shipped model."""
    from harmful_changes import SHIPPED

    from zoo.saving import store

    return shutil.copytree(store.find(SHIPPED / "wine_dense"), tmp_path / "wine" / "1")


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A model of plain TensorFlow, not to be changed."""
    import harmful_programs

    folder = tmp_path_factory.mktemp("plain") / "model"
    harmful_programs.save(folder, harmful_programs.harmless)
    return folder


@pytest.fixture(autouse=True, scope="session")
def warm_checks():
    """`zoo.verify` in the tests' own process forks where it would start a process, as `warm` says."""
    from zoo.saving import alone

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "run", functools.partial(warm.run, imports="tensorflow"))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_wait_for_the_disk():
    """Files of the tests' own process are not forced onto the disk: no test can see a power cut. Those that are killed do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """What Keras and TensorFlow keep of the models of a file of tests adds up to gigabytes.

    What is alive between two files, the modules above all, is hidden from the garbage collector while a file runs: each
    of its passes would look at all of it.
    """
    gc.freeze()
    yield
    gc.unfreeze()
    sys.modules["keras"].utils.clear_session()
    ctypes.CDLL(None).malloc_trim(0)
