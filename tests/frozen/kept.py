"""What earlier versions wrote and is kept for good: where it lies, how it is packed, and on which machine it was made."""

import hashlib
import io
import json
import lzma
import os
import platform
import tarfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
MADE = "made.json"  # of a version: by which commit, packages and machine
VERSIONS = sorted(path.parent.name for path in HERE.glob(f"*/{MADE}"))
SEARCH = {
    "tuner": "hyperband",
    "trials": 8,
    "epochs": 4,
    "batch_size": 16,
    "seed": 3,
    "quiet": True,
}
# What chooses other kernels than the processor's own, as tests/processors.py says.
_SETTINGS = ("ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS")
_LEFT_OUT = {
    ".lock",
    ".png",
    ".v2",
}  # names or endings; events of TensorBoard hold the name of the machine


def build(hp, input_shape, num_classes):
    """The builder of the searches: a space of its own, so that those of the families may change."""
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(hp.Int("width", 2, 8), activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(hidden))


def machine():
    """What decides the bits of a result: processor, cores, packages and settings."""
    path, words = Path("/proc/cpuinfo"), ("model name", "flags", "Features", "CPU part")
    lines = path.read_text().splitlines() if path.exists() else [platform.processor()]
    found = sorted({line for line in lines if line.startswith(words)}) or lines
    names = [line.partition(": ")[2] for line in found if line.startswith("model name")]
    return {
        "processor": (names or [platform.processor()])[0],
        "features": hashlib.sha256("\n".join(found).encode()).hexdigest(),
        "cores": len(os.sched_getaffinity(0)),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def is_made_here(version):
    """Whether this machine is the one that made the artifacts of a version, so that bits can be asked for."""
    return json.loads((HERE / version / MADE).read_text())["machine"] == machine()


def names(version, kind):
    """The artifacts of a kind, such as `"exports"`, that a version has."""
    return sorted(path.name.partition(".")[0] for path in (HERE / version / kind).iterdir())


def pack(folders, path):
    """Packs folders and files, side by side, into an archive whose bytes depend on names and contents alone."""
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted(map(Path, folders)):
            inside = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
            for file in inside:
                if file.is_dir() or {file.name, file.suffix} & _LEFT_OUT:
                    continue
                entry = tarfile.TarInfo(file.relative_to(folder.parent).as_posix())
                entry.size, entry.mode = file.stat().st_size, 0o644
                with open(file, "rb") as content:
                    tar.addfile(entry, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(tarred.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def unpack(version, name, target):
    """Unpacks an artifact, such as `"stopped/dense"`, into a folder; returns the folder."""
    with tarfile.open(HERE / version / f"{name}.tar.xz") as tar:
        tar.extractall(target, filter="data")
    return Path(target)


def save_data(path, data):
    """Saves what `zoo.train` takes: one array, or inputs and targets."""
    arrays = data if isinstance(data, tuple) else (data,)
    np.savez_compressed(path, *arrays)


def load_data(path):
    """What `save_data` has saved."""
    with np.load(path, allow_pickle=False) as content:
        arrays = tuple(content[name] for name in sorted(content.files))
    return arrays if len(arrays) > 1 else arrays[0]
