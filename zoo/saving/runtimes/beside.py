"""What stands beside a converted model, so that it is used without zoo: about.json, README.md, example.py and example.js.

`about.json` says what inputs and outputs are, and holds one example with the answer of the SavedModel.
"""

import json

import numpy as np

from zoo import files
from zoo.data import kinds
from zoo.saving import manifest
from zoo.saving.runtimes import RUNTIMES

ABOUT, README = "about.json", "README.md"
OUTPUTS = {
    "class_id": "the number of the likeliest class: its place in `labels`, from 0",
    "probabilities": "the probability of each class or label, in the order of `labels`",
    "prediction": "the predicted number, in the unit of the training targets",
    "forecast": "the next steps of the series, in its own unit",
    "reconstruction": "the image that the model makes of the input, 0..1",
    "mean": "the mean of the latent vector",
    "log_variance": "the logarithm of the variance of the latent vector",
}

PYTHON = '''"""Runs {name} with {title}, without zoo and without TensorFlow.

    pip install numpy {packages}
    python example.py

README.md says what the inputs and outputs are.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MODEL = json.loads((HERE / "about.json").read_text(encoding="utf-8"))


{open}

if __name__ == "__main__":
    example = MODEL["example"]  # put your own numbers here: {call}
    inputs = {{
        name: np.array(values, MODEL["inputs"][name]["dtype"])
        for name, values in example["inputs"].items()
    }}
    outputs = run(inputs)
    for name, values in outputs.items():
        print(name, np.asarray(values)[0])
    if MODEL["labels"] and "class_id" in outputs:
        print("label:", MODEL["labels"][int(outputs["class_id"][0])])
    for name, wanted in example["outputs"].items():
        difference = np.abs(np.asarray(outputs[name], "float64") - np.array(wanted)).max()
        print(f"largest difference of {{name}} from the SavedModel's answer: {{difference:.2g}}")
'''

JAVASCRIPT = """// Runs {name} with {title} in Node.js, without zoo:
//
//     npm install {module}
//     node example.js
//
// README.md says what the inputs and outputs are. In a browser take onnxruntime-web, which has the same functions.

const fs = require("fs");
const path = require("path");
const ort = require("{module}");

const model = JSON.parse(fs.readFileSync(path.join(__dirname, "about.json"), "utf8"));
const arrays = {{ float32: Float32Array, int32: Int32Array, int64: BigInt64Array }};

function tensor(values, dtype) {{
  const shape = [];
  for (let part = values; Array.isArray(part); part = part[0]) shape.push(part.length);
  const flat = values.flat(Infinity);
  return new ort.Tensor(dtype, arrays[dtype].from(dtype === "int64" ? flat.map(BigInt) : flat), shape);
}}

async function main() {{
  const session = await ort.InferenceSession.create(path.join(__dirname, "{file}"));
  const inputs = {{}};
  for (const [name, values] of Object.entries(model.example.inputs)) {{
    inputs[name] = tensor(values, model.inputs[name].dtype);
  }}
  const outputs = await session.run(inputs);
  for (const [name, output] of Object.entries(outputs)) console.log(name, Array.from(output.data).join(" "));
  if (model.labels.length && outputs.class_id) {{
    console.log("label:", model.labels[Number(outputs.class_id.data[0])]);
  }}
}}

main();
"""


def write(source, card, described, out):
    """Writes the four files into the folder of a converted model.

    Args:
        source: The checked folder of the SavedModel.
        card: Its `Card`.
        described: What `conversion.json` says.
        out: The folder.
    """
    row = RUNTIMES[described["to"]]
    model = _described(source, card, described, row)
    words = {"name": card.name, "title": row.title, "file": row.file, "module": row.npm}
    words["packages"] = " ".join(row.pip)
    words["open"] = row.example.strip("\n").format(file=row.file) + "\n"
    words["call"] = ", ".join(model["inputs"])
    texts = {
        ABOUT: json.dumps(model, ensure_ascii=False, indent=1) + "\n",
        README: _page(model, row),
    }
    if row.example:
        texts["example.py"] = PYTHON.format(**words)
    if row.npm is not None:
        texts["example.js"] = JAVASCRIPT.format(**words)
    for name, text in texts.items():
        files.write_atomic(out / name, text)


def _described(source, card, described, row):
    kind, signature = kinds.kind(card.input_kind), card.signatures["tensors"]
    meaning, columns = kind.numbers_are(card)
    inputs = {
        name: {"dtype": dtype, "shape": [described["batch"], *shape[1:]], "meaning": meaning}
        for name, (dtype, shape) in signature["inputs"].items()
    }
    outputs = {
        name: {"dtype": dtype, "shape": shape, "meaning": OUTPUTS.get(name, "")}
        for name, (dtype, shape) in signature["outputs"].items()
    }
    golden = np.load(source / manifest.EXTRA / "golden.npz", allow_pickle=False)
    given, wanted = (
        {
            key.removeprefix(group): golden[key][:1].tolist()
            for key in golden
            if key.startswith(group)
        }
        for group in ("inputs:tensors/", "tensors/")
    )
    ranges = card.ranges or {}
    return {
        "name": card.name,
        "runtime": row.title,
        "file": row.file,
        "quantize": described["quantize"],
        "task": card.task,
        "labels": list(card.labels),
        "inputs": inputs,
        "columns": [
            {"name": name, "range_in_training": list(ranges[name]) if name in ranges else None}
            for name in columns
        ],
        "outputs": outputs,
        "inside_the_graph": list(card.preprocessing),
        "score": card.headline,
        "limits": card.limits,
        "licence_of_the_data": card.data.licence,
        "example": {"inputs": given, "outputs": wanted},
    }


def _page(model, row):
    """The page for people."""
    batch = next(iter(model["inputs"].values()))["shape"][0]
    how_many = (
        "Any number of examples are answered at once."
        if batch is None
        else "One example is answered at a time."
    )
    lines = [
        f"# {model['name']} for {row.title}",
        "",
        f"`{row.file}` answers the task {model['task']}; {model['score']} on its test split. {how_many}",
        "",
        "```",
        f"pip install numpy {' '.join(row.pip)}",
        "python example.py",
        "```",
        "",
        _of_javascript(row),
        "",
        "| | name | dtype | shape | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what in ("inputs", "outputs"):
        for name, one in model[what].items():
            shape = "[" + ", ".join("?" if n is None else str(n) for n in one["shape"]) + "]"
            lines.append(
                f"| {what[:-1]} | `{name}` | {one['dtype']} | {shape} | {one['meaning']} |"
            )
    if model["columns"]:
        lines += ["", "Columns, in this order, and from where to where they ran in training:", ""]
        lines += [f"- {_column(column)}" for column in model["columns"]]
    if model["labels"]:
        shown = ", ".join(model["labels"][:50]) + ", ..." * (len(model["labels"]) > 50)
        lines += ["", f"Labels, from number 0 on: {shown}. `about.json` holds all."]
    lines += [
        "",
        f"What the SavedModel does to raw inputs: {'; '.join(model['inside_the_graph'])}.",
        "",
        f"Limits: {model['limits']}. Licence of the data: {model['licence_of_the_data']}.",
        "",
    ]
    return "\n".join(lines)


def _column(column):
    ends = column["range_in_training"]
    # The days of a date are texts.
    shown = [end if isinstance(end, str) else f"{end:.6g}" for end in ends or ()]
    return f"`{column['name']}`" + (f": {' to '.join(shown)}" if shown else "")


def _of_javascript(row):
    if row.npm is not None:
        return f"In Node.js: `npm install {row.npm}`, then `node example.js`."
    return "For JavaScript convert to ONNX, `zoo convert MODEL --to onnx`, whose folder has an `example.js`."
