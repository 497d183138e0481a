"""Every option has one constraint, and whichever way a value comes, the same values are refused with the same words."""

import dataclasses
import functools
import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import yaml

import zoo
from zoo import cli
from zoo.config import constraints, mappings, options
from zoo.config.arguments import _show_pairs
from zoo.config.config import _PARTS, OPTIONS, TrainConfig, check_field, options_of
from zoo.data import augment
from zoo.tasks import of_keras
from zoo.training import compile as training
from zoo.training.command_line import from_command_line

TEXT, NOT_TEXTS = "nonsense!", [5, 0.5, True, ["a"], {"a": 1}]
HUGE = 10**400  # larger than any float
DATA = {field.name for field in dataclasses.fields(options.DataOptions)} - {"dataset"}
# What an option needs beside it where its value alone excludes something.
COMPANIONS = {"freeze": {"weights": "x"}, "nesterov": {"optimizer": "sgd"}}


def outside(interval):
    """Numbers on the wrong side of an interval's bounds, as near as a test needs."""
    step = 1 if interval.whole else 0.01
    found = [interval.low - step]
    if interval.closed in ("right", "neither"):
        found.append(interval.low)
    if interval.high is not None:
        found.append(interval.high + step)
        if interval.closed in ("left", "neither"):
            found.append(interval.high)
    numbers = [0.5 + interval.low] if interval.whole else [HUGE]
    found = found if interval.whole else list(map(float, found))
    return [*found, *numbers, math.nan, math.inf, -math.inf]


def inside(interval):
    """Numbers at an interval's bounds that belong to it, and between them."""
    step = 1 if interval.whole else 0.01
    found = [interval.low + step]
    if interval.closed in ("both", "left"):
        found.append(interval.low)
    if interval.high is not None:
        found.append(interval.high - step)
        if interval.closed in ("both", "right"):
            found.append(interval.high)
    return found


PAIRS = [32, (8,), (8, 8, 8), (8, 0), (-1, 8), (8, 1.5), (8, True), (8, "x"), TEXT]
WEIGHTS = [{"a": 0}, {"a": -1.0}, {"a": math.nan}, {"a": math.inf}, {"a": "1"}, {"a": True}]
# Kind of constraint → what it must refuse, what it must accept.
VALUES = {
    constraints.Interval: (
        lambda one: [TEXT, "", "1", True, False, [1], {"a": 1}, *outside(one)],
        inside,
    ),
    constraints.Flag: (
        lambda one: [TEXT, "no", "false", "True", "", 0, 1, 1.0, [True]],
        lambda one: [True, False],
    ),
    mappings.Pairs: (
        lambda one: [TEXT, "", 1, True, {"a": "nonsense!"}, {"a": 1}],
        lambda one: [{}, {"a": one.choices[0]}],
    ),
    constraints.Choice: (
        lambda one: [TEXT, "", f"{one.choices[0]}?", *NOT_TEXTS, list(one.choices)],
        lambda one: one.choices,
    ),
    constraints.ChoiceOrOwn: (
        lambda one: [TEXT, "", f"{one.choices[0]}?", *NOT_TEXTS, list(one.choices)],
        lambda one: [*one.choices, "own:Mine"],
    ),
    constraints.Listed: (
        lambda one: [TEXT, "", one.choices[0].upper(), *NOT_TEXTS, list(one.choices)],
        lambda one: one.choices,
    ),
    constraints.Joined: (
        lambda one: [TEXT, "", f"{one.choices[1]}+", f"{one.choices[1]}+{TEXT}", *NOT_TEXTS],
        lambda one: [*one.choices, "+".join(one.choices[1:3])],
    ),
    constraints.Text: (lambda one: NOT_TEXTS, lambda one: ["x"]),
    constraints.Names: (
        lambda one: [5, True, (1, 2), ("a", None), {"a": 1}],
        lambda one: [(), ("a",), ("a", "b")],
    ),
    constraints.TwoSizes: (lambda one: PAIRS, lambda one: [(1, 1), one.example]),
    mappings.Arguments: (
        lambda one: [TEXT, 5, True, ["a"]],
        lambda one: [{}, {"units": [3], "dropout": 0.5}],
    ),
    mappings.WordOrWeights: (
        lambda one: [TEXT, "", 5, True, ["none"], *WEIGHTS],
        lambda one: [*one.choices, {"a": 0.5, "b": 2}],
    ),
}


def wrong_values(constraint):
    return VALUES[type(constraint)][0](constraint) + [None] * (
        not constraint.optional and not isinstance(constraint, constraints.Names)
    )


def right_values(constraint):
    return [*VALUES[type(constraint)][1](constraint), *[None] * constraint.optional]


def arguments(name, value):
    """The arguments of the command line that say a value; `None` where it has none that are read as that value."""
    constraint, flag = OPTIONS[name].constraint, f"--{name.replace('_', '-')}"
    if isinstance(constraint, constraints.Flag):
        return [flag if value else f"--no-{flag[2:]}"] if isinstance(value, bool) else None
    if isinstance(value, dict):
        takes_pairs = isinstance(
            constraint, (mappings.Arguments, mappings.Pairs, mappings.WordOrWeights)
        )
        return [flag, *_show_pairs(value)] if takes_pairs else None
    if isinstance(constraint, constraints.Names) and isinstance(value, tuple):
        return [flag, *value] if all(isinstance(part, str) for part in value) else None
    of_text = (
        constraints.Text,
        constraints.Names,
        constraints.Listed,
        constraints.ChoiceOrOwn,
        constraints.Joined,
        mappings.WordOrWeights,
    )
    parts = value if isinstance(value, tuple) and len(value) > 1 else (value,)
    if value == HUGE:
        return None  # which a text says as infinity
    for part in parts:
        is_number = isinstance(part, (int, float)) and not isinstance(part, bool)
        is_said = part is None and constraint.optional or isinstance(part, str) and part != "1"
        if isinstance(constraint, (mappings.Arguments, mappings.Pairs)) or not (
            is_number or is_said
        ):
            return None
        if is_number and isinstance(constraint, of_text):
            return None
    return [flag, *map(str, parts)]


def as_lists(value):
    """Tuples as lists: what YAML has."""
    return list(value) if isinstance(value, tuple) else value


def doors(values, folder, *, refused=True):
    """Way → function that sends options in by it, for every way that can say these values; some train where all is right."""
    nested = {}
    for name, value in values.items():
        option = OPTIONS[name]
        part = nested if option.part is None else nested.setdefault(option.part, {})
        part[option.field] = as_lists(value)
    path = folder / "config.yaml"

    def from_yaml():
        path.write_text(yaml.safe_dump(nested))
        return TrainConfig.from_yaml(path)

    found = {
        "replace": lambda: TrainConfig().replace(**values),
        "from_mapping": lambda: TrainConfig.from_mapping(nested, "a card"),
        "YAML": from_yaml,
    }
    said = [arguments(name, value) for name, value in values.items()]
    if None not in said:
        found["command line"] = lambda: from_command_line(TrainConfig(), "", sum(said, []))
    if refused and values.keys() <= DATA:
        found["load_dataset"] = lambda: zoo.load_dataset("wine", **values)
    if refused and not {"model", "target", "columns"} & values.keys():  # those take other forms
        found["train"] = lambda: zoo.train("dense:tiny", "wine", **values)
    return found


def words_of(door, send):
    with pytest.raises(zoo.InputError) as caught:
        send()
        pytest.fail(f"not refused by {door}")
    return str(caught.value)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_way_in_refuses_the_same_values_with_the_same_words(name, in_tmp):
    for value in wrong_values(OPTIONS[name].constraint):
        wanted = words_of("check_field", functools.partial(check_field, name, value))
        assert name in wanted
        for door, send in doors({name: value}, in_tmp).items():
            assert words_of(door, send) == wanted, (door, value)
    assert not list(in_tmp.glob("runs"))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_way_in_takes_the_values_at_the_edges(name, in_tmp):
    for value in right_values(OPTIONS[name].constraint):
        values = {name: value} | (COMPANIONS.get(name, {}) if value else {})
        ways = doors(values, in_tmp, refused=False)
        if name == "resume":
            del ways["command line"]  # which would go on with that run
        for door, send in ways.items():
            assert send().flat()[name] == value, door
        if name in DATA:
            assert getattr(options.DataOptions().replace(**values), name) == value


def test_every_field_of_every_part_is_an_option():
    fields = [field for kind in _PARTS.values() for field in dataclasses.fields(kind)]
    own = [field for field in dataclasses.fields(TrainConfig) if field.name not in _PARTS]
    assert len(OPTIONS) == len(fields) + len(own)
    assert TrainConfig().flat() == {
        name: {} if name in ("model_args", "kinds") else option.default
        for name, option in OPTIONS.items()
    }


@pytest.mark.parametrize("kind", [int, float, str, str | None, tuple[int, int], dict, int | str])
def test_a_field_without_a_constraint_is_noticed(kind):
    fields = [("good", bool), ("other", Literal["a", "b"] | None), ("free", kind)]
    with pytest.raises(TypeError, match="declares no constraint"):
        options_of(dataclasses.make_dataclass("Free", fields))


def test_an_interval_of_texts_is_noticed():
    with pytest.raises(TypeError, match="int or float"):
        constraints.of_type(Annotated[str, constraints.Interval(0)])


def test_the_choices_are_the_rows_of_the_tables():
    assert tuple(augment.POLICIES) == options.POLICIES
    assert OPTIONS["optimizer"].constraint.choices == tuple(training.OPTIMIZERS)
    names = {of_keras.snake_case(name) for name in options.LOSSES} - {"auto", "focal"}
    assert names == {name for table in of_keras.LOSSES.values() for name in table}


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("epochs", np.int64(3), 3),
        ("learning_rate", np.float32(0.5), 0.5),
        ("learning_rate", 1, 1),
        ("skip_bad", np.bool_(True), True),
        ("optimizer", np.str_("sgd"), "sgd"),
        ("image_size", [np.int32(8), 9], (8, 9)),
        ("target", "y", ("y",)),
        ("target", ["y", np.str_("z")], ("y", "z")),
        ("columns", None, ()),
        ("out", Path("runs") / "x", "runs/x"),
    ],
)
def test_values_that_mean_the_same_are_stored_alike(name, value, stored, tmp_path):
    config = TrainConfig().replace(**{name: value})
    found = config.flat()[name]
    assert found == stored
    assert type(found) is type(stored)
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    assert TrainConfig.from_yaml(tmp_path / "c.yaml") == config


def test_a_part_that_is_no_part_is_refused():
    with pytest.raises(zoo.InputError, match="`data` must be a DataConfig. Received: {'limit': 3}"):
        TrainConfig(data={"limit": 3}).check()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "--epochs 0",
            "--epochs must be a whole number above 0, for example --epochs 10. Received: 0",
        ),
        ("--epochs ten", "Received: 'ten'"),
        (
            "--text-unit letters",
            "Unknown --text-unit 'letters'. Choose one of: 'words', 'tokens', 'characters'",
        ),
        ("--image-size 8 -1", "Received: (8, -1)"),
        ("--skip-bad no", "no"),  # a flag has no value: tyro says so
    ],
)
def test_a_command_that_is_refused_ends_with_code_2(said, words, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", *said.split()])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_what_is_left_out_of_a_comparison_is_none_in_its_place():
    whole, without = TrainConfig().to_dict(), ("weights", "quiet", "optimizer")
    part = TrainConfig(weights="x").replace(quiet=True).to_dict(without=without)
    assert (part.pop("weights"), part["run"].pop("quiet"), part["optimizer"].pop("name")) == (
        None,
    ) * 3
    del whole["weights"], whole["run"]["quiet"], whole["optimizer"]["name"]
    assert part == whole
