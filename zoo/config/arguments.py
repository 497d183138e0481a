"""Settings that the command line reads in a form of their own: `--model-args dropout=0.1`, `--class-weight a=1 b=3`."""

from typing import Annotated, Any

import tyro
import yaml

from zoo.config.mappings import Arguments, Pairs, WordOrWeights


def _parse_pairs(texts):
    """Turns `["filters=[8, 16]", "dropout=0.1"]` into a dict; values are written as in YAML."""
    parsed = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"expected KEY=VALUE, for example dropout=0.3. Received: {text}")
        try:
            parsed[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"the value of {key} is not complete: {value}") from error
    return parsed


def _show_pairs(value):
    return [
        f"{k}={yaml.safe_dump(v, default_flow_style=True).split(chr(10))[0]}"
        for k, v in value.items()
    ]


def _pairs(metavar):
    """How the command line reads and shows a dict: NAME=VALUE, one after the other."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=_parse_pairs,
        is_instance=lambda value: isinstance(value, dict),
        str_from_instance=_show_pairs,
    )


# Builder arguments: --model-args filters=[8,16] dropout=0.1
ModelArguments = Annotated[
    dict[str, Any],
    _pairs("KEY=VALUE"),
    Arguments(),
]

# A word, or a weight per label: --class-weight balanced; --class-weight cat=1 dog=2.5
ClassWeight = Annotated[
    str | dict[str, float],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="+",
        metavar="none|balanced|LABEL=WEIGHT...",
        instance_from_str=lambda texts: (
            texts[0] if len(texts) == 1 and "=" not in texts[0] else _parse_pairs(texts)
        ),
        is_instance=lambda value: isinstance(value, (str, dict)),
        str_from_instance=lambda value: [value] if isinstance(value, str) else _show_pairs(value),
    ),
    WordOrWeights(("none", "balanced")),
]

# What columns are: --kinds region_code=category day=date
ColumnKinds = Annotated[
    dict[str, str],
    _pairs("COLUMN=KIND"),
    Pairs(("number", "category", "date", "text")),
]


def with_arguments(model, model_args):
    """What a model is called where its builder's arguments differ from its size's: with them, as they are typed.

    >>> with_arguments("cnn:base", {"filters": [16, 32], "dropout": 0.1}), with_arguments("cnn:base", {})
    ('cnn:base + dropout=0.1 filters=[16,32]', 'cnn:base')

    Args:
        model: Family and size.
        model_args: Arguments on top of the size.
    """
    said = [f"{key}={model_args[key]}".replace(", ", ",") for key in sorted(model_args)]
    return " ".join([model, "+", *said]) if said else model
