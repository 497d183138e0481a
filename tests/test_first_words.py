"""What is answered to a first, mistyped or misplaced word: names of models, options, and how they are called where they are typed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo import cli
from zoo.config import typed
from zoo.config.options import DataOptions
from zoo.data.load import load


def answered(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert ended.value.code == 2
    return "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "digits_cn"),
        ("predict", "digits_cn", "x.png"),
        ("verify", "digits_cn"),
        ("convert", "digits_cn", "--to", "onnx"),
        ("train", "--model", "digits_cn", "--dataset", "digits"),
        ("tune", "digits_cn", "--dataset", "digits"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_mistyped_model_is_answered_with_the_nearest_names(arguments, capsys, in_tmp):
    assert "Did you mean 'digits_cnn'" in answered(capsys, *arguments).replace("mnist_cnn", "")


def test_a_mistyped_family_is_answered_with_the_nearest_one(capsys, in_tmp):
    assert "Did you mean 'resnet'" in answered(capsys, "info", "resnt:20")
    with pytest.raises(zoo.InputError, match="There is no folder runs/gone"):
        zoo.train("runs/gone", "digits")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("freeze=True would", "--freeze would"),
        ("pass out=... (--out)", "pass --out ..."),
        ("`image_size` must be two numbers", "--image-size must be two numbers"),
        ("pass skip_bad (--skip-bad) to", "pass --skip-bad to"),
        ("target=... or --target.", "--target."),
        ("leave it out (columns, --columns)", "leave it out (--columns)"),
        ("kinds={'a b': 'text'} (--kinds a b=text)", "--kinds 'a b=text'"),
        ("columns=('a', 'b'), image_size=[8, 8]", "--columns a b, --image-size 8 8"),
        ("bucket=False, limit=5. batch_size of 3", "--no-bucket, --limit 5. --batch-size of 3"),
        ("zoo.train(model, x, sample_weight=w)", "zoo.train(model, x, sample_weight=w)"),
        ("runs/epochs=5/a, 'seed=3', data=d", "runs/epochs=5/a, 'seed=3', data=d"),
    ],
)
def test_a_message_has_the_options_as_they_are_typed(message, shown):
    assert typed.as_typed(message) == shown
    assert typed.said(message) == message
    with typed.on_the_command_line():
        assert typed.said(message) == shown


def test_the_command_line_speaks_of_options_and_python_and_the_log_of_settings(capsys, in_tmp):
    said = answered(capsys, "train", "--dataset", "wine", "--freeze")
    assert "error: --freeze would train" in said
    assert "freeze=" not in said
    days = pd.date_range("2024-01-01", periods=60)
    table = pd.DataFrame({"day": days, "size": np.arange(60) % 7, "kind": ["a", "b"] * 30})
    table.to_csv("t.csv", index=False)
    cli.main(
        [
            "train",
            "--dataset",
            "t.csv",
            "--target",
            "kind",
            "--epochs",
            "1",
            "--out",
            "run",
            "--model",
            "dense:tiny",
        ]
    )
    assert "newest rows pass --split-by day" in capsys.readouterr().err
    assert "newest rows pass split_by='day' (--split-by day)" in Path("run/log.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image_size": (8, 8)}, r"is for images, and the inputs of your data are numbers"),
        ({"text_size": (8, 80)}, r"is for texts, and the inputs of your data are numbers"),
        ({"text_unit": "words"}, r"is for texts"),
        ({"bucket": False}, r"is for texts"),
        ({"window": 8}, r"is for a series.* or pass task='forecasting' \(--task forecasting\)"),
        ({"beam_width": 9}, r"is for a translation, and your data is a classification"),
        ({"likelihood_samples": 9}, r"is for a generation, and your data is a classification"),
        ({"kinds": {"a": "text"}}, r"`kinds` is for tables"),
        ({"missing": "NA"}, r"`missing` is for tables"),
        ({"decimal": ","}, r"`decimal` is for tables"),
        ({"dates": "day-first"}, r"`dates` is for tables"),
        ({"augment_share": 0.5}, r"needs augment='photographs'"),
        ({"teacher_weight": 0.1}, r"needs teacher='mnist_cnn'"),
        ({"momentum": 0.5}, r"needs optimizer='sgd'"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_an_option_that_does_nothing_for_the_data_is_refused_by_its_name(options, said, in_tmp):
    x = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(zoo.InputError, match=said) as raised:
        zoo.train("dense:tiny", x, x[:, 0] > 0, epochs=1, quiet=True, **options)
    assert next(iter(options)) in str(raised.value)
    assert not Path("runs").exists()


def test_an_option_for_another_kind_is_refused_in_the_same_words_where_it_is_typed(capsys, in_tmp):
    pd.DataFrame({"a": range(60), "kind": ["x", "y"] * 30}).to_csv("flights.csv", index=False)
    said = answered(
        capsys, *["inspect", "flights.csv", "--target", "kind", "--image-size", "8", "8"]
    )
    assert "error: --image-size 8 8 is for images, and the inputs of flights are a table" in said
    said = answered(capsys, *["train", "--dataset", "digits", "--decimal", ","])
    assert "error: --decimal is for files of your own" in said


def test_an_option_of_one_of_several_inputs_is_taken(in_tmp):
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1)).astype("uint8")
    data = ({"image": images, "columns": images[:, 0, :3, 0] / 255}, images[:, 0, 0, 0] > 127)
    splits = load(data, DataOptions(image_size=(4, 4)))
    assert splits.info.parts["image"].input_shape == (4, 4, 1)
    with pytest.raises(zoo.InputError, match="are several inputs"):
        load(data, DataOptions(text_unit="words"))
