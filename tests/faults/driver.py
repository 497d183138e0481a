"""Runs a script as its command line does, with faults at exact events.

    python tests/faults/driver.py FAULTS recipes/classify_table.py --out RUN ...

FAULTS is a JSON list of [event, action, arguments...]. An event is a call of a function: [name, text, number], the
`number`-th call (from 1) among whose arguments the text is found; with `after ` before the name, its end. An action is
one of `ACTIONS`.
"""

import contextlib
import dataclasses
import errno
import itertools
import json
import logging
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import zoo

SEEN = {"epoch": None, "step": None}  # where the training is


def arm(event, action, *arguments):
    """Wraps the function of an event, so that the action is done at that call."""
    name, text, number = event
    after = name.startswith("after ")
    owner, attribute = find(name.removeprefix("after "))
    function, calls = getattr(owner, attribute), []

    def watched(*given, **options):
        if re.search(text, " ".join(map(_shown, (*given, *options.values())))):
            calls.append(given)
        else:
            return function(*given, **options)
        if len(calls) == number and not after:
            ACTIONS[action](given, *arguments)
        result = function(*given, **options)
        if len(calls) == number and after:
            ACTIONS[action](given, *arguments)
        return result

    setattr(owner, attribute, watched)


def find(name):
    """The module or class that has a function, and the function's own name there."""
    *parts, attribute = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            owner = zoo.import_quietly(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            owner = getattr(owner, part)
        return owner, attribute
    raise ModuleNotFoundError(name)


def _shown(argument):
    """An argument as a text to search; for the number of an open file, its path."""
    if isinstance(argument, int) and os.path.exists(f"/proc/self/fd/{argument}"):
        return os.readlink(f"/proc/self/fd/{argument}")
    return str(argument) if isinstance(argument, (str, int, os.PathLike)) else ""


def _send(given, *numbers, delay=0.0):
    """Sends signals to the process itself, at once or after some seconds; says what it was doing."""

    def send():
        frame = sys._current_frames()[threading.main_thread().ident]
        while "/zoo/" not in frame.f_code.co_filename and frame.f_back:
            frame = frame.f_back
        doing = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        moment = f"\nmoment: epoch {SEEN['epoch']}, step {SEEN['step']}, {doing}"
        print(moment, file=sys.stderr, flush=True)
        for number in numbers:
            os.kill(os.getpid(), number)

    if delay:
        threading.Timer(delay, send).start()
    else:
        send()


def _kill_after(given, delay):
    """A kill some seconds later, wherever the process is then."""
    _send(given, signal.SIGKILL, delay=delay)


def _kill_both(given):
    """A kill when the other worker is there too: neither lives to notice the other's end."""
    Path(f"{os.getpid()}.there").touch()
    while len(list(Path().glob("*.there"))) < 2:
        time.sleep(0.001)
    _send(given, signal.SIGKILL)


def _halve(given):
    """Cuts the file that is being flushed to half, as if no more of it had been written, and kills the process."""
    os.ftruncate(given[0], os.fstat(given[0]).st_size // 2)
    _send(given, signal.SIGKILL)


def fill(given, name="filler"):
    """Fills the disk of the working directory to the last byte."""
    with open(name, "wb", buffering=0) as file:
        for size in (2**20, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue


def _use_up_inodes(given, folder="filler"):
    """Makes empty files until the disk of the working directory takes no more."""
    os.mkdir(folder)
    with contextlib.suppress(OSError):
        for number in itertools.count():
            Path(folder, str(number)).touch()


def _protect(given, folder):
    """Makes a folder read-only, also for root: by a mount of the folder over itself."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)


def _fill_and_log(given):
    fill(given)
    logging.getLogger("zoo").info("x" * 5000)  # more than is left of the log's last block


def _wait(given, name):
    """Says by a file that the event is there, and waits for another file."""
    Path(f"{name}.reached").touch()
    while not Path("go").exists():
        time.sleep(0.01)


def _set_clock_back(given):
    real = time.time
    time.time = lambda: real() - 86400


def _poison_batch(given, number, then):
    """Makes the inputs of the batch after `number` steps NaN, and dense layers pass it on or make zeros of it.

    What they do by themselves depends on the processor: with oneDNN a dense layer's ReLU makes 0 of NaN.
    """
    import keras
    import tensorflow as tf

    plain = keras.layers.Dense.call

    def call(self, inputs, training=None):
        outputs = plain(self, inputs, training)
        if then == "swallow":
            return tf.where(tf.math.is_finite(outputs), outputs, 0.0)
        is_nan = tf.reduce_any(tf.math.is_nan(inputs), -1, keepdims=True)
        return tf.where(is_nan, float("nan"), outputs)

    keras.layers.Dense.call = call
    fit, _ = find("zoo.training.fit.training_batches")
    made = fit.training_batches

    def poison(i, batch):
        return (tf.where(i == number, float("nan"), batch[0]), *batch[1:])

    fit.training_batches = lambda *arguments: made(*arguments).enumerate().map(poison)


def _poison_gradient(given, number):
    """Makes the gradients of the step after `number` steps NaN."""
    import tensorflow as tf

    optimizer, _ = find("keras.optimizers.Optimizer.apply")
    apply = optimizer.apply

    def poisoned(self, grads, variables=None):
        grads = [tf.where(self.iterations.value == number, float("nan"), g) for g in grads]
        return apply(self, grads, variables)

    optimizer.apply = poisoned


def _stream(given):
    """Makes every data set too large for the memory."""
    find("zoo.data.examples.example_bytes")[0].example_bytes = lambda spec: 2**30


def _no_space(given):
    """The write of a file fails as on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), given[0])


def _other_data(given):
    """Another process would read other examples."""
    door, _ = find("zoo.data.load.carved")
    carved = door.carved

    def shifted(splits, name, share, info):
        data = splits["train"]
        other = dataclasses.replace(data, inputs=data.inputs + 1)
        return carved({**splits, "train": other}, name, share, info)

    door.carved = shifted


ACTIONS = {
    "signal": _send,
    "kill after": _kill_after,
    "kill both": _kill_both,
    "halve and kill": _halve,
    "fill": fill,
    "fill and log": _fill_and_log,
    "use up inodes": _use_up_inodes,
    "protect": _protect,
    "remove": lambda given, folder: shutil.rmtree(folder),
    "no space": _no_space,
    "other data": _other_data,
    "rename": lambda given, folder, to: os.rename(folder, to),
    "wait": _wait,
    "set clock back": _set_clock_back,
    "poison batch": _poison_batch,
    "poison gradient": _poison_gradient,
    "stream": _stream,
}


def follow(name, key):
    """Keeps the first argument of a callback's method in SEEN."""
    owner, attribute = find(f"keras.callbacks.CallbackList.{name}")
    function = getattr(owner, attribute)

    def followed(self, number, *others, **options):
        SEEN[key] = int(number)
        return function(self, number, *others, **options)

    setattr(owner, attribute, followed)


if __name__ == "__main__":
    # As at a terminal: what runs in the background of a script is born with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    follow("on_epoch_begin", "epoch")
    follow("on_train_batch_begin", "step")
    for fault in json.loads(sys.argv[1]):
        arm(*fault)
    del sys.argv[:2]
    runpy.run_path(sys.argv[0], run_name="__main__")
