"""Linear baselines beside which every model stands: logistic or ridge regression of scikit-learn on the same splits.

    python benchmarks/baselines.py [DATASET ...]

Inputs are prepared exactly as for the zoo's models; the penalty is chosen on the validation split.
"""

import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

import zoo

EMBEDDED = ("digits", "breast_cancer", "wine", "diabetes")


def main(names):
    print("| data | linear baseline | test score | seconds |\n| --- | --- | --- | --- |")
    for name in names:
        splits = zoo.load_dataset(name)
        preparation = zoo.prepare(splits)
        parts = {
            split: (_flat(preparation, splits, split), splits.targets(split))
            for split in splits.examples
        }
        start = time.monotonic()
        if splits.info.task == "classification":
            fits = [
                LogisticRegression(C=c, max_iter=300).fit(*parts["train"])
                for c in (0.01, 0.1, 1.0, 10.0)
            ]
            best = max(fits, key=lambda fit: fit.score(*parts["validation"]))
            score = f"accuracy {best.score(*parts['test']):.4f}"
        else:
            fits = [Ridge(alpha=a).fit(*parts["train"]) for a in (0.1, 1.0, 10.0, 100.0)]
            best = max(fits, key=lambda fit: fit.score(*parts["validation"]))
            x, y = parts["test"]
            score = f"rmse {np.sqrt(np.mean((best.predict(x) - y) ** 2)):.2f}, r2 {best.score(x, y):.3f}"
        print(f"| {name} | {best!r} | {score} | {time.monotonic() - start:.1f} |", flush=True)


def _flat(preparation, splits, split):
    raw = splits.pick(split, np.arange(len(splits.examples[split])))
    return np.asarray(preparation.inputs(raw)).reshape(len(raw), -1)


if __name__ == "__main__":
    main(sys.argv[1:] or EMBEDDED)
