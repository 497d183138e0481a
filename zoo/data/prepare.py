"""From raw inputs to what a model trains on; every statistic comes from the training split.

Every layer here computes in float32, whatever the precision of the model.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable

import keras

from zoo import families
from zoo.data import examples, notes, passes, quantiles
from zoo.tasks.targets import Unchanged


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The steps between raw values and the model, used in training and built into the exported SavedModel.

    Attributes:
        inputs: A Keras model: raw batch → what the model takes: float32 features, or int64 ids of words; of several inputs a dict.
        builder_arguments: What the data say about the model: `input_shape` (of several inputs a dict of shapes), `num_classes`
            and, for text, `vocabulary_size`.
        steps: The steps in words, for the card.
        targets: What is done to targets, and undone to outputs; see `zoo.tasks.targets`.
        input_range: Lowest and highest value of arrays of features in the training split; `None` for other kinds.
        parts: Of several inputs the `kinds.row.Prepared` of each, by its name.
        find_quantiles: Finds the training quantiles of the inputs that are numbers, as `zoo.data.quantiles` says.
        read_training: (the preparation) → the pairs of one pass over the training split, as `zoo.data.passes` says.
        average: What of an ensemble's answers is averaged, for the builder.
    """

    inputs: keras.Model
    builder_arguments: dict
    steps: tuple[str, ...]
    targets: Unchanged
    input_range: tuple[float, float] | None = None
    parts: dict = dataclasses.field(default_factory=dict)
    find_quantiles: Callable = lambda: None
    read_training: Callable = lambda prepared: ()
    average: str = "values"

    @functools.cached_property
    def quantiles(self):
        """The training quantiles of each input, `None` for one that is no number; `None` in place of all where they are not known."""
        return self.find_quantiles()

    def adapt(self, model, name):
        """Gives a model what its family takes from the training split without a gradient, as a bag counts n-grams; returns it.

        Args:
            model: The model, new and not compiled.
            name: Family and size.
        """
        found = families.family(families.split_name(name)[0]).adapt
        if found is not None:
            with notes.timed("counting what the model takes from the training split"):
                found(model, self.training_batches)
        return model

    def training_batches(self):
        """One pass over the training split: pairs of prepared inputs and targets `[B, K]`."""
        return self.read_training(self)

    def arguments_of(self, model, model_args=()):
        """What the builder of a model of the table takes, besides what its size says.

        Args:
            model: Family and size.
            model_args: Arguments on top of the size.
        """
        given = families.arguments(model, model_args)
        more = {"quantiles": self.quantiles} if given.get("embedding") else {}
        more |= {"average": self.average} if given.get("members") else {}
        is_one_of_two = self.average == "softmax" and self.builder_arguments["num_classes"] == 2
        more |= {"columns": 1} if given.get("rows") and is_one_of_two else {}
        return self.builder_arguments | more | dict(model_args)

    @property
    def target_mean(self):
        """The mean that targets are standardised by, of several numbers an array; 0 where they are not."""
        return getattr(self.targets, "mean", 0.0)

    @property
    def target_std(self):
        """The standard deviation that targets are standardised by, of several numbers an array; 1 where they are not."""
        return getattr(self.targets, "std", 1.0)

    @property
    def answers(self):
        """The `TargetVocabulary` of a text-to-text task; otherwise `None`."""
        return self.targets if hasattr(self.targets, "tokens") else None

    @examples.traced_as_written
    def __call__(self, inputs, targets):
        """Prepares a batch of (inputs, targets), as `Splits.mapped` wants it."""
        return self.targets.prepared(self.inputs(inputs), targets, inputs)

    def restore(self, outputs, raw=None):
        """Turns outputs back into the units of the targets; those of a series need the `raw` windows they belong to."""
        return self.targets.restored(outputs, raw)


def prepare(splits, *, fixed_length=False):
    """Makes the `Preparation` that a data set needs.

    uint8 images are divided by 255; columns, and floating-point inputs outside of -1..1, are standardised by the
    mean and the standard deviation of the training split; a constant column becomes 0; floating-point inputs
    already within -1..1 and in memory stay as they are. Of a mixed table, gaps are filled with the training median
    and categories become one-hot. Texts become ids of words or characters. Of a window of a series only the changes from
    its last step count (Zeng et al. 2023), as a series goes on to where it never was.

    Args:
        splits: The `Splits`; statistics come from `train` alone.
        fixed_length: Fill texts up to one length, in place of that of a batch's longest. For models of your own, whose
            answer may change with padding; those of the table pass over it.

    Returns:
        A `Preparation`.

    Example:

    >>> from zoo.data.load import load_dataset
    >>> preparation = prepare(load_dataset("digits"))
    >>> preparation.steps
    ('pixels 0..255 multiplied by 0.00392157',)
    """
    with notes.timed("preparing the inputs, with statistics of the training split"):
        found = splits.kind.prepare(splits, fixed_length)
        targets = splits.task.prepare_targets(splits)
    shapes = keras.tree.map_structure(lambda x: tuple(x.shape[1:]), found.inputs.output)
    shape = {"input_shape": shapes}
    return Preparation(
        found.inputs,
        shape | targets.arguments | found.arguments,
        (*found.steps, *targets.steps),
        targets,
        found.input_range,
        found.parts,
        functools.partial(quantiles.of_training, found.inputs, splits),
        functools.partial(passes.of_training, splits),
        {"class": "softmax", "labels": "sigmoid"}.get(splits.task.targets, "values"),
    )


def takes_splits_alone(function):
    """Lets a function (model, splits, run, ...) still be called as (model, splits, preparation, run, ...), until 0.3.0."""

    @functools.wraps(function)
    def call(*arguments, **options):
        given = options.pop("preparation", None)
        kept = [value for value in arguments if not isinstance(value, Preparation)]
        given = next((v for v in arguments if isinstance(v, Preparation)), given)
        if given is None:
            return function(*arguments, **options)
        warnings.warn(
            f"{function.__name__} takes the preparation from the splits, which hold it: leave it out. From 0.3.0 on this is an "
            "error.",
            DeprecationWarning,
            stacklevel=2,
        )
        kept = [v.mapped(given) if hasattr(v, "mapped") else v for v in kept]
        if "splits" in options:
            options["splits"] = options["splits"].mapped(given)
        return function(*kept, **options)

    return call
