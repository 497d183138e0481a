"""Functions that are traced twice for one export.

Fault: TensorFlow saves within a context of its own, and what Keras's `ExportArchive` has traced outside of it is traced
again: an export takes twice as long.
Upstream: no issue known.
Seen in: Keras 3.15, TensorFlow 2.21.
Way round: what has to be traced is traced within that context.
"""

import tensorflow as tf
from tensorflow.python.saved_model import save_context


def as_saved():
    """The context in which TensorFlow saves. What is traced outside of it would be traced again."""
    return save_context.save_context(tf.saved_model.SaveOptions())
