"""The words of a `StringLookup` that was adapted, in a `.keras` file.

Fault: Keras writes them into a text file, one a line, and leaves out empty lines at its end when it reads the file. Where the
empty text is the rarest of the words, a loaded layer takes it for an unknown one, without an error; words that hold a
separator of lines are cut.
Upstream: since keras-team/keras#22119.
Seen in: Keras 3.15.
Way round: the words are set as those that the layer was made with, which its config keeps.
"""


def keep(lookup):
    """Makes a lookup that was adapted write its words into its config.

    Args:
        lookup: A `keras.layers.StringLookup`, which cannot be adapted again afterwards.
    """
    lookup.input_vocabulary = [str(word) for word in lookup.get_vocabulary()]
