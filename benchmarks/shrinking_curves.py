"""Size and score of a trained model as it is pruned and quantized.

    python -m benchmarks.shrinking_curves mnist_cnn imdb_lstm --minutes 60   # goes on where it was stopped, anew for new weights
    python -m benchmarks.shrinking_curves --page                             # docs/shrinking.md and its pictures

Each row is one call of `zoo.shrink` from the model that ships: shares of zeros at once and with two epochs of training, and
weights of 8 and 4 bits. Files are measured as they lie on disk and compressed (`gzip -9`), since zeros save nothing before.
The scores are those of the whole test split.
"""

import argparse
import gzip
import json
import math
import shutil
import time
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

import zoo
from benchmarks import shipped
from zoo.saving import store
from zoo.tasks import pictures

ROOT = Path(__file__).parents[1]
RESULTS, RUNS, PAGE = ROOT / "results" / "shrinking.json", ROOT / "runs" / "shrinking", ROOT / "docs" / "shrinking.md"  # fmt: skip
WAYS = [
    {"prune": share, "fine_tune": epochs} for epochs in (0, 2) for share in (0.5, 0.8, 0.9, 0.95)
]
WAYS += [{"quantize": mode} for mode in ("int8", "int4")]


def words(way):
    if "quantize" in way:
        return way["quantize"]
    return f"{way['prune']:.0%} zeros" + (
        f", {way['fine_tune']} epochs" if way["fine_tune"] else ", at once"
    )


def sizes(path):
    """Bytes of the weights on disk, and compressed."""
    files = [file.read_bytes() for file in (path / "variables").iterdir()]
    return sum(map(len, files)), sum(len(gzip.compress(data, 9)) for data in files)


def measure(name, way):
    """A row: sizes and score of a model after `way`; `None` for the model as it ships."""
    if way is None:
        path = store.find(name)
        scores = zoo.load(name).card.runs[0].scores  # of the weights that ship
    else:
        out = RUNS / f"{name}-{words(way).replace(' ', '_').replace('%', '').replace(',', '')}"
        shutil.rmtree(out, ignore_errors=True)  # of a call that was stopped
        report, path = zoo.shrink(name, out=str(out), quiet=True, **way)
        scores = report.scores
    metric, score = next(iter(scores.items()))
    disk, compressed = sizes(path)
    return {"bytes": disk, "compressed": compressed, "metric": metric, "score": score}


def current(found):
    """The rows of models whose weights ship, as they were measured."""
    return {
        name: one["rows"]
        for name, one in found.items()
        if name in shipped.names() and one["weights"] == shipped.weights(name)
    }


def draw(name, rows):
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    groups = {
        "pruned, trained 2 epochs": "2 epochs",
        "pruned at once": "at once",
        "quantized": "int",
    }
    for label, part in groups.items():
        found = [row for key, row in rows.items() if part in key]
        axes.plot(
            [r["compressed"] / 1024 for r in found], [r["score"] for r in found], "o-", label=label
        )
    whole = rows["as it ships"]
    axes.plot(whole["compressed"] / 1024, whole["score"], "k*", markersize=12, label="as it ships")
    axes.set(
        xlabel="compressed weights, KiB", ylabel=f"test {whole['metric']}", title=name, xscale="log"
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend()
    axes.grid(alpha=0.3)
    pictures.save(figure, ROOT / "docs" / "results" / f"shrunk_{name}.png")


def page(found):
    """What docs/shrinking.md says of the rows measured."""
    lines = [
        "# Size and score of pruned and quantized models",
        "",
        "Measured by `python -m benchmarks.shrinking_curves`: one run each (seed 0), the whole test split. Zeros save nothing",
        "on disk before the file is compressed, and no time in a runtime that does not know of them. What was measured of weights",
        "that don't ship any more is left out. int8 and int4 are Keras's, which quantizes dense layers and embeddings alone:",
        "a network of convolutions hardly shrinks; `zoo convert --quantize` quantizes those too ([runtimes](runtimes.md)).",
    ]
    for name, rows in found.items():
        whole = rows["as it ships"]
        lines += ["", f"## {name}", "", f"![{name}](results/shrunk_{name}.png)", ""]
        lines += [f"| model | weights, KiB | compressed, KiB | test {whole['metric']} |", "| --- | --- | --- | --- |"]  # fmt: skip
        for key, row in rows.items():
            lines.append(f"| {key} | {row['bytes'] / 1024:,.0f} | {row['compressed'] / 1024:,.0f} | {row['score']:.4f} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="models that ship")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin nothing after so long"
    )
    parser.add_argument(
        "--page", action="store_true", help="write docs/shrinking.md of what was measured"
    )
    options = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    begun = time.monotonic()
    for name in options.models:
        weights = shipped.weights(name)
        if found.get(name, {}).get("weights") != weights:
            found[name] = {"weights": weights, "rows": {}}
        rows = found[name]["rows"]
        for way in (None, *WAYS):
            key = "as it ships" if way is None else words(way)
            if key in rows or time.monotonic() - begun > 60 * options.minutes:
                continue
            rows[key] = measure(name, way)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
            print(name, key, rows[key], flush=True)
    if options.page:
        for name, rows in current(found).items():
            draw(name, rows)
        PAGE.write_text(page(current(found)))


if __name__ == "__main__":
    main()
