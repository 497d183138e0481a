"""`zoo.convert`: a SavedModel for another runtime, compared with the SavedModel before it is kept."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from zoo import files
from zoo.config.config import OWN_DATA, TrainConfig, data_options
from zoo.data.load import load_dataset
from zoo.data.prepare import prepare
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import endpoints, gate, manifest, runtimes, store
from zoo.saving.runtimes import RUNTIMES, beside
from zoo.tasks import task

CALIBRATION = 100  # training examples that int8 looks at
# How a line begins that says why a process failed.
ERROR = re.compile(r"(error|[\w.]*(Error|Exception)): ")


def convert(name_or_path, to, *, quantize=None, out=None):
    """Converts a SavedModel's signature `tensors` for another runtime.

    The converter runs in a process of its own. What it wrote is loaded by the runtime, answers the golden inputs, and is
    kept only when its outputs are those of the SavedModel.

    Args:
        name_or_path: As in `zoo.load`.
        to: A key of `zoo.saving.runtimes.RUNTIMES`: `"litert"`, `"onnx"` or `"openvino"`.
        quantize: `"dynamic"`: weights in 8 bits; `"int8"`: weights and activations, whose ranges training examples
            tell; `"float16"`: weights in 16 bits; `None`: as they are. Not every runtime has all of them.
        out: Folder to write, which must not exist; default: `converted/NAME-RUNTIME[-QUANTIZE]`.

    Returns:
        The folder: the model, `conversion.json`, and for a model of texts `vocabulary.json`; for people without zoo `README.md`,
        `about.json` (labels, columns and their ranges, an example), `example.py` and, of ONNX, `example.js`.

    Raises:
        InputError: There is no such model, it cannot be converted so, a package is missing, or the converted model
            answers differently.
    """
    checks.one_of("runtime", to, RUNTIMES)
    if quantize is not None:
        checks.one_of(f"quantization for {to}", quantize, RUNTIMES[to].quantizations)
    source = store.find(name_or_path)
    with gate.checked(source) as folder:
        return _convert_checked(source, folder, to, quantize, out)


def _convert_checked(source, folder, to, quantize, out):
    card, row = cards.read(folder, shown=source), RUNTIMES[to]
    refusal = _refusal(card) or row.refusal(card, quantize)
    if refusal:
        raise checks.InputError(refusal)
    runtimes.need(to)
    rebuilt = bool(row.rebuilt(card))
    batch = 1 if row.one_by_one(card) else None
    options = {"to": to, "quantize": quantize, "batch": batch, "retrace": rebuilt, "model": card.name}  # fmt: skip
    name = "-".join([card.name, to, *([quantize] if quantize else [])])
    out = files.claim_folder(out or Path("converted") / name)
    try:
        return _convert(folder, card, options, out)
    except BaseException:
        shutil.rmtree(out)
        raise


def _refusal(card):
    """Why no runtime takes a model, or `None`."""
    if card.inputs:
        return f"{card.name} takes several inputs ({', '.join(card.inputs)}), which are not converted: serve it with TensorFlow."
    if "tensors" not in card.signatures:
        return f"{card.name} has no signature 'tensors': export it again, with zoo renew or by another run."
    if card.builder is not None and card.builder.quantize:
        origin = (card.runs[0].shrunk or {}).get("from", "the model that it was made of")
        return (
            f"{card.name} holds weights in {card.builder.quantize}, which a converter writes out in 32 bits again, or does not take: "
            f"convert {checks.shown(origin)} with --quantize dynamic."
        )
    if task(card.task).is_looped:
        return (
            f"{card.name} writes its answers in a loop of changing shapes, which no converter takes: LiteRT's and tf2onnx's "
            "fail on it, and OpenVINO's, too. Serve it with TensorFlow."
        )
    return None


def _convert(source, card, options, out):
    with tempfile.TemporaryDirectory() as place:
        if options["quantize"] == "int8":
            options["examples"] = f"{place}/examples.npz"
            np.savez(options["examples"], **examples_of(card, "train", CALIBRATION))
        command = [sys.executable, "-P", "-m", "zoo.saving.runtimes.child", source, out, json.dumps(options)]  # fmt: skip
        child = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if child.returncode:
        raise checks.InputError(
            f"{card.name} cannot be converted to {options['to']}: {_reason(child)}"
        )
    options.pop("examples", None)
    described = {**options, **json.loads(child.stdout.splitlines()[-1])}
    text = (source / manifest.PATH).read_text(encoding="utf-8")
    described["manifest_sha256"] = json.loads(text)["sha256"]
    described["signature"] = card.signatures["tensors"]
    files.write_atomic(out / runtimes.DESCRIPTION, json.dumps(described, indent=1) + "\n")
    vocabulary = source / manifest.EXTRA / "vocabulary.json"
    if vocabulary.exists():
        shutil.copyfile(vocabulary, out / vocabulary.name)
    beside.write(source, card, described, out)
    return out


def _reason(child):
    """Why the process of a converter failed."""
    said = [line for line in child.stderr.splitlines() if ERROR.match(line)]
    if said:
        return said[-1].removeprefix("error: ")[:500]
    if child.returncode < 0:
        return f"the converter crashed ({signal.Signals(-child.returncode).name})"
    return f"the converter's process ended with {child.returncode}"


def examples_of(card, split, count=None):
    """Examples of the data that a model was trained on, as its signature `tensors` takes them.

    Args:
        card: The model's card.
        split: `"train"`, `"validation"` or `"test"`.
        count: How many; default: all.

    Raises:
        InputError: The model was trained on data of its maker's own.
    """
    splits = splits_of(card)
    total = len(splits.examples[split])
    numbers = np.linspace(0, total - 1, min(count or total, total)).round().astype(int)
    return endpoints.as_numbers(splits.pick(split, numbers), splits.info, prepare(splits))


def splits_of(card):
    """The data that a model was trained on; raises `InputError` where they have no name."""
    config = TrainConfig.from_mapping(card.config, card.name)
    if config.data.dataset == OWN_DATA:
        raise checks.InputError(
            f"{card.name} was trained on data from memory, which are needed here and cannot be read again."
        )
    return load_dataset(**data_options(config))
