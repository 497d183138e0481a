"""What a training gives: the model, its history, the report and the export, also of a run that ended before."""

import dataclasses
import functools
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import store, whole
from zoo.saving.load import load
from zoo.saving.trained import build_trained
from zoo.training import diagnose
from zoo.training.evaluate import Report

log = logging.getLogger("zoo")

# What people look for who come from Keras or scikit-learn → where it is.
_ELSEWHERE = {
    "evaluate": "trained.model.evaluate(x, y) does that, and trained.report has the test scores.",
    "fit": "trained.model.fit(x, y) goes on training, or zoo.train(..., resume=trained.folder).",
    "predict_proba": "trained.predict(x)['probabilities'] has them, in the order of trained.labels.",
    "score": "trained.report.scores has the test scores; trained.model.evaluate(x, y) judges other data.",
    "scores": "They are trained.report.scores.",
    "classes_": "They are trained.labels.",
    "summary": "trained.model.summary() does that.",
    "card": "It is zoo.load(trained.export).card.",
}


@dataclasses.dataclass(frozen=True, repr=False)
class Trained:
    """What `zoo.train` returns.

    Attributes:
        network: The trained Keras model that takes prepared inputs: what the named builder made.
        history: Keras's `History`.
        report: Test scores and where the report is.
        export: The folder of the SavedModel, which takes raw inputs: `zoo.load(trained.export)`.

    With `find_lr=True` or `overfit_batch=True` nothing is trained for good: the last three are `None`, and `plot()` shows what was found.

    Pickling one, which joblib and the like do, keeps the path of its run's folder and loads the run from there again, as `zoo.load_run` does.

    Example:

    >>> import numpy as np, zoo
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> trained = zoo.train("dense:tiny", (x, x[:, 0] > 0), epochs=3, quiet=True)
    >>> trained.predict(x[:2])["label"].shape
    (2,)
    """

    network: keras.Model
    history: keras.callbacks.History | None = None
    report: Report | None = None
    export: object = None
    _make: Callable | None = None
    _folder: Path | None = None

    def __repr__(self):
        name = checks.shown(self.network.name)
        if self.report is None:
            return f"<Trained {name}: nothing trained for good, see {self.folder}>"
        score = next(f"{key} {value:.4f}" for key, value in self.report.scores.items())
        return (
            f"<Trained {name}: {score} on {self.report.num_test} test examples, see {self.folder}>"
        )

    def __getattr__(self, name):
        where = f" {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}.{where}")

    def __reduce__(self):
        self._check_trained()
        return load_run, (str(self._place.parents[1]),)

    @functools.cached_property
    def model(self):
        """The Keras model that takes raw inputs, with the preparation as its first layers: a `zoo.saving.whole.RawModel`.

        Its `predict`, `evaluate` and `fit` take inputs in every form that `zoo.load(export).predict` takes, its outputs are logits, or
        numbers in the units of the targets; targets are labels. It shares its weights with `network`, is compiled with the optimizer,
        the loss and the metrics of the training (of a run that is loaded: with what a config can hold of them), and `model.save("m.keras")` writes it with its `card` and `labels`, which
        `zoo.load_model` loads. What it learns does not reach the export.

        Raises:
            InputError: The task has no such model, or nothing was trained for good.
        """
        self._check_trained()
        return whole.read(self._place.parents[1]) if self._make is None else self._make()

    @property
    def labels(self):
        """The classes' names in the order of the outputs; whole numbers or truth values where the labels of the data were such."""
        return self._loaded.labels

    @property
    def folder(self):
        """The run's folder: report, pictures, log, checkpoints and export."""
        return self._folder if self.report is None else self.report.folder

    @property
    def learning_rates(self):
        """With `find_lr=True`, what the trial of learning rates suggests: reason → learning rate; otherwise empty."""
        path = self.folder and Path(self.folder) / diagnose.RATES_TABLE
        if not path or not path.exists():
            return {}
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        return diagnose.suggest(table[:, 0], table[:, 1])

    def __post_init__(self):
        place = None if self.export is None else Path(self.export).absolute()
        object.__setattr__(self, "_place", place)  # also after the working directory has changed

    def _check_trained(self):
        if self.export is None:
            raise checks.InputError(
                "Nothing was trained for good, so there is nothing to ask or to keep; plot() shows what was found."
            )

    @functools.cached_property
    def _loaded(self):
        self._check_trained()
        return load(self._place)

    def predict(self, inputs, **options):
        """Answers raw inputs, as `zoo.load(trained.export).predict(inputs)` does.

        Args:
            inputs: Raw inputs in the form of the training data: a DataFrame or a dict of columns, images uint8 `[N, H, W, C]`, texts
                `[N]`, arrays `[N, ...]`.
            **options: As there: `batch_size`, `as_frame`.

        Returns:
            A dict from the name of an output to an array `[N, ...]`, or a DataFrame.
        """
        if getattr(vars(self).get("model"), "has_gone_on", False):
            log.warning(
                "trained.predict answers as the export, from before trained.model.fit: trained.model.predict(inputs) gives the logits of the "
                "weights of now"
            )
        return self._loaded.predict(inputs, **options)

    def plot(self, *names):
        """Shows pictures of the run, in a notebook inline.

        Args:
            *names: Of pictures in the run's folder, such as `"curves"`; all by default.

        Returns:
            The paths of the pictures.

        Raises:
            InputError: There is no picture of a name.
        """
        there = (
            {} if self.folder is None else {p.stem: p for p in sorted(self.folder.glob("*.png"))}
        )
        for name in names:
            checks.one_of("picture", name, there)
        paths = [there[name] for name in names or there]
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:  # in a notebook
            for path in paths:
                ipython.display.display(ipython.display.Image(filename=str(path)))
        return paths

    def save(self, path):
        """Copies the exported SavedModel, which takes raw inputs, into a new folder, or writes `model` into a file.

        Args:
            path: The folder, or a file that ends in `.keras`; it must not exist.

        Returns:
            The path.

        Raises:
            InputError: Something is there already, or nothing was exported.
        """
        path = Path(path)
        if self.export is None:
            raise checks.InputError("Nothing was exported, so there is nothing to save.")
        if path.suffix in (".h5", ".hdf5", ".weights"):
            raise checks.InputError(
                f"{path}: Keras's format of today ends in .keras, trained.save({str(path.with_suffix('.keras'))!r})."
            )
        if path.exists():
            raise checks.InputError(f"{path} is there already: name a new file or folder.")
        if path.suffix == ".keras":
            self.model.save(path)
            return path
        shutil.copytree(self._place, path)
        return path


def load_run(folder):
    """Loads a finished run: what `zoo.train` returned when it ended, without the history.

    Args:
        folder: The run's folder, such as `"runs/wine-dense_small-1"`; `zoo.runs()` lists them.

    Returns:
        A `Trained` with the model, the report and the export. A run that was stopped goes on with
        `zoo.train(..., resume=folder)`.

    Raises:
        InputError: There is no such run, or it has not ended.
    """
    if not isinstance(folder, (str, Path)):
        raise checks.InputError(f"A run is found by its folder. Received: {type(folder).__name__}")
    folder = Path(folder)
    if not (folder / "config.yaml").exists():
        raise checks.InputError(
            f"{folder} is no run: it holds no config.yaml. `zoo runs` lists runs."
        )
    if not (folder / "score.json").exists() or not any(
        (folder / "export").glob("*/saved_model.pb")
    ):
        raise checks.InputError(
            f"{folder} has not ended: go on with it, resume={str(folder)!r} (--resume {folder}), or take its best epoch so far: "
            f"zoo.finish({str(folder)!r})."
        )
    export = store.find(folder)
    is_own = cards.read(export).builder is None
    network = whole.read(folder).network if is_own else build_trained(None, None, folder, {})
    return Trained(network, None, Report.of_run(folder), export)
