"""Searches in a process that tests kill: python tests/faults/search_script.py OUT TUNER [TRIALS]."""

import sys

import zoo


def main(out, tuner, trials=6):
    return zoo.tune(
        "dense:tiny",
        "wine",
        tuner=tuner,
        trials={"hyperband": None}.get(tuner, int(trials)),
        epochs=3,
        fix={"schedule": "cosine", "units": 32, "batch_normalization": False},
        out=out,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
