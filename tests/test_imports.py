"""The house: imports go one way, the start is quick, and no file hides what it does."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(zoo.__file__).parents[1]
ORDER = [
    "zoo.models.checks",
    "zoo.config",
    "zoo.catalogue",
    "zoo.keras_fixes",
    "zoo.models.layers",
    "zoo.models.positions",
    "zoo.models.attention",
    "zoo.models.decoding",
    "zoo.models",
    "zoo.families",
    "zoo.summary",
    "zoo.files",
    "zoo.data.once",
    "zoo.data.naming",
    "zoo.data.examples",
    "zoo.data.part",
    "zoo.data.labels",
    "zoo.data.kinds",
    "zoo.data.notes",
    "zoo.training.cluster",
    "zoo.training.workers",
    "zoo.training.strategy",
    "zoo.tasks",
    "zoo.data",
    "zoo.training",
    "zoo.saving",
    "zoo.launch",
    "zoo.schedulers",
    "zoo.building",
    "zoo.api",
    "zoo.finishing",
    "zoo.shrinking",
    "zoo.tuning",
    "zoo.cli_models",
    "zoo.cli_runs",
    "zoo.cli",
]
FILES = sorted((ROOT / "zoo").rglob("*.py"))
FIXES = sorted((ROOT / "zoo/keras_fixes").glob("*.py"))


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """The zoo modules that a file imports, anywhere in it."""
    names = set()
    known = {module_name(file) for file in FILES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in known else node.module)
    return {name for name in names if name.partition(".")[0] == "zoo"}


def layer(name):
    fits = [i for i, prefix in enumerate(ORDER) if name == prefix or name.startswith(prefix + ".")]
    return max(fits, key=lambda i: len(ORDER[i]), default=None)


def graph():
    return {module_name(path): imported(path) - {"zoo"} for path in FILES}


def test_imports_go_one_way():
    for name, targets in graph().items():
        if name == "zoo":
            continue
        assert layer(name) is not None, f"{name} has no place in the order of imports"
        for target in targets:
            assert layer(target) <= layer(name), f"{name} imports {target}"


def test_no_cycles():
    edges, done = graph(), set()

    def visit(name, path):
        assert name not in path, f"cycle: {' → '.join([*path, name])}"
        if name not in done:
            for target in edges.get(name, ()):
                visit(target, [*path, name])
            done.add(name)

    for name in edges:
        visit(name, [])


def test_families_never_import_each_other():
    names = (
        "checks",
        "columns",
        "latent",
        "layers",
        "positions",
        "attention",
        "decoding",
        "ngrams",
    )
    shared = {f"zoo.models.{name}" for name in names}
    for path in (ROOT / "zoo/models").glob("*.py"):
        assert imported(path) <= shared, path


def test_architectures_need_only_keras():
    for path in (ROOT / "zoo/models").glob("*.py"):
        text = path.read_text()
        assert "tensorflow" not in text, path
        assert "import torch" not in text, path


@pytest.mark.parametrize(
    ("concern", "home"),
    [
        ("tf.distribute", "training/strategy.py"),
        ("keras_tuner.", "tuning/tuner.py"),
        ("tensorflow_datasets as", "data/"),
    ],
)
def test_each_concern_has_one_home(concern, home):
    allowed = {
        "tf.distribute": [
            "training/workers.py",
            "training/run.py",
            "training/compile.py",
            "training/own_models.py",
            *(path.relative_to(ROOT / "zoo").as_posix() for path in FIXES),
        ]
    }.get(concern, [])  # type, current strategy
    for path in FILES:
        inside = path.relative_to(ROOT / "zoo").as_posix()
        code = "\n".join(
            line for line in path.read_text().splitlines() if '"""' not in line and "`" not in line
        )
        if concern in code:
            assert inside.startswith(home) or inside in allowed, f"{concern} in {inside}"


def in_fresh_process(code):
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return child.stdout


def test_importing_zoo_does_not_import_tensorflow():
    heavy = "{'tensorflow', 'keras', 'numpy', 'tensorflow_datasets', 'sklearn', 'matplotlib'}"
    for code in (
        "import zoo",
        "import zoo.cli",
        "import zoo; zoo.TrainConfig().check(); zoo.InputError",
        "import sys; sys.argv = ['zoo', '--help']\nimport zoo.cli\ntry: zoo.cli.main()\nexcept SystemExit: pass",
    ):
        loaded = in_fresh_process(
            f"{code}\nimport sys, json; print(json.dumps(sorted({heavy} & set(sys.modules))))"
        )
        assert json.loads(loaded.splitlines()[-1]) in ([], ["numpy"])  # tyro may look at numpy


def test_the_help_of_the_command_does_not_import_what_reads_the_options_of_a_run():
    code = "import sys; sys.argv = ['zoo', '--help']\nimport zoo.cli\ntry: zoo.cli.main()\nexcept SystemExit: pass"
    printed = in_fresh_process(f"{code}\nprint({{'tyro', 'yaml'}} & set(sys.modules))")
    assert printed.splitlines()[-1] == "set()"


def test_every_public_name_is_there_and_documented():
    for name in zoo.__all__:
        value = getattr(zoo, name)
        assert value.__doc__ or isinstance(value, dict), name
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError, match="has no attribute 'biuld'"):
        zoo.biuld  # noqa: B018
    assert zoo.__version__


def test_no_file_is_too_long_to_read():
    for path in [*FILES, *(ROOT / "recipes").glob("*.py")]:
        assert len(path.read_text().splitlines()) <= 350, path
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node) or ""
                length = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
                assert length <= 60, f"{path}: {node.name} has {length} lines without its docstring"
