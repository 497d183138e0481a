"""What share of a run's training time goes into checkpoints, at the default interval?

    python benchmarks/checkpoint_cost.py

Each run is a recipe's own, up to the end of its training; every save is timed inside of it, from the first variable that
is read to the file's last flush to disk. Printed: epochs, seconds, saves, the median of a save, the size of a checkpoint,
and the saves' share of all seconds.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

import zoo
from zoo.training import resume

RUNS = {
    "20 epochs of digits": {"model": "cnn:base", "dataset": "digits", "epochs": 20, "batch_size": 64},
    "2 epochs of MNIST": {"model": "cnn:base", "dataset": "mnist", "epochs": 2, "batch_size": 128},
    "3 epochs of MNIST": {"model": "dense:large", "dataset": "mnist", "epochs": 3, "batch_size": 128},
}  # fmt: skip


def main():
    print("| run | model | training, s | saves | a save, ms | a checkpoint, KiB | share |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    taken, save = [], resume.Checkpoints._save

    def timed(*arguments):
        start = time.perf_counter()
        save(*arguments)
        taken.append(time.perf_counter() - start)

    resume.Checkpoints._save = timed
    for name, options in RUNS.items():
        taken.clear()
        with tempfile.TemporaryDirectory() as folder:
            config = zoo.TrainConfig().replace(out=f"{folder}/run", quiet=True, **options)
            with zoo.start_run(config) as run:
                splits = zoo.load_dataset(**zoo.data_options(config))
                preparation = zoo.prepare(splits)
                splits = splits.mapped(preparation)
                model = zoo.build(config.model, **preparation.builder_arguments)
                zoo.compile_model(model, splits.info, config)
                seconds = zoo.fit_model(model, splits, run).seconds
            size = max(path.stat().st_size for path in Path(folder).rglob("step-*.npz"))
        print(
            f"| {name} | {options['model']} | {seconds:.1f} | {len(taken)} | {1000 * np.median(taken):.0f} "
            f"| {size / 1024:,.0f} | {sum(taken) / seconds:.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
