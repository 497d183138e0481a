"""The verbs of the `zoo` command for trained models: using, proving, publishing, converting and shrinking them."""

import json

from zoo.models import checks
from zoo.saving import runtimes


def add_verbs_that_use(verbs):
    add = verbs.add_parser(
        "predict", help="predict images, texts, CSV rows or arrays with a trained model"
    )
    _add_model(add)
    add.add_argument(
        "inputs",
        nargs="+",
        help="images, texts, folders of them, .csv (.tsv, .csv.gz), .npy, or - for standard input",
    )
    add.add_argument(
        "--out",
        metavar="CSV",
        help="write a CSV file instead of printing: the rows of a table with their answers, or files with theirs",
    )
    add.add_argument("--json", action="store_true", help="print one JSON object per example")
    add.add_argument(
        "--novelty", action="store_true",
        help="say which inputs are unlike any of training, of a model that was trained with --novelty",
    )  # fmt: skip
    _add_trust(add)
    add.add_argument(
        "--sandbox",
        action="store_true",
        help="run the model in a process without network, file writes and other rights",
    )
    add.add_argument("--seconds", type=int, default=120, help="with --sandbox: its time")
    add.add_argument("--memory-mb", type=int, default=4096, help="with --sandbox: its memory")
    add.add_argument(
        "--partial", action="store_true", help="with --sandbox: go on where a limit is missing"
    )
    add.set_defaults(run=_predict)

    add = verbs.add_parser(
        "verify", help="prove models: hashes, signatures, golden outputs with TensorFlow alone"
    )
    add.add_argument("models", nargs="*", help="names or folders")
    add.add_argument("--all", action="store_true", help="every model that ships")
    _add_trust(add)
    add.add_argument("--key", metavar="PEM", help="the public key that must have signed them")
    add.set_defaults(run=_verify)

    add = verbs.add_parser("sign", help="sign a model with a private key (needs the extra `sign`)")
    add.add_argument("model", help="a name or a folder")
    add.add_argument("--key", metavar="PEM", required=True, help="the private key")
    add.set_defaults(run=_sign)


def _add_model(parser):
    parser.add_argument(
        "model", help="a shipped model's name, a run's folder or a SavedModel's folder"
    )


def _or(choices):
    """Choices as help lists them."""
    *most, last = choices
    return f"{', '.join(most)} or {last}"


def add_verbs_that_make(verbs):
    add = verbs.add_parser(
        "publish", help="copy a run's export into saved_models/ as the next version of a model"
    )
    add.add_argument("folder", metavar="RUN", help="the run's folder")
    add.add_argument("name", help="the model's name")
    add.add_argument(
        "--also", nargs="+", default=[], metavar="RUN", help="runs with other seeds, for the scores"
    )
    add.set_defaults(run=_publish)

    add = verbs.add_parser(
        "renew",
        help="export a published model's weights again, with the signatures of this version",
    )
    add.add_argument("names", nargs="+", metavar="NAME", help="models in saved_models/")
    add.set_defaults(run=_renew)

    titles = [row.title for row in runtimes.RUNTIMES.values()]
    add = verbs.add_parser(
        "convert", help=f"convert a trained model for {_or(titles)}, and compare"
    )
    _add_model(add)
    add.add_argument("--to", required=True, metavar="RUNTIME", help=_or(runtimes.RUNTIMES))
    add.add_argument("--quantize", metavar="HOW", help=_or(runtimes.quantizations()))
    add.add_argument("--out", metavar="FOLDER", help="default: converted/MODEL-RUNTIME[-HOW]")
    add.set_defaults(run=_convert)

    add = verbs.add_parser(
        "shrink", help="make a smaller model of a trained one: pruned, quantized or distilled"
    )
    _add_model(add)
    add.add_argument("--prune", type=float, metavar="SHARE", help="share of zeros, for example 0.8")
    add.add_argument(
        "--fine-tune", type=int, default=0, metavar="EPOCHS", help="with --prune: train so long"
    )
    add.add_argument("--quantize", metavar="MODE", help="int8 or int4")
    add.add_argument("--distill", metavar="SIZE", help="teach this size of the family")
    add.add_argument("--out", metavar="FOLDER", help="the run's folder, which must not exist")
    add.set_defaults(run=_shrink)


def _add_trust(add):
    add.add_argument(
        "--foreign", action="store_true", help="also without card and manifest: made by others"
    )
    add.add_argument(
        "--unsafe",
        action="store_true",
        help="load it unchecked, whatever it may do on this machine",
    )
    add.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="OPERATION",
        help="an operation that its graph may use besides the known ones; may be repeated",
    )


def _trust(options):
    return {key: getattr(options, key) for key in ("foreign", "unsafe", "allow")}


def _predict(options):
    import zoo

    inputs = zoo.import_quietly("zoo.saving.inputs")
    more = {"novelty": True} if options.novelty else {}
    if options.novelty and (options.sandbox or options.foreign):
        raise checks.InputError(
            "--novelty is for models with a card, and not for --sandbox: leave one out."
        )
    if options.sandbox:
        limits = {"seconds": options.seconds, "memory_mb": options.memory_mb}
        rows = zoo.predict_sandboxed(
            options.model, options.inputs, **_trust(options), **limits, partial=options.partial,
            with_rows=bool(options.out),
        )  # fmt: skip
    else:
        model = zoo.load(options.model, **_trust(options))
        rows = inputs.predict_files(model, options.inputs, with_rows=bool(options.out), **more)
    if options.out:
        count = inputs.write_csv(rows, options.out)
        print(f"{count} predictions in {options.out}")
        return
    for row in rows:
        print(json.dumps(row) if options.json else inputs.as_text(row), flush=True)


def _verify(options):
    import zoo

    store = zoo.import_quietly("zoo.saving.store")
    names = list(store.names()) if options.all else options.models
    if not names:
        raise checks.InputError("Name the models to verify, or pass --all.")
    failed = []
    for name in names:
        try:
            result = zoo.verify(name, **_trust(options), key=options.key)
            difference = result["largest_difference"]
            shown = (
                "no golden pair" if difference is None else f"largest difference {difference:.1e}"
            )
            print(f"ok      {name}: {shown}, {', '.join(result['signatures'])}")
        except checks.InputError as error:
            failed.append(name)
            print(f"FAILED  {name}: {error}")
    if failed:
        raise checks.InputError(f"{len(failed)} of {len(names)} models failed: {', '.join(failed)}")


def _sign(options):
    import zoo

    print(f"signed: {zoo.sign(options.model, options.key)}")


def _publish(options):
    import zoo

    print(f"published {zoo.publish(options.folder, options.name, also=options.also)}")


def _renew(options):
    import zoo

    for name in options.names:
        print(f"published {zoo.renew(name)}", flush=True)


def _convert(options):
    import zoo

    folder = zoo.convert(options.model, options.to, quantize=options.quantize, out=options.out)
    described = runtimes.describe(folder)
    size = sum(path.stat().st_size for path in folder.glob("model.*")) / 1024
    print(
        f"converted to {folder}: {size:,.0f} KiB; golden outputs differ by at most {described['largest_difference']:.1e}, "
        f"{described['same_answers']:.0%} of the answers are the same"
    )


def _shrink(options):
    import zoo

    given = {
        key: getattr(options, key) for key in ("prune", "fine_tune", "quantize", "distill", "out")
    }
    report, path = zoo.shrink(options.model, **given)
    print(report)
    print(f"exported {path}")
