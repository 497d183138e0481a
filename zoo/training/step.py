"""Training steps other than Keras's own: a batch in parts, and a teacher who has a part in the loss.

    a batch ─ split ─┬─ part ─ forward ─ loss ─ with a teacher: mixed loss ─ gradient ─┬─ mean ─ optimizer
                     └─ part ─ ... one after the other ... ────────────────────────────┘

`TrainingStep` is an object beside the model, and what `fit` calls is made of it: the model's `train_function`, which
Keras makes before the first step unless there is one. So the model stays the caller's own object with its own methods,
variables in the same order (which checkpoints go by), optimizer and metrics, and the teacher is not part of it.

A `keras.Model` around the network, the form of Keras's own `Distiller`, would be another model: callbacks such as
`ModelCheckpoint` would get, and save, that one with the teacher inside; layers would be one level deeper for whoever looks
through `model.layers`; and after `fit` the network itself would not be compiled.

Keras's `gradient_accumulation_steps` would do neither: it fails under every strategy of several devices
(keras-team/keras#20582), and counts several batches as one step of schedules and checkpoints.
"""

import keras
import tensorflow as tf

from zoo.training import own_models


class TrainingStep:
    """One training step of a compiled model.

    The update is that of the whole batch: the mean of the parts' gradients. Batch normalization sees one part at a time,
    and where parts hold unlike numbers of real steps, as texts of unlike lengths do, the parts count alike.

    Args:
        model: A compiled Keras model.
        parts: Number of parts in which a batch is computed, one after the other: gradient accumulation.
        distillation: The `distill.Distillation` whose loss is trained in place of the model's own; `None` for the latter.

    Call arguments:
        data: A batch: (inputs, targets) or (inputs, targets, weights).

    Returns:
        The metrics, as `keras.Model.train_step` does.
    """

    def __init__(self, model, *, parts=1, distillation=None):
        self.model, self.parts, self.distillation = model, parts, distillation

    def __call__(self, data):
        model, weights, sums = self.model, self.model.trainable_weights, None
        (tracker,) = (metric for metric in model.metrics if metric.name == "loss")
        replicas = model.distribute_strategy.num_replicas_in_sync
        batch = keras.utils.unpack_x_y_sample_weight(data)
        after = []
        for part in zip(*(_split(values, self.parts) for values in batch)):
            # So that one part's values are gone before the next.
            with tf.control_dependencies(after):
                part = [p if p is None else keras.tree.map_structure(tf.identity, p) for p in part]
                gradients, loss = self._gradients(*part, weights)
            # Keras weighs a loss by its rows. Parts are of one size, and checkpoints within an epoch hold their plain sum.
            rows = tf.shape(keras.tree.flatten(part[0])[0])[0] if self.parts == 1 else None
            # Keras divides a loss by the replicas that share a step.
            tracker.update_state(loss * replicas, sample_weight=rows)
            sums = gradients if sums is None else [_add(a, b) for a, b in zip(sums, gradients)]
            after = [gradient for gradient in sums if gradient is not None]
        means = [total if total is None else total / self.parts for total in sums]
        model.optimizer.apply(means, weights)
        return model.get_metrics_result()

    def _gradients(self, x, y, sample_weight, weights):
        """Gradients of a part, and its loss."""
        model = self.model
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = own_models.loss_of(model, x, y, outputs, sample_weight, training=True)
            if self.distillation is not None:
                loss = self.distillation(loss, x, outputs, sample_weight, self._penalty())
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        model.compute_metrics(x, y, outputs, sample_weight=sample_weight)
        return [g if g is None else tf.convert_to_tensor(g) for g in gradients], loss

    def _penalty(self):
        """The part of the last loss that is of the model's own weights and layers, as Keras adds it to that of the labels."""
        model = self.model
        if not model.losses or type(model).compute_loss is not keras.Model.compute_loss:
            return 0.0
        return tf.add_n(model.losses) / model.distribute_strategy.num_replicas_in_sync


class TrainFunction:
    """What a model's `fit` calls for one or more steps, or for a batch, made of a `TrainingStep`.

    Args:
        step: The step. Its model's `steps_per_execution`, `jit_compile` and `run_eagerly` hold.
    """

    def __init__(self, step):
        self.step, model = step, step.model
        with model.distribute_strategy.scope():
            maker = _Maker(step)
        maker.steps_per_execution = model.steps_per_execution
        maker.run_eagerly, maker.jit_compile = model.run_eagerly, model.jit_compile
        maker.make_train_function()
        self._function = maker.train_function

    def __call__(self, iterator):
        return self._function(iterator)


class _Maker(keras.Model):
    """Lets Keras make a training function, for strategies, XLA and several steps at a time, of a step that is given to it.

    Not the model itself: the step is a plain object, so nothing of it is tracked, and this has no variables.
    """

    def __init__(self, step):
        super().__init__()
        self.step = step

    def train_step(self, data):
        return self.step(data)


def use(model, *, parts=1, distillation=None):
    """Makes a compiled model train by a `TrainingStep`, until it is compiled again; call it in the strategy's scope.

    Args:
        model, parts, distillation: As of `TrainingStep`.
    """
    model.train_function = TrainFunction(
        TrainingStep(model, parts=parts, distillation=distillation)
    )


def teacher_of(model):
    """The teacher of a model that `use` was called for; `None` without one."""
    function = model.train_function
    distillation = function.step.distillation if isinstance(function, TrainFunction) else None
    return None if distillation is None else distillation.teacher


def _add(a, b):
    """The sum of a weight's gradients; `None` where the weight has no part in the loss."""
    return a if b is None else b if a is None else a + b


def _split(values, parts):
    """A nest of tensors as a list of nests, each a part of the rows."""
    if values is None or parts == 1:
        return [values] * parts
    pieces = keras.tree.map_structure(lambda tensor: tf.split(tensor, parts), values)
    return [
        keras.tree.map_structure_up_to(values, lambda piece, i=i: piece[i], pieces)
        for i in range(parts)
    ]
