"""Searches in a process that tests kill: python tests/faults/search_script.py OUT TUNER."""

import sys

import zoo


def main(out, tuner):
    return zoo.tune(
        "dense:tiny",
        "wine",
        tuner=tuner,
        trials={"hyperband": None}.get(tuner, 6),
        epochs=3,
        fix={"schedule": "cosine", "units": 32, "batch_normalization": False},
        out=out,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
