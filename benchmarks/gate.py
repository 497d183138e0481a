"""What the check before a load costs: its time beside TensorFlow's own for the same model.

    python benchmarks/gate.py [REPEATS]

For each shipped model and two larger ones of plain Keras: the median of alternating repeats in one process.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf

from zoo.saving import gate, store


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def measure(folder, foreign, repeats):
    """Seconds of the check and of the load, and the folder's size in bytes."""
    checks, loads = [], []
    for _ in range(repeats):
        begun = time.perf_counter()
        with gate.checked(folder, foreign=foreign) as copy:
            checks.append(time.perf_counter() - begun)
            loads.append(timed(lambda copy=copy: tf.saved_model.load(str(copy)))[0])
        keras.utils.clear_session()
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return statistics.median(checks), statistics.median(loads), size


def large(name, folder):
    model = getattr(keras.applications, name)(weights=None)
    model.export(folder, verbose=False)
    return folder


def main(repeats=5):
    tf.saved_model.load(str(store.find("digits_dense")))  # what the first load takes longer
    print("| model | MiB | check | load | check / load |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        models = {name: (store.find(name), False) for name in store.names()}
        for name in ("MobileNetV3Large", "ResNet152"):
            models[f"{name} of Keras"] = (large(name, f"{scratch}/{name}"), True)
        for name, (folder, foreign) in models.items():
            check, load, size = measure(folder, foreign, repeats)
            print(f"| {name} | {size / 2**20:.1f} | {check * 1e3:,.0f} ms | {load * 1e3:,.0f} ms | {check / load:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
