"""Trials per minute of `zoo.tune` against a hand-written KerasTuner script on the same space and data.

    python benchmarks/tuning_overhead.py [ROW ...] [--rounds 15] [--trials 8]

Both sides search at random with the same seed, so that they train the same models with the same settings, for the same
epochs on the same examples, taking turns in one process. By hand: arrays that were prepared beforehand, `model.compile`,
`model.fit`, and KerasTuner's own files (the best epoch's weights of each trial). On the side of the zoo everything counts
that `zoo.tune` does: reading and preparing the data, a checkpoint and a row of metrics at each epoch, TensorBoard's files,
the report with its pictures. Printed: the median over the rounds of the ratio of trials per minute (zoo / by hand) with
its 95 % interval (bootstrap), and beside it by hand against by hand, which shows the noise.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time

import keras
import keras_tuner
from recipe_overhead import ratio

import zoo
from zoo.tuning import spaces

# Row → model, data, epochs of a trial.
ROWS = {
    "dense": ("dense:small", {"dataset": "digits", "epochs": 5}),
    "cnn": ("cnn:small", {"dataset": "digits", "epochs": 3}),
    "mnist": ("dense:small", {"dataset": "mnist", "limit": 10_000, "epochs": 3}),
}
FIX = {"augment": "none", "schedule": "constant"}  # by hand there is neither


def by_hand(model, settings, trials):
    """A function that searches with KerasTuner alone."""
    config = zoo.TrainConfig(model=model).replace(**settings)
    splits = zoo.load_dataset(**zoo.data_options(config))
    preparation = zoo.prepare(splits)
    x, y, *validation = [
        array
        for split in ("train", "validation")
        for array in map(keras.ops.convert_to_numpy, preparation(*splits.examples[split].tensors))
    ]

    def options(hp):
        narrowed = spaces.Narrowed(hp, FIX)
        found = spaces.training_space(
            narrowed, splits.info, config, objective="val_accuracy", num_train=len(x)
        )
        return found, spaces.family_space(narrowed, model)

    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            training, arguments = options(hp)
            built = zoo.build(model, **preparation.builder_arguments, **arguments)
            optimizer = keras.optimizers.Adam(
                training["learning_rate"], weight_decay=training["weight_decay"]
            )
            smoothing = training["label_smoothing"]
            loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
            built.compile(optimizer, loss, metrics=["accuracy"])
            return built

        def fit(self, hp, built, *arguments, **more):
            return built.fit(*arguments, batch_size=options(hp)[0]["batch_size"], **more)

    targets = [keras.utils.to_categorical(values) for values in (y, validation[1])]

    def search():
        with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as null:
            tuner = keras_tuner.RandomSearch(
                Own(), objective="val_accuracy", max_trials=trials, seed=1, directory=folder
            )
            with contextlib.redirect_stdout(null):
                tuner.search(
                    x,
                    targets[0],
                    validation_data=(validation[0], targets[1]),
                    epochs=config.run.epochs,
                    verbose=0,
                )

    return search


def by_zoo(model, settings, trials):
    """A function that searches with `zoo.tune`."""

    def search():
        with tempfile.TemporaryDirectory() as folder:
            zoo.tune(
                model,
                tuner="random",
                trials=trials,
                fix=FIX,
                prune=False,
                out=f"{folder}/search",
                quiet=True,
                **settings,
            )

    return search


def rate(search, trials):
    begun = time.perf_counter()
    search()
    return 60 * trials / (time.perf_counter() - begun)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--trials", type=int, default=8, help="of a search")
    options = parser.parse_args()
    print(
        "| row | zoo, trials per minute | by hand | zoo / by hand | 95 % | by hand / by hand | 95 % |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in options.rows or ROWS:
        hand, ours = by_hand(*ROWS[row], options.trials), by_zoo(*ROWS[row], options.trials)
        for search in (hand, ours):  # what is made once
            search()
        rates = {"zoo": [], "hand": [], "again": []}
        for number in range(options.rounds):
            turns = [("zoo", ours), ("hand", hand), ("again", hand)]
            for key, search in turns if number % 2 else turns[::-1]:
                rates[key].append(rate(search, options.trials))
        medians = [f"{statistics.median(rates[key]):.1f}" for key in ("zoo", "hand")]
        beside = [ratio(rates["zoo"], rates["hand"]), ratio(rates["again"], rates["hand"])]
        print(f"| {row} | {' | '.join(medians + beside)} |", flush=True)
