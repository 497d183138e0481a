"""Does tuning help? Each family at its default size and settings against the best of a five-minute search.

    python benchmarks/tuning_table.py                  # every family that is missing; goes on where it was stopped
    python benchmarks/tuning_table.py cnn vae          # these
    python benchmarks/tuning_table.py --page           # writes docs/tuning.md's table from results/tuning.csv

The search is `zoo.tune` with hyperband, for at most five minutes and with at most as many parameters as the default has.
Both settings are then trained with three seeds and the same number of epochs, each run keeping its best epoch by
validation; the test split decides nothing. A gain holds where it is larger than the standard deviations of both sides over
the seeds.
"""

import argparse
import csv
import datetime
import json
import statistics
from pathlib import Path

import zoo
from zoo.tuning import results

ROOT = Path(__file__).parents[1]
RUNS, TABLE = ROOT / "runs" / "tuning", ROOT / "results" / "tuning.csv"
PAGE = ROOT / "docs" / "tuning.md"
MARKS = "<!-- table -->\n", "<!-- end of table -->\n"
SEEDS, MINUTES = (0, 1, 2), 5.0
WORDS = {"dataset": "cmudict_stress", "limit": 4000, "epochs": 6}
# Default model → its data and epochs; where an epoch is long, fewer examples.
ROWS = {
    "dense:base": {"dataset": "breast_cancer", "epochs": 20},
    "cnn:base": {"dataset": "digits", "epochs": 10},
    "resnet:base": {"dataset": "digits", "epochs": 6},
    "vit:base": {"dataset": "digits", "epochs": 9},
    "recurrent:base": WORDS,
    "transformer:base": WORDS,
    "vae:base": {"dataset": "digits", "task": "generation", "epochs": 30},
    "seq2seq:small": {"dataset": "cmudict", "task": "translation", "limit": 2000, "epochs": 6},
}


def tune(model, config, most, folder):
    return zoo.tune(
        model,
        config=config.replace(out=str(folder)),
        tuner="hyperband",
        max_params=most,
        max_minutes=MINUTES,
    )


def train(config, folder, monitor, pick):
    """The best validation value and the first test score of each seed, and the scores' name."""
    validation, test = [], []
    for seed in SEEDS:
        run = folder / f"seed-{seed}"
        if not any((run / "export").glob("[0-9]*")):
            own = config.replace(seed=seed, out=str(run), resume="auto", quiet=True)
            zoo.train(config.model, config=own)
        validation.append(pick(float(row[monitor]) for row in results.epochs(run)))
        name, value = next(iter(json.loads((run / "score.json").read_text())["scores"].items()))
        test.append(value)
    return validation, test, name


def measure(model):
    """A row of the table."""
    folder, config = RUNS / model.replace(":", "_"), zoo.TrainConfig(model=model)
    config = config.replace(quiet=True, **ROWS[model])
    begun = folder / "default" / "seed-0"
    if not any((begun / "export").glob("[0-9]*")):  # one run tells the parameters
        own = config.replace(out=str(begun), resume="auto")
        most = zoo.train(model, config=own).model.count_params()
        (folder / "parameters").write_text(str(most))
    most = int((folder / "parameters").read_text())
    tuned = tune(model, config, most, folder / "search")
    pick = max if "accuracy" in tuned.objective else min
    default = train(config, folder / "default", tuned.objective, pick)
    best = train(tuned.config, folder / "tuned", tuned.objective, pick)
    parameters = next(row["parameters"] for row in tuned.trials if row["score"] == tuned.score)
    return {
        "model": model,
        "data": ROWS[model]["dataset"],
        "examples": ROWS[model].get("limit", "all"),
        "epochs": ROWS[model]["epochs"],
        "trials": len(tuned.trials),
        "minutes": round(sum(row["seconds"] for row in tuned.trials) / 60, 1),
        "default_parameters": most,
        "tuned_parameters": parameters,
        "validation": tuned.objective,
        "default_validation": json.dumps(default[0]),
        "tuned_validation": json.dumps(best[0]),
        "test": default[2],
        "default_test": json.dumps(default[1]),
        "tuned_test": json.dumps(best[1]),
        "date": datetime.date.today().isoformat(),
    }


def read():
    if not TABLE.exists():
        return {}
    with open(TABLE, newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def write(rows):
    TABLE.parent.mkdir(exist_ok=True)
    rows = [rows[model] for model in ROWS if model in rows]
    with open(TABLE, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def verdict(name, default, tuned):
    gain = statistics.mean(tuned) - statistics.mean(default)
    gain = gain if "accuracy" in name else -gain
    spread = max(statistics.stdev(default), statistics.stdev(tuned))
    return "better" if gain > spread else "worse" if -gain > spread else "no difference"


def cell(values):
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"


def page(rows):
    """The table as Markdown."""
    lines = [
        "| model and data | search | parameters | validation: default | tuned | | test: default | tuned | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.values():
        cells = [
            f"`{row['model']}`, {row['data']}"
            + f" ({row['examples']} words)" * (row["examples"] != "all"),  # fmt: skip
            f"{row['trials']} trials of up to {row['epochs']} epochs, {row['minutes']} min",
            f"{int(row['default_parameters']):,} → {int(row['tuned_parameters']):,}",
        ]
        for split in ("validation", "test"):
            default, tuned = (json.loads(row[f"{kind}_{split}"]) for kind in ("default", "tuned"))
            name = row[split]
            cells += [f"{name} {cell(default)}", cell(tuned), verdict(name, default, tuned)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="families; all by default")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    rows = read()
    if options.page:
        before, rest = PAGE.read_text().split(MARKS[0])
        PAGE.write_text(before + MARKS[0] + page(rows) + MARKS[1] + rest.split(MARKS[1])[1])
    else:
        wanted = [m for m in ROWS if not options.models or m.partition(":")[0] in options.models]
        for model in wanted:
            if model not in rows or options.models:
                rows[model] = measure(model)
                write(rows)
        print(page(rows))
