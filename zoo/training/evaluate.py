"""Evaluating: the test split is read here, once, and nowhere else."""

import dataclasses
import functools
import json

import numpy as np
import tensorflow as tf

from zoo import files
from zoo.data.prepare import takes_splits_alone
from zoo.models import checks
from zoo.tasks import paired
from zoo.tasks import scores as scoring
from zoo.tasks.linear_baseline import Baseline
from zoo.training import attention_maps, listing
from zoo.training import report as reports
from zoo.training import strategy as strategies
from zoo.training.callbacks import NotFiniteError, check_weights

MOST_SAID = 12  # scores beside the headline in a line; the page has all


@dataclasses.dataclass(frozen=True, repr=False)
class Report:
    """What a run reached.

    Attributes:
        scores: Name → value on the test split; the headline first.
        num_test: Number of test examples.
        folder: The run's folder, where `report.md` and the pictures are.
        interval: Low and high end of the headline's 95 % interval.
        constant: Name → value for the best guess without a model: see `constant_is` of the task.
        temperature: What the exported model divides its logits by; 1 unless `calibrate` was asked for.
        uncalibrated: With `calibrate`, the scores at temperature 1.
        baseline: With `baseline`, the linear model's `Baseline`.
        boosted: With `baseline`, that of boosted trees, of a table.
        constant_name: What the best guess without a model is called.
    """

    scores: dict
    num_test: int
    folder: object
    interval: tuple
    constant: dict
    temperature: float = 1.0
    uncalibrated: dict | None = None
    baseline: Baseline | None = None
    constant_name: str = "constant guess"
    boosted: Baseline | None = None

    @property
    def beside(self):
        """The simpler models that stand beside it: name → `Baseline`."""
        found = {"linear baseline": self.baseline, "boosted trees": self.boosted}
        return {name: one for name, one in found.items() if one is not None}

    @functools.cached_property
    def warnings(self):
        """What makes the model a bad choice, in sentences: what simpler models are as good as it."""
        simpler = {self.constant_name: self.constant}
        simpler |= {name: one.scores for name, one in self.beside.items()}
        advice = {
            self.constant_name: "it has learned nothing that holds on the test split. Try --find-lr, more epochs, or look at the data "
            "with zoo inspect",
            **dict.fromkeys(self.beside, "take that one, or search better settings with zoo tune"),
        }
        found, headline = [], next(iter(self.scores))
        for name, scores in simpler.items():
            if equal := scoring.not_beaten(self.scores, scores):
                pairs = [f"{n} {self.scores[n]:.4f} against {scores[n]:.4f}" for n in equal]
                told = advice[name]
                if name == self.constant_name and headline in scores and headline not in equal:
                    told = (
                        f"its {headline} is better ({self.scores[headline]:.4f} against {scores[headline]:.4f}), but its probabilities are "
                        "not: train longer, or pass calibrate=True (--calibrate)"
                    )
                found.append(f"no better than the {name} ({', '.join(pairs)}): {told}")
        return found

    @classmethod
    def of_run(cls, folder):
        """The report of a run that was evaluated, from its `score.json`.

        Raises:
            InputError: The file is damaged.
        """
        known = {field.name for field in dataclasses.fields(cls)} - {"folder"}
        try:
            found = json.loads((folder / "score.json").read_text())
            values = {key: value for key, value in found.items() if key in known}
            for key in {"baseline", "boosted"} & found.keys():
                values[key] = Baseline(**found[key])
            low, high = found["interval"] or (-np.inf, np.inf)
            report = cls(**{**values, "interval": (low, high), "folder": folder})
            str(report)
        except (*listing.DAMAGE, IndexError) as error:
            raise checks.InputError(
                f"{folder}/score.json is damaged ({type(error).__name__}): remove it, and --resume {folder} judges the model again."
            ) from error
        return report

    def __repr__(self):
        scores = ", ".join(f"{name} {value:.4f}" for name, value in [*self.scores.items()][:3])
        return f"<Report {scores} on {self.num_test} test examples, see {self.folder}>"

    def __str__(self):
        (name, value), *others = self.scores.items()
        headline = f"{name} {value:.4f} (95 % interval {reports.interval_text(self.interval)})"
        shown = [f"{name} {value:.4f}" for name, value in others[:MOST_SAID]]
        more = [f"{len(others) - MOST_SAID} more"] if len(others) > MOST_SAID else []
        scores = ", ".join([headline, *shown, *more])
        told = f"test ({self.num_test} examples): {scores}; see {self.folder / 'report.md'}"
        return "\n".join([told, *(f"warning: {line}" for line in self.warnings)])


@takes_splits_alone
def evaluate_model(model, splits, run, history=None):
    """Judges a model on the test split; writes `score.json`, pictures and `report.md` into the run's folder.

    Args:
        model: The trained model.
        splits: The `Splits`, mapped to what the model takes by their `Preparation`.
        run: The `Run`; its config's `report` may ask for a linear baseline and for calibration.
        history: Keras's `History`, for the report.

    Returns:
        A `Report`.

    Raises:
        NotFiniteError: A weight, an output of the model or a score is NaN or infinite.
    """
    check_weights(model, "this model is not judged")
    task, asked = splits.task, run.config.report
    targets = splits.targets("test")
    plain = (task.outputs or _restored_predictions)(model, splits, run)
    _check_finite(plain)
    temperature = task.calibrate(model, splits) if asked.calibrate else 1.0
    outputs = plain / temperature
    constant = task.constant(splits, model)
    constant = np.broadcast_to(constant, (len(targets), constant.shape[-1]))

    def score(found):
        return task.score(targets, found) | dict(task.more_scores(splits.info, targets, found))

    report = Report(
        scores=score(outputs),
        num_test=len(targets),
        folder=run.folder,
        interval=task.interval(targets, outputs),
        constant=score(constant),
        temperature=temperature,
        uncalibrated=score(plain) if asked.calibrate else None,
        **(_beside(splits, targets, outputs) if asked.baseline else {}),
        constant_name=task.constant_name,
    )
    if not np.isfinite(list(report.scores.values())).all():
        raise NotFiniteError(f"The scores on the test split are not finite: {report.scores}")
    files.write_atomic(
        run.folder / "score.json", json.dumps(_record(report, run, history), indent=2) + "\n"
    )
    names = [
        *task.draw(model, splits, targets, outputs, run.folder),
        *attention_maps.draw(model, splits, run.folder),
    ]
    made = [n for n in ("curves.png", "augmented.png") if (run.folder / n).exists()]
    names = [*made, *names]
    if run.config.run.tensorboard:
        _show_in_tensorboard(run.folder, names)
    text = reports.render(report, model, splits, run, history, targets, outputs, names)
    files.write_atomic(run.folder / "report.md", text)
    return report


def _beside(splits, targets, outputs):
    """The simpler models, each with the difference that the model makes to it."""
    task, found = splits.task, {}
    for key, fit in (("baseline", task.linear), ("boosted", task.boosted)):
        one = fit(splits) if fit else None
        if one is not None and one.outputs is not None and task.resampled:
            told = paired.difference(task.resampled, targets, outputs, one.outputs)
            one = dataclasses.replace(one, difference=told)
        found[key] = one
    return found


def _restored_predictions(model, splits, run):
    """The model's outputs for the whole test split, float64 `[N, K]`, in the units of the targets."""
    outputs = strategies.predict(model, splits, "test")
    outputs = np.asarray(outputs, "float32")[: len(splits.examples["test"])]
    return np.asarray(splits.preparation.restore(outputs), "float64")


def _check_finite(outputs):
    bad = np.flatnonzero(~np.isfinite(outputs).all(-1))
    if len(bad):
        raise NotFiniteError(
            f"The model's outputs hold NaN or infinity for {len(bad)} of {len(outputs)} test examples, first for "
            f"example {bad[0]}."
        )


def _record(report, run, history):
    """What `score.json` holds, and through it the card."""
    record = {
        "seed": run.config.run.seed,
        "scores": report.scores,
        "interval": list(report.interval) if np.isfinite(report.interval).all() else None,
        "num_test": report.num_test,
        "fit_seconds": None if history is None else round(history.seconds, 1),
        "constant": report.constant,
        "temperature": report.temperature,
    }
    if report.uncalibrated is not None:
        record["uncalibrated"] = report.uncalibrated
    for key in ("baseline", "boosted"):
        if getattr(report, key) is not None:
            record[key] = getattr(report, key).record()
    return record


def _show_in_tensorboard(folder, names):
    """Puts the run's pictures beside its curves."""
    writer = tf.summary.create_file_writer(str(folder / "tensorboard" / "test"))
    with writer.as_default(step=0):
        for name in names:
            picture = tf.io.decode_png((folder / name).read_bytes(), channels=3)
            tf.summary.image(name.removesuffix(".png"), picture[None])
    writer.close()
