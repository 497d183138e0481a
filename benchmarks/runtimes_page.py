"""Writes docs/runtimes.md and the README's table of runtimes from what `benchmarks/serving.py` measured.

    python -m benchmarks.runtimes_page

It measures nothing itself.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS, PAGE, README = (
    ROOT / "results" / "runtimes",
    ROOT / "docs" / "runtimes.md",
    ROOT / "README.md",
)
MARKS = "<!-- runtimes -->\n", "<!-- end of runtimes -->\n"
NAMES = {
    "tensorflow": "TensorFlow",
    "litert": "LiteRT",
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
}


def results():
    """Name of a model → what was measured of it."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


def winners(found):
    """A table: the runtime that answers one example soonest, and the one that does most batches, per model.

    Only unquantized ones are compared: their answers are the model's own.
    """
    lines = [
        "| model | one example | against TensorFlow | batches of 256 | against TensorFlow |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, one in found.items():
        rows = {row[0]: row for row in one["rows"] if row[0] in NAMES}
        soonest = min(rows.values(), key=lambda row: row[4])
        most = max(rows.values(), key=lambda row: row[6])
        single, batches = rows["tensorflow"][4] / soonest[4], most[6] / rows["tensorflow"][6]
        lines.append(f"| `{name}` | {NAMES[soonest[0]]} | {single:.1f} times as fast | {NAMES[most[0]]} | {batches:.1f} times |")  # fmt: skip
    return "\n".join(lines) + "\n"


def page():
    """The text of docs/runtimes.md."""
    found = results()
    rounds = sorted({f"{one['rounds']} rounds on {one['threads']} threads" for one in found.values()})  # fmt: skip
    lines = [
        "# The same model in other runtimes",
        "",
        f"Measured by `python -m benchmarks.serving` ({' or '.join(rounds)}, in which the runtimes take turns; the signature",
        "`tensors`). Score and agreement (the same class as TensorFlow's answer) are those of the whole test split; the first",
        "answer of a fresh process includes all imports. LiteRT takes texts and recurrent models one example at a time.",
        "",
        "## The fastest, unquantized",
        "",
        winners(found),
        "## All of them",
        "",
        "| model | runtime | KiB | score | agreement | 1 example, p50 ms | p99 ms | batch of 256, examples/s | first answer, s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in found.items():
        for label, size, score, same, median, slowest, rate, first in one["rows"]:
            shown = " | ".join("-" if value is None else f"{value:.4f}" for value in (score, same))
            lines.append(f"| {name} | {label} | {size:,.0f} | {shown} | {median:.3f} | {slowest:.3f} | {rate:,.0f} | {first:.1f} |")  # fmt: skip
    lines += ["", "## `zoo.load(...).predict` and the bare signature", "", "| model | signature, ms | predict, ms |", "| --- | --- | --- |"]  # fmt: skip
    lines += [f"| {name} | {one['overhead'][0]:.3f} | {one['overhead'][1]:.3f} |" for name, one in found.items()]  # fmt: skip
    lines += ["", "## What is refused", "", "| model | runtime | reason |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {label} | {' '.join(reason.split())} |"
        for name, one in found.items()
        for label, reason in one["refused"].items()
    ]
    return "\n".join(lines) + "\n"


def readme():
    """The README with the table between its marks."""
    before, rest = README.read_text().split(MARKS[0])
    return before + MARKS[0] + winners(results()) + MARKS[1] + rest.split(MARKS[1])[1]


if __name__ == "__main__":
    PAGE.write_text(page())
    README.write_text(readme())
