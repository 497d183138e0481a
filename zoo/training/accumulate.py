"""Gradient accumulation: a batch computed in parts, one after the other, for one update of the weights.

Keras's own `gradient_accumulation_steps` fails under every strategy of several devices (keras-team/keras#20582), and would
count several batches as one step of schedules and checkpoints.
"""

import types

import keras
import tensorflow as tf

from zoo.models import checks


def check(config, replicas):
    """Raises `InputError` unless each device's share of a batch divides into the parts."""
    parts, batch = config.optimizer.accumulate, config.data.batch_size
    if batch % (parts * replicas):
        raise checks.InputError(
            f"accumulate={parts} cuts a batch of {batch} on {replicas} device(s) into unequal parts: use a batch_size "
            f"that divides by {parts * replicas}."
        )


def in_parts(model, parts, replicas):
    """Gives a compiled model a training step that computes its batch in so many parts.

    The update is that of the whole batch: the mean of the parts' gradients. Batch normalization sees one part at a time,
    and where parts hold unlike numbers of real steps, as texts of unlike lengths do, the parts count alike.

    Args:
        model: A compiled Keras model.
        parts: Number of parts.
        replicas: Devices that share a step, among which Keras divides a loss.
    """

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        weights, sums = self.trainable_weights, None
        (tracker,) = (metric for metric in self.metrics if metric.name == "loss")
        after = []
        for part in zip(*(_split(values, parts) for values in (x, y, weight))):
            with tf.control_dependencies(
                after
            ):  # so that one part's values are gone before the next
                part = [p if p is None else keras.tree.map_structure(tf.identity, p) for p in part]
                gradients, loss = _gradients(self, part, weights)
            tracker.update_state(loss * replicas)
            sums = gradients if sums is None else [a + b for a, b in zip(sums, gradients)]
            after = sums
        self.optimizer.apply([total / parts for total in sums], weights)
        return self.get_metrics_result()

    model.train_step = types.MethodType(train_step, model)


def _gradients(model, part, weights):
    """Gradients of a part, and its loss."""
    x, y, weight = part
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, [w.value for w in weights])
    model.compute_metrics(x, y, outputs, sample_weight=weight)
    return [tf.convert_to_tensor(gradient) for gradient in gradients], loss


def _split(values, parts):
    """A nest of tensors as a list of nests, each a part of the rows."""
    if values is None:
        return [None] * parts
    pieces = keras.tree.map_structure(lambda tensor: tf.split(tensor, parts), values)
    return [
        keras.tree.map_structure_up_to(values, lambda piece, i=i: piece[i], pieces)
        for i in range(parts)
    ]
