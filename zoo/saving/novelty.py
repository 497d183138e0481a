"""Inputs that are unlike anything seen in training: the distance of their embedding to those of training examples.

Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", 2022: an input is novel where its normalised
embedding is farther from the k-th nearest of the training embeddings than that of most validation examples.
`python -m benchmarks.novelty` measures it beside the energy score of Liu et al. 2020.
"""

import dataclasses
from pathlib import Path

import numpy as np

from zoo import files
from zoo.models import checks
from zoo.saving.manifest import EXTRA, DamagedModelError

FILE = f"{EXTRA}/novelty.npz"
REFERENCES, NEIGHBOURS = 500, 5  # training embeddings that are kept; which nearest of them counts
VALIDATION = 1000  # validation examples that the threshold is told from
SHARE = 0.95  # of them that are not novel
FARTHEST = 2.0  # distance of two embeddings of length 1
_TOGETHER = 256


@dataclasses.dataclass(frozen=True)
class Novelty:
    """What tells novel inputs of one model.

    Attributes:
        references: Normalised embeddings of training examples, float16 `[R, D]`.
        threshold: The distance above which an input is novel.
    """

    references: np.ndarray
    threshold: float

    @classmethod
    def of(cls, train, validation):
        """Made from embeddings `[N, D]` of training and of validation examples."""
        made = cls(_normalised(train).astype("float16"), 0.0)
        return dataclasses.replace(
            made, threshold=float(np.quantile(made.distances(validation), SHARE))
        )

    def distances(self, embeddings):
        """The distance of each embedding `[N, D]` to its k-th nearest reference, float32 `[N]`, from 0 to 2."""
        known = self.references.astype("float32")
        nearest = min(NEIGHBOURS, len(known)) - 1
        found = []
        for start in range(0, len(embeddings), _TOGETHER):
            given = _normalised(embeddings[start : start + _TOGETHER])
            # Both have length 1; rounding can leave a little below 0.
            squares = np.maximum(2 - 2 * given @ known.T, 0)
            found.append(np.sqrt(np.partition(squares, nearest, axis=1)[:, nearest]))
        return np.concatenate(found).astype("float32")

    def answers(self, embeddings, far=False):
        """The outputs that `predict` adds: `novelty` float32 `[N]` and `is_novel` bool `[N]`.

        Args:
            embeddings: Of the inputs, `[N, D]`.
            far: Which inputs are far outside of training by themselves, bool `[N]`: whatever their embeddings, they are novel.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # of huge ones
            distances = self.distances(embeddings)
        far = far | ~np.isfinite(distances)
        distances = np.where(far, np.float32(FARTHEST), distances)
        return {"novelty": distances, "is_novel": far | (distances > self.threshold)}


def _normalised(embeddings):
    embeddings = np.asarray(embeddings, "float32")
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


def embeddings_of(embed, splits, split, most):
    """The embeddings of up to so many examples of a split, picked at random with a fixed seed.

    Args:
        embed: Function from a dict of named raw inputs to `{"embedding": [N, D]}`.
        splits: The `Splits`.
        split: Its name.
        most: How many.
    """
    count = len(splits.examples[split])
    picked = np.random.default_rng(0).permutation(count)[:most]
    raw = splits.kind.named(splits.pick(split, picked), splits.info)
    parts = [
        {name: values[start : start + _TOGETHER] for name, values in raw.items()}
        for start in range(0, len(picked), _TOGETHER)
    ]
    return np.concatenate([np.asarray(embed(part)["embedding"]) for part in parts])


def check_asked(run, signatures):
    """Raises `InputError` where a run asks for what its model has no embeddings for."""
    if run.config.report.novelty and "embed" not in signatures:
        raise checks.InputError(
            "novelty goes by the features before the last layer, and this model has no Dense layer as its last: leave it out."
        )


def write(folder, embed, splits, run):
    """Writes `novelty.npz` of an export where its run asks for it; returns what the card says of it, or `None`."""
    if not run.config.report.novelty:
        return None
    made = Novelty.of(
        embeddings_of(embed, splits, "train", REFERENCES),
        embeddings_of(embed, splits, "validation", VALIDATION),
    )
    files.write_atomic(
        Path(folder) / FILE,
        lambda file: np.savez_compressed(file, references=made.references),
    )
    return {
        "method": "distance of the normalised embedding to the k-th nearest training embedding (Sun et al. 2022)",
        "neighbours": NEIGHBOURS,
        "references": len(made.references),
        "threshold": made.threshold,
        "share_of_validation_below": SHARE,
    }


def read(folder, card):
    """The `Novelty` of an export; `None` of one without."""
    if card.novelty is None:
        return None
    try:
        references = files.read_arrays(Path(folder) / FILE)["references"]
    except (ValueError, KeyError, IndexError) as error:  # the last of one array, which has no names
        raise DamagedModelError(f"{card.name}: {FILE} cannot be read: {error}") from None
    if references.ndim != 2 or references.dtype != np.float16 or not len(references):
        raise DamagedModelError(f"{card.name}: {FILE} holds no embeddings.")
    return Novelty(references, float(card.novelty["threshold"]))
