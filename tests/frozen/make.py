"""Freezes what this version writes: exported models, runs and a search in the middle, settings.

    python tests/frozen/make.py [NAME ...]      # half a minute on 2 cores for each ten models

Run it once before a release, from a checkout without changes: it writes tests/frozen/<version>/, which must not exist, and which
is never written again. `made.json` there says by which commit, packages and machine. tests/test_frozen.py shows that later
versions load the models, go on with the runs and the search, and read the settings. With names it writes these artifacts alone.
"""

import contextlib
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from frozen import kept

import zoo
from zoo.training import provenance, resume

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
COUNT = 160

# Data in which there is something to learn, so that no answer hangs on a rounding.
CLASS = np.arange(COUNT) % 4
LABELS = np.array(["ash", "birch", "cedar", "fir"])[CLASS]
SEVERAL = np.stack([CLASS % 2, CLASS // 2, RNG.integers(0, 2, COUNT)], -1)
IMAGES = RNG.integers(0, 100, (COUNT, 8, 8, 1)).astype("uint8")
for i, c in enumerate(CLASS):  # one quarter is bright
    IMAGES[i, 4 * (c // 2) :, 4 * (c % 2) :][:4, :4] += 150
COLOURED = np.concatenate([IMAGES, IMAGES[:, ::-1], 255 - IMAGES], -1)
FEATURES = (RNG.normal(size=(COUNT, 6)) + 2 * np.eye(6)[CLASS]).astype("float32")
STEPS = (RNG.normal(size=(COUNT, 9, 3)) + np.eye(3)[CLASS % 3][:, None]).astype("float32")
NUMBERS = FEATURES @ np.arange(6.0) * 100 + 1000
_WORDS = np.array([f"{tree}{i}" for tree in ("ash", "birch", "cedar", "fir") for i in range(5)])
TEXTS = np.array(
    [" ".join(RNG.choice(_WORDS[5 * c : 5 * c + 5], RNG.integers(3, 20))) for c in CLASS]
)
_SPELLED = ["".join(RNG.choice(list("abcdef"), n)) for n in RNG.integers(1, 5, 600)]
PAIRS = (np.array(_SPELLED), np.array([" ".join(word.upper()) for word in _SPELLED]))
TABLE = pd.DataFrame(FEATURES, columns=list("abcdef"))
MIXED = pd.DataFrame(
    {
        "size": np.where(RNG.random(COUNT) < 0.1, np.nan, CLASS + RNG.normal(size=COUNT) / 4),
        "colour": np.array(["red", "green", "blue"])[(CLASS + RNG.integers(0, 2, COUNT)) % 3],
        "day": pd.date_range("2024-01-01", periods=COUNT).strftime("%Y-%m-%d"),
        "tree": LABELS,
    }
)
_TIMES = np.arange(400)
SERIES = pd.DataFrame(
    {
        "sold": 10 * np.sin(_TIMES * np.pi / 6) + _TIMES / 50 + RNG.normal(size=400),
        "open": (_TIMES % 12 < 6).astype("float32"),
    }
)
TOKENS = {"epochs": 10, "learning_rate": 1e-2}


def build_gated(input_shape, num_classes):
    """A model of the caller's own."""
    inputs = keras.Input(input_shape)
    gate = keras.layers.Dense(6, activation="sigmoid")(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(inputs * gate))


EXPORTS = {  # kind of input, family, and the task where it is not a classification
    "features-dense-regression": ("dense:tiny", (FEATURES, NUMBERS), {}),
    "features-own": (build_gated, (FEATURES, CLASS), {}),
    "features-recurrent": ("recurrent:tiny", (STEPS, LABELS), {}),
    "features-transformer": ("transformer:tiny", (STEPS, LABELS), {}),
    "image-cnn": ("cnn:tiny", (IMAGES, LABELS), {"calibrate": True}),
    "image-cnn-regression": ("cnn:tiny", (COLOURED, NUMBERS), {}),
    "image-resnet": ("resnet:tiny", (IMAGES, LABELS), {}),
    "image-vae-generation": ("vae:tiny", IMAGES, {"epochs": 20}),
    "image-vit-multilabel": ("vit:tiny", (IMAGES, SEVERAL), {}),
    "series-dense-forecasting": ("dense:tiny", SERIES, {"task": "forecasting", "target": "sold", "window": 24, "horizon": 3, "season": 12}),
    "series-recurrent-forecasting": ("recurrent:tiny", SERIES[["sold"]], {"task": "forecasting", "target": "sold", "window": 12}),
    "table-dense": ("dense:tiny", TABLE.assign(tree=LABELS), {"target": "tree"}),
    "table-dense-mixed": ("dense:tiny", MIXED, {"target": "tree"}),
    "table-dense-regression": ("dense:tiny", TABLE.assign(height=NUMBERS), {"target": "height"}),
    "text-cnn": ("cnn:tiny", (TEXTS, LABELS), {"text_unit": "characters", "model_args": {"embedding_dim": 8}}),
    "text-recurrent": ("recurrent:tiny", (TEXTS, LABELS), TOKENS),
    "text-seq2seq-translation": ("seq2seq:tiny", PAIRS, {**TOKENS, "epochs": 30, "text_unit": "characters"}),
    "text-transformer-multilabel": ("transformer:tiny", (TEXTS, SEVERAL), TOKENS),
}  # fmt: skip
QUANTIZED = "image-dense-int8"
RUNS = {  # name → what is trained, and after how many steps it is stopped
    "dense": ("dense:tiny", (FEATURES, CLASS), 10, {
        "model_args": {"units": [12], "dropout": 0.3}, "optimizer": "adamw", "weight_decay": 0.01, "accumulate": 2, "ema": 0.9,
        "schedule": "one_cycle", "clip_norm": 1.0, "class_weight": "balanced", "patience": 3}),
    "cnn": ("cnn:tiny", (IMAGES, LABELS), 9, {
        "model_args": {"normalization": "batch"}, "augment": "digits+mixup", "optimizer": "sgd", "nesterov": True,
        "schedule": "plateau", "learning_rate": 0.05}),
    "recurrent": ("recurrent:tiny", (TEXTS, LABELS), 13, {
        "model_args": {"dropout": 0.2}, "batch_size": 8, "use_validation": True, "label_smoothing": 0.1}),
    "distilled": ("vit:tiny", (IMAGES, LABELS), 12, {
        "teacher": "teacher", "optimizer": "sgd", "learning_rate": 0.05, "batch_size": 14,
        "steps_per_execution": 2}),
}  # fmt: skip
TEACHER = "image-cnn"
SEARCH_DATA, STOPPED_TRIAL = (
    (FEATURES, CLASS),
    ("trial_6", 3),
)  # it goes on from another; after so many epochs

# Each option is away from its default in one of these.
OPTIONS = {
    "classification": {
        "model": "cnn:small", "model_args": {"filters": [8, 16], "dropout": 0.1}, "dataset": "photos", "skip_bad": True,
        "data_dir": "tfds", "batch_size": 24, "validation_fraction": 0.2, "image_size": (32, 24), "limit": 500,
        "cache_mb": 64, "augment": "photographs+cutmix", "augment_share": 0.5, "optimizer": "sgd", "learning_rate": 0.2,
        "schedule": "cosine", "warmup": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 5e-4, "clip_norm": 2.0,
        "accumulate": 3, "label_smoothing": 0.1, "class_weight": {"cat": 1.0, "dog": 2.5}, "ema": 0.99,
        "teacher": "mnist_cnn", "teacher_weight": 0.7, "teacher_temperature": 2.0, "epochs": 7, "patience": 2, "out": "runs/a",
        "seed": 11, "baseline": True, "calibrate": True, "resume": "runs/a"},
    "finetune": {
        "weights": "mnist_cnn", "freeze": True, "use_validation": True, "loss": "focal", "strategy": "mirrored", "replicas": 2,
        "precision": "mixed_bfloat16", "jit": "on", "steps_per_execution": 4, "deterministic": True, "tensorboard": True,
        "quiet": True, "smoke": True, "checkpoint_minutes": 1.5, "checkpoint_steps": 100, "keep_checkpoints": 3,
        "find_lr": True},
    "forecasting": {
        "model": "dense:small", "dataset": "sales.csv", "target": ("sold",), "columns": ("sold", "open"),
        "task": "forecasting", "window": 36, "horizon": 6, "season": 12, "overfit_batch": True},
    "generation": {
        "model": "vae:small", "task": "generation", "binarize": "dynamic", "likelihood_samples": 500, "profile": True},
    "translation": {
        "model": "seq2seq:small", "dataset": "cmudict", "text_size": (12, 400), "text_unit": "characters", "bucket": False,
        "clip_value": 0.5, "beam_width": 8},
    "defaults": {},
}  # fmt: skip


def make_exports(target, wanted):
    for name in [name for name in EXPORTS if wanted(name)]:
        model, data, options = EXPORTS[name]
        given = {"epochs": 3, "batch_size": 16, "learning_rate": 0.02, "quiet": True, "out": name}
        trained = zoo.train(model, data, **{**given, **options})
        _pack_export(trained.export, target / name)
    if wanted(QUANTIZED):
        options = {"epochs": 3, "learning_rate": 0.02, "quiet": True}
        zoo.train("dense:tiny", "digits", out="digits", limit=300, **options)
        _, path = zoo.shrink("digits", quantize="int8", out=QUANTIZED, quiet=True)
        _pack_export(path, target / QUANTIZED)


def _pack_export(export, path):
    kept.pack(list(export.iterdir()), path.with_suffix(".tar.xz"))


@contextlib.contextmanager
def _stopping(is_last):
    """Ends a run, as Ctrl-C does, after it saved a state for which a function of its folder, epoch and step is true."""
    save = resume.Checkpoints._save

    def save_and_stop(self, epoch, step):
        save(self, epoch, step)
        if is_last(self.run, epoch, step):
            raise KeyboardInterrupt

    with (
        mock.patch.object(resume.Checkpoints, "_save", save_and_stop),
        contextlib.suppress(KeyboardInterrupt),
    ):
        yield
        raise AssertionError("it was not stopped")


def make_runs(target, wanted):
    if wanted("stopped/distilled"):
        kept.unpack(target.parent.name, f"exports/{TEACHER}", "teacher")
    for name in [name for name in RUNS if wanted(f"stopped/{name}")]:
        model, data, stop, options = RUNS[name]
        given = {"epochs": 3, "batch_size": 16, "quiet": True, "checkpoint_steps": 1}
        options = {**given, **options}
        os.mkdir(name)
        kept.save_data(f"{name}/data.npz", data)
        trained = zoo.train(model, data, out=f"{name}/whole", **options)
        np.savez_compressed(f"{name}/weights.npz", *trained.network.get_weights())
        (Path(name) / "score.json").write_bytes(Path(name, "whole/score.json").read_bytes())
        (Path(name) / "metrics.csv").write_bytes(Path(name, "whole/metrics.csv").read_bytes())
        with _stopping(lambda run, epoch, step, stop=stop: step and _saved(run) == stop):
            zoo.train(model, data, out=f"{name}/run", **options)
        parts = ("data.npz", "weights.npz", "score.json", "metrics.csv", "run")
        kept.pack([Path(name) / part for part in parts], target / f"{name}.tar.xz")


def _saved(run):
    """The number of the newest state that a run has saved."""
    return max(int(path.stem.partition("-")[2]) for path in (run / "checkpoints").glob("step-*"))


def make_search(target, wanted):
    if not wanted("search"):
        return
    trial, epochs = STOPPED_TRIAL
    os.mkdir("search")
    kept.save_data("search/data.npz", SEARCH_DATA)
    whole = zoo.tune(kept.build, SEARCH_DATA, out="search/whole", **kept.SEARCH)
    rows = [{**row, "seconds": None} for row in whole.trials]
    Path("search/trials.json").write_text(json.dumps(rows, indent=1) + "\n")
    with _stopping(lambda run, epoch, _: run.parent.name == trial and epoch == epochs):
        zoo.tune(kept.build, SEARCH_DATA, out="search/part", **kept.SEARCH)
    parts = ("data.npz", "trials.json", "part")
    kept.pack([Path("search") / part for part in parts], target / "search.tar.xz")


def make_configs(target, wanted):
    if not wanted("configs"):
        return
    target.mkdir()
    values = {}
    for path in sorted((ROOT / "recipes").glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        recipe = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(recipe)
        if not hasattr(recipe, "DEFAULTS"):
            continue  # it runs another recipe
        config = zoo.from_weights(recipe.DEFAULTS)
        with zoo.start_run(config.replace(out=path.stem)) as run:
            text = (run.folder / "config.yaml").read_text()
        name = f"recipe-{path.stem}"
        (target / f"{name}.yaml").write_text(text)
        values[name] = config.flat()
    for key, options in OPTIONS.items():
        name, config = f"options-{key}", zoo.TrainConfig().replace(**options).check()
        record = yaml.safe_load(config.to_yaml()) | {"made_by": provenance.found()}
        (target / f"{name}.yaml").write_text(yaml.safe_dump(record, sort_keys=False))
        values[name] = config.flat()
    (target.parent / "configs.json").write_text(json.dumps(values, indent=1) + "\n")


def main(*names):
    version = provenance.packages()["keras-zoo"]
    target = kept.HERE / version
    if not names and target.exists():
        raise SystemExit(f"{target} exists already: what is frozen stays as it is.")
    zoo.make_strategy("mirrored", replicas=2)  # two logical devices, as in the tests
    wanted = lambda name: not names or name in names  # noqa: E731
    target.mkdir(exist_ok=True)
    made = {**provenance.found(), "command": "python tests/frozen/make.py"}
    record = {"made_by": made, "machine": kept.machine()}
    (target / kept.MADE).write_text(json.dumps(record, indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for part, make in (("exports", make_exports), ("stopped", make_runs), ("configs", make_configs)):  # fmt: skip
            make(target / part, wanted)
        make_search(target, wanted)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    for path in files:
        print(f"{path.stat().st_size:9,}  {path.relative_to(target)}")
    print(f"{sum(path.stat().st_size for path in files):9,}  in all")


if __name__ == "__main__":
    main(*sys.argv[1:])
