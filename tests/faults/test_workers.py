"""Several workers, each a real process: they train to the weights of one, and all hold the same."""

import json
import re

import crew
import harness
import numpy as np
import pytest
import table
import train_family

from zoo.training import checkpoints

FIRST = [param.values for param in table.KINDS if param.values[2] == 0]
MATRIX = [
    pytest.param(
        name,
        index,
        count,
        id=f"{name}-{count}",
        marks=[pytest.mark.slow] * ((name, count) != ("cnn", 2)),
    )
    for name, _, index in FIRST
    for count in (2, 3)
]


def last_state(folder):
    """Rows, and the model's variables after the last step, by their paths."""
    state, arrays = checkpoints.read(checkpoints.paths(f"{folder}/checkpoints")[0])
    paths = [path for _, _, path in state["variables"][: state["num_model"]]]
    return state["rows"], dict(zip(paths, arrays))


def weights_of(printed):
    return re.search("weights: (.*)", printed)[1]


def assert_alike(one, other, count):
    """Checks that two runs ended alike, to the rounding of float32."""
    (rows, variables), (other_rows, others) = last_state(one), last_state(other)
    for row, other_row in zip(rows, other_rows, strict=True):
        same = [key for key in row if count == 2 or "val_" not in key]  # of 16 three workers see 15
        assert {key: row[key] for key in same} == pytest.approx(
            {key: other_row[key] for key in same}, rel=1e-4, abs=1e-6
        )
    for (path, a), b in zip(variables.items(), others.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=3e-6, err_msg=path)


@pytest.mark.parametrize(("name", "index", "count"), MATRIX)
def test_workers_train_to_the_weights_of_one(name, index, count, in_tmp):
    options = {"model_args": table.STATEFUL[name] | ({"num_samples": 1} if name == "vae" else {})}
    if name == "resnet":  # at a higher rate its few steps make much of rounding
        options["learning_rate"] = 0.005
    train_family.main(name, index, "ONE", json.dumps(options))
    ended = crew.run(count, crew.TRAIN, name, index, "MANY", json.dumps(options))
    assert [code for code, _ in ended] == [0] * count, ended[0][1] + ended[-1][1]
    assert len({weights_of(printed) for _, printed in ended}) == 1  # bit for bit
    assert_alike("ONE", "MANY", count)
    assert harness.exported("MANY")
