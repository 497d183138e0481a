"""How fast is each family's small size against the same model written by hand in Keras and in PyTorch?

    pip install torch==2.13.0
    python benchmarks/families.py [ROW ...] [--batch 32 128] [--rounds 15] [--compiled]

One training step (forward, loss, gradient, Adam) and one inference call on one batch that is in memory already. All
sides take turns in one process. The zoo's step is the shared recipe's: `zoo.compile_model`. Printed: the zoo's median
milliseconds, and for each peer the median over the rounds of the ratio of speeds (zoo / peer; above 1 the zoo is faster)
with its 95 % interval (bootstrap). `keras again` is a second model of the hand-written Keras side against the first,
which shows the noise. `--compiled` adds `torch.compile`, which takes minutes.
"""

import argparse
import time

import keras
import numpy as np
import peers
import tensorflow as tf
import torch
from recipe_overhead import ratio

import zoo
from zoo import families
from zoo.data.examples import DataInfo
from zoo.models import seq2seq
from zoo.training.compile import make_optimizer

SECONDS = 0.25  # a round of one side


def _images(batch):
    return np.random.default_rng(0).random((batch, 28, 28, 1), "float32"), np.arange(batch) % 10


def _grey(batch):
    return _images(batch)[0], None


def _tokens(batch, steps, words):
    """Half of the sequences are full, the others end earlier."""
    rng = np.random.default_rng(0)
    lengths = np.maximum(rng.integers(0, 2 * steps, (batch, 1)), 1)
    ids = rng.integers(3, words, (batch, steps))
    return np.where(np.arange(steps) < lengths, ids, 0).astype("int32")


def _texts(batch):
    return _tokens(batch, peers.STEPS, peers.WORDS), np.arange(batch) % 10


def _pairs(batch):
    source = _tokens(batch, peers.SPELLING, peers.LETTERS)
    pair = seq2seq.teacher_forcing(source, _tokens(batch, peers.SPELLING, peers.SOUNDS))
    return keras.tree.map_structure(keras.ops.convert_to_numpy, pair)  # with the weights of steps


IMAGE = {"input_shape": (28, 28, 1), "num_classes": 10}
GREY = {"input_shape": (28, 28, 1)}
TEXT = {"input_shape": (peers.STEPS,), "num_classes": 10, "vocabulary_size": peers.WORDS}
PAIR = {
    "input_shape": (peers.SPELLING,),
    "num_classes": peers.SOUNDS,
    "vocabulary_size": peers.LETTERS,
}
# Row → (the zoo's model, its arguments, its data, by hand in Keras, by hand in PyTorch)
ROWS = {
    "dense": ("dense:small", IMAGE, _images, peers.keras_dense, peers.torch_dense),
    "cnn": ("cnn:small", IMAGE, _images, peers.keras_cnn, peers.torch_cnn),
    "resnet": ("resnet:20", IMAGE, _images, peers.keras_resnet, peers.torch_resnet),
    "recurrent": ("recurrent:small", TEXT, _texts, peers.keras_recurrent, peers.TorchRecurrent),
    "vae": ("vae:small", GREY, _grey, peers.keras_vae, peers.TorchVAE),
    "transformer": ("transformer:small", TEXT, _texts, peers.keras_transformer, peers.TorchTransformer),
    "vit": ("vit:mnist", IMAGE, _images, peers.keras_vit, peers.TorchViT),
    "seq2seq": ("seq2seq:small", PAIR, _pairs, peers.keras_seq2seq, peers.TorchSeq2Seq),
}  # fmt: skip


def keras_sides(model, data):
    """Functions (count) that take so many training steps, and so many inference calls."""
    data = tuple(part for part in data if part is not None)
    batches = iter(tf.data.Dataset.from_tensors(data).repeat().prefetch(2))
    model.make_train_function()
    infer = tf.function(lambda inputs: model(inputs, training=False))
    inputs = keras.tree.map_structure(tf.constant, data[0])

    def train(count):
        for _ in range(count):
            logs = model.train_function(batches)
        return float(logs["loss"])

    def predict(count):
        for _ in range(count):
            outputs = infer(inputs)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    return train, predict


def _for_torch(x):
    x = torch.tensor(x)
    return x.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else x


def torch_sides(model, data, *, compiled=False):
    """As `keras_sides`."""
    x, y, *_ = data
    inputs = [_for_torch(part) for part in (x.values() if isinstance(x, dict) else [x])]
    targets = None if y is None else torch.tensor(y, dtype=torch.int64).flatten()
    adam = torch.optim.Adam(model.parameters(), 1e-3)
    run = torch.compile(model) if compiled else model

    def loss_of(outputs):
        if targets is None:
            return outputs  # the model's own loss
        steps = -100 if isinstance(x, np.ndarray) else 0  # the padding of sequences has no loss
        return torch.nn.functional.cross_entropy(
            outputs.flatten(0, -2), targets, ignore_index=steps
        )

    def train(count):
        model.train()
        for _ in range(count):
            adam.zero_grad()
            loss = loss_of(run(*inputs))
            loss.backward()
            adam.step()
        return float(loss.detach())

    def predict(count):
        model.eval()
        with torch.inference_mode():
            for _ in range(count):
                outputs = run(*inputs)
        return outputs

    return train, predict


def zoo_model(name, arguments, batch):
    model, config = zoo.build(name, **arguments), zoo.TrainConfig().replace(batch_size=batch)
    if name.startswith("seq2seq"):
        return by_hand(model, make_optimizer(config.optimizer, 1))
    task = families.only_task(name) or "classification"
    info = DataInfo("benchmark", "image", task, (1,), "uint8", tuple("0123456789"))
    return zoo.compile_model(model, info, config)


def by_hand(model, optimizer=None):
    optimizer = optimizer or keras.optimizers.Adam(1e-3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if isinstance(getattr(model, "output", None), dict):  # a vae, whose loss is its own
        model.compile(optimizer)
    elif isinstance(getattr(model, "input", None), dict):
        model.compile(optimizer, loss, weighted_metrics=["accuracy"])
    else:
        model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def compare(sides, rounds):
    """Seconds per call of each side, one per round; the sides take turns."""
    counts, seconds = {}, {name: [] for name in sides}
    for name, work in sides.items():
        work(2)
        start = time.perf_counter()
        work(1)
        counts[name] = max(1, round(SECONDS / (time.perf_counter() - start)))
    for i in range(rounds):
        for name in np.roll(list(sides), i):
            start = time.perf_counter()
            sides[name](counts[name])
            seconds[name].append((time.perf_counter() - start) / counts[name])
    return seconds


def main(options):
    torch.set_flush_denormal(True)  # as TensorFlow does
    columns = ["keras", "torch"] + ["torch.compile"] * options.compiled
    titles = [f"zoo / {column}" for column in columns] + ["keras / keras again"]
    print("| row | batch | what | zoo, ms |" + "".join(f" {title} | 95 % |" for title in titles))
    print("| --- | --- | --- | --- |" + " --- | --- |" * len(titles))
    for row in options.rows or ROWS:
        name, arguments, make, keras_peer, torch_peer = ROWS[row]
        for batch in options.batch:
            data = make(batch)
            made = {
                "zoo": keras_sides(zoo_model(name, arguments, batch), data),
                "keras": keras_sides(by_hand(keras_peer()), data),
                "keras again": keras_sides(by_hand(keras_peer()), data),
                "torch": torch_sides(torch_peer(), data),
            }
            if options.compiled:
                made["torch.compile"] = torch_sides(torch_peer(), data, compiled=True)
            for i, what in enumerate(("training step", "inference")):
                seconds = compare({side: pair[i] for side, pair in made.items()}, options.rounds)
                cells = [f"{1000 * np.median(seconds['zoo']):.2f}"]
                cells += [ratio(seconds[column], seconds["zoo"]) for column in columns]
                cells.append(ratio(seconds["keras again"], seconds["keras"]))
                print(f"| {row} | {batch} | {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], help="default: all")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compiled", action="store_true")
    main(parser.parse_args())
