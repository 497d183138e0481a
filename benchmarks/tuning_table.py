"""Does tuning help? Each family at its default size and settings against the best of a five-minute search.

    python benchmarks/tuning_table.py                  # every family that is missing; goes on where it was stopped
    python benchmarks/tuning_table.py cnn vae          # these
    python benchmarks/tuning_table.py --page           # writes docs/tuning.md's table from results/tuning.csv

The search is `zoo.tune` with hyperband, pass after pass for five minutes (`--minutes`).
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
from zoo import tasks
from zoo.tuning import results

ROOT = Path(__file__).parents[1]
RUNS, TABLE = ROOT / "runs" / "tuning", ROOT / "results" / "tuning.csv"
PAGE = ROOT / "docs" / "tuning.md"
MARKS = "<!-- table -->\n", "<!-- end of table -->\n"
SEEDS = (0, 1, 2)
# A quarter of the training examples judge: a tenth of these small sets would be too few to tell settings apart.
DIGITS = {"dataset": "digits", "validation_fraction": 0.25, "epochs": 5}
WORDS = {"dataset": "cmudict_stress", "limit": 4000, "validation_fraction": 0.25, "epochs": 5}
# Default model → its data and epochs; where an epoch is long, fewer examples.
ROWS = {
    "dense:base": DIGITS,
    "cnn:base": DIGITS,
    "resnet:base": DIGITS,
    "vit:base": DIGITS,
    "recurrent:base": WORDS,
    "transformer:base": WORDS,
    "vae:base": {**DIGITS, "task": "generation", "epochs": 20},
    "seq2seq:small": {"dataset": "cmudict", "task": "translation", "limit": 2000, "epochs": 5},
}


def train(config, folder, task):
    """For each seed the best value of the task's monitor on validation, and the test scores."""
    found = []
    for seed in SEEDS:
        run = folder / f"seed-{seed}"
        if not any((run / "export").glob("[0-9]*")):
            own = config.replace(seed=seed, out=str(run), resume="auto", quiet=True)
            zoo.train(config.model, config=own)
        values = [float(row[task.monitor]) for row in results.epochs(run)]
        scores = json.loads((run / "score.json").read_text())["scores"]
        found.append((max(values) if task.mode == "max" else min(values), scores))
    return found


def measure(model, minutes):
    """A row of the table."""
    folder, config = RUNS / model.replace(":", "_"), zoo.TrainConfig(model=model)
    config = config.replace(quiet=True, **ROWS[model])
    # So many trials that time ends the search.
    search = {"tuner": "hyperband", "trials": 1000, "max_minutes": minutes}
    tuned = zoo.tune(model, config=config.replace(out=str(folder / "search")), **search)
    info = zoo.load_dataset(**zoo.data_options(config)).info
    task = tasks.task(config.data.task or info.task)
    default = train(config, folder / "default", task)
    best = train(tuned.config, folder / "tuned", task)
    # Losses with other weights of their parts do not compare; there the test's own score is all there is.
    monitor = task.monitor if tuned.objective == task.monitor else ""
    test = next(iter(default[0][1]))
    return {
        "model": model,
        **{key: ROWS[model].get(key, "") for key in ("dataset", "limit", "epochs")},
        "trials": len(tuned.trials),
        "minutes": round(sum(row["seconds"] for row in tuned.trials) / 60, 1),
        "objective": tuned.objective,
        "validation": monitor,
        "default_validation": json.dumps([value for value, _ in default]),
        "tuned_validation": json.dumps([value for value, _ in best]),
        "test": test,
        "default_test": json.dumps([scores[test] for _, scores in default]),
        "tuned_test": json.dumps([scores[test] for _, scores in best]),
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
        "| model | data, epochs | search | validation: default | tuned | | test: default | tuned | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.values():
        limit = f" ({row['limit']} examples)" * bool(row["limit"])
        cells = [
            f"`{row['model']}`",
            f"{row['dataset']}{limit}, {row['epochs']}",
            f"{row['trials']} trials by {row['objective']}, {row['minutes']} min",
        ]
        for split in ("validation", "test"):
            default, tuned = (json.loads(row[f"{kind}_{split}"]) for kind in ("default", "tuned"))
            name = row[split]
            cells += [f"{name} {cell(default)}", cell(tuned), verdict(name, default, tuned)] if name else [""] * 3  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="families; all by default")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each search")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.models) - {name.partition(":")[0] for name in ROWS}:
        parser.error(f"no row of {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    rows = read()
    if options.page:
        before, rest = PAGE.read_text().split(MARKS[0])
        PAGE.write_text(before + MARKS[0] + page(rows) + MARKS[1] + rest.split(MARKS[1])[1])
    else:
        wanted = [m for m in ROWS if not options.models or m.partition(":")[0] in options.models]
        for model in wanted:
            if model not in rows or options.models:
                rows[model] = measure(model, options.minutes)
                write(rows)
        print(page(rows))
