"""Distillation: a student learns from the labels, and from what a teacher says of the same inputs.

Keras's `Distiller` leaves weights of examples out (its documentation says "currently unused") and adds up the teacher's
part over the devices of a strategy in place of taking its mean; and it is another model around the student, whose
checkpoints would hold the teacher.
"""

import types

from keras import ops

from zoo.models import checks
from zoo.tasks import losses, task


def from_teacher(model, teacher, options):
    """Lets a compiled model learn from a teacher, too (Hinton et al. 2015).

    Its training loss becomes `(1 - w) * loss + w * T**2 * D(softmax(teacher / T), softmax(student / T))`, where `D` is the
    Kullback-Leibler divergence, `w` the teacher's weight and `T` the temperature. The validation loss stays that of the
    labels.

    Args:
        model: A compiled Keras model with logits for an output.
        teacher: A Keras model for the same inputs, with logits for the same classes. It is not trained.
        options: The `DistillConfig`.
    """
    teacher.trainable = False
    share, temperature = options.teacher_weight, options.teacher_temperature
    soft, plain = losses.Crossentropy(), model.compute_loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = plain(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        if not training:
            return loss
        told = ops.cast(teacher(x, training=False), "float32") / temperature
        guess, shares = ops.cast(y_pred, "float32") / temperature, ops.softmax(told)
        best = soft(shares, told, sample_weight=sample_weight)
        taught = soft(shares, guess, sample_weight=sample_weight) - best
        return (1 - share) * loss + share * temperature**2 * taught

    model.compute_loss = types.MethodType(compute_loss, model)


def without_teacher(model):
    """Gives a model its own loss back."""
    model.__dict__.pop("compute_loss", None)


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
