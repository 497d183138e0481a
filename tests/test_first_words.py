"""What is answered to a first, mistyped or misplaced word: names of models, options, and how they are called where they are typed."""

import pytest

import zoo
from zoo import cli


def answered(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert ended.value.code == 2
    return capsys.readouterr().err


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
