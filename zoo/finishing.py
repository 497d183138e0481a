"""The best epoch of a run that was stopped, as the model that the run would have given."""

from pathlib import Path

from zoo import api
from zoo.config.config import OWN, OWN_DATA, TrainConfig
from zoo.data.user.pairs import paired
from zoo.models import checks


def finish(folder, data=None, targets=None, *, model=None, validation=None, test=None):
    """Evaluates and exports the best epoch so far of a run that was stopped or killed, without further training.

    Args:
        folder: The run's folder; `zoo.runs()` lists them.
        data, targets, validation, test: What the run was begun with, as in `zoo.train`, where that was data in memory.
        model: The builder function or the Keras model that the run was begun with, where that was no name.

    Returns:
        A `Trained`, as of `zoo.train`; `zoo.train(..., resume=folder)` still goes on with the training.

    Raises:
        InputError: There is no such run, no epoch of it has ended, or it was begun with data or a model that only the caller
            has, and they are not given.
    """
    if not isinstance(folder, (str, Path)):
        raise checks.InputError(f"A run is found by its folder. Received: {type(folder).__name__}")
    config = TrainConfig.of_run(folder)
    began, is_own = config.data.dataset, config.model.startswith(OWN)
    if began == OWN_DATA and data is None:
        raise checks.InputError(
            f"{folder} was begun from Python with data in memory: pass the same, zoo.finish({str(folder)!r}, data)."
        )
    if began != OWN_DATA and data is not None:
        raise checks.InputError(
            f"{folder} was begun with {began!r}, which it reads again: leave the data out."
        )
    if is_own and model is None:
        raise checks.InputError(
            f"{folder} was begun from Python with a model of the caller's own: pass its builder function, "
            f"zoo.finish({str(folder)!r}, model=builder)."
        )
    parts = (validation, test)
    data = began if data is None else paired(data, targets)
    model, config = api.settle(model if is_own else config.model, data, config, {}, {}, parts=parts)
    return api.run_recipe(model, data, config, parts=parts, goes_on=False)
