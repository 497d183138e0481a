"""The text of a report, as Markdown."""

import numpy as np

from zoo.config.arguments import with_arguments
from zoo.tasks import scores as scoring
from zoo.tasks.row import monitor_in_words
from zoo.training import own as own_parts

MOST_LINES = 100  # of what the data were taken for


def interval_text(interval):
    """The ends of an interval, with as many decimals as its width has a use for: `0.97 to 0.99`."""
    low, high = interval
    width = high - low
    if not np.isfinite(width):
        return "not known: too few test examples"
    decimals = 4 if width <= 0 else int(np.clip(np.ceil(-np.log10(width)), 2 * (width < 1), 6))
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def render(report, model, splits, run, history, targets, outputs, pictures):
    """Renders `report.md`.

    Args:
        report: The `Report`.
        model, splits, run, history: As for `evaluate_model`.
        targets, outputs: Of the test split.
        pictures: Names of PNG files beside it.
    """
    lines = [
        f"# {splits.info.name}: {model.name}",
        "",
        *(f"**{line[0].upper()}{line[1:]}.**\n" for line in report.warnings),
        *_score_table(report, splits.task),
        "",
        *_about_scores(report, splits),
        *_about_run(model, splits, run, history),
        "",
        *splits.task.report(splits, targets, outputs, report.folder),
        *[f"![{name.partition('.')[0]}]({name})\n" for name in pictures],
        "## What the data were taken for",
        "",
        *_shortened(f"- {line}" for line in splits.taken_for),
        "",
    ]
    return "\n".join(lines)


def _shortened(lines):
    lines = list(lines)
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"- and {more:,} more"]


def _score_table(report, task):
    columns = {"model": report.scores}
    columns |= {name: one.scores for name, one in report.beside.items()}
    columns[task.constant_name] = report.constant
    lines = [
        f"| test score | {' | '.join(columns)} |",
        "| --- |" + " --- |" * len(columns),
    ]
    for i, name in enumerate(report.scores):
        values = [f"{column[name]:.4f}" if name in column else "" for column in columns.values()]
        if i == 0:
            values[0] += f" (95 % interval {interval_text(report.interval)})"
        lines.append(f"| {scoring.cell(name)} | {' | '.join(values)} |")
    return lines


def _about_scores(report, splits):
    task = splits.task
    lines = [
        f"- interval of {next(iter(report.scores))}: {task.interval_by}; it is that of this one model on other test "
        "examples of the kind, and says nothing of other seeds",
        f"- {task.constant_name}: {task.constant_is}",
    ]
    if "ece" in report.scores:
        lines.append(
            f"- ece: expected calibration error, {scoring.BINS} bins of equal width (Guo et al. 2017)"
        )
    for name, one in report.beside.items():
        line = f"- {name}: {one.model}, {'its penalty' * (one is report.baseline) or 'their number'} chosen by validation"
        if one.num_train < len(splits.examples["train"]):
            line += f", fitted on {one.num_train:,} of the training examples"
        lines.append(line)
        if one.difference is not None:
            lines.append(f"- {who_won(report, name, one)}")
    if report.uncalibrated is not None:
        changes = ", ".join(
            f"{name} {report.uncalibrated[name]:.4f} before, {report.scores[name]:.4f} after"
            for name in ("ece", "cross_entropy")
        )
        lines.append(
            f"- logits are divided by the temperature {report.temperature:.4g}, fitted on the "
            f"{len(splits.examples['validation']):,} validation examples; on test: {changes}"
        )
    return lines


def who_won(report, name, one):
    """Which of a model and a simpler one is better by the headline, as far as the test examples can say."""
    headline, (value, low, high) = next(iter(report.scores)), one.difference
    is_known = low > 0 or high < 0
    better = "the model" if (value > 0) == (headline in scoring.RISING) else f"the {name}"
    told = (
        f"better: {better}"
        if is_known
        else "neither is better as far as these test examples can tell"
    )
    decimals = 4 if high - low < 1 else 1
    return (
        f"model and {name}: {told}; {headline} of the model less that of the {name} {value:+.{decimals}f} (95 % interval {low:+.{decimals}f} "
        f"to {high:+.{decimals}f}, paired bootstrap over test examples)"
    )


def _kept_by(config, watched):
    if config.data.use_validation:
        return "the last, as the validation examples were trained on, too"
    return f"by {monitor_in_words(watched[0])}"


def _about_run(model, splits, run, history):
    info, config = splits.info, run.config
    counts = ", ".join(f"{name} {data.count:,}" for name, data in splits.examples.items())
    own = own_parts.of(model)
    rule = f"{config.optimizer.name}, learning rate {config.optimizer.learning_rate} ({config.optimizer.schedule})"
    if own.optimizer is not None:
        rule = f"{type(own.optimizer).__name__} of the caller's"
    lines = [
        f"- data: {info.name} ({counts}); {info.split and info.split + '; '}{info.source}",
        f"- model: {with_arguments(config.model, config.model_args)}, {model.count_params():,} parameters",
        f"- seed {config.run.seed}, batch size {config.data.batch_size}, {rule}",
    ]
    if own.is_of_loss:
        lines.append(f"- of the caller's: {own.in_words()}")
    if history is not None:
        lines.append(
            f"- kept epoch {history.best_epoch + 1} of {len(history.epoch)}, {_kept_by(config, splits.task.watched(config.run.monitor))}; "
            f"training took {history.seconds:.0f} s"
        )
    return [
        *lines,
        "- all settings and versions: [config.yaml](config.yaml); epochs, numbered from 0 as in Keras: "
        "[metrics.csv](metrics.csv)",
    ]
