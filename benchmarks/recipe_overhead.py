"""Does the shared recipe cost anything over `model.compile` and `model.fit` on arrays in memory?

    python benchmarks/recipe_overhead.py [ROW ...] [--rounds 15]

A row is a recipe with its own settings on some of its data. Both sides train the same model on the same examples, with
the same batch size, optimizer, epochs and validation, taking turns in one process. By hand, the learning rate is constant,
the inputs are prepared beforehand and texts filled up to the length of the longest. The recipe's side is `start_run` and
`fit_model` as every recipe calls them: folder, preparation, schedule, checks, checkpoints, CSV file and curves count.
Printed: the median over the rounds of the ratio of examples per second (recipe / plain) with its 95 % interval
(bootstrap), and beside it plain against plain, which shows the noise.

`waits` is the share of the time of an epoch in which a training step waits for the recipe's pipeline, measured inside
the graph, where `fit` takes its batches too; beside it, in brackets, what the same steps wait for one batch that is there
already: TensorFlow's own time to hand a batch over.
"""

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import zoo

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

# Row → (recipe, changes to its settings): where an epoch is long, fewer examples or epochs.
ROWS = {
    "dense": ("classify_images", {"model": "dense:small", "dataset": "mnist", "batch_size": 128, "epochs": 3}),
    "cnn": ("classify_images", {"model": "cnn:small", "dataset": "mnist", "batch_size": 128, "limit": 5120, "epochs": 3}),
    "digits": ("classify_images", {}),
    "text": ("classify_text", {"limit": 12800, "epochs": 1}),
    "generate": ("generate_images", {"epochs": 50}),
    "pronounce": ("pronounce_words", {"limit": 6400, "epochs": 1}),
    "series": ("forecast_series", {}),
    "table": ("classify_table", {}),
    "finetune": ("finetune", {}),
}  # fmt: skip


def ratio(a, b):
    """Median of a/b over the rounds and its 95 % interval, as text."""
    each = np.array(a) / np.array(b)
    medians = np.median(np.random.default_rng(0).choice(each, (2000, len(each))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return f"{np.median(each):.2f} | {low:.2f} to {high:.2f}"


def settings(row):
    recipe, changes = ROWS[row]
    config = importlib.import_module(recipe).DEFAULTS.replace(quiet=True, **changes)
    return zoo.from_weights(config)


def build(config, preparation):
    if config.weights:
        return zoo.build(
            weights=config.weights, num_classes=preparation.builder_arguments["num_classes"]
        )
    return zoo.build(config.model, **{**preparation.builder_arguments, **config.model_args})


def plain(config, splits, preparation):
    """A hand-written set-up; returns a function that trains for all epochs."""
    parts = []
    for split in ("train", "validation"):
        data = splits.examples[split]
        arrays = preparation(*data.tensors)  # all examples at once: texts as long as the longest
        parts.append(keras.tree.map_structure(keras.ops.convert_to_numpy, arrays))
    (x, y), validation = parts
    model, task = build(config, preparation), splits.info.task
    if task == "generation":  # the model adds its own loss
        y, validation = None, (validation[0], None)
    loss = {"generation": None, "forecasting": "mae"}.get(
        task, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    of_classes = task in ("classification", "translation")
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"] if of_classes else None)
    options = {"batch_size": config.data.batch_size, "epochs": config.run.epochs, "verbose": 0}
    return lambda: model.fit(x, y, validation_data=validation, **options)


def recipe(config, splits, preparation):
    """The shared recipe; returns a function that trains for all epochs, in a run of its own."""
    model = build(config, preparation)
    weights = model.get_weights()

    def train():
        with (
            tempfile.TemporaryDirectory() as folder,
            zoo.start_run(config.replace(out=f"{folder}/run")) as run,
        ):
            model.set_weights(weights)
            if not model.compiled:
                zoo.compile_model(
                    model, splits.info, config, steps_per_epoch=splits.steps_per_epoch
                )
            zoo.fit_model(model, splits, run)

    return train


def waits(config, splits, preparation):
    """Share of the time that training steps wait for the pipeline, and for one batch again and again."""
    model = build(config, preparation)
    zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)

    @tf.function(reduce_retracing=True)
    def step(batches):
        asked = tf.timestamp()
        with tf.control_dependencies([asked]):
            batch = next(batches)
        with tf.control_dependencies(tf.nest.flatten(batch)):
            waited = tf.timestamp() - asked
        return model.train_step(batch), waited

    def share(batches, steps):
        waited, begun = 0.0, time.perf_counter()
        for _ in range(steps):
            logs, seconds = step(batches)
            waited += float(seconds)
        float(logs["loss"])
        return waited / (time.perf_counter() - begun)

    batches, steps = iter(splits.train_forever()), max(200, splits.steps_per_epoch)
    share(batches, splits.steps_per_epoch)
    one = iter(tf.data.Dataset.from_tensors(next(batches)).repeat())
    share(one, 10)
    return share(batches, steps), share(one, steps)


def speed(train, count):
    start = time.perf_counter()
    train()
    return count / (time.perf_counter() - start)


def main(options):
    print(
        "| recipe | plain, ex/s | recipe, ex/s | recipe / plain | 95 % | plain / plain | 95 % | waits |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in options.rows or ROWS:
        config = settings(row)
        splits = zoo.load_dataset(**zoo.data_options(config))
        preparation = zoo.prepare(splits)
        mapped = splits.mapped(preparation)
        counts = {  # the recipe leaves the last part of a batch out
            "recipe": splits.steps_per_epoch * config.data.batch_size * config.run.epochs,
            "plain": len(splits.examples["train"]) * config.run.epochs,
        }
        counts["again"] = counts["plain"]
        sides = {
            "recipe": recipe(config, mapped, preparation),
            "plain": plain(config, splits, preparation),
            "again": plain(config, splits, preparation),
        }
        speeds = {side: [] for side in sides}
        for i in range(options.rounds + 1):
            for side in np.roll(list(sides), i):
                speeds[side].append(speed(sides[side], counts[side]))
        speeds = {side: values[1:] for side, values in speeds.items()}  # the first round traces
        waited, handing_over = waits(config, mapped, preparation)
        print(
            f"| {row} | {np.median(speeds['plain']):,.0f} | {np.median(speeds['recipe']):,.0f} "
            f"| {ratio(speeds['recipe'], speeds['plain'])} | {ratio(speeds['again'], speeds['plain'])} "
            f"| {waited:.1%} ({handing_over:.1%}) |",
            flush=True,
        )
        keras.utils.clear_session()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS])
    parser.add_argument("--rounds", type=int, default=15)
    main(parser.parse_args())
