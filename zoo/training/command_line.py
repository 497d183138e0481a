"""The command line of every recipe and of `zoo train`: made from `TrainConfig`, so that there is one list of options.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import sys

import tyro

from zoo.config.config import AUTO, TrainConfig
from zoo.models import checks

_FILES = ("--config=", "--resume=")


def from_command_line(default, description, arguments=None):
    """Makes a config from command-line arguments.

    Args:
        default: The config that the arguments change.
        description: What `--help` says first.
        arguments: The arguments; those of the process where it is `None`. `--config FILE` and `--resume RUN` replace
            the default.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
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
    description += (
        "\n\n--config FILE runs the config.yaml of another run again; further options change it."
    )
    flat = tyro.conf.OmitArgPrefixes[TrainConfig]
    config = tyro.cli(flat, default=default, description=description, args=arguments)
    return config.check()


def _after(arguments, at, what):
    if at + 1 == len(arguments):
        raise checks.InputError(f"{arguments[at]} needs {what}.")
    return arguments[at + 1]
