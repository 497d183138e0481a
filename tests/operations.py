"""The operations that the zoo's own exports need, and the command that lists them.

    python tests/operations.py > operations.txt && mv operations.txt zoo/saving/operations.txt

Every family, task and kind of input is trained for a step and exported as a user would; the families' other samples are
exported by Keras, some of them quantized. A diff to the list needs review: each new line is something that a stranger's
model may do on the machine that loads it.
"""

import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from table import STATEFUL, tiny
from tensorflow.core.protobuf import saved_model_pb2

import zoo
from zoo import families
from zoo.data.kinds import image_files
from zoo.saving import graph_check, node_check

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 8, 8, 1)).astype("uint8")
COLOURED = RNG.integers(0, 256, (60, 8, 8, 3)).astype("uint8")
LABELS = np.arange(60) % 3
WORDS = np.array(["red", "green", "blue", "Grey!", "white, black"])
TEXTS = [" ".join(RNG.choice(WORDS, 1 + i % 7)) for i in range(60)]
STEPS = RNG.normal(size=(60, 6, 2)).astype("float32")
WAVE = np.sin(np.arange(400) / 2)
TABLE = pd.DataFrame(
    {
        "age in years": np.where(np.arange(60) % 7 == 0, np.nan, np.arange(60.0)),
        "city": np.where(np.arange(60) % 11 == 0, None, RNG.choice(["Rome", "Oslo", "Lima"], 60)),
        "since": pd.date_range("2021-01-01", periods=60).strftime("%Y-%m-%d"),
        "bought": np.where(np.arange(60) % 3, "yes", "no"),
    }
)
FORECAST = {"task": "forecasting", "window": 24, "horizon": 6, "season": 12}


def trained(model, data, **options):
    def make(folder):
        with mock.patch("zoo.tasks.pictures.save"):  # a sixth of the time, and no part of an export
            return zoo.train(
                model, data, out=str(folder / "run"), epochs=1, batch_size=16, quiet=True, **options
            ).export

    return make


def plain(name, task, index, quantized=None):
    """A family's sample, exported by Keras alone."""

    def make(folder):
        model, _ = tiny(name, task, index, **STATEFUL[name])
        if quantized:
            model.quantize(quantized)
        model.export(folder / "model", verbose=False)
        return folder / "model"

    return make


def function(call, *specs):
    """A function alone: preparation of inputs that exports do in their graphs."""

    def make(folder):
        module = tf.Module()
        module.call = tf.function(call, input_signature=specs)
        tf.saved_model.save(module, folder / "model", signatures=module.call)
        return folder / "model"

    return make


def decode_files(contents):
    """Files of images, to uint8 pixels of one size."""
    return {"image": image_files.decode_all(contents, (8, 8), 3)}


def handle_texts(texts):
    """What a text goes through on its way to ids, and back."""
    lower = tf.strings.regex_replace(tf.strings.lower(texts, "utf-8"), "[^a-z ]", "")
    words = tf.strings.split(tf.strings.strip(lower)).to_tensor("")
    letters = tf.strings.unicode_split(lower, "UTF-8").to_tensor("")
    numbers = tf.strings.to_hash_bucket_fast(words, 100)
    return {
        "joined": tf.strings.reduce_join(letters, -1),
        "length": tf.strings.length(lower, "UTF8_CHAR"),
        "cut": tf.strings.substr(lower, 0, 1),
        "number": tf.strings.as_string(tf.reduce_sum(numbers, -1)),
    }


SEQUENCES = ("cnn", "recurrent", "transformer")
TEXTUAL = (*SEQUENCES, "bag")
EXPORTS = {
    **{f"{name}, images": trained(f"{name}:tiny", (PIXELS, LABELS)) for name in ("cnn", "dense", "recurrent", "resnet", "transformer", "vit")},
    "cnn, coloured images": trained("cnn:tiny", (COLOURED, LABELS)),
    **{f"{name}, texts": trained(f"{name}:tiny", (TEXTS, LABELS)) for name in TEXTUAL},
    **{f"{name}, sequences": trained(f"{name}:tiny", (STEPS, LABELS)) for name in (*SEQUENCES, "dense")},
    **{f"{name}, series": trained(f"{name}:tiny", WAVE, **FORECAST) for name in (*SEQUENCES, "dense")},
    "dense, features": trained("dense:tiny", (STEPS[:, 0], LABELS)),
    "dense, columns": trained("dense:tiny", "wine", limit=60),
    "dense, columns with gaps, texts and dates": trained("dense:tiny", TABLE, target="bought"),
    **{f"dense:{size}, columns with gaps, texts and dates": trained(f"dense:{size}", TABLE, target="bought") for size in ("tabular", "ensemble")},
    "dense, regression": trained("dense:tiny", (STEPS[:, 0], STEPS[:, 1, 0])),
    "dense, several labels": trained("dense:tiny", (STEPS[:, 0], np.eye(3, dtype=int)[LABELS] | np.eye(3, dtype=int)[0]), task="multilabel"),
    "vae, images": trained("vae:tiny", PIXELS),
    "seq2seq, pairs of texts": trained("seq2seq:tiny", (TEXTS, TEXTS[::-1])),
    **{
        f"{name}, {task} {i}": plain(name, task, i)
        for name, row in families.FAMILIES.items()
        for task, samples in row.samples.items()
        for i in range(len(samples()))
    },
    **{f"{name} in {kind}": plain(name, "classification", 0, kind) for name in ("dense", "cnn") for kind in ("int8", "int4")},
    "files of images": function(decode_files, tf.TensorSpec([None], tf.string, "content")),
    "texts": function(handle_texts, tf.TensorSpec([None], tf.string, "text")),
}  # fmt: skip


def operations_of(folder):
    """The operations of a SavedModel, without those of the functions that save and restore its variables."""
    content = (Path(folder) / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    found = {node.op for node in graph.node}
    for function_def in graph_check.graph_library(graph).function:
        if not node_check.is_saver(function_def.signature.name):
            found |= {node.op for node in function_def.node_def}
    return found


def render(names=EXPORTS):
    """The text of `operations.txt`."""
    found = set()
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found |= operations_of(EXPORTS[name](Path(folder)))
            print(f"{name}: {len(found)} operations so far", file=sys.stderr)
        keras.utils.clear_session()
    head = [
        "# The operations that the zoo's own exports need, printed by `python tests/operations.py`: not edited by hand.",
        f"# TensorFlow {tf.__version__}, Keras {keras.__version__}; {len(names)} exports, {len(found)} operations.",
    ]
    return "\n".join([*head, *sorted(found)]) + "\n"


if __name__ == "__main__":
    os.environ["ZOO_MODELS_DIR"] = ""
    print(render(), end="")
