"""The card: what a model is, where it comes from, how well it does, and what it is not for."""

import json
import statistics
from pathlib import Path

import yaml

from zoo import files
from zoo.config.config import TrainConfig
from zoo.saving.manifest import EXTRA, DamagedModelError

_TEXTS, _LISTS, _DICTS = ("name", "task", "input_kind"), ("input_shape", "preprocessing", "labels", "columns", "runs"), ("data", "signatures", "config")  # fmt: skip
# What every card holds; a card may come from anybody.
_ENTRIES = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_LISTS, list), **dict.fromkeys(_DICTS, dict)}  # fmt: skip
_RANKS = {"image": 3, "series": 2}
INPUT_MEANINGS = {
    "image": "pixels 0..255, any height and width (resized in the graph to {height}x{width}), {channels} channel(s)",
    "table": "one unscaled column each; a gap in a column of numbers is NaN, in one of texts an empty text",
    "text": "one UTF-8 text each",
    "series": "the last {steps} steps of the columns {columns}, in their own units, the newest last",
    "features": "one array of shape {shape} per example, unscaled",
}


def make(info, preparation, builder, run_folder, signatures, counts):
    """Collects the card of an export.

    Args:
        info: The `DataInfo`.
        preparation: The `Preparation`.
        builder: Dict with `family`, `size` and `arguments`; `None` for a model that is not of the table.
        run_folder: The run's folder, which holds `config.yaml` and `score.json`.
        signatures: Signature → {"inputs": {name: [dtype, shape]}, "outputs": the same}.
        counts: Split → number of examples.
    """
    config = yaml.safe_load((run_folder / "config.yaml").read_text())
    made_by = config.pop("made_by")
    score = json.loads((run_folder / "score.json").read_text())
    return {
        "card_version": 1,
        "name": run_folder.name,
        "builder": builder,
        "task": info.task,
        "data": {
            "name": info.name,
            "source": info.source,
            "licence": info.licence,
            "examples": counts,
        },
        "input_kind": info.kind,
        "input_shape": list(info.input_shape),
        "input_range": preparation.input_range,
        "preprocessing": [*preparation.steps, *_calibration(score)],
        "signatures": signatures,
        "labels": list(info.labels),
        "columns": list(info.columns),
        "column_kinds": list(info.column_kinds),
        "text_size": info.text_size,
        "text_unit": info.text_unit,
        "runs": [score],
        "protocol": _protocol(info.task, TrainConfig.from_yaml(run_folder / "config.yaml")),
        "config": config,
        "made_by": made_by,
        "limits": info.limits,
    }


def _protocol(task, config):
    """How the scores were measured, in words."""
    kept = "the epoch is chosen by the validation split"
    if config.data.use_validation:
        kept = "the last epoch is kept, as the validation examples were trained on, too"
    parts = ["test split, read once after training", kept]
    if task == "generation":
        pixels = {
            "none": "as they are",
            "static": "drawn black or white once",
            "dynamic": "drawn black or white, for training anew at each step, for the test once",
        }
        parts.append(f"pixels {pixels[config.data.binarize]}")
        parts.append(f"nll by {config.report.likelihood_samples:,} importance samples")
    if task == "translation":
        parts.append(f"any listed answer is right; beam of {config.report.beam_width}")
    return "; ".join(parts)


def _shrunk(shrunk):
    if shrunk["prune"] is not None:
        return f"pruned: {shrunk['prune']:.0%} of the elements of all kernels of {shrunk['from']} together are zero"
    return f"quantized: weights of dense layers and embeddings of {shrunk['from']} in {shrunk['quantize']}"


def _calibration(score):
    temperature = score.get("temperature", 1.0)
    if temperature == 1.0:
        return []
    return [f"logits divided by {temperature:.4g}, a temperature fitted on the validation split"]


def read(folder, *, shown=None):
    """Reads the card of a SavedModel folder.

    Args:
        folder: The folder of a version.
        shown: The folder that messages name, where `folder` is a copy of it.

    Raises:
        DamagedModelError: It is no card, or lacks an entry; the message names it.
    """
    try:
        card = json.loads((Path(folder) / EXTRA / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModelError(
            f"{shown or folder}: {EXTRA}/card.json cannot be read: {error}"
        ) from None
    card = card if isinstance(card, dict) else {}
    usable = {key: isinstance(card.get(key), kind) for key, kind in _ENTRIES.items()}
    usable["name"] = usable["name"] and _is_file_name(card["name"])
    if usable["input_kind"] and usable["input_shape"]:
        kind, rank = card["input_kind"], len(card["input_shape"])
        usable["input_kind"] = kind in INPUT_MEANINGS
        usable["input_shape"] = rank == _RANKS.get(kind, rank) and (rank or kind != "features")
    usable["builder"] = card.get("builder") is None or _is_builder(card["builder"])
    for key, is_usable in usable.items():
        if not is_usable:
            raise DamagedModelError(
                f"{shown or folder}: {EXTRA}/card.json has no usable entry {key!r}."
            )
    return card


def _is_file_name(name):
    """Whether a file of this name lies in the folder it is put into, and can be shown."""
    return name.isprintable() and name not in ("", ".", "..") and not set(name) & {"/", "\\"}


def _is_builder(value):
    """Whether it names a family and a size, and gives plain arguments: of a dict Keras makes whatever object it names."""
    parts = [value.get(key) for key in ("family", "size")] if isinstance(value, dict) else [None]
    arguments = value.get("arguments") if isinstance(value, dict) else None
    if not all(isinstance(part, str) for part in parts) or not isinstance(arguments, dict):
        return False
    waiting = list(arguments.values())
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif not isinstance(found, (int, float, str, type(None))):
            return False
    return True


def write(folder, card):
    """Writes `card.json` and `card.md`."""
    extra = Path(folder) / EXTRA
    files.write_atomic(extra / "card.json", json.dumps(card, indent=1) + "\n")
    files.write_atomic(extra / "card.md", render(card))


def headline(card):
    """The first score over all seeds, in words: `accuracy 0.9931 ± 0.0004 (3 seeds)`."""
    name = next(iter(card["runs"][0]["scores"]))
    values = [run["scores"][name] for run in card["runs"]]
    if len(values) == 1:
        return f"{name} {values[0]:.4f} (1 seed)"
    return f"{name} {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} ({len(values)} seeds)"


def describe_model(card):
    """Family and size, or the name of the caller's own model."""
    builder = card["builder"]
    return f"{builder['family']}:{builder['size']}" if builder else card["config"]["model"]


def render(card):
    """Renders the card as Markdown."""
    data, made_by = card["data"], card["made_by"]
    lines = [
        f"# {card['name']}",
        "",
        f"{describe_model(card)} for {card['task']} on {data['name']}: {headline(card)}.",
        "",
        "## Use",
        "",
        "```python",
        "import tensorflow as tf",
        "model = tf.saved_model.load(folder)  # the one that holds saved_model.pb",
        f"outputs = model.signatures['serving_default']({_example_call(card)})",
        "```",
        "",
        "| signature | inputs | outputs |",
        "| --- | --- | --- |",
    ]
    for name, signature in card["signatures"].items():
        lines.append(
            f"| {name} | {_tensors(signature['inputs'])} | {_tensors(signature['outputs'])} |"
        )
    shape = card["input_shape"]
    sizes = dict(zip(("height", "width", "channels"), shape)) | {"shape": tuple(shape)}
    sizes |= {"steps": shape[0] if shape else 0, "columns": ", ".join(card["columns"])}
    lines += [
        "",
        f"- input: {INPUT_MEANINGS[card['input_kind']].format(**sizes)}",
        f"- preprocessing, inside the graph: {'; '.join(card['preprocessing'])}",
    ]
    if card["labels"] and card["task"] != "generation":
        shown = ", ".join(card["labels"][:20]) + (", ..." if len(card["labels"]) > 20 else "")
        lines.append(f"- classes: {shown}")
    if shrunk := card["runs"][0].get("shrunk"):
        lines.append(f"- {_shrunk(shrunk)}")
    lines += [
        f"- limits: {card['limits']}",
        "",
        "## Scores",
        "",
        *_score_lines(card),
    ]
    counts = ", ".join(f"{split} {count:,}" for split, count in data["examples"].items())
    lines += [
        "",
        "## Origin",
        "",
        f"- data: {data['name']} ({counts}), {data['source']}; licence: {data['licence']}",
        f"- command: `{made_by['command']}`",
        f"- made on {made_by['date']} with keras {made_by['keras']}, tensorflow {made_by['tensorflow']}, "
        f"Python {made_by['python']}, on {made_by['device']}",
        "",
    ]
    return "\n".join(lines)


def _score_lines(card):
    names = list(card["runs"][0]["scores"])
    yield f"Protocol: {card['protocol']}. The weights here are those of the first row."
    yield ""
    yield f"| seed | {' | '.join(names)} | 95 % of the first | test examples | training time |"
    yield "| --- |" + " --- |" * (len(names) + 3)
    for run in card["runs"]:
        values = " | ".join(f"{value:.4f}" for value in run["scores"].values())
        ends = run.get("interval")
        interval = f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "-"
        seconds = "unknown" if run["fit_seconds"] is None else f"{run['fit_seconds']:.0f} s"
        yield f"| {run['seed']} | {values} | {interval} | {run['num_test']:,} | {seconds} |"


def _tensors(tensors):
    shown = [
        f"`{name}` {dtype} {_shape(shape)}" for name, (dtype, shape) in list(tensors.items())[:4]
    ]
    return ", ".join(shown) + (f", ... ({len(tensors)} in all)" if len(tensors) > 4 else "")


def _shape(shape):
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _example_call(card):
    names = list(card["signatures"]["serving_default"]["inputs"])
    shown = ", ".join(f"{n}={n if n.endswith('s') else n + 's'}" for n in names[:3])
    return shown + (", ..." if len(names) > 3 else "")
