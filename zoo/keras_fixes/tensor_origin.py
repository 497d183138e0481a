"""The layer that a symbolic tensor comes from.

Fault: Keras 3 has no public way from the output of a functional model back to the layers that made it.
Upstream: keras-team/keras#20267.
Seen in: Keras 3.15.
Way round: the private attributes of tensors and layers are read.
"""


def origin(tensor):
    """The layer that made a Keras tensor, the number of the tensor among its outputs, and its first input there."""
    layer, node, index = tensor._keras_history
    inputs = layer._inbound_nodes[node].input_tensors
    return layer, index, inputs[0] if inputs else None
