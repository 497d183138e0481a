"""A look at data before any training: what they are taken for, what is odd about them, and which model to begin with."""

import dataclasses
import os
import shlex

import numpy as np

from zoo import families
from zoo.config.constraints import as_titles
from zoo.config.options import DataOptions
from zoo.data import examples, kinds, load, notes
from zoo.data.batches import Splits
from zoo.data.kinds import numbers
from zoo.data.user import files, paths, targets
from zoo.data.user.pairs import paired


@dataclasses.dataclass(frozen=True, repr=False)
class Inspection:
    """What `zoo.inspect` finds; `str` of it, or `print`, shows it all.

    Attributes:
        splits: The `Splits`, as a training would get them.
        command: A first training of these data, as it is typed; `None` where a table's target is not named yet.
    """

    splits: Splits
    command: str | None

    @property
    def model(self):
        """The name of the model that a first training takes."""
        return first_model(self.splits.info)

    @property
    def taken_for(self):
        """What the inputs were taken for, and what was said while they were read: sentences."""
        return self.splits.taken_for

    def __repr__(self):  # what a notebook shows of `zoo.inspect(...)`
        return str(self)

    def __str__(self):
        info, held = self.splits.info, self.splits.examples
        counts = ", ".join(f"{split} {data.count:,}" for split, data in held.items())
        lines = [
            f"{info.name}: {info.kind} inputs, {sum(d.count for d in held.values()):,} examples ({counts})"
        ]
        if self.command is None:
            lines.append(
                "target: none is named; the column to predict is --target COLUMN (target='column')"
            )
        else:
            lines += [f"task: {info.task}", *_of_targets(info, held)]
        overview = self.splits.kind.overview(info, held["train"])
        width = min(30, max(map(len, overview), default=0))
        lines += ["", "inputs, as the training split has them:"]
        lines += [f"  {name:<{width}}  {words}" for name, words in overview.items()]
        if otherwise := self.splits.kind.otherwise(info):
            lines += ["", f"otherwise: {otherwise}"]
        if info.notes:
            lines += ["", "said while they were read:", *(f"  {line}" for line in info.notes)]
        if self.command:
            lines += ["", f"to train a first model: {self.command}"]
        return "\n".join(lines)


def _of_targets(info, held):
    known = {
        split: data.targets for split, data in held.items() if isinstance(data, examples.Arrays)
    }
    if not known:
        return [f"classes: {', '.join(info.labels)}"] if info.labels else []
    found = np.concatenate(list(known.values()))
    if info.labels:
        is_rows = found.ndim == 2
        counts = found.sum(0) if is_rows else np.bincount(found, minlength=len(info.labels))
        shown = [f"{label} {count:,.0f}" for label, count in zip(info.labels[:20], counts)]
        more = [f"and {len(info.labels) - 20:,} more"] if len(info.labels) > 20 else []
        return [f"{'labels' if is_rows else 'classes'}: {', '.join([*shown, *more])}"]
    if found.dtype.kind != "f":
        return []
    names = info.target_names or ("targets",)
    columns = found.reshape(len(found), -1).T if info.target_names else [found]
    told = (f"{numbers.in_words(v)}, mean {v.mean(dtype='float64'):,.6g}" for v in columns)
    return [f"{name}: {words}" for name, words in zip(names, told)]


def inspect(data, y=None, *, validation=None, test=None, **options):
    """Reads data as a training would, and says what they are taken for; nothing is trained.

    Args:
        data: As in `zoo.train`: a name, a path, arrays, a DataFrame, a `tf.data.Dataset`. A table needs no target for it.
        y: The targets, where `data` are the inputs alone: `zoo.inspect(x, y)`.
        validation, test: Further splits, as in `zoo.train`.
        **options: As in `zoo.load_dataset`.

    Returns:
        An `Inspection`.

    Raises:
        InputError: The data cannot be used, in the words of the training.

    Example:

    >>> print(inspect("wine"))
    wine: table inputs, 178 examples (train 128, test 36, validation 14)
    task: classification
    classes: class_0 59, class_1 71, class_2 48
    ...
    """
    for key in {"target", "columns"} & options.keys():
        options[key] = as_titles(options[key])
    options, data = DataOptions().replace(**options), paired(data, y)
    is_path = isinstance(data, (str, os.PathLike))
    is_table = paths.is_path(data) and files.is_table(data) if is_path else hasattr(data, "columns")
    is_open = is_table and not options.target and options.task is None
    asked = options.replace(target=(targets.NONE,), repeats="keep") if is_open else options
    with notes.kept_aside():  # what is said is what is asked for, here and not on the terminal
        info, held = load.read(data, asked, validation=validation, test=test)
        if is_open:
            return Inspection(Splits(dataclasses.replace(info, labels=()), held, 1), None)
        splits = load.make_splits(info, held, asked.replace(batch_size=1))
    return Inspection(splits, _command(data if is_path else None, splits.info, options))


def first_model(info):
    """The name of the model that a first training of some data takes: by the task where a family has it alone, otherwise by the inputs."""
    suited = [name for name, row in families.FAMILIES.items() if row.own_task == info.task]
    return f"{suited[0]}:small" if suited else kinds.kind(info.kind).model(info)


def check_named(model, info):
    """Raises `InputError` for the name of a model where the data have several inputs."""
    if isinstance(model, str) and info.parts:
        first_model(info)


def _command(path, info, options):
    """What trains a first model, for the shell where the data have a name or a path, otherwise for Python."""
    model = first_model(info) if not info.parts else None
    default = DataOptions()
    changed = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    changed = {
        name: v for name, v in changed.items() if v != getattr(default, name) and name != "dataset"
    }
    if path is None:
        words = [
            repr(model) if model else "model",
            "data",
            *(f"{name}={value!r}" for name, value in changed.items()),
        ]
        return f"zoo.train({', '.join(words)})"
    words = ["zoo", "train", "--model", model, "--dataset", os.fspath(path)]
    for name, value in changed.items():
        values = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else value
        several = values if isinstance(values, (tuple, list)) else [values]
        is_on = isinstance(value, bool)
        words += [f"--{name.replace('_', '-')}", *([] if is_on else map(str, several))]
    return shlex.join(words)
