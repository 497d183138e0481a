"""What a search leaves to read: its trials as CSV and Markdown, what mattered, and pictures."""

import csv
import io

import numpy as np

from zoo import files
from zoo.tuning import pictures, results

TABLE, PAGE = "trials.csv", "report.md"
ENOUGH = 10  # trials to tell from which hyperparameters mattered
BEST = 5  # learning curves
ARE_DEFAULTS = "the best settings are the defaults: no trial found better ones"


def write(problem, hp, rows, best):
    """Writes `trials.csv`, `report.md` and its pictures into the search's folder.

    Args:
        problem: The `Problem`.
        hp: The space as `keras_tuner.HyperParameters`.
        rows: A dict for each trial.
        best: That of the best one, or `None`.
    """
    folder = problem.folder
    names = searched(hp, rows)
    files.write_atomic(folder / TABLE, _csv(rows, names))
    sound = [row for row in rows if row["reason"] is None]
    lines = [f"# Search: {problem.splits.info.name}, {problem.config.model}", ""]
    if best is not None:
        lines += [f"Best: trial {best['trial']}, {problem.objective.name} {best['score']:.5g}. "
                  "Its settings are in [best.yaml](best.yaml).", ""]  # fmt: skip
        if are_defaults(hp, best):
            lines += [f"{ARE_DEFAULTS[0].upper()}{ARE_DEFAULTS[1:]}.", ""]
        lines += _pictures(problem, hp, sound, names)
    lines += _table(problem, rows, names)
    files.write_atomic(folder / PAGE, "\n".join(lines) + "\n")


def are_defaults(hp, row):
    """Whether a trial has the default of every hyperparameter of the space."""
    defaults = {dimension.name: dimension.default for dimension in hp.space}
    return all(
        row["values"][name] == default
        for name, default in defaults.items()
        if name in row["values"]
    )


def searched(hp, rows):
    """The names of the hyperparameters that are not fixed and have more than one value in these trials."""
    free = dict.fromkeys(d.name for d in hp.space if type(d).__name__ != "Fixed")
    return [name for name in free if len({repr(row["values"].get(name)) for row in rows}) > 1]


def _csv(rows, names):
    text = io.StringIO()
    facts = [key for key in rows[0] if key not in ("values", "trace")] if rows else ["trial"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*facts, *names])
    for row in rows:
        writer.writerow([*(row[key] for key in facts), *(row["values"].get(n) for n in names)])
    return text.getvalue()


def _pictures(problem, hp, sound, names):
    folder, name = problem.folder, problem.objective.name
    sound = sorted(sound, key=problem.objective.rank, reverse=True)
    scores = np.array([row["score"] for row in sound])
    lines = []
    if names:
        columns = coordinates(hp, sound, names)
        labels = [[row["values"].get(n) for n in names] for row in sound]
        pictures.parallel(
            names, columns, labels, scores, name, problem.objective.sign, folder / "parallel.png"
        )
        lines += ["![all trials](parallel.png)", ""]
    if names and len(sound) >= ENOUGH:
        found = importance(hp, sound, names)
        pictures.importance(names, *found, name, folder / "importance.png")
        lines += [
            "How much each hyperparameter mattered: a random forest (200 trees, fixed seed) learns the score from the "
            "hyperparameters; shown is how much its R² falls when one column is shuffled (permutation importance, mean and "
            "standard deviation of 20 shuffles). It describes these trials; with few of them it is rough.",
            "",
            "![importance](importance.png)",
            "",
        ]
    else:
        lines += [f"Fewer than {ENOUGH} trials that ended well: too few to say which hyperparameter mattered.", ""]  # fmt: skip
    top = sound[:BEST]
    monitor = "val_loss" if problem.objective.is_scored else name
    drawn = [results.curve(folder / f"trial_{row['trial']}", monitor) for row in top]
    captions = [f"trial {row['trial']}: {row['score']:.4g}" for row in top]
    pictures.curves(drawn, captions, monitor, folder / "curves.png")
    return [*lines, f"![learning curves of the best {len(top)}](curves.png)", ""]


def coordinates(hp, rows, names):
    """Where each trial stands in the range of each hyperparameter, 0 to 1; the default's place where it has none."""
    found = np.zeros((len(rows), len(names)))
    for j, name in enumerate(names):
        dimension = next(d for d in hp.space if d.name == name)
        for i, row in enumerate(rows):
            value = row["values"].get(name, dimension.default)
            found[i, j] = dimension.value_to_prob(value)
    return found


def importance(hp, rows, names):
    """Mean and standard deviation of the permutation importance of each hyperparameter.

    Hyperband's epochs are a column of their own, which is not shown: trials of few epochs score worse for that.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    epochs = np.array([[row["epochs"]] for row in rows])
    inputs = np.concatenate([coordinates(hp, rows, names), epochs], axis=1)
    scores = np.array([row["score"] for row in rows])
    forest = RandomForestRegressor(200, random_state=0).fit(inputs, scores)
    found = permutation_importance(forest, inputs, scores, n_repeats=20, random_state=0)
    return found.importances_mean[: len(names)], found.importances_std[: len(names)]


def _table(problem, rows, names):
    """The trials, the best first, then those that failed."""
    sound = [row for row in rows if row["reason"] is None]
    ordered = sorted(sound, key=problem.objective.rank, reverse=True)
    ordered += [row for row in rows if row["reason"] is not None]
    heads = ["trial", problem.objective.name, "epochs", "seconds", "parameters", *names, "note"]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for row in ordered:
        notes = {"pruned": "ended early: worse than most", "cut": "ended early: time was up"}
        note = row["reason"] or "".join(text for key, text in notes.items() if row[key])
        parameters = "" if row["parameters"] is None else f"{row['parameters']:,}"
        facts = [row["trial"], _short(row["score"]), row["epochs"], f"{row['seconds']:.1f}", parameters]  # fmt: skip
        values = [_short(row["values"].get(name)) for name in names]
        cells = [*map(str, facts), *values, " ".join(note.split()).replace("|", "\\|")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _short(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
