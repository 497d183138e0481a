"""The results table: what each recipe reaches on real data, one command a row.

    python -m benchmarks.results                            # the rows, and how far each is
    python -m benchmarks.results mnist_cnn                  # trains what is missing and writes the row
    python -m benchmarks.results mnist_cnn --minutes 30     # stops after so long; the same command goes on
    python -m benchmarks.results --baselines                # the linear baselines
    python -m benchmarks.results --pages                    # writes docs/results.md and the README's table from results/

A row is trained with three seeds by its recipe's command in `runs/results/`, each run going on where it was stopped. What
a finished run reached is kept in `results/seeds/`; the row of `results/RECIPE.csv` is made of it, with a picture in
`docs/results/`.
"""

import argparse
import csv
import dataclasses
import io
import itertools
import json
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml

from zoo.config.arguments import with_arguments

ROOT = Path(__file__).parents[1]
RUNS, PICTURES = ROOT / "runs" / "results", ROOT / "docs" / "results"
RESULTS, RECORDS = ROOT / "results", ROOT / "results" / "seeds"
PAGE, README = ROOT / "docs" / "results.md", ROOT / "README.md"
BASELINES = RESULTS / "baselines.csv"
MARKS = "<!-- results -->\n", "<!-- end of results -->\n"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        recipe: Name of the recipe.
        options: Its arguments, but for the seed.
        picture: The picture of the run that is shown.
        goal: What is asked of it.
        beside: What stands beside it: a data set of `results/baselines.csv`, a figure with its source, or nothing where
            each run fits a linear baseline itself.
        seeds: The seeds.
        note: What limits it, where it misses its goal or what stands beside it is better.
    """

    recipe: str
    options: str
    picture: str
    goal: str
    beside: str
    seeds: tuple[int, ...] = (0, 1, 2)
    note: str = ""

    @property
    def arguments(self):
        """Those of the model's builder, on top of its size."""
        words = shlex.split(self.options)
        after = words[words.index("--model-args") + 1 :] if "--model-args" in words else []
        pairs = itertools.takewhile(lambda word: not word.startswith("--"), after)
        return {key: yaml.safe_load(value) for key, _, value in (p.partition("=") for p in pairs)}

    @property
    def command(self):
        return shlex.join(["python", f"recipes/{self.recipe}.py", *shlex.split(self.options)])


MNIST = "--dataset mnist --batch-size 128 --schedule one_cycle --monitor accuracy"
IMDB = "--dataset imdb_reviews --text-size {} 20000 --batch-size 64 --ema 0.99"
ROWS = {
    "mnist_dense": Row(
        "classify_images", f"{MNIST} --model dense:large --epochs 25 --learning-rate 1e-3",
        "confusion.png", "98.6 %", "mnist",
    ),
    "mnist_cnn": Row(
        "classify_images",
        f"{MNIST} --model cnn:base --model-args convs_per_stage=2 'filters=[16,32,64]' --epochs 40 --learning-rate 5e-3 "
        "--augment digits",
        "mistakes.png", "99.5 %", "mnist",
    ),
    "mnist_rows_lstm": Row(
        "classify_images", f"{MNIST} --model recurrent:stacked --epochs 20 --learning-rate 3e-3",
        "confusion.png", "98.9 %", "mnist",
    ),
    "mnist_resnet": Row(
        "classify_images", f"{MNIST} --model resnet:20 --epochs 6 --learning-rate 5e-3 --augment digits",
        "mistakes.png", "-", "mnist",
    ),
    "mnist_vit": Row(
        "classify_images", f"{MNIST} --model vit:mnist --epochs 30 --learning-rate 1e-3 --augment digits",
        "attention.png", "99.0 %", "mnist", seeds=(0,),
    ),
    "imdb_lstm": Row(
        "classify_text",
        f"{IMDB.format(1000)} --model recurrent:base --model-args embedding_dropout=0.5 --epochs 5 --learning-rate 2e-3 "
        "--optimizer adamw --weight-decay 0.1 --monitor accuracy",
        "curves.png", "87.5 %", "imdb_reviews",
        note="It reads the order of words, learned from 22,500 reviews; the linear baseline weighs the words and pairs of "
        "words of whole reviews, and is better.",
    ),
    "imdb_transformer": Row(
        "classify_text",
        f"{IMDB.format(500)} --model transformer:small --model-args dropout=0.3 --epochs 3 --learning-rate 1e-3 "
        "--use-validation",
        "curves.png", "88.0 %", "imdb_reviews",
        note="The settings were chosen with 22,500 reviews by the 2,500 of validation, where four epochs were best after the "
        "third; then they were trained with all 25,000, for three epochs. The linear baseline, on the words and pairs of "
        "words of whole reviews, is better.",
    ),
    "imdb_cnn": Row(
        "classify_text",
        f"{IMDB.format(500)} --model cnn:text --epochs 4 --learning-rate 1e-3 --label-smoothing 0.1 --monitor accuracy",
        "curves.png", "89.0 %", "imdb_reviews",
        note="The linear baseline, on the words and pairs of words of whole reviews, is better.",
    ),
    "imdb_bag": Row(
        "classify_text", "--dataset imdb_reviews --model bag:base --use-validation", "curves.png", "92.0 %", "imdb_reviews",
        note="The size, the three epochs, the signs of punctuation as tokens and the division by the root of the number of n-grams were "
        "chosen by parts of the training split; then all 25,000 reviews were trained on.",
    ),
    "cmudict_stress": Row(
        "classify_text", "--epochs 15 --monitor accuracy", "confusion.png", "-", "cmudict_stress",
    ),
    "mnist_vae": Row(
        "generate_images",
        "--dataset mnist --model vae:iwae --model-args num_samples=1 --binarize dynamic --epochs 400 --batch-size 100 "
        "--schedule cosine --learning-rate 1e-3 --likelihood-samples 5000",
        "samples.png", "below 89 nats", "86.76 in the paper, 87.75 re-run (nbip/IWAE)",
    ),
    "mnist_iwae": Row(
        "generate_images",
        "--dataset mnist --model vae:iwae --binarize dynamic --epochs 400 --batch-size 100 "
        "--schedule cosine --learning-rate 1e-3 --likelihood-samples 5000",
        "samples.png", "below `mnist_vae`", "84.78 with 50 samples in the paper (Burda et al. 2016)",
        note="Trained with 5 samples of each image, for 400 epochs; the paper's figure is of 50 samples and 3,280 epochs.",
    ),
    "cmudict_g2p": Row(
        "pronounce_words",
        "--epochs 20 --model-args num_layers=2 hidden_dim=256 num_heads=4 intermediate_dim=1024 dropout=0.1 "
        "--learning-rate 1e-3",
        "attention.png", "WER 33 %", "WER 33.9 of a WFST, about 31 of a Transformer (g2p-seq2seq), on other splits",
        seeds=(0,),
    ),
    "cmudict_g2p_stress": Row(
        "pronounce_words",
        "--dataset cmudict_with_stress --epochs 20 --model-args num_layers=2 hidden_dim=256 num_heads=4 "
        "intermediate_dim=1024 dropout=0.1 --learning-rate 1e-3",
        "attention.png", "-", "no figure of this split; without stress see `cmudict_g2p`", seeds=(0,),
    ),
    "co2": Row(
        "forecast_series", "", "forecast.png", "-", "",
        note="The linear autoregression is better: a season, a trend and little else is what the series has.",
    ),
}  # fmt: skip


def folder(name, seed):
    return RUNS / f"{name}-{seed}"


def is_finished(run):
    return (run / "score.json").exists() and any((run / "export").glob("[0-9]*"))


def check_command(run, row, seed):
    """Exits where a run's folder was begun by another command than the row's."""
    if (run / "config.yaml").exists():
        begun = yaml.safe_load((run / "config.yaml").read_text())["made_by"]["command"]
        if begun != f"{row.command} --seed {seed}":
            sys.exit(f"{run} was begun by `{begun}`, which is not the row's command: remove it.")


def record(name, seed):
    """The file of what a finished run reached."""
    return RECORDS / f"{name}-{seed}.json"


def records(name, row):
    """What the finished runs of a row reached, by seed; runs of another command than the row's don't count."""
    found = {
        s: json.loads(record(name, s).read_text()) for s in row.seeds if record(name, s).exists()
    }
    return {seed: run for seed, run in found.items() if run["command"] == row.command}


def train(name, row, seed, until):
    """Trains a seed, or goes on with it, until it is finished or the time is up; returns whether it is finished."""
    run = folder(name, seed)
    check_command(run, row, seed)
    if is_finished(run):
        return True
    RUNS.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, f"recipes/{row.recipe}.py"]
    if until is not None and time.monotonic() > until - 60:
        return False
    if (run / "config.yaml").exists():
        command += ["--resume", str(run)]
    else:
        command += [*shlex.split(row.options), "--seed", str(seed), "--out", str(run)]
    print(" ".join(command[1:]), flush=True)
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        child.wait(None if until is None else max(1.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)  # saves the state at the end of the step
        child.wait()
    except KeyboardInterrupt:
        child.wait()  # it has had the same signal
        raise
    if child.returncode not in (0, 143, -signal.SIGTERM):
        sys.exit(f"{' '.join(command[1:])} ended with {child.returncode}")
    return is_finished(run)


def write_record(name, row, seed):
    """Keeps what a finished run reached; the first seed's picture goes into the docs."""
    import zoo

    run = folder(name, seed)
    score = json.loads((run / "score.json").read_text())
    config = yaml.safe_load((run / "config.yaml").read_text())
    reached = {
        "command": row.command,
        "model": config["model"],
        "data": config["data"]["dataset"],
        "scores": score["scores"],
        "linear": score.get("baseline", {}).get("scores"),
        "parameters": zoo.build(weights=run).count_params(),
        "seconds": score["fit_seconds"],
        "epochs": config["run"]["epochs"],
        **{key: config["made_by"][key] for key in ("keras", "tensorflow", "device", "date")},
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    record(name, seed).write_text(json.dumps(reached, indent=1) + "\n")
    if seed == row.seeds[0]:
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / row.picture, PICTURES / f"{name}.png")


def collect(name, row):
    """The row of finished runs, as the CSV file holds it."""
    runs = records(name, row)
    first = next(iter(runs.values()))
    metric, *others = first["scores"]
    values = [run["scores"][metric] for run in runs.values()]
    return {
        "row": name,
        "model": first["model"],
        "data": first["data"],
        "metric": metric,
        "mean": f"{statistics.mean(values):.4f}",
        "std": f"{statistics.stdev(values):.4f}" if len(values) > 1 else "",
        "seeds": " ".join(map(str, runs)),
        "values": " ".join(f"{value:.4f}" for value in values),
        "others": "; ".join(
            f"{key} {statistics.mean(run['scores'][key] for run in runs.values()):.4f}"
            for key in others
        ),
        "linear": f"{first['linear'][metric]:.4f}" if first["linear"] else "",
        "parameters": first["parameters"],
        "minutes": f"{statistics.mean(run['seconds'] for run in runs.values()) / 60:.1f}",
        **{
            key: first[key]
            for key in ("epochs", "command", "keras", "tensorflow", "device", "date")
        },
    }


def write_row(name, row):
    """Puts a row into its recipe's file."""
    path, found = RESULTS / f"{row.recipe}.csv", collect(name, row)
    rows = {line["row"]: line for line in read(path)} | {name: found}
    write(path, [rows[key] for key in ROWS if key in rows])
    spread = f" ± {found['std']}" if found["std"] else ""
    print(f"{path}: {found['metric']} {found['mean']}{spread}, seeds {found['seeds']}")


def read(path):
    return list(csv.DictReader(path.open())) if path.exists() else []


def write(path, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())


def fit_baselines():
    """Fits the linear baselines on whole training splits."""

    import zoo
    from zoo.tasks import task

    RESULTS.mkdir(exist_ok=True)
    rows = {line["data"]: line for line in read(BASELINES)}
    for name in dict.fromkeys(row.beside for row in ROWS.values() if row.beside.isidentifier()):
        if name in rows:
            continue
        splits = zoo.load_dataset(name, batch_size=1024)
        begun = time.monotonic()
        splits = splits.mapped(zoo.prepare(splits))
        linear = task(splits.info.task).linear(splits, limit=None)
        rows[name] = {
            "data": name,
            "metric": next(iter(linear.scores)),
            "value": f"{next(iter(linear.scores.values())):.4f}",
            "model": linear.model,
            "examples": linear.num_train,
            "seconds": f"{time.monotonic() - begun:.0f}",
        }
        write(BASELINES, list(rows.values()))
        print(rows[name], flush=True)


def table(columns):
    """The table of all rows that are there, as Markdown."""
    baselines = {line["data"]: line for line in read(BASELINES)}
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for name, row in ROWS.items():
        for line in read(RESULTS / f"{row.recipe}.csv"):
            if line["row"] != name:
                continue
            linear = line["linear"] or baselines.get(row.beside, {}).get("value")
            cells = {
                "row": f"`{name}`",
                "model": f"{with_arguments(line['model'], row.arguments)}, {int(line['parameters']):,}",
                "data": line["data"],
                "test score": f"{line['metric']} {line['mean']}"
                + (f" ± {line['std']}" if line["std"] else "")
                + (
                    f" ({seeds} seed{'s' * (seeds > 1)})"
                    if (seeds := len(line["seeds"].split())) < 3
                    else ""
                ),
                "also": line["others"],
                "beside": f"linear {linear}" if linear else row.beside,
                "goal": row.goal,
                "minutes a seed": line["minutes"],
                "command": f"`{line['command']}`",
            }
            lines.append(f"| {' | '.join(cells[column] for column in columns)} |")
    return "\n".join(lines) + "\n"


PROTOCOLS = """\
- The test split is read once, after training; validation is a tenth of train (stratified, the same for every seed), picks
  the epoch, by its loss unless the command says `--monitor accuracy`, and is not trained on. Mean and standard deviation are
  over seeds of weights, order and noise. Before version 0.2 the later of two epochs of equal accuracy was kept; now it is the
  one with the lower loss.
- Rows of MNIST, IMDB and pronunciation whose date in `results/*.csv` is before 2026-11-24 are of an older shuffle, in which
  neighbouring epochs and seeds had orders that were much alike; the same commands give other figures now. Of the
  rows trained again since, `mnist_dense` was 0.9865 ± 0.0009 before, `cmudict_stress` 0.8969 ± 0.0019, `co2` 0.3846 ± 0.0157.
- MNIST: 54,000 images train, 6,000 validate, 10,000 test. Accuracy.
- IMDB: 22,500 reviews train, 2,500 validate, 25,000 test, cut to their first 500 or 1,000 words (the command says which),
  of `imdb_bag` to 1,500 words and signs, as its size brings.
  With `--use-validation` all 25,000 train, for as many epochs as the command says, and the last is kept. Accuracy.
- VAE: pixels are drawn black or white with the probability that their grey level is, anew at each training step; the test
  images are drawn once. NLL in nats by 5,000 importance samples.
- Pronunciation: one word in ten is test, by a hash of its spelling; any listed pronunciation is right; stress is left out,
  but in `cmudict_g2p_stress`. `sequence_error` is the WER, `token_error` the PER; beam of 4.
- Stress (`cmudict_stress`): the same tenth of the words is test; the class is the syllable with the primary stress. Accuracy.
- Series: the newest fifth of the steps is test, what comes before it validation; MASE (errors in units of the seasonal
  naive forecast's) of all windows of the test split, 26 weeks ahead; linear is an autoregression on the same window.
- Linear baselines are logistic regressions of scikit-learn on the same inputs (of texts: TF-IDF of n-grams) and the whole
  training split, the penalty chosen by validation.
- Minutes are the training time of one seed, often beside other work on the machine: not a measure of speed.
"""


def page():
    """docs/results.md."""
    rows = {
        line["row"]: line for row in ROWS.values() for line in read(RESULTS / f"{row.recipe}.csv")
    }
    missing = [name for name in ROWS if name not in rows]
    columns = ("row", "model", "data", "test score", "also", "beside", "goal", "minutes a seed")
    parts = [
        "# Results",
        "Generated from `results/*.csv` by `python -m benchmarks.results --pages`; each row was made by one command, "
        "`python -m benchmarks.results ROW`.",
        table(columns).rstrip(),
        "Not there yet: " + (", ".join(f"`{name}`" for name in missing) or "nothing") + ".",
        "## Protocols",
        PROTOCOLS.rstrip(),
        "## Commands and pictures",
    ]
    for name, line in rows.items():
        device = line["device"].replace(" 1 cores", " 1 core")  # of older runs
        about = f"keras {line['keras']}, tensorflow {line['tensorflow']}, {device}, {line['date']}"
        seeds = f"seeds {line['seeds']}: {line['values']}"
        parts += [
            f"### {name}",
            f"`{line['command']}`; {seeds} ({about})",
            *([ROWS[name].note] if ROWS[name].note else []),
            f"![{name}](results/{name}.png)",
        ]
    return "\n\n".join(parts) + "\n"


def readme():
    """The README with the table between its marks."""
    shown = table(("row", "model", "test score", "beside"))
    before, rest = README.read_text().split(MARKS[0])
    return before + MARKS[0] + shown + MARKS[1] + rest.split(MARKS[1])[1]


def main(options):
    if options.baselines:
        fit_baselines()
    if options.pages:
        PAGE.write_text(page())
        README.write_text(readme())
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    for name in options.rows:
        row = ROWS[name]
        for seed in row.seeds:
            if seed not in records(name, row):
                if not train(name, row, seed, until):
                    break
                write_record(name, row, seed)
                write_row(name, row)
    if not (options.rows or options.baselines or options.pages):
        for name, row in ROWS.items():
            print(f"{name}: {len(records(name, row))} of {len(row.seeds)} seeds; {row.command}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--pages", action="store_true")
    main(parser.parse_args())
