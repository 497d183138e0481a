"""Trained models through TensorFlow, LiteRT, ONNX Runtime and OpenVINO: size, score, agreement, latency, throughput.

    python -m benchmarks.serving                        # every shipped model that is missing in results/runtimes/
    python -m benchmarks.serving mnist_cnn --rounds 3   # these, again
    python -m benchmarks.runtimes_page                  # docs/runtimes.md and README's table, of what was measured

Every model is converted in every way that `zoo convert` knows. Then the runtimes take turns, round by round, in one process
with as many threads as there are cores; the whole test set tells score and agreement. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import zoo
from zoo.saving import convert, runtimes, store

WAYS = [(to, how) for to, known in convert.QUANTIZE.items() for how in (None, *known)]
SINGLE, TOGETHER, BATCH = 50, 5, 256  # calls of one example, of a batch, and its size, in a round
COLD = {
    "tensorflow": "import tensorflow as tf; m = tf.saved_model.load(path)\n"
    "f = m.signatures['tensors']; f(**{k: tf.constant(v) for k, v in x.items()})",
    "litert": "from zoo.saving import runtimes; runtimes.open_converted(path)(x)",
}
COLD |= {"onnx": COLD["litert"], "openvino": COLD["litert"]}
RESULTS = Path(__file__).parents[1] / "results" / "runtimes"


def result_of(name):
    return RESULTS / f"{name}.json"


def size_of(folder, pattern):
    return sum(file.stat().st_size for file in folder.glob(pattern))


def candidates(name, place):
    """Name of a way → (call, bytes, folder), and name → reason for those that cannot be."""
    path = store.find(name)
    loaded = tf.saved_model.load(path)

    def call(inputs):
        outputs = loaded.signatures["tensors"](**inputs)
        return {key: value.numpy() for key, value in outputs.items()}

    size = store.weights_size(path) + size_of(path, "*.pb")
    found, refused = {"tensorflow": (call, size, path)}, {}
    for to, how in WAYS:
        label = f"{to} {how}" if how else to
        try:
            folder = zoo.convert(name, to, quantize=how, out=f"{place}/{name}-{to}-{how}")
        except zoo.InputError as error:
            refused[label] = str(error)
            continue
        call = runtimes.open_converted(folder, threads=os.cpu_count())
        found[label] = (call, size_of(folder, "model.*"), folder)
    return found, refused


def in_batches(call, inputs):
    """The outputs for any number of examples."""
    count = len(next(iter(inputs.values())))
    parts = [
        call({key: values[i : i + BATCH] for key, values in inputs.items()})
        for i in range(0, count, BATCH)
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def measure(found, inputs, rounds):
    """Way → (milliseconds of single calls, examples per second of batches), the ways taking turns."""
    one = {key: values[:1] for key, values in inputs.items()}
    many = {key: np.resize(values, (BATCH, *values.shape[1:])) for key, values in inputs.items()}
    times = {label: ([], []) for label in found}
    for _ in range(rounds):
        for label, (call, *_) in found.items():
            for given, count, kept in ((one, SINGLE, 0), (many, TOGETHER, 1)):
                call(given)  # once to warm up: shapes change
                for _ in range(count):
                    start = time.perf_counter()
                    call(given)
                    times[label][kept].append(time.perf_counter() - start)
    return {
        label: ([1000 * t for t in single], [BATCH / t for t in batches])
        for label, (single, batches) in times.items()
    }


def predict_overhead(name, rounds):
    """Milliseconds of `zoo.load(name).predict` and of the bare signature on one example, taking turns: medians."""
    model = zoo.load(name)
    golden = np.load(model.path / "assets.extra/golden.npz")
    raw = {k.partition("/")[2]: golden[k][:1] for k in golden if k.startswith("inputs/")}
    given = raw if model.card["input_kind"] == "table" else next(iter(raw.values()))
    tensors = {key: tf.constant(values) for key, values in raw.items()}
    bare, whole = [], []
    for _ in range(rounds * SINGLE):
        start = time.perf_counter()
        {k: v.numpy() for k, v in model.signatures["serving_default"](**tensors).items()}
        middle = time.perf_counter()
        model.predict(given)
        bare.append(middle - start)
        whole.append(time.perf_counter() - middle)
    return 1000 * statistics.median(bare), 1000 * statistics.median(whole)


def cold(label, folder, inputs):
    """Seconds until a fresh process has answered once, imports included."""
    with tempfile.TemporaryDirectory() as place:
        np.savez(f"{place}/x.npz", **{key: values[:1] for key, values in inputs.items()})
        script = f"import numpy as np; x = dict(np.load('{place}/x.npz')); path = {str(folder)!r}\n"
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", script + COLD[label.split()[0]]], check=True, capture_output=True)  # fmt: skip
        return time.perf_counter() - start


def rows_of(name, rounds, place):
    """The table's rows of a model, and the conversions that cannot be."""
    card = zoo.load(name).card
    inputs = convert.examples_of(card, "test")
    found, refused = candidates(name, place)
    answers = {label: in_batches(call, inputs) for label, (call, *_) in found.items()}
    times, rows = measure(found, inputs, rounds), []
    targets = convert.splits_of(card).targets("test") if card["task"] == "classification" else None
    for label, (_, size, folder) in found.items():
        single, batches = times[label]
        mine, wanted = answers[label], answers["tensorflow"]
        key = "class_id" if "class_id" in mine else next(iter(mine))
        same = float(np.mean(mine[key] == wanted[key])) if key == "class_id" else None
        score = None if targets is None else float(np.mean(mine["class_id"] == targets))
        rows.append(
            (label, size / 1024, score, same, statistics.median(single), np.quantile(single, 0.99),
             statistics.median(batches), cold(label, folder, inputs))
        )  # fmt: skip
    return rows, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="default: all that are missing")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    RESULTS.mkdir(parents=True, exist_ok=True)
    missing = [p.name for p in sorted(Path("saved_models").iterdir()) if p.is_dir() and not result_of(p.name).exists()]  # fmt: skip
    for name in options.models or missing:
        with tempfile.TemporaryDirectory() as place:
            rows, refused = rows_of(name, options.rounds, place)
        overhead = predict_overhead(name, options.rounds)
        found = {"rounds": options.rounds, "threads": os.cpu_count(), "rows": rows, "refused": refused, "overhead": overhead}  # fmt: skip
        result_of(name).write_text(json.dumps(found, indent=1) + "\n")
        print(f"{result_of(name)}: {len(rows)} ways", flush=True)


if __name__ == "__main__":
    main()
