"""Models for other runtimes: they answer as the SavedModel does, or are refused."""

import configparser
import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import runs
import tensorflow as tf
from test_signatures import assert_same_answers

import zoo
from zoo import cli
from zoo.saving import runtimes
from zoo.saving.runtimes import RUNTIMES, child, convert

PACKAGES = {name for row in RUNTIMES.values() for name in row.packages}
for package in sorted(PACKAGES):
    pytest.importorskip(package, reason=f"needs {package}: the extra `convert`")

SHIPPED = Path(__file__).parents[1] / "saved_models"
CELLS = [
    pytest.param(kind, to, marks=[pytest.mark.slow] * ((kind, to) not in (("image", "litert"), ("text", "onnx"))))
    for kind in ("image", "generation", "table", "mixed table", "text", "series")
    for to in RUNTIMES
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
    ("to", "quantize"), [(to, how) for to, row in RUNTIMES.items() for how in row.quantizations]
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
    for to in RUNTIMES:
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
        ({"a": [1.0, 2.04], "n": [1, 2]}, "int8", None),
        (
            {"a": [1.0, 2.11], "n": [1, 2]},
            "int8",
            "differs by 0.055 of its largest value, more than 0.05",
        ),
        ({"a": [1.0, np.nan], "n": [1, 2]}, "int8", "differs by nan"),
        ({"a": [1.0, 2.0], "n": [1, 3]}, None, "only 50% of the golden examples"),
        ({"a": [1.0, 2.0]}, None, "returns"),
    ],
)
def test_golden_outputs_decide(found, quantize, message):
    wanted = {"a": np.array([1.0, 2.0], "float32"), "n": np.array([1, 2])}
    found = {name: np.array(values) for name, values in found.items()}
    tolerance, exact = RUNTIMES["onnx"].tolerances[quantize], quantize is None
    if message is None:
        assert json.dumps(child.compare(found, wanted, tolerance, exact=exact))
        return
    with pytest.raises(zoo.InputError, match=message):
        child.compare(found, wanted, tolerance, exact=exact)


@pytest.mark.parametrize("scale", [1.0, 3e-8, 3e8])
def test_a_constant_is_no_conversion_of_numbers_close_together(scale):
    wanted = {"prediction": (scale * np.array([1.0, 1.001, 0.999])).astype("float32")}
    constant = {"prediction": np.full(3, scale, "float32")}
    with pytest.raises(zoo.InputError, match="of its largest value"):
        child.compare(constant, wanted, runtimes.FLOAT16, exact=False)
    assert child.compare(wanted, wanted, runtimes.FLOAT16, exact=False)["same_answers"] == 1


def test_rounding_in_float32_is_no_other_answer():
    wanted = {"prediction": np.array([1e6, 1e6 + 1], "float32")}
    found = {"prediction": wanted["prediction"] + np.float32(0.0625)}
    assert child.compare(found, wanted, runtimes.FLOAT32, exact=True)


@pytest.mark.parametrize(
    ("to", "quantize"),
    [
        pytest.param(to, how, marks=[pytest.mark.slow] * ((to, how) != ("onnx", "float16")))
        for to in RUNTIMES
        for how in (None, "float16")
    ],
)
def test_inputs_and_targets_of_any_size_are_converted(to, quantize, in_tmp):
    x = 3e5 + 1e5 * np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    for scale in (1.0, 1e-13)[: 1 if quantize else 2]:
        y = scale * x[:, 0]
        trained = zoo.train("dense:tiny", (x, y), task="regression", epochs=2, quiet=True)
        if (to, quantize) == ("litert", "float16"):  # whose constants are all in 16 bits
            with pytest.raises(zoo.InputError, match="differs by"):
                zoo.convert(trained.folder, to, quantize=quantize)
            continue
        folder = zoo.convert(trained.folder, to, quantize=quantize)
        found = runtimes.open_converted(folder)({"features": x[:50]})["prediction"]
        wanted = trained.predict(x[:50])["prediction"]
        assert np.abs(found - wanted).max() < 0.01 * np.ptp(wanted)


@pytest.mark.parametrize("to", RUNTIMES)
def test_weights_that_are_quantized_already_are_refused(to, in_tmp):
    _, export = zoo.shrink("wine_dense", quantize="int8", quiet=True)
    with pytest.raises(
        zoo.InputError, match="holds weights in int8.*convert wine_dense with --quantize dynamic"
    ):
        zoo.convert(export, to)
    assert not Path("converted").exists()


def test_a_folder_of_something_else_is_refused(in_tmp):
    with pytest.raises(zoo.InputError, match="no converted model"):
        runtimes.open_converted(".")


def test_a_folder_of_an_unknown_runtime_is_refused(in_tmp):
    Path(runtimes.DESCRIPTION).write_text('{"to": "coreml", "batch": null}')
    with pytest.raises(zoo.InputError, match="Unknown runtime 'coreml'"):
        runtimes.open_converted(".")


@pytest.mark.parametrize("to", RUNTIMES)
def test_a_runtime_s_packages_come_with_the_extra(to):
    setup = configparser.ConfigParser()
    setup.read(SHIPPED.parent / "setup.cfg")
    extra = setup["options.extras_require"]["convert"].replace("-", "_")
    for package in RUNTIMES[to].packages:
        assert f"\n{package}" in extra


def test_a_runtime_is_one_row(in_tmp, monkeypatch, capsys):
    def opened(path, threads):
        loaded = tf.saved_model.load(path)
        return lambda inputs: {
            name: values.numpy() for name, values in loaded.signatures["tensors"](**inputs).items()
        }

    def written(traced, path, quantize, examples):
        with traced.saved() as folder:
            shutil.copytree(folder, path)

    def here(command, **options):  # a process of its own would not have the row
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            child.main(*command[-3:])
        return subprocess.CompletedProcess(command, 0, printed.getvalue(), "")

    row = runtimes.Runtime(
        title="Toy Runtime",
        packages=(),
        file="model",
        tolerances={None: 1e-6, "int2": 0.5},
        convert=written,
        open=opened,
        refusal=lambda card, quantize: "No int2 on Mondays." if quantize else None,
        one_by_one=lambda card: True,
    )
    monkeypatch.setitem(RUNTIMES, "toy", row)
    monkeypatch.setattr(subprocess, "run", here)
    folder = zoo.convert("wine_dense", "toy")
    assert runtimes.describe(folder)["batch"] == 1
    inputs = {"features": np.random.default_rng(0).normal(size=(3, 13)).astype("float32")}
    wanted = zoo.load("wine_dense").signatures["tensors"](**inputs)
    found = runtimes.open_converted(folder)(inputs)
    assert_same_answers(found, {name: values.numpy() for name, values in wanted.items()})
    with pytest.raises(zoo.InputError, match="No int2 on Mondays"):
        zoo.convert("wine_dense", "toy", quantize="int2")
    with pytest.raises(SystemExit):
        cli.main(["convert", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "litert, onnx, openvino or toy" in shown
    assert "float16 or int2" in shown


ALONE = """
import runpy, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("zoo", "tensorflow", "keras"):
            raise ImportError(f"{name} is not to be imported here")
sys.meta_path.insert(0, Refused())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture(scope="module")
def wines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wines")
    return {to: zoo.convert("wine_dense", to, out=folder / to) for to in RUNTIMES}


@pytest.mark.parametrize("to", RUNTIMES)
def test_the_example_beside_a_model_runs_without_zoo_and_without_tensorflow(to, wines):
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALONE, wines[to] / "example.py"],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    about = json.loads((wines[to] / "about.json").read_text())
    label = about["labels"][about["example"]["outputs"]["class_id"][0]]
    assert f"label: {label}\n" in done.stdout
    differences = re.findall(r"difference of \w+ from the SavedModel's answer: (\S+)", done.stdout)
    assert len(differences) == 2
    assert max(map(float, differences)) < 1e-4


def test_labels_columns_ranges_and_shapes_stand_beside_a_model(run, in_tmp):
    folder = zoo.convert(run("table"), "onnx")
    about = json.loads((folder / "about.json").read_text())
    card = zoo.load(run("table")).card
    assert about["labels"] == list(card.labels)
    assert [one["name"] for one in about["columns"]] == list(card.columns)
    assert about["columns"][0]["range_in_training"] == list(card.ranges[card.columns[0]])
    assert about["inputs"]["features"]["shape"] == [None, 13]
    page = (folder / "README.md").read_text()
    for said in ("class_0, class_1, class_2", "`alcohol`: 11", "unscaled", "python example.py"):
        assert said in page


def test_free_dimensions_of_onnx_have_names(run, in_tmp):
    import onnxruntime

    for kind, wanted in (("table", ["batch", 13]), ("text", ["batch", "length"])):
        folder = zoo.convert(run(kind), "onnx", out=kind)
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        assert session.get_inputs()[0].shape == wanted
        assert all(output.shape[0] == "batch" for output in session.get_outputs())


@pytest.mark.parametrize("quantize", [None, pytest.param("dynamic", marks=pytest.mark.slow)])
def test_onnx_takes_the_columns_alone_and_holds_what_they_are_scaled_by(quantize, wines, in_tmp):
    """Of Keras's own export the means and deviations of a `Normalization` become inputs that somebody has to feed."""
    import onnx

    folder = zoo.convert("wine_dense", "onnx", quantize=quantize) if quantize else wines["onnx"]
    graph = onnx.load(folder / "model.onnx").graph
    assert [given.name for given in graph.input] == ["features"]
    outputs = runtimes.open_converted(folder)({"features": np.zeros((2, 13), "float32")})
    assert np.isfinite(outputs["probabilities"]).all()


STUB = """
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } };
exports.InferenceSession = { create: async (file) => ({ run: async (inputs) => {
  const [given] = Object.values(inputs);
  if (!require("fs").existsSync(file) || given.dims.join() !== "1,13" || given.data.constructor !== Float32Array) throw file;
  return { class_id: { data: BigInt64Array.from([2n]) }, probabilities: { data: Float32Array.from([0, 0, 1]) } };
} }) };
"""


def test_the_example_in_javascript_reads_what_stands_beside_it(wines, tmp_path):
    """The runtime is a stand-in: packages of Node.js are not among those of the tests."""
    text = (wines["onnx"] / "example.js").read_text()
    assert 'require("onnxruntime-node")' in text
    assert not (wines["litert"] / "example.js").exists()
    assert "--to onnx" in (wines["litert"] / "README.md").read_text()
    if shutil.which("node") is None:
        return
    place = shutil.copytree(wines["onnx"], tmp_path / "js")
    (place / "node_modules/onnxruntime-node").mkdir(parents=True)
    (place / "node_modules/onnxruntime-node/index.js").write_text(STUB)
    done = subprocess.run(
        ["node", place / "example.js"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "label: class_2" in done.stdout


def test_the_lines_on_the_page_of_runtimes_run_without_zoo(wines, tmp_path):
    blocks = re.findall(
        r"```python\n(.*?)```", (SHIPPED.parent / "docs/runtimes.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    (tmp_path / "converted").mkdir()
    for to in ("litert", "onnx"):
        (tmp_path / f"converted/wine_dense-{to}").symlink_to(wines[to])
    for i, block in enumerate(blocks):
        path = tmp_path / f"{i}.py"
        path.write_text(block)
        done = subprocess.run(
            [sys.executable, "-P", "-c", ALONE, path],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert (done.returncode, done.stdout[:6]) == (0, "class_"), done.stderr
