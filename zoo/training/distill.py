"""Distillation: a student learns from the labels, and from what a teacher says of the same inputs.

Keras's `Distiller` leaves out weights of examples (its documentation says "currently unused") and the penalties that the student adds
to its loss, and adds up the teacher's part over the devices of a strategy in place of taking its mean.
"""

from keras import ops

from zoo.models import checks
from zoo.tasks import losses, task


class Distillation:
    """The training loss of a student, `(1 - w) * loss + w * T**2 * D(softmax(teacher / T), softmax(student / T))`.

    `D` is the Kullback-Leibler divergence, `w` the teacher's weight and `T` the temperature. The validation loss stays
    that of the labels. What the model adds to its loss itself, such as penalties of its weights, counts whole besides.

    Reference: Hinton et al. 2015, "Distilling the knowledge in a neural network".

    Args:
        teacher: A Keras model for the same inputs, with logits for the same classes. It is not trained.
        options: The `DistillConfig`.
    """

    def __init__(self, teacher, options):
        teacher.trainable = False
        self.teacher = teacher
        self.share, self.temperature = options.teacher_weight, options.teacher_temperature
        self._crossentropy = losses.Crossentropy()

    def __call__(self, loss, x, logits, sample_weight=None, penalty=0.0):
        """The mixed loss of a batch.

        Args:
            loss: That of the labels and the penalty, a scalar.
            x: The inputs.
            logits: The student's outputs `[B, classes]`, of an ensemble those of its members `[B, K, classes]`.
            sample_weight: Weights of the examples `[B]`, or `None`.
            penalty: The part of the loss that is not of the labels, a scalar.
        """
        share, temperature, soft = self.share, self.temperature, self._crossentropy
        told = ops.cast(self.teacher(x, training=False), "float32") / temperature
        if len(logits.shape) > len(
            told.shape
        ):  # of an ensemble: each member learns from the teacher
            told = ops.repeat(told[:, None], logits.shape[1], axis=1)
            sample_weight = None if sample_weight is None else sample_weight[:, None]
        guess, shares = ops.cast(logits, "float32") / temperature, ops.softmax(told)
        best = soft(shares, told, sample_weight=sample_weight)
        taught = soft(shares, guess, sample_weight=sample_weight) - best
        return (1 - share) * loss + share * temperature**2 * taught + share * penalty


def check(config, info, teacher):
    """Raises `InputError` unless a teacher is there when one is asked for, and fits the task."""
    name = config.distill.teacher
    if name is None:
        return
    if not task(info.task).distils:
        raise checks.InputError(
            f"teacher={name!r} is for classification; {info.name} is a {info.task}. Leave it out."
        )
    if teacher is None:
        raise checks.InputError(
            f"teacher={name!r} was asked for, but compile_model got none: pass teacher=zoo.teacher(splits, run), as recipes/classify_images.py and zoo.train do."
        )
