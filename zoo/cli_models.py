"""The verbs of the `zoo` command for models: listing, using, proving, publishing, converting and shrinking them."""

import dataclasses
import json as jsons
import os
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, UseAppendAction, arg

from zoo import catalogue
from zoo.data.user import paths
from zoo.models import checks
from zoo.saving import card_entries, places, runtimes

_Flag = FlagCreatePairsOff[bool]
_Model = Positional[
    Annotated[
        str,
        arg(
            metavar="MODEL", help="a shipped model's name, a run's folder or a SavedModel's folder"
        ),
    ]
]


@dataclasses.dataclass(frozen=True)
class Trust:
    """What may be loaded."""

    foreign: _Flag = False
    """also without card and manifest: made by others"""
    unsafe: _Flag = False
    """load it unchecked, whatever it may do on this machine"""
    allow: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="OPERATION")] = ()
    """an operation that its graph may use besides the known ones; may be repeated"""


def _or(choices):
    """Choices as help lists them."""
    *most, last = choices
    return f"({', '.join(most)} or {last})"


def _runtimes(_):
    return _or(runtimes.RUNTIMES)


def _quantized(_):
    return _or(runtimes.quantizations())


def models(
    pattern: Positional[Annotated[str, arg(metavar="PATTERN")]] = "*",
    /,
    *,
    task: str | None = None,
    family: str | None = None,
    page: _Flag = False,
):
    """Lists families and sizes, and the trained models.

    Args:
        pattern: for example 'cnn*' or '*:tiny'
        task: only families for this task
        family: only this family
        page: print docs/families.md: every size, its parameters and operations
    """
    import zoo

    if page:
        print(zoo.import_quietly("zoo.summary").families_page(), end="")
        return
    found = catalogue.matching(pattern, task=task, family=family)
    if not found:
        raise checks.InputError(f"No model matches {pattern!r}. `zoo models` lists all.")
    print(
        "Architectures, which start from random weights; parameters for the example shown, 10 classes:\n"
    )
    rows = [(one.model, f"{one.parameters:,}", one.example, one.inputs, one.tasks) for one in found]
    print(catalogue.table(("model", "parameters", "example", "inputs", "tasks"), rows))
    if pattern == "*" and not task and not family:
        titles = ("name", "model", "data", "test score", "on disk")
        print("\nTrained models:\n\n" + catalogue.table(titles, map(_trained, places.names())))
    print("\nfor your data: `zoo inspect FILE` suggests one")


def _trained(name):
    """The row of a trained model."""
    try:
        found = card_entries.glance(places.find(name))
    except checks.InputError as error:
        return name, str(error)
    told = (found.model, found.data, found.headline)
    return name, *map(checks.shown, told), f"{found.size / 2**20:,.1f} MiB"


def info(
    model: Positional[Annotated[str, arg(metavar="MODEL")]],
    /,
    *,
    input_shape: Annotated[tuple[int, ...], arg(metavar="N ...")] = (),
    num_classes: Annotated[int, arg(metavar="N")] = 10,
    vocabulary_size: Annotated[int | None, arg(metavar="N")] = None,
    plot: Annotated[str | None, arg(metavar="PNG")] = None,
):
    """Describes a size, or shows the card of a trained model.

    Args:
        model: for example cnn:small, or mnist_cnn
        input_shape: shape of one example
        num_classes: width of the last layer
        vocabulary_size: for token ids: how many
        plot: draw the layers (needs graphviz and the extra `plot`)
    """
    import zoo

    if model in places.names() or os.path.isdir(model):
        card, card_page = (zoo.import_quietly(f"zoo.saving.{n}") for n in ("card", "card_page"))
        path = places.find(model)
        if not (path / "assets.extra" / "card.json").exists():
            raise checks.InputError(f"{path} was not made by this project: it has no card.")
        print(card_page.render(card.read(path)))  # not its page, which whoever made it wrote
        return
    places.check_named(model, catalogue.families())
    summary = zoo.import_quietly("zoo.summary")
    built = summary.build_for_info(model, input_shape or None, num_classes, vocabulary_size)
    print(summary.describe(built))
    if plot:
        summary.plot(built, plot)
        print(f"drawn: {plot}")


def predict(
    model: _Model,
    inputs: Positional[Annotated[tuple[str, ...], arg(metavar="INPUT ...")]],
    /,
    *,
    trust: OmitArgPrefixes[Trust] = Trust(),
    out: Annotated[str | None, arg(metavar="CSV")] = None,
    json: _Flag = False,
    novelty: _Flag = False,
    sandbox: _Flag = False,
    seconds: Annotated[int, arg(metavar="S")] = 120,
    memory_mb: Annotated[int, arg(metavar="MB")] = 4096,
    partial: _Flag = False,
):
    """Predicts with a trained model.

    Args:
        model: the model
        inputs: images, texts, folders of them, .csv (.tsv, .csv.gz), .npy, or - for standard input; a model of texts takes a text itself, too
        trust: what may be loaded
        out: write a CSV file instead of printing: the rows of a table with their answers, or files with theirs
        json: print one JSON object per example
        novelty: say which inputs are unlike any of training, of a model that was trained with --novelty
        sandbox: run the model in a process without network, file writes and other rights
        seconds: with --sandbox: its time
        memory_mb: with --sandbox: its memory
        partial: with --sandbox: go on where a limit is missing
    """
    import zoo

    if not inputs:
        raise checks.InputError(
            "Say what to predict: zoo predict MODEL FILE, a folder, or - for standard input."
        )
    if novelty and (sandbox or trust.foreign):
        raise checks.InputError(
            "--novelty is for models with a card, and not for --sandbox: leave one out."
        )
    places.find(model)  # a wrong path is answered before TensorFlow is imported
    paths.check_inputs(inputs)
    reading, given = zoo.import_quietly("zoo.saving.inputs"), list(inputs)
    if sandbox:
        limits = {"seconds": seconds, "memory_mb": memory_mb, "partial": partial}
        rows = zoo.predict_sandboxed(model, given, **_asdict(trust), **limits, with_rows=bool(out))
    else:
        more = {"novelty": True} if novelty else {}
        loaded = zoo.load(model, **_asdict(trust))
        rows = reading.predict_files(loaded, given, with_rows=bool(out), **more)
    if out:
        count = reading.write_csv(rows, out)
        print(f"{count} predictions in {out}")
        return
    for row in rows:
        print(jsons.dumps(row) if json else reading.as_text(row), flush=True)


def _asdict(trust):
    return {**vars(trust), "allow": list(trust.allow)}


def verify(
    models: Positional[Annotated[tuple[str, ...], arg(metavar="MODEL ...")]] = (),
    /,
    *,
    trust: OmitArgPrefixes[Trust] = Trust(),
    every: Annotated[_Flag, arg(name="all")] = False,
    key: Annotated[str | None, arg(metavar="PEM")] = None,
):
    """Proves models.

    Args:
        models: names or folders
        trust: what may be loaded
        every: every model that ships
        key: the public key that must have signed them
    """
    import zoo

    names = list(places.names()) if every else list(models)
    if not names:
        raise checks.InputError("Name the models to verify, or pass --all.")
    failed = []
    for name in names:
        try:
            places.find(name)
            result = zoo.verify(name, **_asdict(trust), key=key)
            difference = result["largest_difference"]
            shown = (
                "no golden pair" if difference is None else f"largest difference {difference:.1e}"
            )
            print(f"ok      {name}: {shown}, {checks.shown(', '.join(result['signatures']))}")
        except checks.InputError as error:
            failed.append(name)
            print(f"FAILED  {name}: {error}")
    if failed:
        raise checks.InputError(f"{len(failed)} of {len(names)} models failed: {', '.join(failed)}")


def sign(model: _Model, /, *, key: Annotated[str, arg(metavar="PEM")]):
    """Signs a model.

    Args:
        model: the model
        key: the private key
    """
    import zoo

    places.find(model)
    print(f"signed: {zoo.sign(model, key)}")


def publish(
    run: Positional[Annotated[str, arg(metavar="RUN")]],
    name: Positional[Annotated[str, arg(metavar="NAME")]],
    /,
    *,
    also: Annotated[tuple[str, ...], arg(metavar="RUN ...")] = (),
):
    """Publishes a run's export.

    Args:
        run: the run's folder
        name: the model's name
        also: runs with other seeds, for the scores
    """
    import zoo

    for folder in (run, *also):
        places.find(folder)
    print(f"published {zoo.publish(run, name, also=list(also))}")


def renew(names: Positional[Annotated[tuple[str, ...], arg(metavar="NAME ...")]], /):
    """Exports published models again.

    Args:
        names: models in saved_models/
    """
    import zoo

    if not names:
        raise checks.InputError("Name the models to renew: zoo renew NAME.")
    for name in names:
        places.find(name)
    for name in names:
        print(f"published {zoo.renew(name)}", flush=True)


def convert(
    model: _Model,
    /,
    *,
    to: Annotated[str | None, arg(metavar="RUNTIME", help_behavior_hint=_runtimes)] = None,
    quantize: Annotated[str | None, arg(metavar="HOW", help_behavior_hint=_quantized)] = None,
    out: Annotated[str | None, arg(metavar="FOLDER")] = None,
):
    """Converts a model.

    Args:
        to: the runtime
        quantize: how its weights are stored
        out: default: converted/MODEL-RUNTIME[-HOW]
    """
    import zoo

    places.find(model)
    if to is None:
        raise checks.InputError(f"Say which runtime: --to RUNTIME {_or(runtimes.RUNTIMES)}.")
    checks.one_of("runtime", to, runtimes.RUNTIMES)
    folder = zoo.convert(model, to, quantize=quantize, out=out)
    described = runtimes.describe(folder)
    size = sum(path.stat().st_size for path in folder.glob("model.*")) / 1024
    print(
        f"converted to {folder}: {size:,.0f} KiB; golden outputs differ by at most {described['largest_difference']:.1e}, "
        f"{described['same_answers']:.0%} of the answers are the same"
    )


def shrink(
    model: _Model,
    /,
    *,
    prune: Annotated[float | None, arg(metavar="SHARE")] = None,
    fine_tune: Annotated[int, arg(metavar="EPOCHS")] = 0,
    quantize: Annotated[str | None, arg(metavar="MODE")] = None,
    distill: Annotated[str | None, arg(metavar="SIZE")] = None,
    members: Annotated[int | None, arg(metavar="N")] = None,
    out: Annotated[str | None, arg(metavar="FOLDER")] = None,
):
    """Makes a smaller model.

    Args:
        prune: share of zeros, for example 0.8
        fine_tune: with --prune: train so long
        quantize: int8 or int4
        distill: teach this size of the family
        members: keep so many of an ensemble's
        out: the run's folder, which must not exist
    """
    import zoo

    places.find(model)
    ways = {"prune": prune, "quantize": quantize, "distill": distill, "members": members}
    report, path = zoo.shrink(model, fine_tune=fine_tune, out=out, **ways)
    print(f"{report}\nexported {path}")
