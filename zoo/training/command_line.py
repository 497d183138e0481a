"""The command line of every recipe and of `zoo train`: made from `TrainConfig`, so that there is one list of options.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import contextlib
import dataclasses
import sys

import tyro

from zoo.config.config import AUTO, TrainConfig
from zoo.config.elsewhere import ELSEWHERE
from zoo.config.options import DataOptions
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
    answer_other_names(arguments)
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
    config = tyro.cli(
        flat, default=default, description=description, args=arguments, registry=_reading_anything()
    )
    return config.check()


def data_from_command_line(arguments):
    """Makes the `DataOptions` of `zoo inspect DATA`, with DATA as their `dataset`."""
    answer_other_names(arguments)
    data, options = arguments[:1], list(arguments[1:])
    description = "Say what data are taken for, without training: kinds of columns, gaps, classes, splits, what is odd."
    if not data or data[0].startswith("-"):
        data, options = [], list(arguments)
    found = tyro.cli(
        tyro.conf.OmitArgPrefixes[DataOptions], default=DataOptions(), prog="zoo inspect DATA", description=description,
        args=[*(["--dataset", *data] if data else []), *options], registry=_reading_anything(),
    )  # fmt: skip
    if not data:
        raise checks.InputError(
            "Say which data: zoo inspect FILE, a folder, or the name of a data set."
        )
    given = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return DataOptions().replace(**given)


def answer_other_names(arguments):
    """Raises `InputError` for an option that has another name in Keras, scikit-learn or PyTorch, with ours."""
    for argument in arguments:
        name = argument.removeprefix("--").partition("=")[0].replace("-", "_")
        if argument.startswith("--") and name in ELSEWHERE:
            raise checks.InputError(
                f"Unknown option {argument.partition('=')[0]}: here it is {ELSEWHERE[name]}."
            )


def _reading_anything():
    """A registry for tyro with which options read any text.

    A text that is no value of the option's type becomes a number or stays a text, which `TrainConfig.check` refuses in
    the same words as a value from Python or YAML.
    """
    registry = tyro.constructors.ConstructorRegistry()
    within = []  # the rule asks tyro for its own reading, which must not ask the rule

    @registry.primitive_rule
    def rule(info):
        if within:
            return None
        within.append(info)
        try:
            spec = tyro.constructors.ConstructorRegistry.get_primitive_spec(info)
        finally:
            within.pop()
        if not isinstance(spec, tyro.constructors.PrimitiveConstructorSpec):
            return None

        def read(texts):
            try:
                return spec.instance_from_str(texts)
            except ValueError:
                values = tuple(map(_number_or_text, texts))
                return values[0] if len(values) == 1 else values

        return dataclasses.replace(spec, instance_from_str=read, choices=None)

    return registry


def _number_or_text(text):
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _after(arguments, at, what):
    if at + 1 == len(arguments):
        raise checks.InputError(f"{arguments[at]} needs {what}.")
    return arguments[at + 1]
