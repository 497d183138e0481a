"""Every recipe and family, run as a user runs it: a process of its own, --smoke, then the export in plain TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

import zoo
from zoo.saving import golden_check

ROOT = Path(zoo.__file__).parents[1]
OTHERS = (
    "quickstart.py",
    "tune_images.py",
)  # no training of one model; they have tests of their own
RECIPES = sorted(path for path in (ROOT / "recipes").glob("*.py") if path.name not in OTHERS)
CASES = [
    ("classify_images.py", ["--model", "cnn:base", "--augment", "digits"]),
    ("classify_images.py", ["--model", "dense:base", "--teacher", "digits_cnn"]),
    ("classify_images.py", ["--strategy", "mirrored", "--replicas", "2"]),
    *(
        ("classify_images.py", ["--model", model])
        for model in ("resnet:20", "vit:base", "recurrent:base")
    ),
    ("classify_text.py", ["--model", "cnn:text"]),
    # On files of ones own: the embedded texts take seconds to read.
    *(
        ("classify_text.py", ["--model", model, "--dataset", "reviews"])
        for model in ("recurrent:base", "transformer")
    ),
    *(("generate_images.py", ["--model", model]) for model in ("vae:base", "vae:conv", "vae:iwae")),
    ("pronounce_words.py", []),
    *(
        ("forecast_series.py", ["--model", model])
        for model in ("recurrent:small", "cnn:base", "transformer", "dense:small")
    ),
    ("finetune.py", []),
    ("finetune.py", ["--weights", "wine_dense", "--dataset", "wine", "--freeze"]),
    ("classify_table.py", []),
    ("classify_table.py", ["--dataset", "breast_cancer", "--label-smoothing", "0.1"]),
    ("classify_table.py", ["--dataset", "diabetes", "--tensorboard"]),
]


def run(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, ROOT / "recipes" / script, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def write_reviews(folder):
    """A folder of texts by class, as a user has one."""
    for label, words in (("good", "fine great lovely film"), ("bad", "poor awful dull film")):
        (folder / label).mkdir(parents=True)
        for i, word in enumerate(40 * words.split()):
            (folder / label / f"{i}.txt").write_text(f"{word} {words} number{i}")


def test_every_recipe_has_a_case():
    assert {path.name for path in RECIPES} == {script for script, _ in CASES}


# Other settings of families that the other cases run.
AGAIN = ("mirrored", "breast_cancer", "diabetes", "wine_dense", "vae:conv", "vae:iwae")


def _params():
    for script, arguments in CASES:
        marks = [pytest.mark.slow] * any(word in arguments for word in AGAIN)
        yield pytest.param(script, arguments, id=" ".join([script, *arguments]), marks=marks)


@pytest.mark.parametrize(("script", "arguments"), list(_params()))
def test_smoke(script, arguments, in_tmp):
    if "reviews" in arguments:
        write_reviews(in_tmp / "reviews")
    child = warm.run(ROOT / "recipes" / script, "--smoke", *arguments)
    assert child.returncode == 0, child.stderr
    assert "test (" in child.stdout
    (folder,) = (in_tmp / "runs").iterdir()
    (version,) = (folder / "export").iterdir()
    check = warm.run(golden_check.__file__, version, imports="tensorflow")
    assert json.loads(check.stdout.splitlines()[-1])["problems"] == [], check.stderr
    drawn = script == "pronounce_words.py" or "vit:base" in arguments
    assert (folder / "attention.png").exists() == drawn
    if "--tensorboard" in arguments:
        assert list((folder / "tensorboard" / "test").iterdir())


@pytest.mark.slow
def test_a_run_is_repeated_from_its_config_and_proves_itself(in_tmp):
    recipe = ROOT / "recipes/classify_table.py"
    child = warm.run(recipe, "--smoke")
    assert child.returncode == 0, child.stderr
    (folder,) = (in_tmp / "runs").iterdir()
    assert zoo.verify(folder)["largest_difference"] <= golden_check.TOLERANCE
    again = warm.run(recipe, "--config", folder / "config.yaml")
    assert again.returncode == 0, again.stderr
    assert len(list((in_tmp / "runs").iterdir())) == 2


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_one_page_with_command_time_and_score(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    head = text.split('"""')[1]
    assert f"python recipes/{path.name}" in head
    assert "±" in head
    assert " s on 2 cores" in head
    assert "linear" in head or "constant guess" in head
    for step in (
        "load_dataset",
        "prepare",
        "build",
        "compile_model",
        "fit_model",
        "evaluate_model",
        "export_model",
    ):
        assert f"zoo.{step}(" in text


def test_help_is_quick_and_an_unknown_option_is_explained(tmp_path):
    child = run("classify_images.py", "--help", cwd=tmp_path)
    assert child.returncode == 0
    assert "--epochs" in child.stdout
    assert "--help-all" in child.stdout
    child = run("classify_images.py", "--epoch", "3", cwd=tmp_path)
    assert child.returncode == 2
    assert "--epochs" in child.stderr + child.stdout
    assert "Traceback" not in child.stderr
    assert not os.listdir(tmp_path)


@pytest.mark.slow
def test_the_digits_recipe_reaches_its_score(tmp_path):
    for seed in range(3):
        child = run(
            "classify_images.py",
            "--seed",
            str(seed),
            "--out",
            f"run{seed}",
            "--monitor",
            "accuracy",
            "--quiet",
            cwd=tmp_path,
        )
        assert child.returncode == 0, child.stderr
    scores = [
        json.loads((tmp_path / f"run{s}/score.json").read_text())["scores"]["accuracy"]
        for s in range(3)
    ]
    assert sum(scores) / 3 >= 0.985


@pytest.mark.slow
def test_mnist_reaches_99_percent_in_three_short_epochs(prepared_mnist, tmp_path):
    child = run(
        "classify_images.py", "--dataset", "mnist", "--model", "cnn:fast", "--batch-size", "128",
        "--epochs", "3", "--quiet", "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert json.loads((tmp_path / "run/score.json").read_text())["scores"]["accuracy"] >= 0.988
