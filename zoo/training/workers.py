"""Several workers: their strategy, and how they agree.

Keras does not train under `MultiWorkerMirroredStrategy` by itself (keras-team/keras#20585): `keras_fixes/symbolic_build.py`
and `keras_fixes/scalar_reduction.py` say why, and what is done about it.
"""

import contextlib
import functools
import hashlib
import logging
import re
import sys
import time

import numpy as np
import tensorflow as tf

from zoo.keras_fixes import scalar_reduction
from zoo.models import checks
from zoo.training import cluster

log = logging.getLogger("zoo")


@functools.cache
def make_strategy():
    """Makes the strategy of the workers that `TF_CONFIG` lists; waits until all of them have started.

    Raises:
        InputError: `TF_CONFIG` is missing or wrong, or TensorFlow has started already in this process.
    """
    here = cluster.here()
    if not here.addresses:
        raise checks.InputError(
            f"strategy='multi_worker' needs the variable {cluster.VARIABLE}, which says who the workers are. "
            "`zoo launch --workers 2 -- COMMAND` sets it for processes on this machine."
        )
    scalar_reduction.repair()
    address, others = here.addresses[here.index], here.count - 1
    log.warning("worker %d at %s: waiting for %d more", here.index, address, others)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise checks.InputError(
            "TensorFlow has started in this process, so it can no longer join other workers. "
            "Call zoo.make_strategy('multi_worker') first thing in the process."
        ) from error


def place(strategy):
    """The `Place` of this process among the workers of a strategy; the only one but under that of several workers."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return cluster.here() if several else cluster.Place()


def _total(strategy, values):
    """The sum of an array of int32 over the workers."""
    if not np.size(values):
        return np.asarray(values)  # TensorFlow's all-reduce crashes at nothing
    return _summing(strategy)(tf.constant(values, tf.int32)).numpy()


@functools.cache
def _summing(strategy):
    local = strategy.num_replicas_in_sync // place(strategy).count

    def each(values):
        context = tf.distribute.get_replica_context()
        is_first = context.replica_id_in_sync_group % local == 0
        return context.all_reduce("SUM", tf.where(is_first, values, 0))

    @functools.partial(tf.function, reduce_retracing=True)
    def total(values):
        return strategy.experimental_local_results(strategy.run(each, (values,)))[0]

    return total


def gather(strategy, values):
    """Whole numbers of every worker, as a list of lists; the workers must all call it."""
    if place(strategy).count == 1:
        return [list(values)]
    table = np.zeros((place(strategy).count, len(values)), "int32")
    table[place(strategy).index] = values
    return _total(strategy, table).tolist()


def from_chief(strategy, content):
    """The chief's bytes on every worker; the workers must all call it.

    Args:
        strategy: The strategy.
        content: On the chief, the bytes; on others anything.
    """
    if place(strategy).count == 1:
        return content
    mine = content if place(strategy).is_chief else b""
    mebibytes, rest = gather(strategy, divmod(len(mine), 2**20))[
        0
    ]  # 32 bits cannot count beyond 2 GiB
    size = mebibytes * 2**20 + rest
    words = np.zeros(-(-size // 4), "int32")
    words.view("uint8")[: len(mine)] = np.frombuffer(mine, "uint8")
    return _total(strategy, words).tobytes()[:size]


def check_alike(strategy, described):
    """Raises `InputError` on every worker unless all of them have the same.

    Args:
        strategy: The strategy.
        described: What is compared → any text that describes it.
    """
    digests = [
        int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big", signed=True)
        for text in described.values()
    ]
    table = gather(strategy, digests)
    for column, what in enumerate(described):
        others = [i for i, row in enumerate(table) if row[column] != table[0][column]]
        if others:
            raise checks.InputError(
                f"Worker {', '.join(map(str, others))} and worker 0 differ in {what}: start all workers with the same "
                "command, data and versions."
            )


@contextlib.contextmanager
def noticing_lost_ones(strategy):
    """Turns the failure of a block because another worker is gone into a message, and the end with `cluster.LOST`.

    TensorFlow notices one that has ended by its connection, and one that answers no more by its heartbeats.
    """
    try:
        yield
    except tf.errors.OpError as error:
        reason = _ABORTED.search(str(error))
        if place(strategy).count == 1 or not reason:
            raise
        log.error(
            "another worker has ended or cannot be reached (%s), so this one ends, too; its own messages say why. "
            "Start all of them again with --resume: they go on from the last checkpoint.",
            reason[1].strip(" .:"),
        )
        sys.exit(cluster.LOST)


_ABORTED = re.compile(r"[Cc]ollective ops is aborted by:([^\n]*)")


class Agreement:
    """What workers ask of each other while they train: to leave, or to save; all then do so at the same step.

    Args:
        strategy: The strategy.
        asked: List of the signals that ask this process to end, from `signals.deferring`.
    """

    SECONDS = 1.0  # between two talks, about; each costs one small all-reduce

    def __init__(self, strategy, asked):
        self.strategy, self.asked = strategy, asked
        self.is_alone = place(strategy).count == 1
        self._calls, self._next, self._at = 0, 1, time.monotonic()

    def reach(self, is_due=False, *, now=False):
        """What the workers have agreed on; all call it at the same steps.

        Args:
            is_due: Whether this worker thinks that it is time for a checkpoint.
            now: Talk to the others in any case.

        Returns:
            The signal to leave by, or `None`, and whether a checkpoint is due.
        """
        signal = self.asked[0] if self.asked else None
        self._calls += 1
        if self._calls < self._next and not now:
            return None, False
        rate = self._calls / max(time.monotonic() - self._at, 1e-3)  # calls in a second
        wait = min(max(int(self.SECONDS * rate), 1), 1000)
        rows = gather(self.strategy, [signal or 0, is_due, wait])
        self._calls, self._next, self._at = 0, rows[0][2], time.monotonic()
        return max(row[0] for row in rows) or None, any(row[1] for row in rows)
