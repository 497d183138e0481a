"""The `zoo` command, and what turns a recipe into one: reads tables, runs verbs, holds no logic of its own.

A verb's options are the arguments of its function, or a dataclass, and tyro reads them. Imports tyro and TensorFlow inside
the verbs only, so that `zoo --help` answers at once.
"""

import dataclasses
import importlib
import os
import sys
import textwrap

from zoo.config import typed
from zoo.models import checks


@dataclasses.dataclass(frozen=True)
class Verb:
    """One row of the table VERBS.

    Attributes:
        home: Module and name of the function that it calls.
        about: What help says of it.
        example: What its help ends with; `None` where the function reads what was typed by itself.
    """

    home: str
    about: str
    example: str | None = None


VERBS = {
    "models": Verb(
        "zoo.cli_models:models",
        "list families and sizes, and the trained models that ship",
        "zoo models\nzoo models 'cnn*'\nzoo models --task generation",
    ),
    "info": Verb(
        "zoo.cli_models:info",
        "layers, parameters and FLOPs of a size, or the card of a trained model",
        "zoo info cnn:small --input-shape 28 28 1 --num-classes 10\nzoo info mnist_cnn",
    ),
    "inspect": Verb("zoo.cli_runs:inspect", "say what data are taken for, without training"),
    "train": Verb("zoo.cli_runs:train", "train, evaluate and export"),
    "runs": Verb(
        "zoo.cli_runs:runs", "list the runs of a folder with their scores", "zoo runs\nzoo runs runs/search"
    ),
    "finish": Verb(
        "zoo.cli_runs:finish",
        "evaluate and export the best epoch so far of a run that was stopped",
        "zoo finish runs/wine-dense_small-1",
    ),
    "tune": Verb("zoo.tuning.command_line:run", "search the settings that train a model best"),
    "predict": Verb(
        "zoo.cli_models:predict",
        "predict images, texts, CSV rows or arrays with a trained model",
        "zoo predict mnist_cnn image.png photos/\nzoo predict imdb_transformer 'A wonderful film'\nzoo predict runs/shop-dense_small-1 new.csv --out predictions.csv",
    ),
    "verify": Verb(
        "zoo.cli_models:verify",
        "prove models: hashes, signatures, golden outputs with TensorFlow alone",
        "zoo verify mnist_cnn\nzoo verify --all",
    ),
    "sign": Verb(
        "zoo.cli_models:sign",
        "sign a model with a private key (needs the extra `sign`)",
        "zoo sign saved_models/my_model --key private.pem",
    ),
    "publish": Verb(
        "zoo.cli_models:publish",
        "copy a run's export into saved_models/ as the next version of a model",
        "zoo publish runs/mnist-cnn_base-1 my_model --also runs/mnist-cnn_base-2 runs/mnist-cnn_base-3",
    ),
    "renew": Verb(
        "zoo.cli_models:renew",
        "export a published model's weights again, with the signatures of this version",
        "zoo renew my_model",
    ),
    "convert": Verb(
        "zoo.cli_models:convert",
        "convert a trained model for another runtime, and compare",
        "zoo convert mnist_cnn --to litert --quantize float16",
    ),
    "shrink": Verb(
        "zoo.cli_models:shrink",
        "make a smaller model of a trained one: pruned, quantized or distilled",
        "zoo shrink mnist_cnn --prune 0.8 --fine-tune 3",
    ),
    "launch": Verb(
        "zoo.cli_runs:launch",
        "run a recipe as several workers: on this machine, or described for a scheduler",
    ),
}  # fmt: skip


def main(arguments=None):
    """Runs the `zoo` command; exits with 2 on input that cannot be used."""
    with _clean_exit():
        name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
        if name in ("-h", "--help"):
            print(_help())
            sys.exit(0)
        if name == "--version":
            import zoo

            print(zoo.__version__)
            sys.exit(0)
        checks.one_of("verb", name, VERBS)
        verb = VERBS[name]
        module, _, function = verb.home.partition(":")
        run = getattr(importlib.import_module(module), function)
        if verb.example is None:
            run(rest)
        else:
            from zoo.config import parsing

            about = f"{verb.about[0].upper()}{verb.about[1:]}."
            parsing.call(run, rest, prog=f"zoo {name}", description=about, example=verb.example)


def _help():
    """What `zoo --help` prints."""
    lines = [
        "usage: zoo VERB ...",
        "",
        "Small, trained Keras models: list, train, predict, verify.",
        "",
    ]
    for name, verb in VERBS.items():
        first, *more = textwrap.wrap(verb.about, 66)
        lines += [f"  {name:<9} {first}", *(" " * 12 + line for line in more)]
    return "\n".join(
        [
            *lines,
            "",
            "zoo VERB --help says more of each; zoo --version prints the version.",
            "",
            "example:",
            "    zoo train --dataset digits --epochs 5",
        ]
    )


def command(recipe, defaults, description):
    """Runs a recipe's `main(config)` with a config from the command line.

    Args:
        recipe: Function of a `TrainConfig`.
        defaults: The recipe's own `TrainConfig`.
        description: What `--help` says first.
    """
    from zoo.training import cluster
    from zoo.training.command_line import from_command_line

    with _clean_exit():
        cluster.let_the_chief_speak()
        recipe(from_command_line(defaults, description))


class _clean_exit:
    """Turns what a user can mend into a message and exit code 2; everything else keeps its traceback."""

    def __enter__(self):
        self.shown = typed.on_the_command_line()
        self.shown.__enter__()
        return self

    def __exit__(self, kind, error, traceback):
        self.shown.__exit__(None, None, None)
        if isinstance(error, checks.InputError):
            print(f"error: {typed.as_typed(str(error))}", file=sys.stderr)
            sys.exit(2)
        if isinstance(error, BrokenPipeError):  # `zoo models | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        if isinstance(error, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            sys.exit(130)


if __name__ == "__main__":
    main()
