"""Series of kills, each followed by a run's end, which has the bits of a run that nothing happened to. Counts them.

    python tests/faults/kill_series.py                            # as this processor computes
    ONEDNN_MAX_CPU_ISA=AVX2 python tests/faults/kill_series.py    # as an older one does

prints a line for each series, and writes it into kills.csv; `fault_table.py` makes the table in docs/reliability.md of that.
"""

import contextlib
import csv
import functools
import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # as pytest does

import harness  # noqa: E402
from fault_table import HALF, KILL, KILLED_RUNS, OPTIONS, SAVED, call, step  # noqa: E402

SEED = 0
COLUMNS = ("processor", "series", "runs", "kills", "equal")
OF_TABLE = "the run of this page: "
STEPS = 8  # of an epoch
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
TAKING_UP = call("zoo.training.resume.Checkpoints.set_state", *KILL)


def at(number, action=KILL):
    """A fault when so many steps of the whole run are done: a function of the checkpoint that a process goes on from."""
    return lambda newest: step(max(number, newest) - newest // STEPS * STEPS, *action)


def half(number):
    """A kill when half of the checkpoint after so many steps is written."""
    return call("os.fsync", "halve and kill", text=f"step-{number:09}")


def moments(rng, count):
    """Kills at random moments of a run, in rising order."""
    steps = sorted(rng.choices(range(1, 32), k=count))
    return [at(number, ("kill after", rng.uniform(0, 0.05))) for number in steps]


# Series → runs, each a list of what happens to its processes, one after the other.
SERIES = {
    f"at the prime-numbered steps {', '.join(map(str, PRIMES))} of one run": [list(map(at, PRIMES))],
    "when half of a checkpoint is written, and again while the run is taken up": [
        [half(number), TAKING_UP] for number in (11, 19, 27)
    ],
    "when half of a checkpoint is written, and again when half of the same one is": [[HALF, HALF], [half(24)] * 2],
    "while the run is taken up, five times in a row": [[at(4), *[TAKING_UP] * 5]],
    "at random moments of one run": [moments(random.Random(SEED), 8)],
}  # fmt: skip


def play(processes, run):
    """Kills a run's processes one after the other, and lets the last go on to the end.

    Args:
        processes: Faults for `driver.py`, or a function from the steps in the newest checkpoint to such faults.
        run: The run's folder.

    Returns:
        The number of kills.
    """
    for faults in processes:
        begun = ["--resume", run] if Path(run).exists() else [*OPTIONS, *SAVED, "--out", run]
        code, printed = harness.child(
            faults(harness.newest(run)) if callable(faults) else faults, *begun
        )
        assert code == -9, printed
    code, printed = harness.child([], "--resume", run)
    assert code == 0, printed
    return len(processes)


def whole():
    """What the run leaves when nothing happens to it."""
    code, printed = harness.child([], *OPTIONS, *SAVED, "--out", "WHOLE")
    assert code == 0, printed
    return harness.outcome("WHOLE")


def _of_a_table(runs, unbroken):
    kills = [play(processes, f"RUN-{number}") for number, processes in enumerate(runs)]
    return kills, [harness.outcome(f"RUN-{number}") == unbroken for number in range(len(runs))]


def _of_families(kills):
    import test_kills

    ended = [test_kills.killed_and_whole(*param.values[::2], kills) for param in test_kills.FIRST]
    return [kills] * len(ended), [found == unbroken for found, unbroken in ended]


def _of_workers(kills):
    import test_worker_faults as workers

    codes, printed = workers.end(workers.start({}, *OPTIONS, *SAVED, "--out", "WHOLE"))
    assert codes == (0, 0), printed
    unbroken, equal = harness.outcome("WHOLE"), []
    for number in range(kills):
        victim = number % workers.WORKERS
        fault = {victim: step(PRIMES[number + 3], *KILL)}
        codes, printed = workers.end(workers.start(fault, *OPTIONS, *SAVED, "--out", "RUN"))
        assert codes[victim] == -9, printed
        workers.resume()
        with contextlib.suppress(AssertionError):
            workers.assert_same("RUN", unbroken)
            equal.append(True)
        os.rename("RUN", f"ENDED-{number}")
    return [1] * kills, equal


def _of_a_search(kills):
    import search_script
    import test_search_kills as search

    search_script.main("WHOLE", "random")
    found = search.kill_at_random("RUN", "random", kills)
    search_script.main("RUN", "random")
    return [found], [search.outcome("RUN") == search.outcome("WHOLE")]


def every(kills):
    """What is killed, in words → a function that kills it, and returns the kills of each run, and whether it ended alike."""
    unbroken = functools.cache(whole)
    series = {
        f"{OF_TABLE}{name}": lambda runs=runs: _of_a_table(runs, unbroken())
        for name, runs in SERIES.items()
    }
    series["each family's run: at random moments"] = lambda: _of_families(kills)
    series["two workers: one of them, at a prime-numbered step"] = lambda: _of_workers(kills)
    series["a search: at random moments"] = lambda: _of_a_search(kills)
    return series


def processor():
    """The processor's name, and the instructions that oneDNN says it uses."""
    import processors

    (isa,) = [line.rpartition(":")[2] for line in processors.traces({})[0] if ",cpu,isa:" in line]
    with open("/proc/cpuinfo") as file:
        model = next(line.partition(":")[2].strip() for line in file if "model name" in line)
    return f"{model}, oneDNN up to {isa.partition(' with ')[0]}"


def main(kills="2", only=""):
    """Plays the series whose words hold a text, and keeps what came of each."""
    name = processor()
    for what, played in every(int(kills)).items():
        if only not in what:
            continue
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            killed, equal = played()
        row = dict(zip(COLUMNS, (name, what, len(killed), sum(killed), sum(equal))))
        print(*row.values(), sep=" | ", flush=True)
        keep(row)


def keep(row):
    """Writes a row into the file of results, in place of that of the same processor and series."""
    before = list(csv.DictReader(KILLED_RUNS.open())) if KILLED_RUNS.exists() else []
    others = [old for old in before if any(old[key] != row[key] for key in COLUMNS[:2])]
    with KILLED_RUNS.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*others, row])


if __name__ == "__main__":
    main(*sys.argv[1:])
