"""Two workers with one thread each against one process with two: what sharing a step costs.

    python benchmarks/scaling.py                     # three rounds of all models, alternating
    python benchmarks/scaling.py transformer --rounds 1

Every process trains the same model with the recipe on data made here, and counts examples per second from the second epoch
on. A step takes BATCH examples in all, whoever computes it:

- `one`: one process, two threads.
- `workers`: `zoo launch --workers 2`, one thread each.
- `apart`: two processes at the same time, one thread each, which compute half a step each and never talk.
- `fixed`: as `workers`, but the same batch again and again: no data are read.

The share of a step that goes into the all-reduce, and into waiting for the slower one, is 1 - workers / apart; that which goes
into waiting for data 1 - workers / fixed.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH, EPOCHS, STEPS = 128, 4, 60
ROOT = Path(__file__).parents[1]
MODELS = {"cnn": "cnn:base", "lstm": "recurrent:base", "transformer": "transformer:small"}
KINDS = ("one", "workers", "apart", "fixed")


def data(name, batch):
    import numpy as np

    rng, count = (
        np.random.default_rng(0),
        batch * STEPS * 5 // 3,
    )  # a fifth is for testing, a tenth validates
    labels = rng.integers(0, 10, count)
    if name == "cnn":
        return rng.integers(0, 255, (count, 28, 28, 1)).astype("uint8"), labels
    if name == "lstm":
        return rng.normal(size=(count, 64, 16)).astype("float32"), labels
    words = rng.integers(0, 5000, (count, 64))
    return np.array([" ".join(f"w{word}" for word in row) for row in words], object), labels


def child(name, batch, fixed):
    """Trains, and prints examples per second and the model's size."""
    import zoo

    zoo.make_strategy("auto")
    keras, splits = zoo.import_quietly("keras"), zoo.import_quietly("zoo.data.batches")
    if fixed:
        real = splits.Splits.train_forever

        def again(self, *first):
            return real(self, *first).take(1).cache().repeat()

        splits.Splits.train_forever = again

    class Clock(keras.callbacks.Callback):
        seconds, steps = 0.0, 0

        def on_epoch_begin(self, epoch, logs=None):
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.last, self.count = time.perf_counter(), batch + 1

        def on_test_begin(self, logs=None):
            if self.seconds or hasattr(self, "warm"):
                self.seconds += self.last - self.begun
                self.steps += self.count
            self.warm = True

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trained = zoo.train(
            MODELS[name], data(name, batch), epochs=EPOCHS, batch_size=batch, quiet=True,
            callbacks=[clock], out=f"{folder}/run",
        )  # fmt: skip
    found = {
        "rate": clock.steps * batch / clock.seconds,
        "parameters": trained.network.count_params(),
    }
    print("found", json.dumps(found), file=sys.stderr, flush=True)


def measure(name, kind):
    """Examples per second of all processes together, and the model's parameters."""
    threads = 2 if kind == "one" else 1
    environment = {
        **os.environ,
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": str(ROOT),
    }
    batch = BATCH // 2 if kind == "apart" else BATCH
    command = [sys.executable, __file__, "--child", name, str(batch), str(int(kind == "fixed"))]
    if kind in ("workers", "fixed"):
        command = [sys.executable, "-m", "zoo.cli", "launch", "--workers", "2", "--", *command]
    many = {
        "env": environment,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    processes = [subprocess.Popen(command, **many) for _ in range(2 if kind == "apart" else 1)]
    found = []
    for process in processes:
        printed, _ = process.communicate()
        if process.returncode:
            sys.exit(printed)
        found += [json.loads(text) for text in re.findall(r"found (\{.*\})", printed)]
    rates = [one["rate"] for one in found]
    return sum(rates) if kind == "apart" else statistics.mean(rates), found[0]["parameters"]


def main(options):
    rates = {name: {kind: [] for kind in KINDS} for name in options.models}
    sizes = {}
    for _ in range(options.rounds):
        for name in options.models:
            for kind in KINDS:
                rate, sizes[name] = measure(name, kind)
                rates[name][kind].append(rate)
                print(f"{name} {kind}: {rate:.0f} examples/s", file=sys.stderr, flush=True)
    print(
        "| model | parameters | one process | two workers | ratio | all-reduce | waits for data |"
    )
    print("|" + " --- |" * 7)
    for name, kinds in rates.items():
        mid = {kind: statistics.median(values) for kind, values in kinds.items()}
        ratios = [w / o for w, o in zip(kinds["workers"], kinds["one"])]
        print(
            f"| `{MODELS[name]}` | {sizes[name]:,} | {mid['one']:,.0f} | {mid['workers']:,.0f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | "
            f"{1 - mid['workers'] / mid['apart']:.0%} | {max(0, 1 - mid['workers'] / mid['fixed']):.0%} |"
        )
    print("\nGradients and steps, for the table of when more workers stop paying:")
    for name, kinds in rates.items():
        step = BATCH / statistics.median(kinds["one"])
        print(
            f"| `{MODELS[name]}` | {4 * sizes[name] / 2**20:.2f} MiB | {1000 * step:.0f} ms |",
            end="",
        )
        print("".join(f" {most_workers(step, 4 * sizes[name], link)} |" for link in LINKS.values()))


LINKS = {"1 Gbit/s": (125e6, 1e-4), "10 Gbit/s": (1.25e9, 5e-5), "100 Gbit/s": (12.5e9, 1e-5)}


def most_workers(step, size, link):
    """The workers up to which each still does half of a step's time in useful work, its share of examples kept.

    A ring all-reduce sends 2 (n - 1) / n of the gradients through each link, in 2 (n - 1) messages.
    """
    speed, delay = link
    for n in range(2, 1025):
        talk = 2 * (n - 1) / n * size / speed + 2 * (n - 1) * delay
        if talk > step:
            return n - 1
    return "over 1,000"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), bool(int(sys.argv[4])))
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("models", nargs="*", help=", ".join(MODELS))
        parser.add_argument("--rounds", type=int, default=3)
        options = parser.parse_args()
        options.models = options.models or list(MODELS)
        main(options)
