"""The words of a `StringLookup` or a `TextVectorization` that was adapted, in a `.keras` file.

Fault: Keras writes them into a text file, one a line, and leaves out empty lines at its end when it reads the file. Where the
empty text is the rarest of the words, a loaded layer takes it for an unknown one, without an error; words that hold a
separator of lines are cut, and each word after them has the number of another.
Upstream: since keras-team/keras#22119.
Seen in: Keras 3.15.
Way round: the words are set as those that the layer was made with, which its config keeps.
"""


def keep(layer):
    """Makes a layer that was adapted write its words into its config.

    Args:
        layer: A `keras.layers.StringLookup` or `TextVectorization`.
    """
    lookup = getattr(layer, "_lookup_layer", layer)
    lookup.input_vocabulary = [str(word) for word in lookup.get_vocabulary()]
