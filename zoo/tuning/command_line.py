"""The command line of `zoo tune`: its own options beside those of `zoo train`.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import dataclasses
from typing import Annotated

import tyro

from zoo.config import parsing
from zoo.config.config import TrainConfig
from zoo.models import checks
from zoo.training import command_line as training

_SEVERAL = tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]]
_DESCRIPTION = (
    "Search the settings that train a model best, with KerasTuner. Every option of `zoo train` can be added; what "
    "differs from its default is kept, not searched. The same command goes on with a search that was stopped."
)
_EXAMPLE = """\
zoo tune cnn --dataset mnist --tuner hyperband --epochs 10 --out runs/search
zoo tune recurrent --dataset reviews/ --fix dropout=0.2 --space units=64..256 cell=lstm,gru"""


@dataclasses.dataclass(frozen=True)
class Search:
    """The options of a search."""

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="MODEL")]]
    """family and perhaps size: cnn, cnn:small"""
    config: TrainConfig = TrainConfig()
    tuner: str = "hyperband"
    """hyperband, random, grid or bayesian"""
    trials: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """how many at most"""
    objective: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """for example val_accuracy, val_nll, or val_ and a metric of Keras's: val_auc"""
    fix: Annotated[_SEVERAL, tyro.conf.arg(metavar="NAME=VALUE ...")] = ()
    """not searched: dropout=0.2"""
    space: Annotated[_SEVERAL, tyro.conf.arg(metavar="NAME=RANGE ...")] = ()
    """narrower: num_layers=2..6, or single values: cell=lstm,gru"""
    max_params: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """parameters of a model"""
    max_latency_ms: Annotated[float | None, tyro.conf.arg(metavar="MS")] = None
    """of one example, measured"""
    max_minutes: Annotated[float | None, tyro.conf.arg(metavar="M")] = None
    """when the search ends"""
    prune: bool = True
    """stop trials that are worse than most"""
    retrain: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """train the best settings on train + validation with three seeds, and export"""


_OWN = tuple(field.name for field in dataclasses.fields(Search) if field.name != "config")


def options(arguments):
    """Makes the `Search` of what was typed after `zoo tune`.

    Raises:
        InputError: An option is not one of a search or a run, or its value cannot be used.
    """
    config, arguments = training.taken(arguments, TrainConfig())
    if any(argument.partition("=")[0] == "--model" for argument in arguments):
        model = "as in zoo tune cnn" if arguments[0].startswith("-") else f"here {arguments[0]}"
        raise checks.InputError(
            f"zoo tune takes the model as its first argument, {model}: leave --model out."
        )
    found = parsing.read(
        Search, arguments, prog="zoo tune", description=_DESCRIPTION, example=_EXAMPLE,
        default=Search(tyro.MISSING, config), everyday=(*_OWN, "dataset", "target", "epochs", "out"),
    )  # fmt: skip
    training.checked(found.config)
    return found


def run(arguments):
    """Searches as the arguments of `zoo tune` say."""
    search = options(arguments)
    import zoo

    spaces = zoo.import_quietly("zoo.tuning.spaces")
    given = {name: getattr(search, name) for name in _OWN}
    given |= {"fix": spaces.parse(sum(search.fix, ()))}
    given |= {"space": spaces.parse(sum(search.space, ()), ranges=True)}
    tuned = zoo.tune(given.pop("model"), config=search.config, **given)
    if tuned is not None:  # a worker's chief has it
        print(tuned)
