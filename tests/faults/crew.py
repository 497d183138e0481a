"""Several workers as processes of this machine, for tests."""

import os
import time
from pathlib import Path
from unittest import mock

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
