"""Proves a SavedModel with TensorFlow alone: run as a script, in a fresh process, on the folder of a version.

Prints one line of JSON: the signatures' names and the largest difference from the golden outputs.
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf

# Of the largest magnitude of each output. Float32 outputs of the shipped models differ by up to 2e-6 of it between processors'
# instruction sets. Beside 1, as it once was, outputs that are all small (a target in small units, the probabilities of many
# classes) could be anything; beside each element itself, one near 0, where larger numbers cancelled, would differ by its rounding.
TOLERANCE = 1e-5


def difference(found, wanted):
    """The largest difference of two arrays as a share of the largest magnitude of what is wanted; of zeros, the difference."""
    if found.shape != wanted.shape:
        return float("inf")
    largest = float(np.abs(found - wanted).max(initial=0))
    return largest / (float(np.abs(wanted).max(initial=0)) or 1.0)


def main(folder):
    tf.config.set_visible_devices([], "GPU")  # whoever calls this may hold all of its memory
    model = tf.saved_model.load(folder)
    if not os.path.exists(f"{folder}/assets.extra/golden.npz"):  # no model of this project
        found = {"signatures": sorted(model.signatures), "largest_difference": None, "problems": []}
        print(json.dumps(found))
        return
    golden = np.load(f"{folder}/assets.extra/golden.npz", allow_pickle=False)
    inputs = {}  # "inputs" of most signatures, "inputs:NAME" of one that has its own
    for key in golden:
        group, _, name = key.partition("/")
        if group.startswith("inputs"):
            inputs.setdefault(group, {})[name] = tf.constant(golden[key])
    largest, problems = 0.0, []
    expected = sorted({key.partition("/")[0] for key in golden} - set(inputs))
    if sorted(model.signatures) != expected:
        problems.append(
            f"its signatures are {sorted(model.signatures)}, the golden pair's {expected}"
        )
    for signature in [name for name in expected if name in model.signatures]:
        given = inputs.get(f"inputs:{signature}", inputs["inputs"])
        outputs = model.signatures[signature](**given)
        wanted = {
            key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"{signature}/")
        }
        if sorted(outputs) != sorted(wanted):
            problems.append(
                f"{signature} returns {sorted(outputs)}, the golden pair has {sorted(wanted)}"
            )
            continue
        for name, value in wanted.items():
            got = outputs[name].numpy()
            if value.dtype.kind == "f":
                share = difference(got, value)
                largest = max(largest, share)
                if not share <= TOLERANCE:
                    problems.append(
                        f"{signature}: {name} differs from the golden output by a share of {share:.2g}"
                    )
            elif not np.array_equal(
                np.char.decode(got.astype(bytes), "utf-8") if got.dtype == object else got, value
            ):
                problems.append(f"{signature}: {name} differs from the golden output")
    if "zoo" in sys.modules:
        problems.append("the check imported zoo, so it proves nothing")
    print(json.dumps({"signatures": expected, "largest_difference": largest, "problems": problems}))


if __name__ == "__main__":
    main(sys.argv[1])
