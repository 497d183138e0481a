"""One split as a caller gave it, before it is known what its inputs and its targets are."""

import dataclasses
import logging
from collections.abc import Callable

import numpy as np

from zoo.models import checks

log = logging.getLogger("zoo")


@dataclasses.dataclass
class Part:
    """One split as a caller gave it.

    Attributes:
        split: Its name.
        x: Its inputs, an array or a DataFrame.
        y: Its targets.
        row: Says where an example is.
        labels: The classes in the order of their ids, where the data say one.
        by, weights, names: As in `Arrays`.
    """

    split: str
    x: object
    y: np.ndarray
    row: Callable[[int], str]
    labels: tuple[str, ...] = ()
    by: np.ndarray | None = None
    weights: np.ndarray | None = None
    names: np.ndarray | None = None

    @property
    def is_frame(self):
        return hasattr(self.x, "columns")

    def drop(self, problems, skip_bad):
        """Leaves out examples that cannot be used, or refuses them with the first one's place.

        Args:
            problems: Dict from a reason to the examples that it is true of, bool `[N]`.
            skip_bad: Leave them out.
        """
        if not problems:
            return
        for why, bad in problems.items():
            if not bad.any():
                continue
            first = self.row(int(np.flatnonzero(bad)[0]))
            if not skip_bad:
                raise checks.InputError(
                    f"{bad.sum()} of the {len(bad)} {self.split} examples cannot be used, first {first}: {why}. "
                    "Mend or drop them, or pass skip_bad (--skip-bad) to leave them out."
                )
            log.warning("%d %s examples left out, first %s: %s", bad.sum(), self.split, first, why)
        bad = np.any(list(problems.values()), 0)
        if np.all(bad):
            raise checks.InputError(f"No {self.split} example is left: all are unusable.")
        if np.any(bad):
            kept, row = np.flatnonzero(~bad), self.row
            self.x = self.x.iloc[kept] if self.is_frame else self.x[kept]
            self.y = self.y[kept]
            self.by, self.weights, self.names = (
                v if v is None else v[kept] for v in (self.by, self.weights, self.names)
            )
            self.row = lambda i: row(kept[i])
