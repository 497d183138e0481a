"""The `zoo` command, and what turns a recipe into one: reads tables, runs verbs, holds no logic of its own.

Imports TensorFlow inside the verbs only, so that `zoo --help` answers at once.
"""

import argparse
import dataclasses
import os
import sys

from zoo import cli_models
from zoo.models import checks
from zoo.tuning import command_line as tuning


def main(arguments=None):
    """Runs the `zoo` command; exits with 2 on input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="zoo", description="Small, trained Keras models: list, train, predict, verify."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_verbs_of_families(verbs)
    _add_tune(verbs)
    cli_models.add_verbs_that_use(verbs)
    cli_models.add_verbs_that_make(verbs)
    _add_launch(verbs)
    with _clean_exit():
        given = sys.argv[1:] if arguments is None else arguments
        if given and not given[0].startswith("-"):
            checks.one_of("verb", given[0], verbs.choices)
        options, rest = parser.parse_known_args(given)
        if options.verb in ("inspect", "train", "tune"):
            options.rest = rest
        elif rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        options.run(options)


class _Version(argparse.Action):
    """Looks the version up only where it is asked for."""

    def __call__(self, parser, *_):
        import zoo

        print(zoo.__version__)
        parser.exit()


def _add_verbs_of_families(verbs):
    add = verbs.add_parser(
        "models", help="list families and sizes, and the trained models that ship"
    )
    add.add_argument("pattern", nargs="?", default="*", help="for example 'cnn*' or '*:tiny'")
    add.add_argument("--task", help="only families for this task")
    add.add_argument("--family", help="only this family")
    add.add_argument(
        "--page",
        action="store_true",
        help="print docs/families.md: every size, its parameters and operations",
    )
    add.set_defaults(run=_models)

    add = verbs.add_parser(
        "info", help="layers, parameters and FLOPs of a size, or the card of a trained model"
    )
    add.add_argument("model", help="for example cnn:small, or mnist_cnn")
    add.add_argument("--input-shape", type=int, nargs="+", metavar="N", help="shape of one example")
    add.add_argument("--num-classes", type=int, default=10)
    add.add_argument("--vocabulary-size", type=int, metavar="N", help="for token ids: how many")
    add.add_argument(
        "--plot", metavar="PNG", help="draw the layers (needs graphviz and the extra `plot`)"
    )
    add.set_defaults(run=_info)

    add = verbs.add_parser(
        "inspect",
        help="say what data are taken for, without training; `zoo inspect --help` lists every option",
        add_help=False,
    )
    add.set_defaults(run=_inspect)

    add = verbs.add_parser(
        "train",
        help="train, evaluate and export; `zoo train --help` lists every option",
        add_help=False,
    )
    add.set_defaults(run=_train)

    add = verbs.add_parser(
        "finish", help="evaluate and export the best epoch so far of a run that was stopped"
    )
    add.add_argument("folder", metavar="RUN", help="the run's folder")
    add.set_defaults(run=_finish)

    add = verbs.add_parser("runs", help="list the runs of a folder with their scores")
    add.add_argument("folder", nargs="?", default="runs", help="default: runs")
    add.set_defaults(run=_runs)


def _add_tune(verbs):
    add = verbs.add_parser(
        "tune", help="search the settings that train a model best", allow_abbrev=False
    )
    tuning.add_options(add)
    add.set_defaults(run=tuning.run)


def _add_launch(verbs):
    add = verbs.add_parser(
        "launch",
        help="run a recipe as several workers: on this machine, or described for a scheduler",
        usage="zoo launch --workers N [options] -- COMMAND",
    )
    add.add_argument("--workers", type=int, metavar="N", help="how many")
    add.add_argument(
        "--max-restarts",
        type=int,
        default=0,
        metavar="N",
        help="start all again, from the last checkpoint, when one fails; needs the command's --out",
    )
    add.add_argument(
        "--hosts", metavar="A,B,...", help="be one worker of these machines in place of all here"
    )
    add.add_argument("--index", type=int, metavar="I", help="with --hosts: which one, from 0")
    add.add_argument(
        "--print",
        dest="scheduler",
        metavar="WHAT",
        help="print what starts them elsewhere: kubernetes, slurm, or commands for a dry run",
    )
    add.add_argument("--image", metavar="IMAGE", help="with --print kubernetes: the container's")
    add.add_argument("--gpus", type=int, default=0, metavar="N", help="with --print: of a machine")
    add.add_argument(
        "--tuner",
        action="store_true",
        help="the workers run trials that one more process proposes; the command is `zoo tune ...`",
    )
    add.add_argument("command", nargs=argparse.REMAINDER, help="for example: -- python recipes/...")
    add.set_defaults(run=_launch)


def command(recipe, defaults, description):
    """Runs a recipe's `main(config)` with a config from the command line.

    Args:
        recipe: Function of a `TrainConfig`.
        defaults: The recipe's own `TrainConfig`.
        description: What `--help` says first.
    """
    from zoo.training.command_line import from_command_line

    with _clean_exit():
        _let_the_chief_speak()
        recipe(from_command_line(defaults, description))


def _let_the_chief_speak():
    """Of several workers one prints results, which are the same on all; every one prints its errors."""
    from zoo.training import cluster

    if not cluster.here().is_chief:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends


class _clean_exit:
    """Turns what a user can mend into a message and exit code 2; everything else keeps its traceback."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, checks.InputError):
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        if isinstance(error, BrokenPipeError):  # `zoo models | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        if isinstance(error, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            sys.exit(130)


def _models(options):
    import zoo

    if options.page:
        print(zoo.import_quietly("zoo.summary").families_page(), end="")
        return
    card, store = zoo.import_quietly("zoo.saving.card"), zoo.import_quietly("zoo.saving.store")
    names = zoo.list_models(options.pattern, task=options.task, family=options.family)
    for name in names:
        print(f"{name:<14} {zoo.FAMILIES[name.partition(':')[0]].reference}")
    if options.pattern == "*" and not options.task and not options.family:
        print("\ntrained:")
        for name in store.names():
            try:
                shipped = card.read(store.find(name))
            except checks.InputError as error:
                print(f"{name:<14} {error}")
                continue
            print(f"{name:<14} {shipped.model} on {shipped.data.name}: {shipped.headline}")
    if not names:
        raise checks.InputError(f"No model matches {options.pattern!r}. `zoo models` lists all.")


def _info(options):
    import zoo

    summary, store = zoo.import_quietly("zoo.summary"), zoo.import_quietly("zoo.saving.store")
    if options.model in store.names() or os.path.isdir(options.model):
        card = store.find(options.model) / "assets.extra" / "card.md"
        if not card.exists():
            raise checks.InputError(
                f"{options.model} was not made by this project: it has no {card}."
            )
        print(card.read_text(encoding="utf-8"))
        return
    model = summary.build_for_info(
        options.model, options.input_shape, options.num_classes, options.vocabulary_size
    )
    print(summary.describe(model))
    if options.plot:
        summary.plot(model, options.plot)
        print(f"drawn: {options.plot}")


def _inspect(options):
    import zoo
    from zoo.training.command_line import data_from_command_line

    found = data_from_command_line(options.rest)
    given = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    print(zoo.inspect(given.pop("dataset"), **given))


def _train(options):
    import zoo
    from zoo.config.config import TrainConfig
    from zoo.training.command_line import from_command_line

    _let_the_chief_speak()
    description = "Train a model of the zoo on a data set: load, prepare, build, compile, fit, evaluate, export."
    config = from_command_line(TrainConfig(), description, options.rest)
    says_model = ("--model", "--config", "--resume", "--weights")
    is_named = any(argument.partition("=")[0] in says_model for argument in options.rest)
    with zoo.import_quietly("zoo.training.signals").of_a_command():
        trained = zoo.train(config.model if is_named else None, config.data.dataset, config=config)
    if trained.report is not None:  # otherwise the run was for diagnosis, which says what it found
        print(trained.report)
        print(f"exported {trained.export}")


def _finish(options):
    import zoo

    finished = zoo.finish(options.folder)
    print(finished.report)
    print(f"exported {finished.export}")


def _runs(options):
    from zoo.training.listing import runs

    found = runs(options.folder)
    print(
        found.to_string(index=False, na_rep="-")
        if len(found)
        else f"{options.folder} holds no runs"
    )


def _launch(options):
    from zoo import launch, schedulers

    parts = options.command[1:] if options.command[:1] == ["--"] else options.command
    if options.hosts is None and options.workers is None:
        raise checks.InputError("Say how many: --workers 2.")
    if options.scheduler is not None:
        given = {"image": options.image} if options.image else {}
        given |= {"max_restarts": options.max_restarts, "gpus": options.gpus}
        print(schedulers.render(options.scheduler, parts, options.workers, **given), end="")
        return
    if options.tuner:
        sys.exit(launch.launch_tuner(parts, options.workers, max_restarts=options.max_restarts))
    if options.hosts is None:
        sys.exit(launch.launch(parts, options.workers, max_restarts=options.max_restarts))
    if options.index is None:
        raise checks.InputError("--hosts needs --index: which of them this worker is.")
    launch.run_one(parts, options.hosts.split(","), options.index)


if __name__ == "__main__":
    main()
