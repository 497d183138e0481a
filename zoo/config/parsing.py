"""What a command line says, read by tyro: help, refusals and exit codes are the same for every verb and recipe.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import contextlib
import dataclasses
import inspect
import itertools

import tyro

from zoo.config.elsewhere import ELSEWHERE
from zoo.config.options import descriptions
from zoo.models import checks

HELP, HELP_ALL = {"-h", "--help"}, "--help-all"


def call(function, arguments, *, prog, description, example):
    """Calls a function with what the command line says; each argument of the function is an option of its name.

    Args:
        function: What is called; its annotations say what its options take, its docstring what they are.
        arguments: What was typed.
        prog: What help calls the command.
        description: What help says first.
        example: The lines that help ends with.

    Raises:
        InputError: There is no option of a name; the message has the nearest ones.
    """
    _check_names(arguments, list(_arguments(function)), prog)
    with _ending_in(example, arguments):
        return tyro.cli(function, args=arguments, prog=prog, description=description)


def read(kind, arguments, *, prog, description, example, default, everyday):
    """Reads a dataclass of options, whose nested dataclasses are options of their own names.

    Args:
        kind: The dataclass.
        arguments: What was typed.
        prog, description, example: As in `call`.
        default: An object of the dataclass, which the arguments change.
        everyday: Names of the options that `--help` shows; `--help-all` shows all.

    Raises:
        InputError: There is no option of a name; the message has the nearest ones, or what another library's is here.
    """
    shown, arguments = tyro.conf.OmitArgPrefixes[kind], list(arguments)
    known = [name for name, *_ in _flat(kind, default)]
    _check_names(arguments, [*known, HELP_ALL.removeprefix("--")], prog, ELSEWHERE)
    if HELP_ALL in arguments:
        arguments = ["--help"]
    elif HELP & set(arguments):
        shown, default, arguments = _few(kind, default, everyday), None, ["--help"]
        description += f"\n\nThese are the everyday options: {HELP_ALL} lists every one."
    with _ending_in(example, arguments):
        return tyro.cli(
            shown,
            default=default,
            prog=prog,
            description=description,
            args=arguments,
            registry=_reading_anything(),
        )


@contextlib.contextmanager
def _ending_in(example, arguments):
    """Prints an example after the help, where that is asked for."""
    try:
        yield
    except SystemExit:
        if HELP & set(_own(arguments)):
            print("\n".join(["example:", *(f"    {line}" for line in example.splitlines())]))
        raise


def _own(arguments):
    """The arguments before a `--`: what comes after it belongs to another command."""
    return list(itertools.takewhile(lambda argument: argument != "--", arguments))


def _check_names(arguments, known, prog, elsewhere=()):
    """Raises `InputError` for an option that there is not, with what it may have been meant for.

    Args:
        arguments: What was typed.
        known: The names of the options.
        prog: What help calls the command.
        elsewhere: Names in Keras, scikit-learn or PyTorch → the names here.
    """
    flags = [f"--{name.replace('_', '-')}" for name in (*known, "help")]
    for argument in _own(arguments):
        flag = argument.partition("=")[0].replace("_", "-")
        if not flag.startswith("--") or flag in flags or flag.replace("--no-", "--", 1) in flags:
            continue
        name = flag.removeprefix("--").replace("-", "_")
        if name in elsewhere:
            raise checks.InputError(f"Unknown option {flag}: here it is {elsewhere[name]}.")
        near = checks.did_you_mean(flag, flags, cutoff=0.7)
        raise checks.InputError(
            f"Unknown option {flag}.{near} {prog} {HELP_ALL if elsewhere else '--help'} lists every one."
        )


def _few(kind, default, names):
    """A dataclass that has some of the options of another, with their help and their defaults."""
    found = {}
    for name, *parts in _flat(kind, default):
        found.setdefault(name, parts)  # of two of one name the outer is the argument without --
    fields, lines = [], []
    for name in names:
        type_of, value, text = found[name]
        made = {} if value is tyro.MISSING else {"default_factory": lambda value=value: value}
        fields.append((name, type_of, dataclasses.field(**made)))
        lines.append(f"    {name}: {text}")
    few = dataclasses.make_dataclass("Few", fields)
    few.__doc__ = "\n".join(["Everyday options.", "", "Args:", *lines])
    return few


def _flat(kind, default):
    """Yields (name, type, default, help) of each option of a dataclass and of those within it."""
    texts = descriptions(kind)
    for field in dataclasses.fields(kind):
        value = getattr(default, field.name)
        name = _typed(field.name, field.type)
        if dataclasses.is_dataclass(field.type):
            yield from _flat(field.type, value)
        else:
            yield name, field.type, value, texts[field.name]


def _typed(name, annotation):
    """What an option is called where it is typed: its own name, unless its annotation has another."""
    of_tyro = [getattr(note, "name", None) for note in getattr(annotation, "__metadata__", ())]
    return next((found for found in of_tyro if found), name)


def _arguments(function):
    """Yields the names of the options that a function's keyword arguments are."""
    for name, parameter in inspect.signature(function).parameters.items():
        if dataclasses.is_dataclass(parameter.default):
            yield from (field.name for field in dataclasses.fields(parameter.default))
        elif parameter.kind is parameter.KEYWORD_ONLY:
            yield _typed(name, parameter.annotation)


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
