"""Several workers as processes of this machine, for tests."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
import warm

from zoo import launch
from zoo.training import cluster

TRAIN = Path(__file__).with_name("train_family.py")


def start(count, script, *arguments, own=None, late=0.0):
    """Starts a script as so many workers; `own` holds further arguments of each; others than the first come late."""
    addresses = [f"localhost:{port}" for port in launch._free_ports(count)]
    processes = []
    for index in range(count):
        time.sleep(late if index else 0)
        environment = {cluster.VARIABLE: cluster.tf_config(addresses, index)}
        more = own[index] if own else ()
        with mock.patch.dict(os.environ, environment):
            processes.append(warm.start(script, *arguments, *more, together=True))
    return processes


def run(count, script, *arguments, own=None):
    """Runs a script so to its end; returns each worker's exit code and what it printed."""
    processes = start(count, script, *arguments, own=own)
    printed = [process.communicate()[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, printed)]


@contextlib.contextmanager
def two_machines():
    """Two network namespaces with a link between them; yields their names and a function that cuts or restores the link."""
    names = [f"zoo-{os.getpid()}-{i}" for i in range(2)]

    def ip(*arguments, check=True):
        return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=check)

    if shutil.which("ip") is None or ip("netns", "add", names[0], check=False).returncode:
        pytest.skip("needs root and iproute2, to make network namespaces")
    try:
        ip("netns", "add", names[1])
        ends = ["veth0", "veth1"]
        ip("link", "add", ends[0], "netns", names[0], "type", "veth", "peer", "name", ends[1], "netns", names[1])  # fmt: skip
        for i, (name, link) in enumerate(zip(names, ends)):
            ip("-n", name, "addr", "add", f"10.77.0.{i + 1}/24", "dev", link)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", link, "up")
        yield names, lambda state: ip("-n", names[0], "link", "set", ends[0], state)
    finally:
        for name in names:
            ip("netns", "del", name, check=False)


def start_on(names, script, *arguments):
    """Starts a script as one worker in each of some network namespaces."""
    addresses = [f"10.77.0.{i + 1}:2222" for i in range(len(names))]
    return [
        subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, script, *map(str, arguments)],
            env={**os.environ, cluster.VARIABLE: cluster.tf_config(addresses, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index, name in enumerate(names)
    ]
