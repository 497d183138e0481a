"""Several workers, each a real process: they train to the weights of one, and all hold the same.

By default two workers for each family and three for one, and some of the settings, the kills and the mirrored devices;
`ZOO_MATRIX=1 python -m pytest tests/faults/test_workers.py --slow` runs everything.
"""

import inspect
import json
import os
import re
from pathlib import Path

import crew
import harness
import numpy as np
import pytest
import runs
import table
import train_family
from fault_table import step
from tolerances import HALF_TRAINED, TRAINED, assert_close

import zoo
from zoo.training import checkpoints

FIRST = [param.values for param in table.KINDS if param.values[2] == 0]
WHOLE = bool(os.environ.get("ZOO_MATRIX"))
COUNTS = [
    (name, index, count)
    for name, _, index in FIRST
    for count in (2, 3)
    if (count == 2 or name == "cnn" or WHOLE) and zoo.FAMILIES[name].adapt is None
]
MATRIX = [
    pytest.param(*row, id=f"{row[0]}-{row[2]}", marks=[pytest.mark.slow] * (row != ("cnn", 0, 2)))
    for row in COUNTS
]


# On two devices every family trains to the weights of one in tests/test_families_tf.py; here two kinds of state are killed.
MIRRORED = [(name, index) for name, _, index in FIRST if WHOLE or name in ("cnn", "recurrent")]


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
        for key in same:
            assert_close(
                row[key], other_row[key], TRAINED, scale=abs(other_row[key]) or 1, err_msg=key
            )
    for (path, a), b in zip(variables.items(), others.values(), strict=True):
        assert_close(a, b, TRAINED, scale=np.abs(b).max(initial=0.1), err_msg=path)


def plain_options(name):
    """Settings under which a family's training depends on its data alone."""
    options = {"model_args": table.STATEFUL[name] | ({"num_samples": 1} if name == "vae" else {})}
    if name == "resnet":  # at a higher rate its few steps make much of rounding
        options["learning_rate"] = 0.005
    return options


@pytest.fixture(scope="session")
def one(tmp_path_factory):
    """Function: a family and the index of its sample → the run of one worker, made once for all processes of tests."""

    def of(name, index):
        with runs.made_once(tmp_path_factory, f"one-{name}-{index}") as (folder, is_made):
            if not is_made:
                train_family.main(name, index, str(folder), json.dumps(plain_options(name)))
        return folder

    return of


@pytest.mark.parametrize(("name", "index", "count"), MATRIX)
def test_workers_train_to_the_weights_of_one(name, index, count, one, in_tmp):
    options = plain_options(name)
    ended = crew.run(count, crew.TRAIN, name, index, "MANY", json.dumps(options))
    assert [code for code, _ in ended] == [0] * count, ended[0][1] + ended[-1][1]
    assert len({weights_of(printed) for _, printed in ended}) == 1  # bit for bit
    assert_alike(one(name, index), "MANY", count)
    assert harness.exported("MANY")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "index"), MIRRORED)
def test_mirrored_devices_train_to_the_weights_of_one_though_killed(name, index, one, in_tmp):
    """The cells of `mirrored`: two devices of one process, killed in the second epoch, go on and export."""
    options = plain_options(name) | {"resume": "auto"}
    arguments = [crew.TRAIN, name, index, "TWO", json.dumps(options | {"strategy": "mirrored", "replicas": 2})]  # fmt: skip
    killed = json.dumps(step(14, "signal", 9))
    ((code, printed),) = crew.run(1, harness.DRIVER, killed, *arguments)
    assert code == -9, printed
    ((code, printed),) = crew.run(1, *arguments)
    assert code == 0, printed
    assert "going on after 1 epochs" in Path("TWO/log.txt").read_text()
    assert_alike(one(name, index), "TWO", 2)
    assert harness.exported("TWO")


OPTIONS = {
    "calibration, baseline": {"calibrate": True, "baseline": True},
    "accumulate": {"accumulate": 2},
    "ema": {"ema": 0.9},
    "clip_norm": {"clip_norm": 0.05},
    "early stopping": {"patience": 1, "epochs": 6, "learning_rate": 0.5},
    "schedule, decay": {"schedule": "one_cycle", "weight_decay": 0.1},
    "balanced classes": {"class_weight": "balanced"},
}
OPTIONS = OPTIONS if WHOLE else dict(list(OPTIONS.items())[:3])
KILLED = [row for row in COUNTS if WHOLE or (row[0], row[2]) in (("recurrent", 2), ("cnn", 3))]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_settings_mean_what_they_mean_on_one(options, in_tmp):
    train_family.main("dense", 0, "ONE", json.dumps(options))
    ended = crew.run(2, crew.TRAIN, "dense", 0, "MANY", json.dumps(options))
    assert [code for code, _ in ended] == [0, 0], ended[0][1] + ended[-1][1]
    assert_alike("ONE", "MANY", 2)
    one, many = (json.loads(Path(run, "score.json").read_text()) for run in ("ONE", "MANY"))
    for key in ("scores", "temperature", "constant"):
        assert_close(many[key], one[key], TRAINED)
    assert many.get("baseline") == one.get("baseline")


@pytest.mark.slow
def test_mixed_precision_trains_and_predicts(in_tmp):
    options = json.dumps({"precision": "mixed_bfloat16"})
    train_family.main("cnn", 0, "ONE", options)
    ended = crew.run(2, crew.TRAIN, "cnn", 0, "MANY", options)
    assert [code for code, _ in ended] == [0, 0], ended[0][1] + ended[-1][1]
    (rows, _), (others, _) = last_state("ONE"), last_state("MANY")
    assert_close(others[-1]["loss"], rows[-1]["loss"], HALF_TRAINED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jit": "on"}, "jit='on' with 2 replicas"),
        ({"model": "bag:tiny"}, "bag:tiny is for one worker"),
        ({"precision": "mixed_float16"}, "mixed_float16 with 2 replicas"),
        ({"batch_size": 9}, "batch_size=9 does not divide by 2 replicas"),
        ({"find_lr": True}, "find_lr and overfit_batch are for one worker"),
        ({"steps_per_execution": 2}, "steps_per_execution=2 on several workers"),
        ({"replicas": 2}, "replicas=2 is for strategy='mirrored'"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.slow
def test_what_workers_cannot_do_is_refused(options, message, in_tmp):
    for code, printed in crew.run(2, crew.TRAIN, "dense", 0, "RUN", json.dumps(options)):
        assert code == 1  # a script of Python's, which shows the error's traceback
        assert message in printed


@pytest.mark.slow
@pytest.mark.parametrize(("name", "index", "count"), KILLED)
def test_a_family_goes_on_after_a_worker_was_killed(name, index, count, in_tmp):
    known = inspect.signature(zoo.FAMILIES[name].build).parameters
    options = {"resume": "auto", "epochs": 2}
    if "dropout" in known and name != "vae":
        options["model_args"] = {"dropout": 0.3}
    arguments = [crew.TRAIN, name, index]
    whole = crew.run(count, harness.DRIVER, "[]", *arguments, "WHOLE", json.dumps(options))
    assert [code for code, _ in whole] == [0] * count, whole[0][1]
    faults = [["[]"]] * count
    faults[count - 1] = [json.dumps(step(14, "signal", 9))]
    broken = crew.run(
        count, harness.DRIVER, own=[[*f, *arguments, "BROKEN", json.dumps(options)] for f in faults]
    )
    assert [code for code, _ in broken] == [75] * (count - 1) + [-9], broken[0][1]
    again = crew.run(count, *arguments, "BROKEN", json.dumps(options))
    assert [code for code, _ in again] == [0] * count, again[0][1]
    if count == 2:  # bit for bit
        assert weights_of(again[0][1]) == weights_of(whole[0][1])
    assert len({weights_of(printed) for _, printed in again}) == 1
    assert_alike("WHOLE", "BROKEN", 2)
