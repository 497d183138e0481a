"""Pictures of what attention layers look at, drawn for test examples."""

import keras
import numpy as np
import tensorflow as tf

from zoo.data.kinds import cleaning
from zoo.keras_fixes import layer_calls
from zoo.models import attention, decoding, seq2seq
from zoo.models.layers import all_layers
from zoo.tasks import text_to_text
from zoo.tasks.target_vocabulary import TargetVocabulary
from zoo.training import pictures

FILE = "attention.png"
ANSWERS, IMAGES = 6, 8


def weights(model, inputs):
    """Returns what the attention layers of a model look at.

    Args:
        model: A Keras model with layers `Attention`, also within blocks.
        inputs: A batch for it.

    Returns:
        Dict from the layer's path, such as `"decoder_block_1/cross_attention"`, to its weights, float32
        `[B, H, T, S]`: for each head, how much of each of the S steps goes into each of the T steps.
    """
    found = {}

    def note(layer, arguments, options, outputs):
        found[layer.path] = layer.attention_scores(*arguments, **options)

    layers = all_layers(model, include_self=False)
    with layer_calls.watching(
        [one for one in layers if isinstance(one, attention.Attention)], note
    ):
        model(inputs, training=False)
    return found


def draw(model, splits, folder):
    """Draws the attention of an encoder-decoder to its sources, or of a vision Transformer to its images.

    Args:
        model: The trained model.
        splits: The `Splits`, mapped to what the model takes.
        folder: The run's folder; for a translation it holds the answers already.

    Returns:
        The names of the pictures: none for models without such attention.
    """
    if isinstance(splits.preparation.targets, TargetVocabulary):
        _draw_answers(model, splits, folder)
    elif splits.kind.is_drawn and {"tokens", "block_1"} <= {layer.name for layer in model.layers}:
        _draw_images(model, splits, folder)
    else:
        return []
    return [FILE]


def _draw_answers(model, splits, folder):
    """The last block's attention to the source, the mean over its heads; of short and of long answers."""
    preparation, vocabulary = splits.preparation, splits.preparation.targets
    rows = sorted(text_to_text.read(folder), key=lambda row: len(row["text"]))
    rows = [rows[i] for i in np.linspace(0, len(rows) - 1, ANSWERS + 1).astype(int)[1:]]
    info, batch = splits.info, tf.constant([row["text"] for row in rows])
    split = cleaning.units(batch.numpy(), info.text_unit, info.text_cleaning)
    source = preparation.inputs(batch)
    answers = vocabulary.ids(tf.constant([row["answer"] for row in rows]))
    inputs, outputs, _ = seq2seq.teacher_forcing(source, answers)
    found = weights(model, inputs)
    shares = _mean([found[path] for path in found if path.endswith("cross_attention")][-1])
    maps = []
    for row, letters, looked, ids in zip(rows, split, shares, outputs):
        tokens = [vocabulary.tokens[i] for i in ids if i > decoding.END] + ["end"]
        letters = letters[: source.shape[1]] or [" "]
        title = f"{row['text']}: {'right' if row['edits'] == '0' else row['right'].split(' | ')[0]}"
        maps.append((title, looked[: len(tokens), : len(letters)], letters, tokens))
    pictures.attention(maps, folder / FILE)


def _draw_images(model, splits, folder):
    """The last block's attention of the class token, or of all tokens on average, to each place of an image."""
    images = splits.pick("test", np.arange(min(IMAGES, len(splits.examples["test"]))))
    found = weights(model, splits.preparation.inputs(images))
    shares = _mean(list(found.values())[-1])  # [N, T, T]
    height, width = model.get_layer("tokens").input.shape[1:3]
    has_token = "class_token" in {layer.name for layer in model.layers}
    places = shares[:, 0, 1:] if has_token else shares.mean(1)
    pictures.looked_at(images, places.reshape(-1, height, width), folder / FILE)


def _mean(weights):
    return keras.ops.convert_to_numpy(weights).mean(1)  # over the heads
