"""What do training batches of texts of similar length save?

    python benchmarks/text_batches.py [--dataset imdb_reviews] [--models recurrent:base transformer:small cnn:text]

Batches by length (the default) and batches as they come take turns in one process: the same model, the same texts, 50
steps a round. Printed: the padding share of each, examples per second of the batches by length, the median ratio of
speeds over the rounds with its 95 % interval (bootstrap), and the peak memory of each in a process of its own.
"""

import argparse
import itertools
import multiprocessing
import resource
import time

import numpy as np
from recipe_overhead import ratio

import zoo
from zoo.data.kinds import buckets
from zoo.data.kinds import text as texts

STEPS, BATCH = buckets.WINDOW, 64


def side(model, dataset, bucket):
    """A function that trains so many steps and returns examples per second; and the padding share."""
    config = zoo.TrainConfig(model=model).replace(batch_size=BATCH)
    splits = zoo.load_dataset(dataset, batch_size=BATCH, bucket=bucket)
    preparation = zoo.prepare(splits)
    built = zoo.build(model, **preparation.builder_arguments)
    zoo.compile_model(built, splits.info, config)
    batches = iter(splits.mapped(preparation).train_forever())
    built.make_train_function()

    def speed(steps=STEPS):
        start = time.perf_counter()
        for _ in itertools.repeat(None, steps):
            logs = built.train_function(batches)
        float(logs["loss"])
        return steps * BATCH / (time.perf_counter() - start)

    return speed, texts.padding_share(splits, splits.info.text_size[0])


def peak_memory(model, dataset, bucket, answer):
    speed, _ = side(model, dataset, bucket)
    speed()
    answer.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main(options):
    print(
        "| model | padding by length | as they come | examples/s | ratio | 95 % | MiB by length | as they come |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for model in options.models:
        memory = []
        for bucket in (True, False):
            answer = context.Queue()
            child = context.Process(
                target=peak_memory, args=(model, options.dataset, bucket, answer)
            )
            child.start()
            memory.append(answer.get())
            child.join()
        sides = {bucket: side(model, options.dataset, bucket) for bucket in (True, False)}
        speeds = {bucket: [] for bucket in sides}
        for i in range(options.rounds + 1):
            for bucket in np.roll([True, False], i):
                speeds[bool(bucket)].append(sides[bool(bucket)][0]())
        by_length, mixed = (
            speeds[bucket][1:] for bucket in (True, False)
        )  # the first round traces
        print(
            f"| {model} | {sides[True][1]:.1%} | {sides[False][1]:.1%} | {np.median(by_length):,.0f} "
            f"| {ratio(by_length, mixed)} | {memory[0]:,.0f} | {memory[1]:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="imdb_reviews")
    parser.add_argument(
        "--models", nargs="+", default=["recurrent:base", "transformer:small", "cnn:text"]
    )
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args())
