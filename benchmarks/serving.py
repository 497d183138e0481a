"""Trained models through TensorFlow, LiteRT, ONNX Runtime and OpenVINO: size, score, agreement, latency, throughput.

    python -m benchmarks.serving                        # every shipped model that is not measured yet, or has new weights
    python -m benchmarks.serving mnist_cnn --rounds 3   # these, again
    python -m benchmarks.serving imdb_lstm --scores     # score and agreement alone; the times can follow
    python -m benchmarks.runtimes_page                  # docs/runtimes.md and README's table, of what was measured

Every model is converted in every way that `zoo convert` knows. The whole test set tells score and agreement: long where a
runtime takes one example at a time, and not again where it is known of these weights. Then the runtimes take turns, round by
round, in one process with as many threads as there are cores: nothing else should run meanwhile.
"""

import argparse
import functools
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
from benchmarks import shipped
from zoo import files
from zoo.saving import runtimes, store
from zoo.saving.runtimes import convert
from zoo.training import provenance

WAYS = [(to, how) for to, row in runtimes.RUNTIMES.items() for how in (None, *row.quantizations)]
SINGLE, TOGETHER, BATCH = 50, 5, 256  # calls of one example, of a batch, and its size, in a round
CONVERTED = "from zoo.saving import runtimes; runtimes.open_converted(path)(x)"
COLD = dict.fromkeys(runtimes.RUNTIMES, CONVERTED) | {
    "tensorflow": "import tensorflow as tf; m = tf.saved_model.load(path)\n"
    "f = m.signatures['tensors']; f(**{k: tf.constant(v) for k, v in x.items()})",
}
RESULTS = Path(__file__).parents[1] / "results" / "runtimes"


def result_of(name):
    return RESULTS / f"{name}.json"


def read(name):
    """What is known of a model."""
    path = result_of(name)
    return json.loads(path.read_text()) if path.exists() else {}


def size_of(folder, pattern):
    return sum(file.stat().st_size for file in folder.glob(pattern))


def candidates(name, place):
    """Name of a way → (function that opens it, bytes, folder), and name → reason for those that cannot be."""
    path = store.find(name)

    def open_saved():
        loaded = tf.saved_model.load(path)

        def call(inputs):
            outputs = loaded.signatures["tensors"](**inputs)
            return {key: value.numpy() for key, value in outputs.items()}

        return call

    size = store.weights_size(path) + size_of(path, "*.pb")
    found, refused = {"tensorflow": (open_saved, size, path)}, {}
    for to, how in WAYS:
        label = f"{to} {how}" if how else to
        try:
            folder = zoo.convert(name, to, quantize=how, out=f"{place}/{name}-{to}-{how}")
        except zoo.InputError as error:
            refused[label] = str(error)
            continue
        opens = functools.partial(runtimes.open_converted, folder, threads=provenance.cores())
        found[label] = (opens, size_of(folder, "model.*"), folder)
    return found, refused


def in_batches(call, inputs):
    """The outputs for any number of examples; texts go by length, without the padding that their batch does not need."""
    count = len(next(iter(inputs.values())))
    lengths = (inputs["ids"] != 0).sum(1) if "ids" in inputs else np.zeros(count, int)
    order, parts = np.argsort(lengths, kind="stable"), []
    for start in range(0, count, BATCH):
        chosen = order[start : start + BATCH]
        given = {key: values[chosen] for key, values in inputs.items()}
        if "ids" in given:
            given["ids"] = given["ids"][:, : max(lengths[chosen].max(), 1)]
        parts.append(call(given))
    back = np.argsort(order)
    return {key: np.concatenate([part[key] for part in parts])[back] for key in parts[0]}


def measure(found, inputs, rounds):
    """Way → (milliseconds of single calls, examples per second of batches), the ways taking turns."""
    one = {key: values[:1] for key, values in inputs.items()}
    many = {key: np.resize(values, (BATCH, *values.shape[1:])) for key, values in inputs.items()}
    calls = {label: opens() for label, (opens, *_) in found.items()}
    times = {label: ([], []) for label in found}
    for _ in range(rounds):
        for label, call in calls.items():
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
    given = raw if model.card.input_kind == "table" else next(iter(raw.values()))
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


def judged(card, inputs, found):
    """Way → (score, agreement with TensorFlow's answers) on the whole test set; for classes only.

    One way is open at a time: of texts of many lengths each keeps gigabytes.
    """
    if card.task != "classification":
        return dict.fromkeys(found, (None, None))
    targets = convert.splits_of(card).targets("test")
    classes = {
        label: in_batches(opens(), inputs)["class_id"] for label, (opens, *_) in found.items()
    }
    return {
        label: (float(np.mean(mine == targets)), float(np.mean(mine == classes["tensorflow"])))
        for label, mine in classes.items()
    }


def measured(name, rounds, known, place):
    """What is kept of a model; without `rounds` no times."""
    model = zoo.load(name)
    weights = shipped.weights(name)
    inputs = convert.examples_of(model.card, "test")
    found, refused = candidates(name, place)
    if known.get("weights") == weights and set(known["judged"]) == set(found):
        verdicts = known["judged"]
    else:
        verdicts = judged(model.card, inputs, found)
    family = model.card.builder.family
    kept = {"family": family, "weights": weights, "judged": verdicts, "refused": refused}
    if not rounds:
        return kept
    times, rows = measure(found, inputs, rounds), []
    for label, (_, size, folder) in found.items():
        single, batches = times[label]
        rows.append(
            (label, size / 1024, *verdicts[label], statistics.median(single), np.quantile(single, 0.99),
             statistics.median(batches), cold(label, folder, inputs))
        )  # fmt: skip
    overhead = predict_overhead(name, rounds)
    return kept | {
        "rounds": rounds,
        "threads": provenance.cores(),
        "rows": rows,
        "overhead": overhead,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="default: all that are missing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scores", action="store_true", help="measure no times")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    RESULTS.mkdir(parents=True, exist_ok=True)
    names = options.models or [
        name
        for name in shipped.names()
        if "rows" not in read(name) or read(name)["weights"] != shipped.weights(name)
    ]
    for name in names:
        known = read(name)
        with tempfile.TemporaryDirectory() as place:
            found = measured(name, 0 if options.scores else options.rounds, known, place)
        if known.get("weights") == found["weights"]:
            found = known | found
        files.write_atomic(result_of(name), json.dumps(found, indent=1) + "\n")
        print(f"{result_of(name)}: {len(found['judged'])} ways", flush=True)


if __name__ == "__main__":
    main()
