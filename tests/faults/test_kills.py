"""Every family is killed at a random moment of one run, and ends with the weights of a run that was not.

One kill a family; `ZOO_KILLS=10 ZOO_FAULTS_LOG=kills.txt python -m pytest tests/faults/test_kills.py --slow` makes ten
and writes down the moments.
"""

import os
import random
import re

import family_run
import harness
import pytest
import table

pytestmark = [pytest.mark.slow, pytest.mark.kills]
KILLS = int(os.environ.get("ZOO_KILLS", "1"))
SCRIPT = str(harness.DRIVER.with_name("family_run.py"))


def note(text):
    """Prints a line, and writes it into the file that ZOO_FAULTS_LOG names."""
    print(text)
    if os.environ.get("ZOO_FAULTS_LOG"):
        with open(os.environ["ZOO_FAULTS_LOG"], "a") as file:
            file.write(text + "\n")


def kill(step, newest, delay):
    """A kill so many seconds after a step of the whole run began, in a process that goes on from a checkpoint."""
    calls = (
        step - newest // family_run.STEPS * family_run.STEPS + 1
    )  # Keras counts from the epoch's begin
    return [["keras.callbacks.CallbackList.on_train_batch_begin", "", calls], "kill after", delay]


# The first sample of each family that the shared recipe trains.
FIRST = [param for param in table.KINDS if param.values[2] == 0]


def killed_and_whole(name, index, kills):
    """Kills a family's run at random moments and lets it go on; returns what it leaves, and what one leaves that was not killed."""
    whole, run = f"WHOLE-{name}", f"RUN-{name}"
    family_run.main(name, index, whole)
    rng = random.Random(f"{name} {index}")
    steps = sorted(rng.choices(range(family_run.EPOCHS * family_run.STEPS), k=kills))
    for number, step in enumerate(steps, 1):
        newest = harness.newest(run)
        fault = kill(max(step, newest), newest, rng.uniform(0, 0.05))
        code, printed = harness.child([fault], name, index, run, script=SCRIPT)
        assert code == -9, printed
        moment = re.search("moment: (.*)", printed)[1]
        note(f"{name} {index}, kill {number}: {moment}; checkpoint {harness.newest(run)}")
    family_run.main(name, index, run)
    return harness.outcome(run), harness.outcome(whole)


@pytest.mark.parametrize(("name", "task", "index"), FIRST)
def test_kills_at_random_moments(name, task, index, in_tmp):
    ended, whole = killed_and_whole(name, index, KILLS)
    for key in ("every variable after the last step", "weights of the export"):
        note(f"{name} {index}, {key}: {ended[key][:16]}, unbroken {whole[key][:16]}")
    assert ended == whole
