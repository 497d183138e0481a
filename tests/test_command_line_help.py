"""What the command line says before it does anything: help with everyday options and an example, and what a typo was meant for."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from test_cli import here

import zoo
from zoo import catalogue, cli
from zoo.config.config import OPTIONS
from zoo.training import command_line


def help_of(*arguments):
    child = here(*arguments)
    assert child.returncode == 0, child.stderr.decode()
    return child.stdout.decode()


def flags(text):
    return set(re.findall(r"^[│| ] (--[a-z-]+)", text, re.M))


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_help_of_each_verb_ends_with_an_example_of_it(verb):
    shown = help_of(verb, "--help").rstrip().splitlines()
    at = shown.index("example:")
    assert shown[at + 1 :]
    for line in shown[at + 1 :]:
        assert line.strip().startswith(f"zoo {verb}")


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_options_in_the_example_of_a_verb_are_options_of_it(verb):
    shown = help_of(verb, "--help")
    every = help_of(verb, "--help-all") if "--help-all" in shown else shown
    for line in shown.partition("example:\n")[2].splitlines():
        words = shlex.split(line, comments=True)
        words = words[: words.index("--")] if "--" in words else words
        for word in words:
            assert not word.startswith("--") or word in every


def test_the_help_of_train_shows_five_options_and_help_all_every_one():
    short, every = help_of("train", "--help"), help_of("train", "--help-all")
    shown = {f"--{name}" for name in command_line.EVERYDAY}
    assert flags(short) == shown
    assert len(shown) == 5
    assert "--help-all lists every one" in short
    for name in OPTIONS:
        assert f"--{name.replace('_', '-')}" in every
    assert "example:" in every


def test_the_help_of_tune_shows_the_model_as_an_argument_and_the_options_of_a_search():
    short, every = help_of("tune", "--help"), help_of("tune", "--help-all")
    assert "--model" not in flags(short)
    assert "MODEL" in short.splitlines()[0]
    assert {"--tuner", "--trials", "--fix", "--dataset", "--epochs"} <= flags(short)
    assert flags(short) < flags(every)


def test_the_help_of_a_recipe_is_as_short_and_names_its_script(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["recipes/some.py", "--help"])
    with pytest.raises(SystemExit) as end:
        cli.command(None, command_line.TrainConfig().replace(epochs=77), "What it does.")
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert flags(shown) == {f"--{name}" for name in command_line.EVERYDAY}
    assert "usage: python recipes/some.py" in shown
    assert "(default: 77)" in shown
    assert "What it does." in shown
    assert shown.rstrip().endswith("python recipes/some.py --epochs 3 --out runs/first")


def test_the_help_of_the_command_lists_every_verb_and_ends_with_an_example():
    shown = help_of("--help")
    assert shown == help_of()
    for name in cli.VERBS:
        assert f"\n  {name} " in shown
    assert shown.rstrip().splitlines()[-2] == "example:"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("trian", "Unknown verb 'trian'. Did you mean 'train'"),
        ("train --epoch 3", "Unknown option --epoch. Did you mean '--epochs'"),
        ("train --lr 3", "Unknown option --lr: here it is --learning-rate"),
        ("inspect wine --tagret x", "Unknown option --tagret. Did you mean '--target'"),
        ("tune cnn --trails 3", "Did you mean '--trials'"),
        ("tune cnn --epoch 3", "Did you mean '--epochs'"),
        ("tune cnn --max-trials 3", "Unknown option --max-trials: here it is trials"),
        ("models --familly cnn", "Did you mean '--family'"),
        ("info cnn --num-class 3", "Did you mean '--num-classes'"),
        ("runs --lr 3", "Unknown option --lr. zoo runs --help lists every one"),
        ("finish run --lr 3", "Unknown option --lr"),
        ("predict mnist_cnn x.png --jsn", "Did you mean '--json'"),
        ("verify --al", "Did you mean '--all' or '--allow'"),
        ("sign wine_dense --kye x", "Did you mean '--key'"),
        ("publish run name --alos x", "Did you mean '--also'"),
        ("renew name --lr 3", "Unknown option --lr"),
        ("convert mnist_cnn --two onnx", "Did you mean '--to'"),
        ("shrink mnist_cnn --prun 0.8", "Did you mean '--prune'"),
        ("launch --worker 2 -- true", "Did you mean '--workers'"),
    ],
)
def test_a_typo_is_answered_with_what_was_meant(typed, words):
    child = here(*typed.split())
    assert child.returncode == 2
    assert child.stdout == b""
    assert child.stderr.decode().startswith("error: ")
    assert words in child.stderr.decode()


def test_every_verb_has_a_typo_in_these_tests():
    (mark,) = test_a_typo_is_answered_with_what_was_meant.pytestmark
    assert set(cli.VERBS) <= {typed.split()[0] for typed, _ in mark.args[1]}


def test_a_command_that_is_launched_needs_no_dashes_before_it(monkeypatch):
    ran = []
    monkeypatch.setattr("zoo.launch.launch", lambda command, workers, **_: ran.append(command) or 0)
    for typed in ("--workers 2 -- true --x -- --y", "--workers=2 true --x -- --y"):
        assert here("launch", *typed.split()).returncode == 0
    assert ran == [["true", "--x", "--", "--y"]] * 2


def test_values_that_repeat_and_values_side_by_side_are_joined():
    from zoo.tuning.command_line import options

    typed = "cnn --fix a=1 b=2 --fix c=3 --space d=1..2 --no-prune --epochs 3 --dataset wine"
    found = options(typed.split())
    assert sum(found.fix, ()) == ("a=1", "b=2", "c=3")
    assert sum(found.space, ()) == ("d=1..2",)
    assert not found.prune
    assert (found.model, found.config.run.epochs, found.config.data.dataset) == ("cnn", 3, "wine")


def without_tensorflow(folder, code, *commands):
    """Runs code and commands in one fresh process that must not import TensorFlow; what each command ended with and said."""
    script = f"""
import contextlib, io, json, sys
{code}
from zoo import cli
ended = []
for command in {list(map(list, commands))!r}:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            cli.main(command)
            ended.append((0, said.getvalue()))
        except SystemExit as end:
            ended.append((end.code, said.getvalue()))
print(json.dumps([{{"tensorflow", "keras"}} & set(sys.modules) == set(), ended]))
"""
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    is_free, ended = json.loads(child.stdout.splitlines()[-1])
    assert is_free
    return ended


def test_what_there_is_is_listed_without_tensorflow(tmp_path):
    ((code, listed),) = without_tensorflow(tmp_path, "import zoo; zoo.list_models()", ["models"])
    assert code == 0
    lines = listed.splitlines()
    for size in catalogue.sizes():
        (line,) = [line for line in lines if line.startswith(f"{size.model} ")]
        assert f" {size.parameters:,} " in line
        assert size.tasks in line
    assert "random weights" in lines[0]
    (row,) = [line for line in lines if line.startswith("mnist_cnn ")]
    assert zoo.load("mnist_cnn").card.headline in row
    assert re.search(r"0\.\d MiB$", row)
    assert lines[-1] == "for your data: `zoo inspect FILE` suggests one"


def test_a_wrong_path_is_refused_without_tensorflow(tmp_path):
    for name in ("table.xlsx", "model.keras"):
        (tmp_path / name).write_text("x")
    refused = {
        "predict mnist_cnn nothing.png": "There is no file nothing.png",
        "predict model.keras x.png": "model.keras is not loaded",
        "predict no_model x.png": "'no_model'",
        "verify no_model": "'no_model'",
        "convert no_model --to onnx": "'no_model'",
        "shrink no_model": "'no_model'",
        "sign no_model --key x": "'no_model'",
        "renew no_model": "'no_model'",
        "publish no_run name": "'no_run'",
        "train --dataset nothing.csv": "There is no file or folder nothing.csv",
        "train --dataset table.xlsx": "table.xlsx is no data set",
        "tune cnn --dataset nothing.csv": "There is no file or folder nothing.csv",
        "inspect nothing.csv": "There is no file or folder nothing.csv",
        "inspect table.xlsx": "table.xlsx is no data set",
        "inspect nothing.parquet": "There is no file or folder nothing.parquet",
    }
    ended = without_tensorflow(tmp_path, "", *map(str.split, refused))
    for (code, said), words in zip(ended, refused.values(), strict=True):
        assert code == 2
        assert words in said


def test_a_text_is_predicted_where_the_model_reads_texts(run):
    folder = str(run("text"))
    texts = ["good film", "no such.txt"]
    child = here("predict", folder, "good film", "--json")
    assert child.returncode == 0, child.stderr
    (row,) = map(json.loads, child.stdout.decode().splitlines())
    assert row["input"] == texts[0]
    wanted = zoo.load(folder).predict([texts[0]])
    assert row["class_id"] == wanted["class_id"][0]
    assert "There is no file no such.txt" in here("predict", folder, texts[1]).stderr.decode()
    image = here("predict", str(run("image")), "good film").stderr.decode()
    assert "There is no file good film" in image
