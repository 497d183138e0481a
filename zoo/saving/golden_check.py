"""Proves a SavedModel with TensorFlow alone: run as a script, in a fresh process, on the folder of a version.

Prints one line of JSON: the signatures' names and the largest difference from the golden outputs.
"""

import json
import os
import sys
import tokenize
import zipfile
import zlib

import numpy as np
import tensorflow as tf

# Of the largest magnitude of each output. Float32 outputs of the shipped models differ by up to 2e-6 of it between processors'
# instruction sets. Beside 1, as it once was, outputs that are all small (a target in small units, the probabilities of many
# classes) could be anything; beside each element itself, one near 0, where larger numbers cancelled, would differ by its rounding.
TOLERANCE = 1e-5
LARGEST = 2**30  # bytes of a golden pair in memory: it may be packed as small as anything


def difference(found, wanted):
    """The largest difference of two arrays as a share of the largest magnitude of what is wanted; of zeros, the difference."""
    if found.shape != wanted.shape:
        return float("inf")
    largest = float(np.abs(found - wanted).max(initial=0))
    return largest / (float(np.abs(wanted).max(initial=0)) or 1.0)


def read(path):
    """The arrays of `golden.npz`, by name.

    Raises:
        ValueError: It cannot be read, or is larger than any golden pair; the message says which.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > LARGEST:
            raise ValueError(f"it would take up {size / 2**20:,.0f} MiB of memory")
        with np.load(path, allow_pickle=False) as arrays:
            found = dict(arrays)
    # What NumPy and zipfile raise for a file that somebody else wrote, as in `zoo/files.py`, which is not to be imported here. The caller
    # counts it as a problem of the model.
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        MemoryError,
        OverflowError,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"it cannot be read: {type(error).__name__}") from None
    if not any(key.startswith("inputs/") for key in found):
        raise ValueError("it holds no inputs")
    return found


def _answers(function, inputs):
    """What a signature answers, as arrays by name; a text where it cannot be asked with these inputs."""
    try:
        outputs = function(**{name: tf.constant(values) for name, values in inputs.items()})
    except (TypeError, ValueError, tf.errors.OpError) as error:
        return f"cannot be asked with the golden inputs: {str(error)[:300]}"
    return {name: values.numpy() for name, values in outputs.items()}


def _told(signature, answers, wanted):
    """Compares a signature's answers with the golden outputs: the largest share by which they differ, and problems."""
    if isinstance(answers, str):
        return 0.0, [f"{signature} {answers}"]
    if sorted(answers) != sorted(wanted):
        return 0.0, [f"{signature} returns {sorted(answers)}, the golden pair has {sorted(wanted)}"]
    largest, problems = 0.0, []
    for name, value in wanted.items():
        got = answers[name]
        if value.dtype.kind == "f" and got.dtype.kind == "f":
            share = difference(got, value)
            largest = max(largest, share)
            if not share <= TOLERANCE:
                problems.append(
                    f"{signature}: {name} differs from the golden output by a share of {share:.2g}"
                )
            continue
        texts = np.char.decode(got.astype(bytes), "utf-8") if got.dtype == object else got
        if not np.array_equal(texts, value):
            problems.append(f"{signature}: {name} differs from the golden output")
    return largest, problems


def main(folder):
    tf.config.set_visible_devices([], "GPU")  # whoever calls this may hold all of its memory
    model = tf.saved_model.load(folder)
    if not os.path.exists(f"{folder}/assets.extra/golden.npz"):  # no model of this project
        found = {"signatures": sorted(model.signatures), "largest_difference": None, "problems": []}
        print(json.dumps(found))
        return
    try:
        golden = read(f"{folder}/assets.extra/golden.npz")
    except ValueError as error:
        problem = f"assets.extra/golden.npz: {error}"
        print(json.dumps({"signatures": [], "largest_difference": 0.0, "problems": [problem]}))
        return
    inputs = {}  # "inputs" of most signatures, "inputs:NAME" of one that has its own
    for key in golden:
        group, _, name = key.partition("/")
        if group.startswith("inputs"):
            inputs.setdefault(group, {})[name] = golden[key]
    largest, problems = 0.0, []
    expected = sorted({key.partition("/")[0] for key in golden} - set(inputs))
    if sorted(model.signatures) != expected:
        problems.append(
            f"its signatures are {sorted(model.signatures)}, the golden pair's {expected}"
        )
    for signature in [name for name in expected if name in model.signatures]:
        given = inputs.get(f"inputs:{signature}", inputs["inputs"])
        wanted = {
            key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"{signature}/")
        }
        share, found = _told(signature, _answers(model.signatures[signature], given), wanted)
        largest, problems = max(largest, share), [*problems, *found]
    if "zoo" in sys.modules:
        problems.append("the check imported zoo, so it proves nothing")
    print(json.dumps({"signatures": expected, "largest_difference": largest, "problems": problems}))


if __name__ == "__main__":
    main(sys.argv[1])
