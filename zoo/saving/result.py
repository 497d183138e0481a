"""What a training gives: the model, its history, the report and the export, also of a run that ended before."""

import dataclasses
import functools
import shutil
import sys
from pathlib import Path

import keras

from zoo.models import checks
from zoo.saving import store
from zoo.saving.load import load
from zoo.saving.trained import build_trained
from zoo.training.evaluate import Report


@dataclasses.dataclass(frozen=True)
class Trained:
    """What `zoo.train` returns.

    Attributes:
        model: The trained Keras model; it takes prepared inputs and returns logits.
        history: Keras's `History`.
        report: Test scores and where the report is.
        export: The folder of the SavedModel, which takes raw inputs: `zoo.load(trained.export)`.

    With `find_lr=True` or `overfit_batch=True` nothing is trained for good: the last three are `None`.

    Example:

    >>> import numpy as np, zoo
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> trained = zoo.train("dense:tiny", (x, x[:, 0] > 0), epochs=3, quiet=True)
    >>> trained.predict(x[:2])["label"].shape
    (2,)
    """

    model: keras.Model
    history: keras.callbacks.History | None = None
    report: Report | None = None
    export: object = None

    @property
    def folder(self):
        """The run's folder: report, pictures, log, checkpoints and export."""
        return None if self.report is None else self.report.folder

    def __post_init__(self):
        place = None if self.export is None else Path(self.export).absolute()
        object.__setattr__(self, "_place", place)  # also after the working directory has changed

    @functools.cached_property
    def _loaded(self):
        if self.export is None:
            raise checks.InputError("Nothing was trained for good, so there is nothing to ask.")
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
        """Copies the exported SavedModel, which takes raw inputs, into a new folder.

        Args:
            path: The folder, which must not exist.

        Returns:
            The path.

        Raises:
            InputError: Something is there already, or nothing was exported.
        """
        path = Path(path)
        if path.suffix in (".keras", ".h5"):
            raise checks.InputError(
                f"{path} would hold the bare network, which takes prepared inputs: trained.model.save({str(path)!r}) writes it. "
                "trained.save('folder') writes the SavedModel, which takes raw inputs."
            )
        if self.export is None:
            raise checks.InputError("Nothing was exported, so there is nothing to save.")
        if path.exists():
            raise checks.InputError(f"{path} is there already: name a new folder.")
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
            f"{folder} has not ended: go on with it, resume={str(folder)!r} (--resume {folder})."
        )
    export = store.find(folder)
    return Trained(build_trained(None, None, folder, {}), None, Report.of_run(folder), export)
