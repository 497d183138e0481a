"""Trials for TensorBoard: hyperparameters (HParams) and the values of their epochs."""

import shutil

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from zoo.tuning import results


def write(folder, objective, result):
    """Writes a trial's events into `tensorboard/` of the search: `tensorboard --logdir <search>/tensorboard`.

    Args:
        folder: The trial's folder.
        objective: The `Objective`.
        result: Its `Result`, of a trial that did not fail.
    """
    path = folder.parent / "tensorboard" / folder.name
    shutil.rmtree(path, ignore_errors=True)  # of a process that was killed here
    writer = tf.summary.create_file_writer(str(path))
    with writer.as_default():
        hparams.hparams(result.values, trial_id=folder.name)
        for epoch, row in enumerate(results.epochs(folder / "run")):
            for name, value in row.items():
                tf.summary.scalar(name, float(value), step=epoch)
        if objective.is_scored:
            tf.summary.scalar(objective.name, result.score, step=result.best_epoch)
    writer.close()
