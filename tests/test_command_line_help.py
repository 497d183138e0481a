"""What the command line says before it does anything: help with everyday options and an example, and what a typo was meant for."""

import re
import shlex

import pytest
from test_cli import here

from zoo import cli
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
        ("train --lr 3", "Unknown option --lr: here it is learning_rate"),
        ("inspect wine --tagret x", "Unknown option --tagret. Did you mean '--target'"),
        ("tune cnn --trails 3", "Did you mean '--trials'"),
        ("tune cnn --epoch 3", "Did you mean '--epochs'"),
        ("tune cnn --max-trials 3", "Unknown option --max-trials: here it is trials"),
        ("models --familly cnn", "Did you mean '--family'"),
        ("info cnn --num-class 3", "Did you mean '--num-classes'"),
        ("runs --lr 3", "Unknown option --lr. zoo runs --help lists every one"),
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
