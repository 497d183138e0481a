"""Does memory grow with the data? Peak memory of training on 60,000 MNIST images and on ten times as many.

    python benchmarks/memory.py

The larger set is MNIST's files read ten times over. It exceeds the cache of 256 MiB, so that it is streamed. Each size
trains 300 steps in a process of its own.
"""

import resource
import subprocess
import sys

STEPS = 300


def child(times):
    import tensorflow_datasets as tfds

    import zoo
    from zoo.data import datasets, examples
    from zoo.data import load as door

    builder = datasets.find_builder("mnist")
    info, splits = door.read("mnist", cache_mb=1)
    records = builder.as_dataset(
        split="train", as_supervised=True, read_config=tfds.ReadConfig(try_autocache=False)
    ).repeat(times)
    count = builder.info.splits["train"].num_examples * times
    splits["train"] = examples.Stream(records, count).held(256)
    made = door.make_splits(info, splits, batch_size=128)
    preparation = zoo.prepare(made)
    model = zoo.build("cnn:base", **preparation.builder_arguments)
    zoo.compile_model(model, info, steps_per_epoch=STEPS)
    batches = made.mapped(preparation).train_forever()
    model.fit(batches, steps_per_epoch=STEPS, epochs=1, verbose=0, shuffle=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kind = type(made.examples["train"]).__name__
    print(f"| {len(made.examples['train']):,} ({kind}) | {peak:,.0f} |", flush=True)


def main():
    print("| training images | peak memory of the process, MiB |\n| --- | --- |", flush=True)
    for times in (1, 10):
        subprocess.run([sys.executable, __file__, str(times)], check=True)


if __name__ == "__main__":
    child(int(sys.argv[1])) if len(sys.argv) > 1 else main()
