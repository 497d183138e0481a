"""What is searched: spaces, narrowed or fixed, and objectives."""

import dataclasses

import keras_tuner
import numpy as np
import pytest
from searches import build, quick_trials, rows, tune

import zoo
from zoo import families, tasks
from zoo.data import examples
from zoo.tuning import objectives, spaces

QUICK = {"epochs": 1, "limit": 60, "quiet": True}


def narrowed(**options):
    return spaces.Narrowed(keras_tuner.HyperParameters(), **options)


def declare(hp):
    hp.Int("layers", 1, 4)
    hp.Float("dropout", 0.0, 0.6, step=0.1)
    hp.Choice("cell", ["lstm", "gru"])
    hp.Choice("batch", [16, 32, 64])
    hp.Boolean("norm")
    hp.check()
    return {d.name: d for d in hp._hp.space}


def test_fixed_and_narrowed_dimensions():
    found = declare(
        narrowed(
            fix={"dropout": 0.25, "norm": True},
            space={"layers": (2, 3), "cell": ["gru"], "batch": (32, 64)},
        )
    )
    assert (found["dropout"].value, found["norm"].value, found["cell"].value) == (0.25, True, "gru")
    assert (found["layers"].min_value, found["layers"].max_value) == (2, 3)
    assert list(found["batch"].values) == [32, 64]
    assert list(declare(narrowed(space={"layers": [1, 4]}))["layers"].values) == [1, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fix": {"droput": 0.2}}, "Did you mean 'dropout'"),
        ({"fix": {"dropout": 0.7}}, "dropout is searched as a number 0.0..0.6; 0.7 is outside"),
        ({"fix": {"layers": 2.5}}, "layers is searched as a whole number 1..4; 2.5 is outside"),
        ({"space": {"layers": (2, 6)}}, "1..4; 6 is outside of it"),
        ({"space": {"cell": ["rnn"]}}, "one of 'lstm', 'gru'; 'rnn' is outside"),
        ({"space": {"layers": (3, 2)}}, "in this order"),
        ({"space": {"layers": 3}}, "(lowest, highest) or a list"),
        ({"fix": {"norm": 1}}, "True or False; 1 is outside"),
        ({"fix": {"layers": 2}, "space": {"layers": (1, 2)}}, "in fix and in space"),
        (
            {"fix": {"layers": 1, "dropout": 0.0, "cell": "gru", "batch": 16, "norm": True}},
            "space is empty: nothing is left to search (layers, dropout, cell, batch, norm)",
        ),
    ],
)
def test_what_cannot_be_narrowed_so_is_refused(options, words):
    with pytest.raises(zoo.InputError) as error:
        declare(narrowed(**options))
    assert words in str(error.value)


def test_builders_pass_arguments_as_to_keras_tuner():
    hp = narrowed(space={"cell": ["gru", "rnn"]})
    hp.Boolean("norm", True)
    hp.Float("rate", 0.1, 0.5, None, "log", 0.2)
    hp.Choice("cell", ["lstm", "gru", "rnn"], None, "rnn")
    hp.Int("layers", 1, 4, 1, "linear", 3, "cell", ["gru"])
    found = {d.name: d for d in hp._hp.space}
    assert [d.default for d in found.values()] == [True, 0.2, "rnn", 3]
    assert (found["rate"].sampling, list(found["cell"].values)) == ("log", ["gru", "rnn"])
    assert found["layers"].conditions[0].values == ["gru"]


@pytest.mark.parametrize("name", ["schedule", "weight_decay"])
def test_a_builder_cannot_declare_a_dimension_of_the_training(name, in_tmp):
    def builder(hp, input_shape, num_classes):
        hp.Fixed(name, 5) if name == "schedule" else hp.Float(name, 5.0, 10.0)
        return build(hp, input_shape, num_classes)

    with pytest.raises(zoo.InputError, match=f"'{name}', which is a dimension of the training"):
        tune(builder)


def test_beta_is_not_searched_where_the_loss_is_the_objective(in_tmp, monkeypatch):
    quick_trials(monkeypatch)

    def betas(objective, **options):
        found = tune(
            "vae:tiny", rows()[0], objective=objective, trials=4, out=f"{options}", **options
        )
        return {row["values"]["beta"] for row in found.trials}  # fmt: skip

    assert betas("val_loss") == {1.0}
    assert betas("val_loss", fix={"beta": 2.0}) == {2.0}
    assert len(betas("val_nll", limit=100)) == 4
    with pytest.raises(zoo.InputError, match="val_loss depends on beta"):
        betas("val_loss", space={"beta": (0.5, 2.0)})


def test_a_grid_tries_no_step_twice(in_tmp, monkeypatch):
    quick_trials(monkeypatch)

    def builder(hp, input_shape, num_classes):
        hp.Float("rate", 0.0, 0.4, step=0.1, default=0.3)

    fix = {"learning_rate": 1e-3, "schedule": "cosine", "batch_size": 16, "weight_decay": 1e-4, "label_smoothing": 0.0}  # fmt: skip
    found = tune(builder, tuner="grid", trials=None, fix=fix).trials
    rates = sorted(row["values"]["rate"] for row in found)
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def values_tried(dimension):
    return {round(dimension.random_sample(seed), 9) for seed in range(300)}


@pytest.mark.parametrize("name", families.FAMILIES)
def test_every_value_that_a_family_declares_is_tried(name):
    hp, declared = narrowed(), {}
    plain = hp._number

    def number(method, kinds, name, low, high, options):
        declared[name] = (low, high, options["step"], options["sampling"])
        return plain(method, kinds, name, low, high, options)

    hp._number = number
    spaces.family_space(hp, name)
    tried = {d.name: values_tried(d) for d in hp._hp.space if d.name in declared}
    assert tried
    for dimension, (low, high, step, sampling) in declared.items():
        if sampling != "linear":
            continue
        count = round((high - low) / (step or 1)) + 1
        wanted = {round(low + i * (step or 1), 9) for i in range(count)}
        assert tried[dimension] == wanted, dimension


@pytest.mark.parametrize("ends", [(0.0, 0.6), (0.2, 0.3), (0.1, 0.4), (0.3, 0.3)])
def test_a_narrowed_range_has_both_ends(ends):
    hp = narrowed(space={"dropout": ends})
    hp.Float("dropout", 0.0, 0.6, step=0.1)
    (dimension,) = hp._hp.space
    assert {min(values_tried(dimension)), max(values_tried(dimension))} == set(ends)


@pytest.mark.parametrize("how", ["scope", "parent"])
def test_a_name_under_two_conditions_is_refused(how, in_tmp):
    def builder(hp, input_shape, num_classes):
        cell = hp.Choice("cell", ["lstm", "gru"])
        for value in ("lstm", "gru"):
            if how == "parent":
                hp.Int("units", 2, 8, parent_name="cell", parent_values=[value])
            else:
                with hp.conditional_scope("cell", [value]):
                    if cell == value:
                        hp.Int("units", 2, 8)
                    hp.Int("units", 2, 8)

    with pytest.raises(zoo.InputError, match="'units' under two conditions"):
        tune(builder, trials=2)


def test_values_and_ranges_of_numpy(in_tmp, monkeypatch):
    quick_trials(monkeypatch)
    found = tune(
        trials=np.int64(2),
        max_params=np.int64(100_000),
        max_minutes=np.float64(3),
        fix={"weight_decay": np.float64(1e-3)},
        space={
            "units": range(32, 256, 32),
            "dropout": np.linspace(0, 0.5, 3),
            "num_layers": (np.int64(1), np.int64(2)),
            "label_smoothing": list(np.linspace(0, 0.1, 3)),
        },
    )
    assert {type(value) for value in found.trials[1]["values"].values()} <= {int, float, str, bool}


@pytest.mark.parametrize("augment", ["photographs+mixup", "erase", "none"])
def test_the_share_of_any_augmentation_is_fixed(augment):
    config = zoo.TrainConfig().replace(augment=augment)
    hp = narrowed(fix={"augment_share": 0.5}, kept=spaces.already_said(config))
    info = zoo.load_dataset("digits").info
    found = spaces.training_space(hp, info, config, objective="val_accuracy", num_train=1000)
    assert found["augment"] == augment
    assert found["augment_share"] == (1.0 if augment == "none" else 0.5)


def test_the_command_line_of_a_space():
    assert spaces.parse(["lr=1e-3", "act=relu", "flag=true"]) == {"lr": 1e-3, "act": "relu", "flag": True}  # fmt: skip
    assert spaces.parse(["lr=1e-4..1e-2"], ranges=True) == {"lr": (1e-4, 1e-2)}
    for wrong in ("dropout", "dropout="):
        with pytest.raises(zoo.InputError, match="NAME=VALUE"):
            spaces.parse([wrong])


@pytest.mark.parametrize("name", families.FAMILIES)
def test_every_familys_trials_are_configs_that_any_recipe_takes(name, tmp_path):
    row = families.FAMILIES[name]
    task = next(iter(row.samples))
    sample = row.samples[task]()[0]
    hp = keras_tuner.HyperParameters()
    info = zoo.load_dataset("digits").info
    info = dataclasses.replace(info, task=task)
    for draw in range(3):
        options = spaces.training_space(
            hp, info, zoo.TrainConfig(), objective="val_accuracy", num_train=1000
        )
        arguments = spaces.family_space(hp, name)
        config = zoo.TrainConfig(model=name, model_args=arguments).replace(**options).check()
        (tmp_path / "best.yaml").write_text(config.to_yaml())
        assert zoo.TrainConfig.from_yaml(tmp_path / "best.yaml") == config
        if draw == 0:
            zoo.build(name, **{**sample.arguments, **arguments})
        for number, dimension in enumerate(hp.space):
            hp.values[dimension.name] = dimension.random_sample(draw * 100 + number)


@pytest.mark.parametrize("name", ["resnet", "recurrent", "transformer", "vit", "vae", "seq2seq"])
def test_a_search_begins_with_what_is_trained_without_one(name):
    size = "small" if name == "seq2seq" else "base"
    config = zoo.TrainConfig(model=f"{name}:{size}")
    wanted = families.arguments(config.model)
    hp = spaces.Narrowed(keras_tuner.HyperParameters(), first=spaces.first_values(config, True))
    found = spaces.family_space(hp, config.model)
    for key in found.keys() & wanted.keys():
        assert found[key] == (list(wanted[key]) if isinstance(wanted[key], tuple) else wanted[key])
    assert found.keys() & wanted.keys()


def test_the_first_trial_keeps_to_what_is_narrowed():
    first = {"layers": 9, "dropout": 0.3, "cell": "gru", "batch": 48, "norm": True}
    made = declare(narrowed(first=first, space={"dropout": (0.0, 0.2)}))
    defaults = {name: dimension.default for name, dimension in made.items()}
    assert defaults == {"layers": 4, "dropout": 0.2, "cell": "gru", "batch": 16, "norm": True}


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_the_first_trial_is_the_default_and_no_other_is(tuner, in_tmp):
    found = tune("dense:small", rows(600), tuner=tuner, trials=3, epochs=2)
    first, *others = [
        {k: v for k, v in row["values"].items() if not k.startswith("tuner/")}
        for row in found.trials
    ]
    flat = zoo.TrainConfig().flat()
    assert {key: first[key] for key in ("learning_rate", "schedule", "batch_size")} == {
        key: flat[key] for key in ("learning_rate", "schedule", "batch_size")
    }
    assert (first["units"], first["num_layers"]) == (64, 2)
    assert first not in others


def test_hyperband_trains_the_default_settings_for_all_epochs(in_tmp):
    found = tune("dense:small", rows(600), tuner="hyperband", trials=None, epochs=3)
    assert found.trials[0]["epochs"] == 3
    assert found.trials[1]["epochs"] == 1  # the brackets begin with few
    assert not any(
        row["values"].get("tuner/trial_id") == found.trials[0]["trial"] for row in found.trials
    )


def test_what_the_caller_has_said_is_not_searched(in_tmp):
    found = tune(batch_size=24, learning_rate=0.5, fix={"schedule": "constant"}, trials=1)
    for row in found.trials:
        assert row["values"]["batch_size"] == 24
        assert row["values"]["learning_rate"] == 0.5
        assert row["values"]["schedule"] == "constant"
    assert found.config.data.batch_size == 24
    with pytest.raises(zoo.InputError, match="batch_size=24 is among the options already"):
        tune(batch_size=24, fix={"batch_size": 32}, out="other")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_the_objectives_of_every_task_and_their_directions(name):
    found = objectives.choices(name)
    usual = {"generation": "val_negative_elbo", "translation": "val_sequence_error"}
    assert found[0].name == usual.get(name, tasks.task(name).monitor)
    assert tasks.task(name).mode in [
        one.mode for one in found if one.name == tasks.task(name).monitor
    ]
    modes = {objective.name: objective.mode for objective in found}
    assert modes["val_loss"] == "min"
    assert {"val_accuracy": "max"}.items() <= modes.items() or "classification" not in name
    with pytest.raises(zoo.InputError, match="Choose one of: .*'val_loss'"):
        objectives.find("val_acuracy", described(name))


def described(task, labels=("a", "b")):
    return examples.DataInfo("some", "image", task, (8, 8, 1), "uint8", labels=labels)


@pytest.mark.parametrize(
    ("task", "name", "found", "mode", "logged"),
    [
        ("classification", "val_auc", "val_auc", "max", ("auc",)),
        ("classification", "val_acc", "val_accuracy", "max", ()),
        ("multilabel", "val_acc", "val_binary_accuracy", "max", ()),
        ("multilabel", "val_f1_score", "val_f1_score", "max", ("f1_score",)),
        ("regression", "val_mae", "val_mae", "min", ("mae",)),
    ],
)
def test_metrics_of_keras_are_objectives_and_are_logged_for_it(task, name, found, mode, logged):
    objective, metrics = objectives.find(name, described(task))
    assert (objective.name, objective.mode, metrics) == (found, mode, logged)
    with pytest.raises(zoo.InputError, match="Did you mean 'val_loss'"):
        objectives.find("loss", described(task))


def test_a_search_by_a_metric_of_keras_logs_it(in_tmp):
    found = tune(objective="val_auc", out="by_auc", trials=1)
    assert found.objective == "val_auc"
    assert found.config.optimizer.metrics == ("auc",)
    assert 0 <= found.score <= 1


def test_scores_as_objectives_are_those_of_the_report():
    outputs = {"translation": np.ones((2, 3)), "generation": np.ones((2, 5))}
    scored = {name: row.objectives for name, row in tasks.TASKS.items() if row.objectives}
    for name, scores in scored.items():
        assert set(scores) <= set(tasks.task(name).score(None, outputs[name]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data", "objective", "options"),
    [
        ("vae:tiny", "digits", "val_nll", {"likelihood_samples": 5, "space": {"units": (64, 64)}}),
        ("seq2seq:tiny", "cmudict", "val_sequence_error", {"space": {"num_layers": (1, 1), "hidden_dim": (32, 32)}}),
    ],
)  # fmt: skip
def test_a_score_of_the_validation_split_as_objective(model, data, objective, options, in_tmp):
    found = zoo.tune(
        model,
        data,
        tuner="random",
        trials=2,
        objective=objective,
        **options,
        **QUICK,
    )
    scores = [row["score"] for row in found.trials]
    assert found.score == min(scores)


# What a search leaves
