"""One run: its folder, its log, its seed, its precision and its strategy."""

import contextlib
import dataclasses
import errno
import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import tensorflow as tf
import yaml

from zoo import families, files
from zoo.config import typed
from zoo.config.config import AUTO, OWN, TrainConfig
from zoo.models import checks
from zoo.training import provenance, settings, signals, workers
from zoo.training import strategy as strategies

log = logging.getLogger("zoo")

SCRATCH = "zoo-worker-"  # how the folder of a worker that is not the chief is called


@dataclasses.dataclass(frozen=True)
class Run:
    """What a running recipe passes from step to step.

    Attributes:
        config: The settings that are really used (`--smoke` applied).
        folder: This run's own folder; a worker that is not the chief writes into a scratch folder.
        strategy: The `tf.distribute` strategy; models are built inside `run.strategy.scope()`.
        resumed: Whether the run was begun before and goes on.
    """

    config: TrainConfig
    folder: Path
    strategy: tf.distribute.Strategy
    resumed: bool = False

    @property
    def is_chief(self):
        """Whether this process is the one of several workers that writes the run's folder, or the only one."""
        return workers.place(self.strategy).is_chief


@contextlib.contextmanager
def start_run(config):
    """Claims the run's folder and sets seed, precision and strategy; restores the precision at the end.

    With `resume` the folder is that of a run which goes on. Nobody else can use the folder meanwhile. Of several workers
    the chief has it, and all must have been started with the same settings and versions.

    Args:
        config: The `TrainConfig`.

    Yields:
        A `Run`.

    Raises:
        InputError: The folder exists or cannot be written, settings exclude each other, or differ from those that the
            resumed run began with; later on: the disk is full or the folder is gone, or a data file is damaged.
    """
    asked, config = config.check(), config.smoked()
    if keras.config.image_data_format() != "channels_last":
        raise checks.InputError(
            "Images have their channels last here: keras.config.set_image_data_format('channels_last')."
        )
    if not config.model.startswith(OWN):
        families.check_task(config.model, config.data.task)
        families.arguments(
            config.model, config.model_args
        )  # names only: the sizes come with the data
    strategy = strategies.make_strategy(config.run.strategy, replicas=config.run.replicas)
    precision = strategies.find_precision(config.run.precision)
    if precision != config.run.precision:
        asked, config = (c.replace(precision=precision) for c in (asked, config))
    strategies.check_together(strategy, config)
    with contextlib.ExitStack() as stack:
        stack.enter_context(workers.noticing_lost_ones(strategy))
        is_chief = workers.place(strategy).is_chief
        if is_chief:
            folder, resumed = _begun_or_claimed(config)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=SCRATCH)))
            resumed = False
        described = {"settings": _compared(asked), "versions": str(provenance.packages())}
        workers.check_alike(strategy, described)
        if resumed:
            asked, config = (c.replace(resume=str(folder)) for c in (asked, config))
        stack.enter_context(_told_of_trouble(folder, config.data.dataset))
        if not resumed:
            stack.enter_context(_removed_if_unused(folder, config.run.out is None))
        stack.enter_context(signals.terminating())
        stack.enter_context(files.locked(folder))
        stack.enter_context(_precision_and_seed(config.run))
        stack.enter_context(_without_false_alarms(config.run.quiet))
        if resumed:
            settings.check_resumable(asked, TrainConfig.of_run(folder))
            settings.check_record(folder)
            files.remove_leftovers(folder)
        if not resumed or asked.run.epochs != TrainConfig.of_run(folder).run.epochs:
            record = asked.replace(out=None, resume=None).to_yaml()
            record = yaml.safe_load(record) | {"made_by": provenance.found()}
            text = yaml.safe_dump(record, sort_keys=False)
            files.write_atomic(folder / "config.yaml", text)
        level = logging.INFO if is_chief else logging.WARNING
        with logging_to(folder / "log.txt", quiet=config.run.quiet, level=level):
            if strategy.num_replicas_in_sync > 1:
                log.info("%s", strategies.describe(strategy, config.data.batch_size))
            try:
                with workers.noticing_lost_ones(strategy):  # here, too, for the log
                    yield Run(config, folder, strategy, resumed)
            except (KeyboardInterrupt, SystemExit):
                log.info("stopped; go on with --resume %s%s", folder, _or_finish(folder))
                raise


def _or_finish(folder):
    """How the best epoch of a run that was stopped is taken, where one has ended and is not exported yet."""
    metrics = folder / "metrics.csv"
    has_ended = metrics.exists() and len(metrics.read_text().splitlines()) > 1
    return f", or export its best epoch so far with zoo finish {folder}" if has_ended else ""


@contextlib.contextmanager
def _precision_and_seed(options):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(options.precision)
    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def _without_false_alarms(quiet):
    """Keeps TensorFlow from warning of retracing, and a quiet run from printing warnings of Python's.

    Each model traces its functions anew, and one of texts once for each length of a batch; TensorFlow counts all of them as
    calls of Keras's one function, and tells of the fifth.
    """
    logger = logging.getLogger("tensorflow")

    def is_wanted(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(is_wanted)
    try:
        with warnings.catch_warnings():
            if quiet:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(is_wanted)


_UNUSED = {"log.txt", ".lock"}  # what a run's folder holds before anything was done


@contextlib.contextmanager
def _removed_if_unused(folder, is_numbered):
    """Removes the folder of a new run that fails before it did anything, and the one of all runs where it holds no other."""
    try:
        yield
    except (checks.InputError, OSError):
        made = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if made <= _UNUSED | {"config.yaml"}:
            shutil.rmtree(folder, ignore_errors=True)
            if is_numbered:
                with contextlib.suppress(OSError):  # it holds others
                    folder.parent.rmdir()
        raise


@contextlib.contextmanager
def _told_of_trouble(folder, dataset):
    """Turns what happens to disks and files under a run into a message that says what is left."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        trouble = _trouble(error, folder, dataset)
        if trouble is None:
            raise
        raise checks.InputError(trouble) from error


def _trouble(error, folder, dataset):
    text = str(error)
    codes = (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EACCES,
        errno.EPERM,
        errno.EFBIG,
    )
    found = [os.strerror(code) for code in codes if os.strerror(code) in text]
    if found:
        name = getattr(error, "filename", None)
        is_inside = name is None or folder.absolute() in Path(os.fsdecode(name)).absolute().parents
        what = f"Cannot write into {folder}" if is_inside else f"Cannot use {name}"
        return f"{what}: {found[0]}{_no_inode(folder)}. Mend that{_then_go_on(folder)}"
    if wrong := _of_another_kind(error):
        return wrong + _then_go_on(folder)
    # Not of what the caller's own code raises: the folder of a run that has not begun is removed then.
    if isinstance(error, (FileNotFoundError, tf.errors.NotFoundError)) and not folder.exists():
        return (
            f"The run's folder {folder} is gone: somebody has removed or renamed it. Where it has another name now, "
            "go on with --resume and that name."
        )
    damage = isinstance(error, tf.errors.OpError) and _OF_DATA.search(text)
    if damage:
        return (
            f"A file of the data set {dataset} is damaged, cut or gone ({damage[0]}); log.txt says where they lie. "
            f"Prepare or fetch them again{_then_go_on(folder)}"
        )
    return None


# What TensorFlow says of them, among much else; a file that ends between two records has fewer examples.
_OF_DATA = re.compile(
    r"(corrupted|truncated) record at \d+|contain \d+ elements but contained only \d+|\S+; No such file or directory"
)


def _of_another_kind(error):
    """Words for a folder in place of a file, a file in place of a folder, or a link that leads to itself; `None` for other errors."""
    kinds = (IsADirectoryError, NotADirectoryError, FileExistsError)
    name = getattr(error, "filename2", None) or getattr(error, "filename", None)
    if name is None or not (
        isinstance(error, kinds) or getattr(error, "errno", None) == errno.ELOOP
    ):
        return None
    path = Path(os.fsdecode(name))
    path = next(part for part in (path, *path.parents) if os.path.lexists(part))
    if path.is_dir():
        return f"{path} is a folder, and should be a file: rename or remove it"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return f"{path} is a link that leads to itself: remove it"
    return f"{path} is a file, and should be a folder: rename or remove it"


def _no_inode(folder):
    """Words for a disk that has room, but takes no more files."""
    with contextlib.suppress(OSError, AttributeError):  # no such folder any more; not on Windows
        disk = os.statvfs(folder)
        if disk.f_files and not disk.f_favail and disk.f_bavail:
            return " (no inode is free, so there are too many files: df -i)"
    return ""


def _then_go_on(folder):
    if folder.name.startswith(SCRATCH):
        return ", then start all workers again with --resume: what was saved before is whole."
    if not (folder / "config.yaml").exists():
        return ", then begin the run again: it had not saved anything yet."
    return f", then go on with --resume {folder}: what was saved before is whole."


def _begun_or_claimed(config):
    """The run's folder, and whether the run was begun there before."""
    resume, out = config.checkpoints.resume, config.run.out
    if resume != AUTO:
        return (_claim(config), False) if resume is None else (Path(resume), True)
    if (Path(out) / "config.yaml").exists():
        return Path(out), True
    if Path(out).is_dir() and {path.name for path in Path(out).iterdir()} <= _UNUSED:
        return Path(out), False  # stopped before it began
    return _claim(config), False


def _compared(config):
    """The settings that must be the same on all workers, as text."""
    free = ("out", "resume", "quiet", "data_dir")
    return yaml.safe_dump(config.to_dict(without=free))


def _claim(config):
    if config.run.out is not None:
        return files.claim_folder(config.run.out)
    stem = f"{Path(config.data.dataset).stem}-{config.model.removeprefix(OWN)}".replace(":", "_")
    return files.claim_numbered_folder("runs", stem)


class _LogFile(logging.FileHandler):
    """A log that fails as other files do: Python's prints the error and goes on."""

    def handleError(self, record):
        raise  # noqa: PLE0704 - within the handling of an error


@contextlib.contextmanager
def logging_to(path, *, quiet, level, log=log):
    """Messages of the zoo, or of another logger, go to the run's log and, unless it is quiet, to the terminal."""
    handlers = [_LogFile(path)]
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if not quiet and not log.handlers:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[1].setFormatter(typed.Formatter("%(message)s"))
        handlers[1].setLevel(level)
        handlers[1].addFilter(lambda record: not getattr(record, "is_on_bar", False))
    before = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False  # absl, which TensorFlow brings, would print every message once more
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        log.level, log.propagate = before
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
