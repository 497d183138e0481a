"""Does memory grow with the data? Peak memory of training on MNIST-like images, once 54,000 and once ten times as many.

    python benchmarks/memory.py

The larger set lies on disk as TFRecords of 28x28 PNG images (MNIST's own, repeated), prepared once into a temporary
folder by TFDS; it exceeds the cache of 256 MiB and is streamed. Each size trains 300 steps in a process of its own.
"""

import resource
import subprocess
import sys
import tempfile

STEPS = 300


def child(times, folder):
    import tensorflow_datasets as tfds

    import zoo
    from zoo.data import datasets, pipeline, sources

    builder = datasets.find_builder("mnist")
    info, splits = datasets.read("mnist")
    if times > 1:

        class Repeated(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self, features=builder.info.features, supervised_keys=("image", "label")
                )

            def _split_generators(self, dl_manager):
                return {"train": self._generate_examples()}

            def _generate_examples(self):
                for i in range(times):
                    for j, example in enumerate(
                        tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False))
                    ):
                        yield i * 100_000 + j, example

        repeated = Repeated(data_dir=folder)
        if not repeated.is_prepared():
            repeated.download_and_prepare()
            return
        count = repeated.info.splits["train"].num_examples
        examples = repeated.as_dataset(
            split="train", as_supervised=True, read_config=tfds.ReadConfig(try_autocache=False)
        )
        data = datasets.in_memory(examples, count, cache_mb=256)
        assert isinstance(data, sources.Stream)
        splits = {"train": data, "test": splits["test"]}
    made = pipeline.make_splits(info, splits, batch_size=128)
    mapped = made.mapped(zoo.prepare(made))
    model = zoo.build("cnn:base", input_shape=(28, 28, 1), num_classes=10)
    zoo.compile_model(model, info, steps_per_epoch=STEPS)
    model.fit(mapped.train_forever(), steps_per_epoch=STEPS, epochs=1, verbose=0, shuffle=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kind = type(made.examples["train"]).__name__
    print(f"| {len(made.examples['train']):,} ({kind}) | {peak:,.0f} |", flush=True)


def main():
    print("| training images | peak memory of the process, MiB |\n| --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for times in (
            1,
            10,
            10,
        ):  # the first call with 10 prepares the files, so that its memory does not count
            subprocess.run([sys.executable, __file__, str(times), folder], check=True)


if __name__ == "__main__":
    child(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else main()
