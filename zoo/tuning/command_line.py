"""The command line of `zoo tune`: its own options; the others are those of `zoo train`.

Imports neither TensorFlow nor Keras, and what makes options of `TrainConfig` only to search, so that `--help` answers at once.
"""

from zoo.models import checks


def add_options(parser):
    """Adds the options of a search to an `argparse` parser."""
    parser.description = (
        "Search the settings that train a model best, with KerasTuner. Every option of `zoo train` can be added; what "
        "differs from its default is kept, not searched. The same command goes on with a search that was stopped."
    )
    add = parser.add_argument
    add("model", help="family and perhaps size: cnn, cnn:small")
    add("--tuner", default="hyperband", help="hyperband, random, grid or bayesian")
    add("--trials", type=int, metavar="N", help="how many at most")
    add("--objective", metavar="NAME", help="for example val_accuracy or val_nll")
    pairs = {"nargs": "+", "action": "extend", "default": []}
    add("--fix", metavar="NAME=VALUE", help="not searched: dropout=0.2", **pairs)
    text = "narrower: num_layers=2..6, or single values: cell=lstm,gru"
    add("--space", metavar="NAME=RANGE", help=text, **pairs)
    add("--max-params", type=int, metavar="N", help="parameters of a model")
    add("--max-latency-ms", type=float, metavar="MS", help="of one example, measured")
    add("--max-minutes", type=float, metavar="M", help="when the search ends")
    text = "let trials go on that are worse than most"
    add("--no-prune", dest="prune", action="store_false", help=text)
    text = "train the best settings on train + validation with three seeds, and export"
    add("--retrain", action="store_true", help=text)


def run(options):
    """Searches with parsed options; `options.rest` holds those of `zoo train`."""
    import zoo
    from zoo.config.config import TrainConfig
    from zoo.training.command_line import from_command_line

    if any(option.partition("=")[0] == "--model" for option in options.rest):
        raise checks.InputError(
            f"zoo tune takes the model as its first argument, here {options.model}: leave --model out."
        )
    spaces = zoo.import_quietly("zoo.tuning.spaces")
    config = from_command_line(TrainConfig(), "Options of `zoo train`.", options.rest)
    keys = ("tuner", "trials", "objective", "max_params", "max_latency_ms", "max_minutes")
    tuned = zoo.tune(
        options.model,
        config=config,
        fix=spaces.parse(options.fix),
        space=spaces.parse(options.space, ranges=True),
        prune=options.prune,
        retrain=options.retrain,
        **{key: getattr(options, key) for key in keys},
    )
    if tuned is not None:  # a worker's chief has it
        print(tuned)
