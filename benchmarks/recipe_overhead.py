"""Does the shared recipe cost anything over `model.compile` and `model.fit` on arrays in memory?

    python benchmarks/recipe_overhead.py [--rounds 15]

Both train the same model on the same MNIST images in memory, with the same batch size, optimizer, epochs and
validation, taking turns in one process. The recipe's side is `fit_model` as every recipe calls it: its checks,
checkpoints, CSV file and curves count. Printed: the median over the rounds of the ratio of examples per second
(recipe / plain) with its 95 % interval (bootstrap), and beside it plain against plain, which shows the noise.
"""

import argparse
import tempfile
import time

import keras
import numpy as np

import zoo

BATCH, EPOCHS = 128, 3
IMAGES = {"dense:small": 60_000, "cnn:small": 128 * 40}


def ratio(a, b):
    """Median of a/b over the rounds and its 95 % interval, as text."""
    each = np.array(a) / np.array(b)
    medians = np.median(np.random.default_rng(0).choice(each, (2000, len(each))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return f"{np.median(each):.2f} | {low:.2f} to {high:.2f}"


def plain(name, splits):
    """A hand-written set-up; returns a function that trains for `EPOCHS`."""
    arrays = {name: splits.examples[name] for name in ("train", "validation")}
    x, x_val = (part.inputs.astype("float32") / 255 for part in arrays.values())
    y, y_val = (part.targets for part in arrays.values())
    model = zoo.build(name, input_shape=(28, 28, 1), num_classes=10)
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
    )
    return lambda: model.fit(
        x, y, batch_size=BATCH, epochs=EPOCHS, validation_data=(x_val, y_val), verbose=0
    )


def recipe(splits, run):
    """The shared recipe; returns a function that trains for `EPOCHS`."""
    splits = splits.mapped(zoo.prepare(splits))
    model = zoo.build(run.config.model, input_shape=(28, 28, 1), num_classes=10)
    zoo.compile_model(model, splits.info, run.config, steps_per_epoch=splits.steps_per_epoch)
    return lambda: zoo.fit_model(model, splits, run)


def speed(train, count):
    start = time.perf_counter()
    train()
    return EPOCHS * count / (time.perf_counter() - start)


def main(rounds):
    print("| model | plain, ex/s | recipe, ex/s | recipe / plain | 95 % | plain / plain | 95 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, images in IMAGES.items():
        config = zoo.TrainConfig(model=name).replace(
            dataset="mnist", limit=images, batch_size=BATCH, epochs=EPOCHS, quiet=True
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            zoo.start_run(config.replace(out=f"{folder}/run")) as run,
        ):
            splits = zoo.load_dataset(**zoo.data_options(config))
            count = len(splits.examples["train"])
            trained = {
                "recipe": splits.steps_per_epoch * BATCH
            }  # the recipe leaves the last part of a batch out
            sides = {
                "recipe": recipe(splits, run),
                "plain": plain(name, splits),
                "again": plain(name, splits),
            }
            speeds = {side: [] for side in sides}
            for i in range(rounds + 1):
                for side in np.roll(list(sides), i):
                    speeds[side].append(speed(sides[side], trained.get(side, count)))
            speeds = {side: values[1:] for side, values in speeds.items()}  # the first round traces
        print(
            f"| {name} | {np.median(speeds['plain']):,.0f} | {np.median(speeds['recipe']):,.0f} "
            f"| {ratio(speeds['recipe'], speeds['plain'])} | {ratio(speeds['again'], speeds['plain'])} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    main(parser.parse_args().rounds)
