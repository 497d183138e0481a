"""Series over time: windows split by time, forecasts in their own units, beside naive and linear ones."""

import numpy as np
import pandas as pd
import pytest
from tolerances import KERNELS, ORDER, ROUNDING, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import series
from zoo.saving import golden_check
from zoo.tasks import forecasting, scores
from zoo.training import report

STEPS = np.arange(400)
WAVE = (50 + 0.05 * STEPS + 3 * np.sin(2 * np.pi * STEPS / 12)).astype("float32")
OPTIONS = {"window": 24, "horizon": 6, "season": 12}


def info_of(**options):
    return door.read(WAVE, task="forecasting", **{**OPTIONS, **options})[0]


def wave_splits():
    return zoo.load_dataset("wave.csv", task="forecasting", target="sold", **OPTIONS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = {"epochs": 20, "learning_rate": 0.01, "quiet": True, "out": str(folder)}
    return zoo.train("dense:small", WAVE, task="forecasting", **OPTIONS, **options, baseline=True)


def test_windows_are_the_steps_before_their_targets():
    values = np.stack([np.arange(10.0), -np.arange(10.0)], -1)
    data = series.windows(values, window=3, horizon=2)
    assert len(data) == 6
    np.testing.assert_array_equal(data.inputs[1], [[1, -1], [2, -2], [3, -3]])
    np.testing.assert_array_equal(data.targets[1], [4, 5])
    np.testing.assert_array_equal(data.targets[-1], [8, 9])
    np.testing.assert_array_equal(series.pieces(data), [np.arange(10.0)])


def test_no_target_of_train_or_validation_reaches_into_a_later_split(in_tmp):
    pd.DataFrame({"sold": STEPS.astype(float)}).to_csv("wave.csv", index=False)
    parts = wave_splits().examples
    ends = {name: (data.targets.min(), data.targets.max()) for name, data in parts.items()}
    assert ends["train"][1] < ends["validation"][0]
    assert ends["validation"][1] < ends["test"][0]
    assert ends["test"][1] == 399
    # Nothing is lost but what would reach over: every step after the first window is a target.
    steps = np.concatenate([data.targets.ravel() for data in parts.values()])
    assert set(steps) == set(range(24, 400))


def test_statistics_come_from_train_alone(in_tmp):
    late = np.where(STEPS > 290, 1e3, WAVE)
    for name, values in (("wave", WAVE), ("late", late)):
        pd.DataFrame({"sold": values}).to_csv(f"{name}.csv", index=False)
    made = []
    for name in ("wave", "late"):
        splits = zoo.load_dataset(f"{name}.csv", task="forecasting", **OPTIONS)
        made.append((splits, zoo.prepare(splits)))
    (one, first), (two, second) = made
    assert (first.target_mean, first.target_std) == (second.target_mean, second.target_std)
    assert forecasting.scale(one) == forecasting.scale(two)
    past = WAVE[None, :24, None]
    np.testing.assert_array_equal(first.inputs(past), second.inputs(past))


def test_targets_are_changes_and_come_back(in_tmp):
    pd.DataFrame({"sold": WAVE}).to_csv("wave.csv", index=False)
    splits = wave_splits()
    preparation = zoo.prepare(splits)
    past, future = next(iter(splits.test))
    features, targets = preparation(past, future)
    np.testing.assert_array_equal(features[:, -1], 0.0)
    assert_close(preparation.restore(targets, past), future, ROUNDING)
    # A level that training never saw changes nothing.
    moved, moved_targets = preparation(past + 1000.0, future + 1000.0)
    assert_close(moved, features, ROUNDING, scale=1000)
    assert_close(moved_targets, targets, ROUNDING, scale=1000)


@pytest.mark.parametrize(("horizon", "season"), [(6, 12), (12, 12), (30, 12), (3, 1)])
def test_the_naive_forecast_repeats_the_newest_season_known(horizon, season):
    info = info_of(horizon=horizon, season=season)
    past = np.arange(24.0)[None, :, None]
    wanted = [24 - season + step % season for step in range(horizon)]
    np.testing.assert_array_equal(forecasting.seasonal_naive(past, info)[0], wanted)


def test_mase_is_the_error_over_that_of_the_naive_forecast_of_the_training_series():
    targets = np.array([[1.0, 2.0], [3.0, 4.0]])
    outputs = np.array([[2.0, 2.0, 0.5], [3.0, 6.0, 0.5]])
    found = forecasting.score(targets, outputs)
    assert found == pytest.approx({"mase": 0.75 / 0.5, "mae": 0.75, "rmse": np.sqrt(5 / 4)})
    info, splits = door.read(WAVE, task="forecasting", **OPTIONS)
    splits = door.carved(splits, "validation", 0.1, info)
    known = WAVE[: 24 + len(splits["train"]) - 1 + 6].astype("float64")
    holder = type("Splits", (), {"examples": splits, "info": info})
    assert forecasting.scale(holder) == pytest.approx(np.abs(known[12:] - known[:-12]).mean())


def test_the_scale_has_no_steps_across_a_gap():
    values = WAVE + np.random.default_rng(0).normal(size=400).astype("float32")
    info, parts = door.read(values, task="forecasting", **{**OPTIONS, "horizon": 24})

    def scale(limit, *stretches):
        splits = door.make_splits(info, parts, batch_size=8, use_validation=True, limit=limit)
        found = series.pieces(splits.examples["train"])
        assert list(map(len, found)) == list(map(len, stretches))
        changes = np.concatenate([np.abs(v[12:] - v[:-12]) for v in stretches])
        assert_close(forecasting.scale(splits), changes.mean(), ORDER)

    scale(None, values[:306])
    scale(20, values[190:257], values[239:306])


def test_the_interval_draws_whole_blocks():
    rng = np.random.default_rng(0)
    errors = np.repeat(rng.normal(size=20) ** 2, 10)  # neighbours err alike
    targets = np.zeros((200, 10))
    outputs = np.concatenate([np.tile(errors[:, None], (1, 10)), np.ones((200, 1))], axis=1)
    low, high = forecasting.interval(targets, outputs)
    assert low < errors.mean() < high
    few = forecasting.interval(targets[:40], outputs[:40])
    assert np.isnan(few).all()
    assert report.interval_text(few) == "not known: too few test examples"
    naive = scores.bootstrap(lambda held: errors @ held / 200, 200)
    assert high - low > 2 * (naive[1] - naive[0])


def test_a_trained_forecast_beats_the_naive_one_and_is_in_the_series_units(trained):
    found = trained.report
    assert found.scores["mase"] < 0.7 * found.constant["mase"]
    assert found.baseline.scores["mase"] < 0.1 * found.constant["mase"]  # the wave is linear
    text = (found.folder / "report.md").read_text()
    assert "seasonal naive" in text
    assert "autoregression" in text
    assert (found.folder / "forecast.png").exists()
    model = zoo.load(trained.export)
    forecast = model.predict(WAVE)["forecast"]  # the newest steps of a longer series
    assert forecast.shape == (1, 6)
    assert_close(forecast, model.predict(WAVE[-24:])["forecast"], KERNELS)
    later = 50 + 0.05 * np.arange(400, 406) + 3 * np.sin(2 * np.pi * np.arange(400, 406) / 12)
    assert np.abs(forecast - later).mean() < 1.5
    assert zoo.verify(trained.export)["largest_difference"] <= golden_check.TOLERANCE


def test_a_file_of_recent_steps_is_forecast(trained, in_tmp):
    from zoo.saving import inputs

    pd.DataFrame({"day": STEPS, "value": WAVE}).to_csv("recent.csv", index=False)
    model = zoo.load(trained.export)
    (row,) = inputs.predict_files(model, ["recent.csv"])
    assert_close(row["forecast"], model.predict(WAVE)["forecast"][0], KERNELS)
    assert inputs.as_text(row).startswith("recent.csv: ")
    np.save("recent.npy", WAVE)
    (same,) = inputs.predict_files(model, ["recent.npy"])
    assert same["forecast"] == row["forecast"]
    inputs.write_csv([row], "out.csv")
    assert pd.read_csv("out.csv").columns.tolist() == ["input", *(f"step_{i}" for i in range(1, 7))]


def test_other_columns_are_learned_from_and_dates_are_not(in_tmp):
    days = pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days, "heat": np.cos(STEPS), "sold": WAVE})
    info, _ = door.read(frame, target="sold", task="forecasting", **OPTIONS)
    assert info.columns == ("sold", "heat")
    assert info.input_shape == (24, 2)
    info, _ = door.read(frame, target="sold", columns=("sold",), task="forecasting", **OPTIONS)
    assert info.columns == ("sold",)
    trained = zoo.train(
        "recurrent:tiny", frame, target="sold", task="forecasting", epochs=1, quiet=True, **OPTIONS
    )
    model = zoo.load(trained.export)
    forecast = model.predict(frame)["forecast"]
    assert forecast.shape == (1, 6)
    with pytest.raises(zoo.InputError, match="heat"):
        model.predict(frame["sold"])  # one column for a model of two
    shuffled = frame[["heat", "day", "sold"]].assign(heat=frame["heat"].astype(object))
    np.testing.assert_array_equal(model.predict(shuffled)["forecast"], forecast)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["cnn:tiny", "transformer:tiny", "recurrent:tiny"])
def test_families_of_sequences_forecast(model, in_tmp):
    trained = zoo.train(model, WAVE, task="forecasting", epochs=1, quiet=True, **OPTIONS)
    assert np.isfinite(trained.report.scores["mase"])


def test_gaps_are_left_to_the_caller(in_tmp):
    broken = WAVE.copy()
    broken[[3, 4, 100]] = np.nan
    with pytest.raises(zoo.InputError, match="3 values.*first in step 3.*ffill"):
        door.read(broken, task="forecasting", **OPTIONS)
    table = pd.DataFrame({"sold": broken}, index=DAYS)
    with pytest.raises(zoo.InputError, match="first in row 2020-01-04"):
        door.read(table, task="forecasting", **OPTIONS)
    with pytest.raises(zoo.InputError, match="skip_bad"):
        zoo.train("dense:tiny", broken, task="forecasting", skip_bad=True, quiet=True, **OPTIONS)


DAYS = pd.date_range("2020-01-01", periods=400)
MIXED = DAYS[-7:].append(DAYS[:-7])


def frame(**columns):
    return pd.DataFrame({"sold": WAVE, **columns})


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (WAVE[:40], {}, "has 40 steps"),
        (WAVE, {"window": 12}, "one season"),
        (WAVE, {"horizon": 0}, "horizon"),
        (WAVE, {"target": "sold"}, "leave them out with arrays"),
        (["a", "b"], {}, "array of numbers"),
        (WAVE.reshape(10, 10, 4), {}, r"\(10, 10, 4\)"),
        (frame(heat=STEPS), {}, "Name the one column"),
        (frame(), {"target": "sould"}, "sold"),
        (frame(day=MIXED), {"target": "sold"}, "do not rise, first in row 7"),
        (frame(kind=np.where(STEPS % 2, "a", "b")), {"target": "kind"}, "not hold numbers alone"),
        ((WAVE, WAVE), {}, "a tuple"),
        (np.tile(WAVE[:12], 30), {}, "repeats itself exactly after 12 steps"),
        (WAVE.astype("float64") + 1e9, {}, "float32 cannot tell apart"),
        (frame().set_index(MIXED), {}, "dates of the index do not rise"),
        (pd.Series(WAVE, MIXED), {}, "dates of the index do not rise"),
        (pd.Series(WAVE, MIXED.to_period("D")), {}, "dates of the index do not rise"),
        (frame(day=["2020-02-30"] * 400), {"target": "sold"}, "cannot be read"),
        (frame(day=DAYS.where(STEPS != 5)), {"target": "sold"}, "is missing in row 5"),
        (frame(**{"sold ": WAVE}), {"target": "sold"}, "same name"),
        (
            frame(heat=["1.5 m"] + ["2"] * 399),
            {"target": "sold"},
            "holds numbers of different units",
        ),
    ],
)
def test_what_is_no_series_says_why(data, options, words):
    with pytest.raises(zoo.InputError, match=words):
        door.read(data, task="forecasting", **{**OPTIONS, **options})


def test_missing_days_are_told(caplog):
    days = DAYS.delete([50]).append(DAYS[-1:] + pd.Timedelta(days=1))
    door.read(frame(day=days), target="sold", task="forecasting", **OPTIONS)
    assert "before row 50 steps are missing" in caplog.text
    caplog.clear()
    door.read(
        frame(day=DAYS.strftime("%Y-%m-%dT%H:%M:%S.500")),
        target="sold",
        task="forecasting",
        **OPTIONS,
    )
    door.read(pd.DataFrame({"id": WAVE}), target="id", task="forecasting", **OPTIONS)
    assert not caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 0.1}, "a forecast"),
        ({"class_weight": "balanced"}, "forecast"),
        ({"augment": "mixup"}, "mixup"),
        ({"calibrate": True}, "calibrate"),
        ({"test": WAVE}, "split by time"),
    ],
)
def test_settings_that_no_forecast_has_are_refused(options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        zoo.train("dense:tiny", WAVE, task="forecasting", quiet=True, **OPTIONS, **options)


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (WAVE[:10], "forecasts from 24 steps"),
        (np.full(24, np.nan), "NaN"),
        (np.array(["a"] * 24), "numbers over time"),
        (np.zeros((2, 30, 3)), "forecasts from 24 steps"),
        (pd.DataFrame({"value": WAVE}, index=MIXED), "do not rise"),
        (pd.DataFrame({"valeu": WAVE}), "valeu"),
    ],
)
def test_a_loaded_forecaster_says_what_it_takes(past, words, trained):
    with pytest.raises(zoo.InputError, match=words):
        zoo.load(trained.export).predict(past)


def test_the_embedded_series_is_whole():
    pytest.importorskip("statsmodels")
    splits = zoo.load_dataset("co2", horizon=26)
    values = np.concatenate([splits.examples["train"].inputs[0, :, 0], splits.targets("test")[-1]])
    assert values[0] == pytest.approx(316.1)
    assert values[-1] == pytest.approx(371.5)
    assert splits.info.season == 52
    assert splits.info.input_shape == (104, 1)


@pytest.mark.parametrize("data", ["digits", (WAVE[:, None], STEPS % 2)])
def test_settings_of_a_series_are_refused_elsewhere(data, in_tmp):
    with pytest.raises(zoo.InputError, match="horizon=3 is for a series.*--task"):
        zoo.train("dense:tiny", data, horizon=3, quiet=True)


def test_a_column_that_is_constant_in_train_leaves_a_baseline():
    late = pd.DataFrame({"sold": WAVE, "sale": (STEPS > 350).astype(float)})
    info, splits = door.read(late, target="sold", task="forecasting", **OPTIONS)
    found = forecasting.fit_linear(door.make_splits(info, splits, batch_size=8), limit=100)
    assert np.isfinite(list(found.scores.values())).all()
    assert found.num_train == 100


def test_a_long_series_of_single_steps_is_drawn_quickly(tmp_path):
    from zoo.tasks import pictures

    values = np.arange(20_000.0)[:, None]
    pictures.forecast(values, values + 1, values - 1, 1.0, "sold", tmp_path / "forecast.png")
    assert (tmp_path / "forecast.png").stat().st_size > 1000
