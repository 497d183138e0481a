"""Evaluating: the test split is read here, once, and nowhere else."""

import dataclasses
import json

import numpy as np

from zoo import files
from zoo.training import pictures, tasks

WORST = 18  # mistakes shown


@dataclasses.dataclass(frozen=True)
class Report:
    """What a run reached.

    Attributes:
        scores: Name → value on the test split; the headline first.
        num_test: Number of test examples.
        folder: The run's folder, where `report.md` and the pictures are.
    """

    scores: dict
    num_test: int
    folder: object

    def __str__(self):
        scores = ", ".join(f"{name} {value:.4f}" for name, value in self.scores.items())
        return f"test ({self.num_test} examples): {scores}; see {self.folder / 'report.md'}"


def evaluate_model(model, splits, preparation, run, history=None):
    """Judges a model on the test split; writes `score.json`, pictures and `report.md` into the run's folder.

    Args:
        model: The trained model.
        splits: The `Splits`, mapped to what the model takes.
        preparation: The `Preparation`, to bring a regression's outputs back to the targets' units.
        run: The `Run`.
        history: Keras's `History`, for the report.

    Returns:
        A `Report`.
    """
    info, task = splits.info, tasks.task(splits.info.task)
    targets = splits.targets("test")
    inputs = splits.test_inputs_for(model.distribute_strategy.num_replicas_in_sync)
    outputs = model.predict(inputs, verbose=0)[: len(targets)]
    if info.task == "regression":
        outputs = preparation.restore(outputs)
    scores = task.score(targets, outputs)
    if not all(np.isfinite(list(scores.values()))):
        raise ValueError(f"The model's scores on the test split are not finite: {scores}")
    names = ["curves.png"] if history is not None else []
    if (run.folder / "augmented.png").exists():
        names.append("augmented.png")
    if info.task == "classification":
        pictures.confusion(targets, outputs.argmax(-1), info.labels, run.folder / "confusion.png")
        names.append("confusion.png")
        worst = _worst(targets, outputs)
        if info.kind == "image":
            captions = [_caption(info.labels, targets[i], outputs[i]) for i in worst]
            pictures.mistakes(splits.pick("test", worst), captions, run.folder / "mistakes.png")
            names.append("mistakes.png")
    else:
        pictures.predicted(targets, outputs.reshape(-1), run.folder / "predicted.png")
        names.append("predicted.png")
    report = Report(scores, len(targets), run.folder)
    record = {
        "seed": run.config.run.seed,
        "scores": scores,
        "num_test": len(targets),
        "fit_seconds": None if history is None else round(history.seconds, 1),
    }
    files.write_atomic(run.folder / "score.json", json.dumps(record, indent=2) + "\n")
    files.write_atomic(
        run.folder / "report.md", _markdown(report, model, splits, run, history, names)
    )
    return report


def _worst(targets, logits):
    """Indices, in rising order, of the wrong predictions with the highest loss."""
    losses = tasks.example_losses(targets, logits)
    wrong = np.flatnonzero(logits.argmax(-1) != targets)
    return np.sort(wrong[np.argsort(-losses[wrong], kind="stable")][:WORST])


def _caption(labels, target, logits):
    guess = logits.argmax()
    return f"{labels[target]}, taken for\n{labels[guess]} ({tasks.softmax(logits[None])[0, guess]:.0%})"


def _markdown(report, model, splits, run, history, names):
    info, config = splits.info, run.config
    counts = ", ".join(f"{name} {len(data):,}" for name, data in splits.examples.items())
    lines = [
        f"# {info.name}: {model.name}",
        "",
        "| test score | |",
        "| --- | --- |",
        *[f"| {name} | {value:.4f} |" for name, value in report.scores.items()],
        "",
        f"- data: {info.name} ({counts}); {info.source}",
        f"- model: {config.model}, {model.count_params():,} parameters",
        f"- seed {config.run.seed}, batch size {config.data.batch_size}, {config.optimizer.name}, "
        f"learning rate {config.optimizer.learning_rate} ({config.optimizer.schedule})",
    ]
    if history is not None:
        lines.append(
            f"- kept epoch {history.best_epoch + 1} of {len(history.epoch)}, by validation; "
            f"training took {history.seconds:.0f} s"
        )
    lines += [
        "- all settings and versions: [config.yaml](config.yaml); epochs: [metrics.csv](metrics.csv)",
        "",
    ]
    lines += [f"![{name.partition('.')[0]}]({name})\n" for name in names]
    return "\n".join(lines)
