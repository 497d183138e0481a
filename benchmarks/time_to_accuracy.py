"""How long does a test accuracy take: the zoo's recipe against keras.io's example for the same data.

    python benchmarks/time_to_accuracy.py                  # MNIST to 99.0 %, against `mnist_convnet`
    python benchmarks/time_to_accuracy.py imdb_reviews     # to 87 %, against `text_classification_from_scratch`

Both sides train on the same examples, nine tenths of the training split, with schedules fixed beforehand. The clock starts
before texts are prepared and the model is built, so that compilation counts, and stands still while the test split is judged
at each epoch's end. Printed: seconds to the end of the first epoch that reaches the goal, for three seeds. The test split is
only watched here: it picks neither a model nor a setting.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

import zoo


class Clock(keras.callbacks.Callback):
    """Notes the time and the test accuracy at the end of each epoch; stops at the goal.

    `test` makes the test split's inputs, while the clock stands still.
    """

    def __init__(self, goal, labels):
        super().__init__()
        self.goal, self.labels, self.test = goal, labels, None
        self.paused, self.start, self.reached = 0.0, time.perf_counter(), None

    def on_epoch_end(self, epoch, logs=None):
        at = time.perf_counter()
        outputs = self.model.predict(self.test(), verbose=0)
        self.accuracy = float(np.mean(classes(outputs) == self.labels))
        if self.accuracy >= self.goal:
            self.reached = at - self.start - self.paused, epoch + 1
            self.model.stop_training = True
        self.paused += time.perf_counter() - at


def classes(outputs):
    """The classes of logits or probabilities, or of one probability an example."""
    return outputs[:, 0] > 0.5 if outputs.shape[-1] == 1 else outputs.argmax(-1)


def recipe(case, splits, clock, seed):
    """The shared recipe, without its files."""
    config = zoo.TrainConfig().replace(schedule="one_cycle", seed=seed, **case.options)
    preparation = zoo.prepare(splits)
    mapped = splits.mapped(preparation)
    arguments = {**preparation.builder_arguments, **config.model_args}
    model = zoo.build(config.model, **arguments)
    zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
    clock.test = lambda: mapped.test
    model.fit(
        mapped.train_forever(),
        steps_per_epoch=mapped.steps_per_epoch,
        epochs=config.run.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[clock],
    )


def keras_io_images(case, splits, clock, seed):
    """Two convolutions of 32 and 64 filters with pooling, dropout 0.5, Adam, batch 128."""
    x = splits.examples["train"].inputs.astype("float32") / 255
    y = keras.utils.to_categorical(splits.targets("train"), 10)
    clock.test = lambda: splits.examples["test"].inputs.astype("float32") / 255
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            keras.layers.MaxPooling2D(pool_size=(2, 2)),
            keras.layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            keras.layers.MaxPooling2D(pool_size=(2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=case.most_epochs, verbose=0, callbacks=[clock])


def keras_io_texts(case, splits, clock, seed):
    """Two strided convolutions of 128 filters, dropout 0.5, Adam, batch 32, 500 of 20,000 words."""
    words = keras.layers.TextVectorization(20000, output_sequence_length=500)
    words.adapt(splits.examples["train"].inputs)
    x = np.asarray(words(splits.examples["train"].inputs))
    clock.test = lambda: words(splits.examples["test"].inputs)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int64"),
            keras.layers.Embedding(20000, 128),
            keras.layers.Dropout(0.5),
            keras.layers.Conv1D(128, 7, padding="valid", activation="relu", strides=3),
            keras.layers.Conv1D(128, 7, padding="valid", activation="relu", strides=3),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, splits.targets("train"), epochs=case.most_epochs, verbose=0, callbacks=[clock])


@dataclasses.dataclass(frozen=True)
class Case:
    """What is to be reached on a data set, by which settings of the recipe, against what."""

    goal: float
    options: dict
    other: Callable
    most_epochs: int  # of the other side
    data: dict = dataclasses.field(default_factory=dict)


CASES = {
    "mnist": Case(
        0.99,
        {"model": "cnn:fast", "epochs": 3, "batch_size": 128, "learning_rate": 5e-3},
        keras_io_images,
        20,
    ),
    "imdb_reviews": Case(
        0.87,
        {
            "model": "cnn:text",
            "model_args": {"filters": (128,), "kernel_size": 5, "embedding_dim": 64},
            "epochs": 2,
            "batch_size": 64,
            "learning_rate": 3e-3,
        },
        keras_io_texts,
        4,  # the example trains for three
        {"text_size": (400, 20000)},
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="mnist", choices=list(CASES))
    name = parser.parse_args().dataset
    case = CASES[name]
    splits = zoo.load_dataset(name, batch_size=case.options["batch_size"], **case.data)
    print(
        f"| seed | set-up | seconds to {case.goal:.1%} | epochs | accuracy at the end |\n| --- | --- | --- | --- | --- |"
    )
    times = {recipe: [], case.other: []}
    for seed in range(3):
        for run in times:
            keras.utils.set_random_seed(seed)
            clock = Clock(case.goal, splits.targets("test"))
            run(case, splits, clock, seed)
            total = time.perf_counter() - clock.start - clock.paused
            seconds, epochs = clock.reached or (float("inf"), "-")
            times[run].append(seconds)
            shown = f"{seconds:.1f}" if clock.reached else f"not in {total:.0f}"
            print(
                f"| {seed} | {run.__name__} | {shown} | {epochs} | {clock.accuracy:.4f} |",
                flush=True,
            )
    ours, theirs = statistics.median(times[recipe]), statistics.median(times[case.other])
    print(f"\nmedian (inf: not reached): recipe {ours:.1f} s, keras.io {theirs:.1f} s")


if __name__ == "__main__":
    main()
