"""Models for other runtimes: they answer as the SavedModel does, or are refused."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import runs
from test_signatures import assert_same_answers

import zoo
from zoo.saving import convert, converters, runtimes

PACKAGES = {name for names in runtimes.PACKAGES.values() for name in names}
for package in sorted(PACKAGES):
    pytest.importorskip(package, reason=f"needs {package}: the extra `convert`")

SHIPPED = Path(__file__).parents[1] / "saved_models"
CELLS = [
    pytest.param(kind, to, marks=[pytest.mark.slow] * ((kind, to) not in (("image", "litert"), ("text", "onnx"))))
    for kind in ("image", "generation", "table", "mixed table", "text", "series")
    for to in runtimes.FILES
]  # fmt: skip


def examples(folder):
    """The golden inputs of `tensors`, and the same in another number."""
    arrays = np.load(folder / "export/1/assets.extra/golden.npz")
    inputs = {key.partition("/")[2]: arrays[key] for key in arrays if "inputs:tensors/" in key}
    return {name: np.concatenate([values, values[:3]]) for name, values in inputs.items()}


@pytest.mark.parametrize(("kind", "to"), CELLS)
def test_a_converted_model_answers_as_the_saved_model(kind, to, run, in_tmp):
    folder = zoo.convert(run(kind), to)
    assert folder == Path("converted") / f"{zoo.load(run(kind)).card.name}-{to}"
    inputs = examples(run(kind))
    wanted = zoo.load(run(kind)).signatures["tensors"](**inputs)
    found = runtimes.open_converted(folder, threads=1)(inputs)
    assert set(found) == set(wanted)
    assert_same_answers(found, {name: values.numpy() for name, values in wanted.items()})
    assert (folder / "vocabulary.json").exists() == (kind == "text")
    with pytest.raises(zoo.InputError, match="exists already"):
        zoo.convert(run(kind), to)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "quantize"), [(to, how) for to, known in convert.QUANTIZE.items() for how in known]
)
def test_quantized_models_are_smaller_and_answer_alike(
    to, quantize, in_tmp, prepared_mnist, tmp_path_factory
):
    with runs.made_once(tmp_path_factory, f"mnist-{to}") as (whole, is_made):
        if not is_made:
            zoo.convert(SHIPPED / "mnist_cnn", to, out=whole)
    small = zoo.convert(SHIPPED / "mnist_cnn", to, quantize=quantize)
    sizes = [sum(f.stat().st_size for f in folder.glob("model.*")) for folder in (whole, small)]
    assert sizes[1] < {"float16": 0.75, "dynamic": 0.5, "int8": 0.5}[quantize] * sizes[0]
    card = zoo.load("mnist_cnn").card
    inputs = convert.examples_of(card, "test", 500)
    answers = [runtimes.open_converted(folder)(inputs)["class_id"] for folder in (whole, small)]
    assert np.mean(answers[0] == answers[1]) > 0.98
    assert runtimes.describe(small)["quantize"] == quantize


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "coreml"}, "Unknown runtime 'coreml'.*Choose one of: 'litert', 'onnx', 'openvino'"),
        ({"to": "openvino", "quantize": "int8"}, "Unknown quantization for openvino 'int8'"),
    ],
)
def test_what_cannot_be_converted_is_said_before(options, message, in_tmp):
    with pytest.raises(zoo.InputError, match=message):
        zoo.convert("wine_dense", **options)
    assert not Path("converted").exists()


def test_a_translation_is_refused_with_the_reason(run, in_tmp):
    for to in runtimes.FILES:
        with pytest.raises(
            zoo.InputError, match="loop of changing shapes.*Serve it with TensorFlow"
        ):
            zoo.convert(run("translation"), to)


def test_what_crashes_litert_is_refused_before(in_tmp):
    with pytest.raises(zoo.InputError, match="calibration for int8 crashes on its loop. Use 'dynamic'"):  # fmt: skip
        zoo.convert("cmudict_stress", "litert", quantize="int8")


def test_another_answer_is_refused_and_leaves_nothing(in_tmp, monkeypatch):
    def differ(*arguments, **options):
        monkeypatch.setattr(subprocess, "run", real)
        return subprocess.CompletedProcess([], 1, "", "error: Its golden output x differs by 0.3")

    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", differ)
    with pytest.raises(
        zoo.InputError, match="cannot be converted to onnx: Its golden output x differs"
    ):
        zoo.convert("wine_dense", "onnx")
    assert not list(Path("converted").iterdir())


@pytest.mark.parametrize(
    ("code", "stderr", "message"),
    [
        (1, "I0 round-off errors\nonnx.CheckerError: no such type\nI0 more", "onnx: onnx.CheckerError: no such type$"),
        (-11, "I0000 slightly different results due to floating-point round-off errors", r"crashed \(SIGSEGV\)$"),
        (3, "", "process ended with 3$"),
    ],
)  # fmt: skip
def test_a_failed_converter_s_reason_is_no_line_of_its_log(
    code, stderr, message, in_tmp, monkeypatch
):
    failed = subprocess.CompletedProcess([], code, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(zoo.InputError, match=message):
        zoo.convert("wine_dense", "onnx")


@pytest.mark.parametrize(
    ("found", "quantize", "message"),
    [
        ({"a": [1.0, 2.0], "n": [1, 2]}, None, None),
        ({"a": [1.0, 2.1], "n": [1, 2]}, None, "golden output a differs by 0.05"),
        ({"a": [1.0, 2.1], "n": [1, 2]}, "int8", None),
        ({"a": [1.0, np.nan], "n": [1, 2]}, "int8", "differs by nan"),
        ({"a": [1.0, 2.0], "n": [1, 3]}, None, "only 50% of the golden examples"),
        ({"a": [1.0, 2.0]}, None, "returns"),
    ],
)
def test_golden_outputs_decide(found, quantize, message):
    wanted = {"a": np.array([1.0, 2.0], "float32"), "n": np.array([1, 2])}
    found = {name: np.array(values) for name, values in found.items()}
    if message is None:
        assert json.dumps(converters.compare(found, wanted, quantize))
        return
    with pytest.raises(zoo.InputError, match=message):
        converters.compare(found, wanted, quantize)


def test_a_folder_of_something_else_is_refused(in_tmp):
    with pytest.raises(zoo.InputError, match="no converted model"):
        runtimes.open_converted(".")
