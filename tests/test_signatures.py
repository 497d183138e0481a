"""What a SavedModel can be asked, for each kind of input, by plain TensorFlow."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from runs import RUNS, TEXTS
from tolerances import KERNELS, assert_close, decided

import zoo
from zoo.data.kinds import pixels
from zoo.saving import graph_check

RNG = np.random.default_rng(0)
KINDS = [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind in ("generation", "mixed table", "series")))
    for kind in RUNS
]


def golden(folder, signature="serving_default"):
    """The inputs of the golden pair, and what the signature gives for them."""
    arrays = np.load(folder / "export/1/assets.extra/golden.npz")
    groups = [f"inputs:{signature}/", "inputs/"]
    group = next(g for g in groups if any(key.startswith(g) for key in arrays))
    inputs = {k.removeprefix(group): tf.constant(arrays[k]) for k in arrays if k.startswith(group)}
    return inputs, tf.saved_model.load(folder / "export/1").signatures[signature](**inputs)


def texts_in(function):
    """Nodes of a concrete function and of what it calls that handle texts or look something up."""
    graph = function.graph.as_graph_def()
    nodes = [
        *graph.node,
        *(node for f in graph_check.graph_library(graph).function for node in f.node_def),
    ]
    return [
        node.op
        for node in nodes
        if "Lookup" in node.op or any(a.type == tf.string.as_datatype_enum for a in node.attr.values())
    ]  # fmt: skip


def assert_same_answers(found, wanted):
    """Checks floats to their rounding, and classes where rounding does not decide them; of an answer the score has to agree."""
    floats = {name: np.asarray(v) for name, v in wanted.items() if np.asarray(v).dtype.kind == "f"}
    found_floats = {name: found[name] for name in floats}
    assert_close(found_floats, floats, KERNELS, scale=1 if "probabilities" in floats else None)
    if "class_id" in found:
        sure = decided(floats["probabilities"])
        classes = (np.asarray(each["class_id"])[sure] for each in (found, wanted))
        np.testing.assert_array_equal(*classes)


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_are_numbers_and_give_the_same_answers(kind, run):
    inputs, outputs = golden(run(kind), "tensors")
    _, wanted = golden(run(kind))
    assert {v.dtype for v in [*inputs.values(), *outputs.values()]} <= {
        tf.int32,
        tf.int64,
        tf.float32,
    }
    same = set(outputs) & set(wanted)
    assert same
    assert set(wanted) - same <= {"label", "answer"}
    assert_same_answers({name: outputs[name] for name in same}, wanted)
    loaded = tf.saved_model.load(run(kind) / "export/1")
    assert texts_in(loaded.signatures["tensors"]) == []
    if kind in ("mixed table", "text", "translation"):
        assert texts_in(loaded.signatures["serving_default"])  # or the check would see nothing


@pytest.mark.parametrize("kind", KINDS)
def test_answers_do_not_depend_on_the_batch(kind, run):
    inputs, outputs = golden(run(kind))
    model = tf.saved_model.load(run(kind) / "export/1")
    for i in range(3):
        alone = model.signatures["serving_default"](**{k: v[i : i + 1] for k, v in inputs.items()})
        assert_same_answers(alone, {name: values[i : i + 1] for name, values in outputs.items()})


@pytest.mark.parametrize(("encode", "channels"), [("png", 1), ("png", 3), ("jpeg", 3)])
def test_images_as_bytes_are_the_images_that_are_decoded(encode, channels, run):
    model = zoo.load(run("image"))
    drawn = RNG.integers(0, 256, (2, 19, 23, channels)).astype("uint8")
    contents = [getattr(tf.io, f"encode_{encode}")(image).numpy() for image in drawn]
    served = model.signatures["serving_bytes"](image_bytes=tf.constant(contents))
    decoded = np.stack([pixels.decode(content, 1) for content in contents])
    wanted = model.predict(decoded)
    assert_same_answers(served, wanted)


def test_bytes_that_are_no_image_are_an_error(run):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
        zoo.load(run("image")).signatures["serving_bytes"](image_bytes=tf.constant(["none"]))


def test_a_missing_and_another_column_are_named_by_plain_tensorflow(run):
    inputs, _ = golden(run("table"))
    signature = tf.saved_model.load(run("table") / "export/1").signatures["serving_default"]
    without = {name: values for name, values in inputs.items() if name != "alcohol"}
    with pytest.raises(TypeError, match="alcohol"):
        signature(**without)
    with pytest.raises(TypeError, match="vintage"):
        signature(**inputs, vintage=inputs["alcohol"])


def test_the_vocabulary_makes_ids_without_tensorflow(run):
    vocabulary = json.loads((run("text") / "export/1/assets.extra/vocabulary.json").read_text())
    ids = [vocabulary["inputs"].index(word) for word in TEXTS[0].split()]
    model = zoo.load(run("text"))
    outputs = model.signatures["tensors"](ids=tf.constant([ids]))
    wanted = model.predict(TEXTS[:1])
    assert_close(outputs["probabilities"], wanted["probabilities"], KERNELS, scale=1)


def test_beam_width_and_length_are_inputs_of_a_translation(run):
    model = zoo.load(run("translation"))
    words = ["fedab", "cab", "be", "a"]
    wanted = model.predict(words)
    longest = int(np.load(model.path / "assets.extra/golden.npz")["inputs:generate/max_length"])
    whole = model.generate(words, max_length=longest)
    assert_same_answers(whole, wanted)
    narrow = model.generate(words, beam_width=1, max_length=longest)["score"]
    assert (narrow <= wanted["score"] + 1e-5).mean() > 0.5
    short = model.generate(words, max_length=2)["answer"]
    assert max(len(answer.split()) for answer in short) <= 2
    with pytest.raises(zoo.InputError, match="beam_width"):
        model.generate(words, beam_width=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_length must be positive"):
        model.signatures["generate"](
            text=tf.constant(words), beam_width=tf.constant(1), max_length=tf.constant(0)
        )


def test_a_saved_model_is_a_layer_of_another_model(run):
    """As docs/saved_models.md shows it."""
    path = run("image") / "export/1"
    layer = keras.layers.TFSMLayer(path, call_endpoint="embed", trainable=False)
    image = keras.Input((None, None, 1), dtype="uint8", name="image")
    width = zoo.load(run("image")).card.signatures["embed"]["outputs"]["embedding"][1][1]
    features = keras.ops.reshape(layer({"image": image})["embedding"], (-1, width))
    model = keras.Model(image, keras.layers.Dense(2)(features))
    assert len(model.trainable_weights) == 2  # those of the new layer
    pixels = RNG.integers(0, 256, (8, 8, 8, 1)).astype("uint8")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = zoo.load(run("image")).embed(pixels)
    model.fit(pixels, np.arange(8) % 2, verbose=0)
    assert_close(layer({"image": pixels})["embedding"], before, KERNELS)


@pytest.mark.slow
def test_tensorflow_s_own_command_runs_it(run, in_tmp):
    pixels = RNG.integers(0, 256, (2, 8, 8, 1)).astype("uint8")
    np.save("x.npy", pixels)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", str(run("image") / "export/1"), "--tag_set", "serve"]  # fmt: skip
    command += ["--signature_def", "serving_default", "--inputs", "image=x.npy", "--outdir", "."]
    subprocess.run(command, check=True, capture_output=True)
    wanted = zoo.load(run("image")).predict(pixels)["probabilities"]
    assert_close(np.load("probabilities.npy"), wanted, KERNELS, scale=1)
