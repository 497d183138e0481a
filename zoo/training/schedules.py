"""Learning rates that change over a run."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="zoo")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Raises the rate of another schedule from 0 in the first steps; of Keras's schedules only the cosine can.

    Args:
        schedule: The schedule that it becomes.
        steps: Training steps until then.
    """

    def __init__(self, schedule, steps):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        share = keras.ops.cast(step, "float32") / self.steps
        return keras.ops.minimum(share, 1.0) * self.schedule(step)

    def get_config(self):
        return {"schedule": self.schedule, "steps": self.steps}


@keras.saving.register_keras_serializable(package="zoo")
class CosLog4(keras.optimizers.schedules.LearningRateSchedule):
    """Four waves from 0 to the highest rate and back, each twice as long as the one before (Holzmüller et al. 2024).

    Args:
        highest: The highest rate.
        steps: Training steps in the whole run.
    """

    def __init__(self, highest, steps):
        self.highest, self.steps = highest, steps

    def __call__(self, step):
        share = keras.ops.minimum(keras.ops.cast(step, "float32") / self.steps, 1.0)
        waves = keras.ops.log2(1 + 15 * share)  # 0 to 4
        return self.highest * 0.5 * (1 - keras.ops.cos(2 * np.pi * waves))

    def get_config(self):
        return {"highest": self.highest, "steps": self.steps}


def make_schedule(config, total_steps):
    """Makes the learning rate: a number, or a schedule of Keras's with a warm-up.

    Args:
        config: The `OptimizerConfig`.
        total_steps: Training steps in the whole run.
    """
    one_cycle = config.schedule == "one_cycle"
    warmup = config.warmup or (0.25 if one_cycle else 0.0)
    warmup_steps = round(warmup * total_steps)
    if config.schedule in ("constant", "plateau") and not warmup_steps:
        return float(config.learning_rate)
    if config.schedule == "coslog4":
        waves = CosLog4(config.learning_rate, total_steps)
        return WarmUp(waves, warmup_steps) if warmup_steps else waves
    if config.schedule == "piecewise":  # as for the residual networks of He et al. 2016
        steps = keras.optimizers.schedules.PiecewiseConstantDecay(
            [total_steps // 2, total_steps * 3 // 4],
            [config.learning_rate * share for share in (1.0, 0.1, 0.01)],
        )
        return WarmUp(steps, warmup_steps) if warmup_steps else steps
    return keras.optimizers.schedules.CosineDecay(
        # Smith & Topin 2018 start a cycle at a tenth or less of the highest rate; 1/25 as in fast.ai.
        initial_learning_rate=config.learning_rate
        * ((1 / 25 if one_cycle else 0) if warmup_steps else 1),
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=max(1, total_steps - warmup_steps),
        alpha=1.0 if config.schedule == "constant" else 0.0,  # the share that is left at the end
    )
