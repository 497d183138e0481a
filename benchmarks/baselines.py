"""Linear baselines beside which every model stands: logistic or ridge regression of scikit-learn on the same splits.

    python benchmarks/baselines.py [DATASET ...]

Inputs are prepared exactly as for the zoo's models; the penalty is chosen on the validation split.
"""

import sys
import time

import zoo
from zoo.tasks import task

EMBEDDED = ("digits", "breast_cancer", "wine", "diabetes")
FORMATS = {"accuracy": ".4f", "rmse": ".2f", "r2": ".3f"}


def main(names):
    print("| data | linear baseline | test score | seconds |\n| --- | --- | --- | --- |")
    for name in names:
        splits = zoo.load_dataset(name)
        splits = splits.mapped(zoo.prepare(splits))
        start = time.monotonic()
        linear = task(splits.info.task).linear(splits, limit=None)
        seconds = time.monotonic() - start
        shown = {key: linear.scores[key] for key in FORMATS if key in linear.scores}
        score = ", ".join(f"{key} {value:{FORMATS[key]}}" for key, value in shown.items())
        print(f"| {name} | {linear.model} | {score} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or EMBEDDED)
