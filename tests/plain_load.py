"""What a SavedModel does to a process of plain TensorFlow that trusts it; run as a script, with a folder and its bait.

Loads the model, calls every function of it, takes a gradient, forgets it, and prints what happened as a JSON list.
"""

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path

READ, OPENED, NONBLOCK = 0x1, 0x20, 0o4000


class Watch:
    """Notices who reads the bait's files or writes into its folder."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(NONBLOCK)
        for path in self._folder.glob("secret*"):
            watched = self._libc.inotify_add_watch(self._inotify, os.fsencode(path), READ | OPENED)
            assert watched > 0, os.strerror(ctypes.get_errno())
        self._before = self._state()

    def _state(self):
        return sorted(
            (str(path), path.stat().st_size)
            for path in self._folder.rglob("*")
            if "secret" not in path.name
        )

    def effects(self):
        """What has happened so far; ends the watch."""
        found = set()
        with contextlib.suppress(BlockingIOError):
            if len(os.read(self._inotify, 4096)) >= struct.calcsize("iIII"):
                found.add("read")
        if self._state() != self._before:
            found.add("written")
        os.close(self._inotify)
        return found


class listening:
    """A port of this machine, and who connected to it."""

    def __enter__(self):
        self.connected = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.connected.append(self._socket.accept())

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def run(folder, bait):
    import numpy as np
    import tensorflow as tf

    called = register(tf, np)
    watch, problems, found = Watch(bait), [], set()

    def attempt(action):
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - a model that fails half-way has done what it has done
            problems.append(f"{type(error).__name__}: {str(error)[:300]}")
            return None

    model = attempt(lambda: tf.saved_model.load(folder)) or attempt(
        lambda: tf.saved_model.load(folder, tags=["serve"])  # of TensorFlow 1
    )
    if model is not None:
        found.add("loaded")
        if "secret" in str(use(model, tf, attempt)):
            found.add("answered")
    model = None
    gc.collect()
    if called:
        found.add("called")
    if any("Unable to allocate" in problem for problem in problems):
        found.add("exhausted")
    return {"effects": sorted(found | watch.effects()), "problems": problems}


def use(model, tf, attempt):
    """Calls all functions of a model, and takes their gradients; returns the outputs."""
    calls = [(f, f.structured_input_signature[1]) for f in model.signatures.values()]
    if hasattr(model, "hidden"):
        calls.append((model.hidden, {"x": tf.TensorSpec([None], tf.float32)}))
    outputs = []
    for function, specs in calls:
        given = {name: tf.ones([d or 1 for d in spec.shape], spec.dtype) for name, spec in specs.items()}  # fmt: skip

        def slope(function=function, given=given):
            with tf.GradientTape() as tape:
                tape.watch(given)
                answer = function(**given)
            return tape.gradient(answer, given)

        outputs.append(str(attempt(lambda f=function, g=given: f(**g))))
        attempt(slope)
    return outputs


def register(tf, np):
    """What a process may hold that a model can reach by name: Python functions, a gradient, a class."""
    from tensorflow.python.saved_model.registration import registration

    called = []
    note = lambda x: (called.append(1), x)[1]  # noqa: E731

    @tf.function
    def functions(x):  # pyfunc_0 and pyfunc_1
        return tf.py_function(note, [x], tf.int64), tf.numpy_function(note, [x], tf.int64)

    kept.append(functions.get_concrete_function(tf.TensorSpec([], tf.int64)))

    @tf.RegisterGradient("Evil")
    def _(_, dy):
        called.append(1)
        return dy, dy

    class Evil(tf.Module):
        @classmethod
        def _deserialize_from_proto(cls, **_):
            called.append(1)
            return tf.Variable(1.0)

    registration.register_serializable(name="Evil", predicate=lambda _: False)(Evil)
    return called


kept = []

if __name__ == "__main__":
    signal.alarm(15)  # ends a process that waits for ever; others take a second
    print(json.dumps(run(*sys.argv[1:])))
