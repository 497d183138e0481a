"""How long does MNIST take to 99.0 % test accuracy: the zoo's recipe against keras.io's `mnist_convnet` set-up.

    python benchmarks/time_to_accuracy.py

Both train on the same 54,000 images, with schedules fixed beforehand, for at most 20 epochs. The clock starts before
the model is built, so that compilation counts, and stands still while the test split is judged at each epoch's end
(both are judged the same way). Printed: seconds to the end of the first epoch with at least 99.0 % for three seeds.
The test split is only watched here: it picks neither a model nor a setting.
"""

import statistics
import time

import keras
import numpy as np

import zoo

GOAL, MOST_EPOCHS = 0.99, 20


class Clock(keras.callbacks.Callback):
    """Notes the time and the test accuracy at the end of each epoch; stops at the goal."""

    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels, self.paused, self.start, self.reached = (
            images,
            labels,
            0.0,
            time.perf_counter(),
            None,
        )

    def on_epoch_end(self, epoch, logs=None):
        at = time.perf_counter()
        logits = self.model.predict(self.images, batch_size=1000, verbose=0)
        self.accuracy = float(np.mean(logits.argmax(-1) == self.labels))
        seconds = at - self.start - self.paused
        if self.accuracy >= GOAL:
            self.reached = seconds, epoch + 1
            self.model.stop_training = True
        self.paused += time.perf_counter() - at


def recipe(splits, seed, clock):
    """cnn:fast, three epochs of one-cycle."""
    config = zoo.TrainConfig().replace(
        model="cnn:fast",
        batch_size=128,
        epochs=3,
        learning_rate=5e-3,
        schedule="one_cycle",
        seed=seed,
    )
    keras.utils.set_random_seed(seed)
    mapped = splits.mapped(zoo.prepare(splits))
    model = zoo.build(config.model, input_shape=splits.info.input_shape, num_classes=10)
    zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
    model.fit(
        mapped.train_forever(),
        steps_per_epoch=mapped.steps_per_epoch,
        epochs=config.run.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[clock],
    )


def keras_io(splits, seed, clock):
    """Two convolutions of 32 and 64 filters with pooling, dropout 0.5, Adam, batch 128."""
    keras.utils.set_random_seed(seed)
    x = splits.examples["train"].inputs.astype("float32") / 255
    y = keras.utils.to_categorical(splits.targets("train"), 10)
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
    model.fit(x, y, batch_size=128, epochs=MOST_EPOCHS, verbose=0, callbacks=[clock])


def main():
    splits = zoo.load_dataset("mnist", batch_size=128)
    images = splits.examples["test"].inputs.astype("float32") / 255
    labels = splits.targets("test")
    print(
        "| seed | set-up | seconds to 99.0 % | epochs | accuracy at the end |\n| --- | --- | --- | --- | --- |"
    )
    times = {recipe: [], keras_io: []}
    for seed in range(3):
        for run in times:
            clock = Clock(images, labels)
            run(splits, seed, clock)
            total = time.perf_counter() - clock.start - clock.paused
            reached = clock.reached or (None, None)
            times[run].append(reached[0] or float("inf"))
            shown = f"{reached[0]:.1f}" if reached[0] else f"not in {total:.0f}"
            print(
                f"| {seed} | {run.__name__} | {shown} | {reached[1] or '-'} | {clock.accuracy:.4f} |",
                flush=True,
            )
    ours, theirs = statistics.median(times[recipe]), statistics.median(times[keras_io])
    print(f"\nmedian: recipe {ours:.1f} s, keras_io {theirs:.1f} s, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
