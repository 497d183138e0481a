"""Forecasting: the next values of a series. Forecasts are judged beside those that repeat the last season, with which they share the scale.

Outputs, one row for each test example: the forecast of each step of the horizon, in the units of the series; then the
scale, the same in each row: the mean absolute error with which the training series is forecast, one step ahead, by its
value one season earlier (Hyndman & Koehler 2006). An error of 1 scale is a MASE of 1.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.data.kinds import series
from zoo.models import checks
from zoo.tasks import linear_baseline, losses, model_checks, pictures, scores, target_checks
from zoo.tasks import targets as conversions
from zoo.tasks.row import Task
from zoo.training import strategy as strategies

FEWEST_BLOCKS = 5  # that an interval can be told from
ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0)  # penalties that the linear autoregression chooses from


class Changes(conversions.Standardised):
    """Targets as changes from the last value of their window, standardised."""

    def __init__(self, splits):
        super().__init__(splits, of=_changes)
        self.steps = (*self.steps, "forecasts added to the last value")

    def prepared(self, features, targets, raw):
        return super().prepared(features, targets - raw[:, -1, :1], raw)

    def restored(self, outputs, raw=None):
        return super().restored(outputs) + raw[:, -1, :1]


def _changes(splits):
    data = splits.examples["train"]
    return data.targets - data.inputs[:, -1, :1]


def outputs(model, splits, run):
    """The outputs for the test split, float64 `[N, horizon + 1]`."""
    past = splits.examples["test"].inputs
    predicted = strategies.predict(model, splits, "test")[: len(past)]
    return _with_scale(splits.preparation.restore(np.asarray(predicted, "float64"), past), splits)


def scale(splits):
    """The mean absolute error of the training series' values one season earlier."""
    pieces, season = series.pieces(splits.examples["train"]), splits.info.season
    changes = [np.abs(np.subtract(v[season:], v[:-season], dtype="float64")) for v in pieces]
    # Where the training part repeats itself exactly there is no scale: every error is beyond it.
    return max(float(np.concatenate(changes).mean()), np.finfo("float64").tiny)


def score(targets, outputs):
    """Test scores, over all steps of the horizon."""
    errors = outputs[:, :-1] - targets
    mae = float(np.abs(errors).mean())
    return {
        "mase": mae / float(outputs[0, -1]),
        "mae": mae,
        "rmse": float(np.sqrt((errors**2).mean())),
    }


def interval(targets, outputs):
    """Of the MASE."""
    errors = np.abs(outputs[:, :-1] - targets).mean(1) / outputs[0, -1]
    # Neighbouring examples share most of their targets: whole blocks of them are drawn.
    blocks = np.array_split(errors, max(1, len(errors) // targets.shape[1]))
    if len(blocks) < FEWEST_BLOCKS:
        return np.nan, np.nan
    sums, counts = np.array([b.sum() for b in blocks]), np.array([len(b) for b in blocks])
    return scores.bootstrap(lambda held: (sums @ held) / (counts @ held), len(blocks))


def constant(splits, model):
    """The outputs of forecasts that repeat the last season."""
    return _with_scale(seasonal_naive(splits.examples["test"].inputs, splits.info), splits)


def seasonal_naive(past, info):
    """Each step of the horizon as the newest value known of the same place in the season, `[N, horizon]`."""
    places = np.arange(info.horizon) % info.season - info.season
    return past[:, places, 0].astype("float64")


def fit_linear(splits, limit=linear_baseline.MOST_EXAMPLES):
    """Fits the linear autoregression: each step of the horizon from all values of the window, with a ridge penalty.

    Args:
        splits: The `Splits`.
        limit: Fit on the newest so many examples; `None` for all.

    Returns:
        A `Baseline`.
    """
    from sklearn.linear_model import Ridge

    def rows(split):
        data = splits.examples[split]
        if split == "train" and limit is not None and len(data) > limit:
            data = data.take(np.arange(len(data) - limit, len(data)))
        last = data.inputs[:, -1:, :1].astype("float64")
        changes = (data.inputs - data.inputs[:, -1:, :]).reshape(len(data), -1)
        return changes / spread, data.targets - last[..., 0], last[..., 0]

    past = splits.examples["train"].inputs
    spread = (past - past[:, -1:, :]).std((0, 1), dtype="float64")
    spread = np.tile(
        np.where(spread > 0, spread, 1.0), past.shape[1]
    )  # a constant column says nothing
    x, y, _ = rows("train")
    count = len(x)
    models = [Ridge(alpha=alpha).fit(x, y) for alpha in ALPHAS]
    x, y, _ = rows("validation")
    best = min(models, key=lambda m: np.abs(m.predict(x).reshape(y.shape) - y).mean())
    x, y, last = rows("test")
    outputs = _with_scale(best.predict(x).reshape(y.shape) + last, splits)
    reached = score(splits.targets("test"), outputs)
    return linear_baseline.Baseline(f"autoregression, {best!r}", reached, count)


def draw(model, splits, targets, outputs, folder):
    """Draws forecasts over the test split and the error at each step; returns the files' names."""
    naive = seasonal_naive(splits.examples["test"].inputs, splits.info)
    unit = splits.info.columns[0]
    pictures.forecast(
        targets, outputs[:, :-1], naive, outputs[0, -1], unit, folder / "forecast.png"
    )
    return ["forecast.png"]


def _with_scale(forecasts, splits):
    return np.concatenate([forecasts, np.full((len(forecasts), 1), scale(splits))], axis=1)


def _loss(options):
    """The absolute error, which is what is judged."""
    losses.refuse_of_classes(options, "a forecast")
    return keras.losses.MeanAbsoluteError()


def _convert(targets, titles=None):
    raise checks.InputError(
        "A forecast's targets are the next values of its own series: pass the series alone, without targets."
    )


def _predict(model, info, preparation, serving):
    def predict(features, raw, in_words=True):
        outputs = tf.cast(model(features, training=False), tf.float32)
        return {"forecast": preparation.restore(outputs, raw["series"])}

    return predict


TASK = Task(
    name="forecasting",
    targets="steps",
    convert=_convert,
    check_targets=target_checks.check_numbers,
    prepare_targets=Changes,
    check_model=model_checks.check_numbers,
    loss=_loss,
    metrics=list,
    loss_is_in_nats=False,
    outputs=outputs,
    score=score,
    interval=interval,
    interval_by=f"percentile bootstrap over blocks of one horizon, {scores.RESAMPLES:,} resamples, fixed seed",
    constant=constant,
    constant_is="the newest values known, one season or more before each step",
    constant_name="seasonal naive",
    linear=fit_linear,
    draw=draw,
    predict=_predict,
    key="forecast",
    in_words=lambda row: ", ".join(f"{value:.6g}" for value in row["forecast"]),
    columns=lambda row: {f"step_{i}": value for i, value in enumerate(row["forecast"], 1)},
)
