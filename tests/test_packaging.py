"""What is imported is declared, and for which Pythons; `tests/installed.sh` tries the wheel itself."""

import ast
import configparser
import os
import re
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
    "PIL": "pillow",
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


def test_one_list_of_python_versions():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = re.findall(
        r"Programming Language :: Python :: 3\.(\d+)", setup["metadata"]["classifiers"]
    )
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", setup["options"]["python_requires"]).groups()
    assert [int(minor) for minor in named] == list(range(int(low), int(high)))
    *first, last = [f"3.{minor}" for minor in named]
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"Python {', '.join(first)} or {last}" in readme
    assert f"Python 3.{low} to {last}" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own():
    """It is built and installed with pip, from the network or from pip's cache."""
    if os.environ.get("ZOO_INSTALLED_TRIED"):
        pytest.skip("tests/installed.sh has just tried it")
    subprocess.run([ROOT / "tests/installed.sh"], env={**os.environ, "PYTHON": sys.executable}, check=True)  # fmt: skip
