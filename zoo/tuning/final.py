"""From the best trial to a model: trained on train + validation with several seeds, and exported."""

import dataclasses
import json
import logging
import statistics

from zoo import api
from zoo.config.config import AUTO
from zoo.models import checks

log = logging.getLogger("zoo.tuning")

SEEDS = 3


@dataclasses.dataclass(frozen=True)
class Retrained:
    """What `retrain` leaves.

    Attributes:
        scores: For each seed, name → value on the test split; the headline first.
        folders: The runs; `zoo.load(folder)` takes each.
    """

    scores: list
    folders: list

    def __str__(self):
        name = next(iter(self.scores[0]))
        values = [scores[name] for scores in self.scores]
        spread = f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
        return f"retrained with {len(values)} seeds: test {name} {spread}; predict with: zoo predict {self.folders[0]}"


def check(config):
    """Raises `InputError` for the config of a search whose best settings `retrain` could not train."""
    if config.optimizer.schedule == "plateau":
        raise checks.InputError(
            "retrain (--retrain) trains on train + validation, which leaves no examples that schedule='plateau' could go "
            "by: choose another schedule, or leave retrain out."
        )


def retrain(tuned, data, parts):
    """Trains the best settings on train + validation with several seeds; goes on where it was when called again.

    No examples are left to pick an epoch by: each run has as many epochs as the best trial had at its best, its schedule
    brought to that length, and the last one is kept. Each trial and number of epochs has its own folder: the models of an
    earlier best trial stay.

    Args:
        tuned: The `Tuned`.
        data: As in `zoo.tune`.
        parts: Its `validation` and `test`.

    Returns:
        A `Retrained`.
    """
    epochs = tuned.best_epoch + 1
    config = tuned.config.replace(
        use_validation=True, epochs=epochs, patience=None, calibrate=False
    )
    parent = tuned.folder / "retrained" / f"trial_{tuned.best_trial}-epochs_{epochs}"
    folders, scores = [], []
    for number in range(SEEDS):
        seed = config.run.seed + number
        folder = parent / f"seed-{seed}"
        if not any((folder / "export").glob("[0-9]*")):
            one = config.replace(seed=seed, out=str(folder), resume=AUTO)
            api.train(tuned.model, data, config=one, **parts)
        folders.append(folder)
        scores.append(json.loads((folder / "score.json").read_text())["scores"])
        log.info("retrained with seed %d: %s", seed, scores[-1])
    return Retrained(scores, folders)
