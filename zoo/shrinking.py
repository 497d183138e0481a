"""Smaller models from trained ones, by the shared recipe: pruned, quantized, or taught to a smaller size."""

import json
import logging

import keras
import numpy as np

from zoo import api, files
from zoo.data.pipeline import load_dataset
from zoo.data.prepare import prepare
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import export, gate, load, store, trained
from zoo.training.compile import compile_model
from zoo.training.config import OWN_DATA, TrainConfig, data_options
from zoo.training.evaluate import evaluate_model
from zoo.training.fit import fit_model
from zoo.training.run import start_run

log = logging.getLogger("zoo")

MODES = ("int8", "int4")


class Pruning(keras.callbacks.Callback):
    """Sets the smallest weights of each kernel to zero, more and more of them in the first epoch, and keeps them there.

    After t of T steps the share of zeros is `sparsity * (1 - (1 - t / T)**3)` (Zhu & Gupta 2017, equation 1), T being
    the steps of the first epoch; later epochs mend what was lost. Weights of fewer than two dimensions stay.

    Args:
        sparsity: Share of zeros in the end.
        steps: Training steps of an epoch.
    """

    UPDATES = 100  # of the masks in the first epoch

    def __init__(self, sparsity, steps):
        super().__init__()
        self.sparsity, self.steps = sparsity, steps
        self._masks = None

    def _reached(self):
        done = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) / self.steps
        return self.sparsity * (1 - max(0.0, 1 - done) ** 3), done

    def on_train_batch_end(self, batch, logs=None):
        share, done = self._reached()
        is_due = (batch + 1) % max(1, self.steps // self.UPDATES) == 0 or batch + 1 == self.steps
        if self._masks is None or (is_due and done <= 1):
            self._masks = [smallest(weight, share) for weight in kernels(self.model)]
        for weight, mask in zip(kernels(self.model), self._masks, strict=True):
            weight.assign(keras.ops.where(mask, 0, weight))


def kernels(model):
    """The weights of a model that are pruned: those with at least two dimensions."""
    return [weight for weight in model.trainable_weights if len(weight.shape) >= 2]


def smallest(weight, share):
    """Where a weight's smallest elements are, by magnitude: a share of them, bool and of its shape."""
    magnitudes = np.abs(keras.ops.convert_to_numpy(weight)).ravel()
    mask = np.zeros(magnitudes.size, bool)
    mask[np.argsort(magnitudes, kind="stable")[: round(share * magnitudes.size)]] = True
    return mask.reshape(weight.shape)


def sparsity(name_or_path):
    """The share of zeros in the kernels of an exported model, read from its file: over all, and of the least sparse one."""
    model = load.load(name_or_path)._loaded
    values = [v.numpy() for v in model.variables if len(v.shape) >= 2 and v.dtype.is_floating]
    if not values:
        return 0.0, 0.0
    zeros = [float(np.mean(value == 0)) for value in values]
    return float(np.average(zeros, weights=[value.size for value in values])), min(zeros)


def shrink(name_or_path, *, prune=None, fine_tune=0, quantize=None, distill=None, **options):
    """Makes a smaller model of a trained one, evaluates it on the same test split, and exports it.

    Args:
        name_or_path: As in `zoo.load`; a model that was trained on a data set with a name.
        prune: Share of zeros to have in each kernel, from 0 to below 1.
        fine_tune: With `prune`, epochs of training; the zeros come in the first of them. 0: all at once.
        quantize: `"int8"` or `"int4"`: weights of dense layers and embeddings in so many bits, by Keras.
        distill: Size of the same family, or family and size, that learns from the model.
        **options: Settings of the run by their own names, as in `zoo.train`, such as `out` or `learning_rate`; default:
            those that the model was trained with, pruned ones at a third of its learning rate, falling to 0.

    Returns:
        `(report, path)`: the `Report` on the test split, and the path of the export.

    Raises:
        InputError: None or several of the three are asked for, a value is out of range, or the model or its data cannot
            be made again.
    """
    asked = [key for key, v in (("prune", prune), ("quantize", quantize), ("distill", distill)) if v is not None]  # fmt: skip
    if len(asked) != 1:
        raise checks.InputError(
            f"Ask for one of prune, quantize and distill. Received: {', '.join(asked) or 'none of them'}."
        )
    if prune is not None:
        checks.fraction("prune", prune)
    if quantize is not None:
        checks.one_of("quantize", quantize, MODES)
    if fine_tune and prune is None:
        raise checks.InputError("fine_tune is for prune: leave it out.")
    source = store.find(name_or_path)
    with gate.checked(source) as folder:
        card = cards.read(folder, shown=source)
    config = _config(card, source, distill, fine_tune, options)
    if distill is not None:
        taught = api.train(config.model, config=config)
        return taught.report, taught.export
    with start_run(config) as run:
        splits = load_dataset(**data_options(run.config))
        preparation = prepare(splits)
        splits, history = splits.mapped(preparation), None
        with run.strategy.scope():
            model = trained.build_trained(None, None, source, {})
            if fine_tune:
                steps = splits.steps_per_epoch
                compile_model(model, splits.info, run.config, steps_per_epoch=steps)
        if fine_tune:
            callback = Pruning(prune, splits.steps_per_epoch)
            history = fit_model(model, splits, run, extra_callbacks=[callback])
        elif prune is not None:
            for weight in kernels(model):
                weight.assign(keras.ops.where(smallest(weight, prune), 0, weight))
        else:
            model.quantize(quantize, filters=trained.is_quantized)
        report = evaluate_model(model, splits, preparation, run, history)
        _add_to_score(run.folder, {"from": card["name"], "prune": prune, "quantize": quantize})
        path = export.export_model(model, splits, preparation, run)
        if prune is not None:
            _check_sparsity(path, prune)
        sizes = [store.weights_size(folder) / 1024 for folder in (source, path)]
        log.info("weights on disk: %.0f KiB, of %s %.0f KiB", sizes[1], card["name"], sizes[0])
        return report, path


def _config(card, source, distill, fine_tune, options):
    """The config of the run: the one that the model was trained with, and what shrinking changes."""
    config = TrainConfig.from_mapping(card["config"], card["name"])
    if card["builder"] is None or config.data.dataset == OWN_DATA:
        raise checks.InputError(
            f"{card['name']} was made from a model or data of its maker's own, and cannot be trained again here."
        )
    defaults = TrainConfig().flat()
    fresh = ("out", "resume", "strategy", "replicas", "weights", "freeze", "teacher")
    changes = {key: defaults[key] for key in fresh}
    if distill is not None:
        model = distill if ":" in distill else f"{card['builder']['family']}:{distill}"
        changes |= {"model": model, "model_args": {}, "teacher": str(source)}
    else:
        # An average of the weights would bring back what was set to zero.
        changes |= {"schedule": "cosine", "warmup": 0.0, "ema": None, "epochs": fine_tune or 1}
        changes["learning_rate"] = config.optimizer.learning_rate / 3
    return config.replace(**{**changes, **options})


def _add_to_score(folder, how):
    path = folder / "score.json"
    score = json.loads(path.read_text()) | {"shrunk": how}
    files.write_atomic(path, json.dumps(score, indent=2) + "\n")


def _check_sparsity(path, wanted):
    """Raises unless an exported model has the zeros that were asked for."""
    found, least = sparsity(path)
    if least < wanted - 0.02:  # a kernel of a few elements cannot have any share
        raise checks.InputError(
            f"{path} has {found:.1%} zeros, and {least:.1%} in one of its kernels: asked for were {wanted:.1%}."
        )
