"""What a model was compiled with.

Fault: Keras 3 has no public way to the loss, metrics and optimizer objects that a model was compiled with: `get_compile_config`
gives their serialized forms, from which a function of the caller's cannot be made again.
Upstream: no issue known.
Seen in: Keras 3.15.
Way round: the private attribute that holds what `compile` was called with is read.
"""


def compiled_parts(model):
    """The arguments of `model.compile` by name; empty for a model that is not compiled.

    Args:
        model: A Keras model.
    """
    return dict(model._compile_config.config) if model.compiled else {}
