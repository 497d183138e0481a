"""Watching what layers are called with and what they return.

Fault: Keras has no hooks on the calls of layers. A `keras.Model` of the layers' outputs shows those of a functional model
alone, and not those within blocks.
Upstream: keras-team/keras#20267 asks for a public way to a layer's outputs.
Seen in: Keras 3.15.
Way round: `call` of each layer is replaced for the length of a block.
"""

import contextlib


@contextlib.contextmanager
def watching(layers, note):
    """Tells of each call of some layers within the block as it ends, so of the layers within a layer before that one.

    Args:
        layers: The layers.
        note: Called with the layer, what its `call` was given by place and by name, and what it returned.
    """
    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_watched(layer, note))
        yield


@contextlib.contextmanager
def _watched(layer, note):
    before = vars(layer).get("call")  # a workaround's own, such as that of `fused_normalization`
    call = layer.call

    def watched(*arguments, **options):
        outputs = call(*arguments, **options)
        note(layer, arguments, options, outputs)
        return outputs

    layer.call = watched
    try:
        yield
    finally:
        if before is None:
            del layer.call
        else:
            layer.call = before
