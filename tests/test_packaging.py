"""The wheel works outside of the checkout, and what is imported is declared."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(zoo.__file__).parents[1]
DISTRIBUTIONS = {
    "ai_edge_litert": "ai-edge-litert",
    "google": "protobuf",
    "model_signing": "model-signing",
    "keras_tuner": "keras-tuner",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "tensorflow_datasets": "tensorflow-datasets",
}


def declared():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    for extra in ("convert", "series", "sign"):
        lines += setup["options.extras_require"][extra].splitlines()
    return {line.split(" ")[0] for line in lines if line and not line.startswith("#")}


def test_what_is_imported_is_declared():
    imported = set()
    for path in (ROOT / "zoo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    foreign = {name for name in imported if name not in sys.stdlib_module_names and name != "zoo"}
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} <= declared()


def test_setup_is_in_setup_cfg():
    assert len((ROOT / "setup.py").read_text().splitlines()) == 2
    assert "[project]" not in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own(tmp_path):
    def run(*command, cwd=tmp_path):
        child = subprocess.run(
            [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert child.returncode == 0, child.stdout + child.stderr
        return child.stdout

    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", ROOT, clone)
    run(
        sys.executable, "-m", "build", "--outdir", tmp_path / "dist", clone
    )  # the wheel is made from the sdist
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-compile", wheel)
    command, python = tmp_path / "venv/bin/zoo", tmp_path / "venv/bin/python"
    assert "cnn:base" in run(command, "models")
    assert run(command, "verify", "--all").count("ok ") == len(
        [path for path in (ROOT / "saved_models").iterdir() if path.is_dir()]
    )
    code = (
        "import zoo, numpy as np\n"
        "assert 'clone' not in zoo.__file__\n"
        "m = zoo.build('cnn:small', input_shape=(28, 28, 1), num_classes=10)\n"
        "print(m.count_params(), zoo.load('mnist_cnn').predict(np.zeros((1, 28, 28), 'uint8'))['label'].shape)"
    )
    assert run(python, "-c", code).strip() == "421642 (1,)"
    run(command, "train", "--model", "dense", "--dataset", "wine", "--smoke", "--quiet")
    assert "ok" in run(command, "verify", "runs/wine-dense_tiny-1")
