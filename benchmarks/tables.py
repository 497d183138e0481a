"""What dense networks reach on tables of 16,000 rows and more, beside boosted trees and linear models on the same rows.

    python -m benchmarks.tables FOLDER                          # trains what is missing, one run after the other
    python -m benchmarks.tables FOLDER --rows adult:tabular     # of it these
    python -m benchmarks.tables --page > docs/tables.md         # the page, from results/tables/

FOLDER holds a folder of each table with train.csv and test.csv: adult (UCI's own split), california, diamonds, flights. Settings are those that
the size recommends, the same for all tables; a run that was stopped goes on. Each finished seed is kept in `results/tables/`.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDS, RUNS = ROOT / "results" / "tables", ROOT / "runs" / "tables"
TARGETS = {"california": "MedHouseVal", "adult": "income", "diamonds": "price", "flights": "late"}
SIZES = ("tabular", "ensemble")
SEEDS = (0, 1, 2)


ABOUT = """\
# Tables

`dense:tabular` and `dense:ensemble` are for tables of some thousand rows and more:

    zoo train --model dense:ensemble --dataset shop.csv --target bought --baseline

Both embed each number as a piecewise linear function of itself, whose knots share out the training values (`--model-args embedding=periodic`:
as cosines, as RealMLP does), and have RealMLP's scaling layer, parametrization and activations. `ensemble` is eight networks in one that share
all hidden layers (TabM-mini); it is better and takes about four times as long. `zoo shrink RUN --members 4` keeps the first members alone.

- A size begins with its own epochs, batch size, learning rate and schedule (`zoo/config/recommended.py`), also in `zoo.train("dense:tabular",
  ...)`. What is said on the command line, or by name in Python, wins; a `TrainConfig` and a file say all settings themselves.
- Batches are of 256 rows: for fewer than about 2,000 training rows pass `--batch-size 32`.
- `--baseline` fits a linear model and boosted trees (scikit-learn's `HistGradientBoosting`, up to 200 rounds, their number chosen by validation;
  native categories and gaps) on the same training rows, and the report says who won, with the paired bootstrap's interval of the difference.

The figures are printed by `python -m benchmarks.tables --page` from `results/tables/*.json`: test scores, mean ± standard deviation over so many
seeds, with the settings that a size brings, the same for all tables. They were chosen by validation scores of these four tables. rmse is in units of
the target, and in parts of its spread. A tenth of train is validation. Seconds are of busy machines of two cores. Of the trees, of the
linear model and of the difference to the trees, with its interval, the figure is that of the first seed.
"""


def train(folder, table, size, seed):
    """Trains a seed, and keeps what it reached."""
    import pandas as pd
    import yaml
    from sklearn import metrics

    import zoo

    target, out = TARGETS[table], RUNS / f"{table}-{size}-{seed}"
    trained = zoo.train(
        f"dense:{size}", str(Path(folder) / table), target=target, seed=seed, out=str(out), resume="auto", quiet=True,
        baseline=seed == SEEDS[0],
    )  # fmt: skip
    report, test = trained.report, pd.read_csv(Path(folder) / table / "test.csv")
    reached = {"scores": report.scores, "parameters": trained.network.count_params()}
    if "accuracy" in report.scores:
        labels = trained.labels
        sure = zoo.load(trained.export).predict(test.drop(columns=target))["probabilities"][:, 1]
        reached["scores"]["auc"] = metrics.roc_auc_score(test[target] == labels[1], sure)
    for key, one in report.beside.items():
        reached[key] = one.record()
        if one.outputs is not None and one.outputs.shape[1] == 2:
            gap = one.outputs[:, 1] - one.outputs[:, 0]
            reached[key]["scores"]["auc"] = metrics.roc_auc_score(test[target] == labels[1], gap)
    if "rmse" in report.scores:
        spread = pd.read_csv(Path(folder) / table / "train.csv")[target].std()
        reached["spread"] = spread
    config = yaml.safe_load((out / "config.yaml").read_text())
    reached |= {"seconds": json.loads((out / "score.json").read_text())["fit_seconds"]}
    reached |= {"epochs": config["run"]["epochs"]}
    reached |= {key: config["made_by"][key] for key in ("keras", "tensorflow", "device", "date")}
    RECORDS.mkdir(parents=True, exist_ok=True)
    record(table, size, seed).write_text(json.dumps(reached, indent=1) + "\n")
    print(table, size, seed, report.scores, flush=True)


def record(table, size, seed):
    return RECORDS / f"{table}-{size}-{seed}.json"


def records(table, size):
    paths = [record(table, size, seed) for seed in SEEDS]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def page():
    """docs/tables.md."""
    lines = [
        *ABOUT.splitlines(),
        "",
        "| table | model | score | seeds | boosted trees | less them (95 %) | linear | seconds a seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for table in TARGETS:
        for size in SIZES:
            if found := records(table, size):
                lines += [_line(table, size, found, name) for name in _shown(found[0])]
    return "\n".join(lines) + "\n"


def _shown(one):
    return ("accuracy", "auc") if "auc" in one["scores"] else ("rmse",)


def _line(table, size, found, name):
    values = [one["scores"][name] for one in found]
    score = f"{name} {statistics.mean(values):.4f}"
    if len(values) > 1:
        score += f" ± {statistics.stdev(values):.4f}"
    if name == "rmse":
        score += f" ({statistics.mean(values) / found[0]['spread']:.4f})"
    beside = [
        found[0].get(key, {}).get("scores", {}).get(name)
        for key in ("boosted trees", "linear baseline")
    ]
    trees, linear = ["" if value is None else f"{value:.4f}" for value in beside]
    difference = found[0].get("boosted trees", {}).get("difference") if name != "auc" else None
    less = "{:+.4f} ({:+.4f} to {:+.4f})".format(*difference) if difference else ""
    seconds = f"{statistics.mean(one['seconds'] for one in found):.0f}"
    cells = [table, f"`dense:{size}`", score, str(len(found)), trees, less, linear, seconds]
    return f"| {' | '.join(cells)} |"


def main(options):
    if options.page:
        print(page(), end="")
        return
    rows = options.rows or [f"{table}:{size}" for size in SIZES for table in TARGETS]
    for seed in SEEDS:
        for table, size in (row.split(":") for row in rows):
            if not record(table, size, seed).exists():
                begun = time.process_time()
                train(options.folder, table, size, seed)
                print(f"{time.process_time() - begun:.0f} s of CPU time", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--page", action="store_true")
    main(parser.parse_args())
