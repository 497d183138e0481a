"""The command line of every recipe and of `zoo train`: made from `TrainConfig`, so that there is one list of options.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import dataclasses
import sys

from zoo.config import parsing
from zoo.config.config import AUTO, TrainConfig
from zoo.config.options import DataOptions
from zoo.config.recommended import settings_of
from zoo.data.user import paths
from zoo.models import checks

EVERYDAY = ("dataset", "target", "model", "epochs", "out")  # of a run
_FILES = ("--config=", "--resume=")
_EXAMPLE = """\
zoo train --dataset shop.csv --target bought               # the model suits the data
zoo train --model cnn:base --dataset photos/ --epochs 20   # photos/cats/1.png, photos/dogs/2.jpg"""
_EXAMPLE_OF_LOOKING = "zoo inspect shop.csv --target bought"


def from_command_line(default, description, arguments=None, *, prog=None, example=None):
    """Makes a config from command-line arguments.

    Args:
        default: The config that the arguments change.
        description: What `--help` says first.
        arguments: The arguments; those of the process where it is `None`. `--config FILE` and `--resume RUN` replace
            the default.
        prog: What help calls the command; default: the script.
        example: What help ends with; default: an example of the script.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    prog = prog or f"python {sys.argv[0]}"
    begun, arguments = taken(arguments, default)
    if begun is default:  # otherwise all settings are those of a run
        begun = default.replace(**settings_of(_model_in(arguments)))
    config = parsing.read(
        TrainConfig, arguments, prog=prog, default=begun, everyday=EVERYDAY,
        description=f"{description}\n\n{ABOUT_FILES}",
        example=example or f"{prog} --epochs 3 --out runs/first",
    )  # fmt: skip
    return checked(config)


def _model_in(arguments):
    """The model that arguments name; `None` where they name none."""
    for i, argument in enumerate(arguments):
        flag, is_joined, value = argument.partition("=")
        if flag == "--model" and (is_joined or i + 1 < len(arguments)):
            return value if is_joined else arguments[i + 1]
    return None


def checked(config):
    """Checks a config and that its data are there, before TensorFlow is imported; returns it."""
    if paths.is_path(config.check().data.dataset):
        paths.check_data(config.data.dataset)
    return config


ABOUT_FILES = (
    "--config FILE runs the config.yaml of another run again, --resume RUN goes on with a run that was stopped; further "
    "options change them."
)


def taken(arguments, default):
    """The config that `--config FILE` or `--resume RUN` name, or else the default, and the arguments without `--config`."""
    arguments = [
        part for a in arguments for part in (a.split("=", 1) if a.startswith(_FILES) else [a])
    ]
    if "--config" in arguments:
        at = arguments.index("--config")
        default = TrainConfig.from_yaml(_after(arguments, at, "a file: the config.yaml of a run"))
        default = default.replace(out=None)
        del arguments[at : at + 2]
    if "--resume" in arguments:
        at = arguments.index("--resume")
        folder = _after(arguments, at, "the folder of a run")
        default = default if folder == AUTO else TrainConfig.of_run(folder)
    return default, arguments


def train_options(arguments):
    """Makes the config of `zoo train`."""
    description = "Train a model of the zoo on a data set: load, prepare, build, compile, fit, evaluate, export."
    return from_command_line(
        TrainConfig(), description, arguments, prog="zoo train", example=_EXAMPLE
    )


def data_from_command_line(arguments):
    """Makes the `DataOptions` of `zoo inspect DATA`, with DATA as their `dataset`."""
    description = "Say what data are taken for, without training: kinds of columns, gaps, classes, splits, what is odd."
    data, options = list(arguments[:1]), list(arguments[1:])
    if not data or data[0].startswith("-"):
        data, options = [], list(arguments)
    found = parsing.read(
        DataOptions, [*(["--dataset", *data] if data else []), *options], prog="zoo inspect DATA",
        description=description, default=DataOptions(), example=_EXAMPLE_OF_LOOKING,
        everyday=("target", "columns", "kinds", "task", "split_by"),
    )  # fmt: skip
    if not data:
        raise checks.InputError(
            "Say which data: zoo inspect FILE, a folder, or the name of a data set."
        )
    if paths.is_path(data[0]):
        paths.check_data(data[0])
    given = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return DataOptions().replace(**given)


def _after(arguments, at, what):
    if at + 1 == len(arguments):
        raise checks.InputError(f"{arguments[at]} needs {what}.")
    return arguments[at + 1]
