"""Fitting: Keras owns the loop, callbacks own the rest."""

import sys
import time

import keras
import numpy as np

from zoo import files
from zoo.training import callbacks, pictures, tasks


def fit_model(model, splits, run, *, extra_callbacks=()):
    """Trains a compiled model on `splits.train`, keeps the best epoch by the validation score.

    Writes `metrics.csv`, `checkpoints/` and `curves.png` into the run's folder.

    Args:
        model: A model from `compile_model`.
        splits: The `Splits`, mapped to what the model takes.
        run: The `Run`: settings and folder.
        extra_callbacks: More Keras callbacks.

    Returns:
        Keras's `History`, with two more attributes: `best_epoch`, the number of the epoch kept, from 0, and
        `seconds`, the wall time.

    Raises:
        NotFiniteError: The loss or a weight became NaN or infinite.
    """
    options, task = run.config.run, tasks.task(splits.info.task)
    # Two checkpoints while one replaces the other, the export, and logs and pictures.
    weights = sum(np.prod(v.shape, dtype=int) * v.value.dtype.size for v in model.variables)
    files.check_space(run.folder, 3 * weights + 20 * 2**20)
    best = callbacks.BestCheckpoint(run.folder / "checkpoints", task.monitor, task.mode)
    chain = [callbacks.StopAtNotFinite(), callbacks.LearningRate()]
    if run.config.optimizer.ema is not None:
        chain.append(
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        )  # before what saves weights
    chain += [best, keras.callbacks.CSVLogger(run.folder / "metrics.csv")]
    if options.patience is not None:
        chain.append(
            keras.callbacks.EarlyStopping(task.monitor, mode=task.mode, patience=options.patience)
        )
    if options.tensorboard:
        chain.append(keras.callbacks.TensorBoard(run.folder / "tensorboard"))
    start = time.monotonic()
    history = model.fit(
        splits.train_forever(),
        steps_per_epoch=splits.steps_per_epoch,
        epochs=options.epochs,
        validation_data=splits.validation_for(run.strategy.num_replicas_in_sync),
        callbacks=[*chain, *extra_callbacks],
        shuffle=False,  # the pipeline shuffles
        verbose=0 if options.quiet else ("auto" if sys.stdout.isatty() else 2),
    )
    history.seconds = time.monotonic() - start
    best.restore()
    history.best_epoch = best.best_epoch
    pictures.curves(history.history, best.best_epoch, run.folder / "curves.png")
    return history
