"""What inputs were taken for is said in one line, with how to say otherwise, and is true."""

import logging

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.config.options import DataOptions
from zoo.data import load
from zoo.data.prepare import prepare

RNG = np.random.default_rng(0)
Y = np.arange(200) % 2
FLOATS = RNG.normal(size=(200, 8, 8)).astype("float32")


def loaded(x, y=Y, **options):
    return load.load((x, y), DataOptions().replace(**options))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((FLOATS, Y), ("features of shape 8×8", "a sequence of 8 steps with 8 values", "x[..., None]", "uint8")),
        ((FLOATS[..., None], Y), ("features of shape 8×8×1", "x.astype('uint8')", "reshape(len(x), -1)")),
        ((FLOATS[:, 0], Y), ("features of shape 8", "(examples, steps, channels)")),
        ((RNG.integers(0, 256, (200, 8, 8)).astype("uint8"), Y), ("image of shape 8×8×1", "reshape(len(x), -1)")),
        (([f"good film {i}" for i in range(200)], Y), ("text", "--text-unit")),
        ("wine", ("alcohol", "--kinds COLUMN=category")),
    ],
)  # fmt: skip
def test_what_inputs_were_taken_for_is_one_line_with_how_to_say_otherwise(data, words):
    line = load.load(data, DataOptions()).in_one_line
    assert line.startswith("inputs taken for ")
    assert "\n" not in line
    for word in words:
        assert word in line


def test_the_log_of_a_training_and_a_look_at_the_data_have_it(in_tmp):
    trained = zoo.train("cnn:tiny", FLOATS, Y, epochs=1, quiet=True)
    assert "a sequence of 8 steps with 8 values" in (trained.folder / "log.txt").read_text()
    shown = str(zoo.inspect((FLOATS, Y)))
    assert "otherwise: each example is a sequence of 8 steps" in shown


def test_numbers_with_a_place_for_the_channels_are_learned_as_pictures():
    from zoo.building import build

    splits = loaded(FLOATS[..., None])
    model = build("cnn:tiny", **prepare(splits).builder_arguments)
    assert [layer.__class__.__name__ for layer in model.layers].count("Conv2D") == 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [((2,), "column 2"), ((0, 3), "column 0, column 3"), (range(5), "all inputs")],
)
def test_constant_columns_of_an_array_are_named_by_their_numbers(columns, words, caplog):
    x = RNG.normal(size=(200, 5))
    x[:, list(columns)] = 3
    splits = loaded(x)
    with caplog.at_level(logging.WARNING, "zoo"):
        logging.getLogger("zoo").propagate = True
        prepare(splits)
    (told,) = [r.getMessage() for r in caplog.records if "constant" in r.getMessage()]
    assert told == f"constant in the training split, so of no use to the model: {words}"


def test_a_constant_column_of_a_table_is_named_by_its_title_and_left_out(caplog):
    table = pd.DataFrame(RNG.normal(size=(200, 3)), columns=["a", "b", "c"]).assign(b=3.0, y=Y)
    found = zoo.inspect(table, target="y")
    assert "column 'b' is left out: it is constant (3.0)" in str(found)
    assert found.splits.info.columns == ("a", "c")
