"""Writes docs/runtimes.md and the README's table of runtimes from what `benchmarks/serving.py` measured.

    python -m benchmarks.runtimes_page

It measures nothing itself, and leaves out what was measured of weights that don't ship any more.
"""

import json
from pathlib import Path

from benchmarks import shipped
from zoo.saving.runtimes import RUNTIMES

ROOT = Path(__file__).parents[1]
RESULTS, PAGE, README = (
    ROOT / "results" / "runtimes",
    ROOT / "docs" / "runtimes.md",
    ROOT / "README.md",
)
MARKS = "<!-- runtimes -->\n", "<!-- end of runtimes -->\n"
NAMES = {"tensorflow": "TensorFlow"} | {name: row.title for name, row in RUNTIMES.items()}


def results():
    """Name of a model that ships → what was measured of the weights that ship."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    return {
        name: one
        for name, one in found.items()
        if "rows" in one and name in shipped.names() and one["weights"] == shipped.weights(name)
    }


def winners(found):
    """A table: the runtime that answers one example soonest, and the one that does most batches, per family and model.

    Only unquantized ones are compared: their answers are the model's own.
    """
    lines = [
        "| family | model | one example | against TensorFlow | batches of 256 | against TensorFlow |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in sorted(found.items(), key=lambda item: item[1]["family"]):
        rows = {row[0]: row for row in one["rows"] if row[0] in NAMES}
        soonest = min(rows.values(), key=lambda row: row[4])
        most = max(rows.values(), key=lambda row: row[6])
        own = rows["tensorflow"]
        single = "-" if soonest is own else f"{own[4] / soonest[4]:.1f} times as fast"
        batches = "-" if most is own else f"{most[6] / own[6]:.1f} times"
        lines.append(f"| {one['family']} | `{name}` | {NAMES[soonest[0]]} | {single} | {NAMES[most[0]]} | {batches} |")  # fmt: skip
    return "\n".join(lines) + "\n"


WITHOUT = """## Without this project

`zoo convert` writes beside the model what is needed to run it with its runtime alone: `README.md`, `about.json` (names, dtypes and shapes of inputs and
outputs, labels, columns with their range in training, an example with the SavedModel's answer), `example.py` and, for ONNX,
`example.js`. In short, with `pip install numpy ai-edge-litert`:

```python
import json

import numpy as np
from ai_edge_litert.interpreter import Interpreter

about = json.load(open("converted/wine_dense-litert/about.json"))
runner = Interpreter("converted/wine_dense-litert/model.tflite").get_signature_runner("tensors")
rows = np.array(about["example"]["inputs"]["features"], "float32")  # unscaled, in the order of about["columns"]
print(about["labels"][int(runner(features=rows)["class_id"][0])])
```

and with `pip install numpy onnxruntime`:

```python
import json

import numpy as np
import onnxruntime

about = json.load(open("converted/wine_dense-onnx/about.json"))
session = onnxruntime.InferenceSession("converted/wine_dense-onnx/model.onnx")
rows = np.array(about["example"]["inputs"]["features"], "float32")
probabilities, class_id = session.run(["probabilities", "class_id"], {"features": rows})
print(about["labels"][int(class_id[0])])
```

Images are `image` float32 `[N, height, width, channels]` of the trained size, pixels 0..255; texts are `ids`, by `vocabulary.json`. A table with
categories, dates or gaps is prepared by the SavedModel alone: ask that with TensorFlow.
"""


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
        shipped.missing(found),
        "",
        WITHOUT,
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
    for name, one in found.items():
        for reason in dict.fromkeys(one["refused"].values()):
            labels = [label for label, other in one["refused"].items() if other == reason]
            lines.append(f"| {name} | {', '.join(labels)} | {' '.join(reason.split())} |")
    return "\n".join(lines) + "\n"


def readme():
    """The README with the table between its marks."""
    before, rest = README.read_text().split(MARKS[0])
    return before + MARKS[0] + winners(results()) + MARKS[1] + rest.split(MARKS[1])[1]


if __name__ == "__main__":
    PAGE.write_text(page())
    README.write_text(readme())
