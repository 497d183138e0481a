"""The verbs of the `zoo` command for data and runs: looking at data, training, listing, several workers."""

import dataclasses
import sys
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from zoo.config import parsing, typed
from zoo.models import checks


def inspect(arguments):
    """Says what data are taken for, as the arguments of `zoo inspect` say."""
    import zoo
    from zoo.training.command_line import data_from_command_line

    found = data_from_command_line(arguments)
    given = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    print(typed.said(str(zoo.inspect(given.pop("dataset"), **given))))


def train(arguments):
    """Trains as the arguments of `zoo train` say."""
    import zoo
    from zoo.training import cluster
    from zoo.training.command_line import train_options

    cluster.let_the_chief_speak()
    config = train_options(arguments)
    says_model = ("--model", "--config", "--resume", "--weights")
    is_named = any(argument.partition("=")[0] in says_model for argument in arguments)
    with zoo.import_quietly("zoo.training.signals").of_a_command():
        trained = zoo.train(config.model if is_named else None, config.data.dataset, config=config)
    if trained.report is not None:  # otherwise the run was for diagnosis, which says what it found
        print(trained.report)
        print(f"exported {trained.export}")


def finish(run: Positional[Annotated[str, arg(metavar="RUN")]], /):
    """Ends a run that was stopped.

    Args:
        run: the run's folder
    """
    import zoo

    finished = zoo.finish(run)
    print(finished.report)
    print(f"exported {finished.export}")


def runs(folder: Positional[Annotated[str, arg(metavar="FOLDER")]] = "runs", /):
    """Lists the runs of a folder.

    Args:
        folder: where the runs lie
    """
    from zoo.training import listing

    found = listing.runs(folder)
    print(found.to_string(index=False, na_rep="-") if len(found) else f"{folder} holds no runs")


def launch(arguments):
    """Runs a command as several workers, as the arguments of `zoo launch` say."""
    parsing.call(
        _launch,
        _with_dashes(arguments),
        prog="zoo launch",
        description="Run a recipe as several workers: on this machine, or described for a scheduler.",
        example="zoo launch --workers 2 -- python recipes/classify_images.py --out runs/two",
    )


def _with_dashes(arguments):
    """The arguments with `--` before the command, where it was left out."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if arguments[at] == "--":
            return arguments
        has_value = "=" not in arguments[at] and arguments[at] not in ("-h", "--help", "--tuner")
        at += 1 + has_value
    return [*arguments[:at], "--", *arguments[at:]]


def _launch(
    command: Positional[Annotated[tuple[str, ...], arg(metavar="-- COMMAND ...")]] = (),
    /,
    *,
    workers: Annotated[int | None, arg(metavar="N")] = None,
    max_restarts: Annotated[int, arg(metavar="N")] = 0,
    hosts: Annotated[str | None, arg(metavar="A,B,...")] = None,
    index: Annotated[int | None, arg(metavar="I")] = None,
    scheduler: Annotated[str | None, arg(name="print", metavar="WHAT")] = None,
    image: Annotated[str | None, arg(metavar="IMAGE")] = None,
    gpus: Annotated[int, arg(metavar="N")] = 0,
    tuner: FlagCreatePairsOff[bool] = False,
):
    """Runs a command as several workers.

    Args:
        command: what they run, for example: -- python recipes/...
        workers: how many
        max_restarts: start all again, from the last checkpoint, when one fails; needs the command's --out
        hosts: be one worker of these machines in place of all here
        index: with --hosts: which one, from 0
        scheduler: print what starts them elsewhere: kubernetes, slurm, or commands for a dry run
        image: with --print kubernetes: the container's
        gpus: with --print: of a machine
        tuner: the workers run trials that one more process proposes; the command is `zoo tune ...`
    """
    from zoo import launch as launching
    from zoo import schedulers

    command = list(command)
    if hosts is None and workers is None:
        raise checks.InputError("Say how many: --workers 2.")
    if scheduler is not None:
        given = {"image": image} if image else {}
        given |= {"max_restarts": max_restarts, "gpus": gpus}
        print(schedulers.render(scheduler, command, workers, **given), end="")
        return
    if tuner:
        sys.exit(launching.launch_tuner(command, workers, max_restarts=max_restarts))
    if hosts is None:
        sys.exit(launching.launch(command, workers, max_restarts=max_restarts))
    if index is None:
        raise checks.InputError("--hosts needs --index: which of them this worker is.")
    launching.run_one(command, hosts.split(","), index)
