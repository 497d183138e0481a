"""Smaller models from trained ones, by the shared recipe: pruned, quantized, or taught to a smaller size."""

import json
import logging

import keras
import numpy as np

from zoo import api, families, files
from zoo.config.config import OWN_DATA, TrainConfig, data_options
from zoo.data.load import load_dataset
from zoo.data.prepare import prepare
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import export, gate, load, store, trained
from zoo.training.compile import compile_model
from zoo.training.evaluate import evaluate_model
from zoo.training.fit import fit_model
from zoo.training.run import start_run

log = logging.getLogger("zoo")

MODES = ("int8", "int4")


class Pruning(keras.callbacks.Callback):
    """Sets the smallest weights to zero, more and more of them in the first epoch, and keeps them there.

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
            self._masks = smallest(kernels(self.model), share)
        _zero(kernels(self.model), self._masks)


def _zero(weights, masks):
    for weight, mask in zip(weights, masks, strict=True):
        weight.assign(keras.ops.where(mask, 0, weight))


def kernels(model):
    """The weights of a model that are pruned: those with at least two dimensions."""
    return [weight for weight in model.trainable_weights if len(weight.shape) >= 2]


def smallest(weights, share):
    """Where the smallest elements of some weights are, over all of them: bool masks of their shapes.

    Elements of different layers compare by their square divided by the sum of the squares in their layer that are not smaller
    (LAMP, Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", 2021), so that a small layer keeps more of
    its weights, and each at least one.
    """
    scores = []
    for weight in weights:
        squares = np.square(keras.ops.convert_to_numpy(weight).astype("float64").ravel())
        order = np.argsort(squares, kind="stable")
        rest = np.cumsum(squares[order][::-1])[::-1]
        score = np.empty_like(squares)
        score[order] = squares[order] / np.maximum(rest, np.finfo(float).tiny)
        scores.append(score)
    every = np.concatenate(scores)
    mask = np.zeros(every.size, bool)
    mask[np.argsort(every, kind="stable")[: round(share * every.size)]] = True
    parts = np.split(mask, np.cumsum([score.size for score in scores])[:-1])
    return [part.reshape(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def sparsity(name_or_path):
    """The share of zeros in the kernels of an exported model, read from its file."""
    model = load.load(name_or_path)._loaded
    values = [v.numpy() for v in model.variables if len(v.shape) >= 2 and v.dtype.is_floating]
    return sum(int(np.sum(v == 0)) for v in values) / max(1, sum(v.size for v in values))


def first_members(model, card, count):
    """An ensemble of fewer members than a trained one has: its first ones, with their weights.

    Args:
        model: The `dense` model with members.
        card: Its card.
        count: How many.

    Raises:
        InputError: It has no members, or no more than so many.
    """
    checks.positive_int("members", count)
    arguments = card.builder.arguments
    if not arguments.get("members") or arguments["members"] <= count:
        had = f"it has {arguments['members']}" if arguments.get("members") else "it has none"
        raise checks.InputError(
            f"members={count} leaves the first {count} of a larger ensemble; of {card.name}: {had}."
        )
    build = families.family(card.builder.family).build
    smaller = build(**{**arguments, "members": count})
    for fewer, weight in zip(smaller.weights, model.weights, strict=True):
        values = keras.ops.convert_to_numpy(weight)
        fewer.assign(values if fewer.shape == weight.shape else values[:count])
    return smaller


def shrink(
    name_or_path, *, prune=None, fine_tune=0, quantize=None, distill=None, members=None, **options
):
    """Makes a smaller model of a trained one, evaluates it on the same test split, and exports it.

    Args:
        name_or_path: As in `zoo.load`; a model that was trained on a data set with a name.
        prune: Share of zeros to have in the kernels, from 0 to below 1; small layers keep more of their weights.
        fine_tune: With `prune`, epochs of training; the zeros come in the first of them. 0: all at once.
        quantize: `"int8"` or `"int4"`: weights of dense layers and embeddings in so many bits, by Keras.
        distill: Size of the same family, or family and size, that learns from the model.
        members: Of an ensemble (`dense:ensemble`), how many of its first members stay; they need no training.
        **options: Settings of the run by their own names, as in `zoo.train`, such as `out` or `learning_rate`; default:
            those that the model was trained with, for pruned ones with a learning rate that falls to 0.

    Returns:
        `(report, path)`: the `Report` on the test split, and the path of the export.

    Raises:
        InputError: None or several of the four are asked for, a value is out of range, or the model or its data cannot
            be made again.
    """
    ways = {"prune": prune, "quantize": quantize, "distill": distill, "members": members}
    asked = [key for key, value in ways.items() if value is not None]
    if len(asked) != 1:
        raise checks.InputError(
            f"Ask for one of prune, quantize, distill and members. Received: {', '.join(asked) or 'none of them'}."
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
    if distill is None and card.builder and card.builder.quantize:
        raise checks.InputError(
            f"{card.name} is quantized already: prune or quantize the model that it was made from."
        )
    config = _config(card, source, distill, fine_tune, options)
    if members is not None:
        config = config.replace(model_args={**config.model_args, "members": members})
    if distill is not None:
        taught = api.train(config.model, config=config)
        return taught.report, taught.export
    with start_run(config) as run:
        splits = load_dataset(**data_options(run.config))
        splits, history = splits.mapped(prepare(splits)), None
        with run.strategy.scope():
            model = trained.build_trained(None, None, source, {})
            if fine_tune:
                steps = splits.steps_per_epoch
                compile_model(model, splits.info, run.config, steps_per_epoch=steps)
        if fine_tune:
            callback = Pruning(prune, splits.steps_per_epoch)
            history = fit_model(model, splits, run, extra_callbacks=[callback])
        elif members is not None:
            model = first_members(model, card, members)
        elif prune is not None:
            _zero(kernels(model), smallest(kernels(model), prune))
        else:
            share = trained.quantize(model, quantize)
            log.info(
                "%s: %.0f%% of the weights; other layers stay as they are", quantize, 100 * share
            )
        report = evaluate_model(model, splits, run, history)
        _add_to_score(
            run.folder,
            {"from": card.name, **{key: ways[key] for key in ("prune", "quantize", "members")}},
        )
        path = export.export_model(model, splits, run)
        if prune is not None:
            _check_sparsity(path, prune)
        sizes = [store.weights_size(folder) / 1024 for folder in (source, path)]
        log.info("weights on disk: %.0f KiB, of %s %.0f KiB", sizes[1], card.name, sizes[0])
        return report, path


def _config(card, source, distill, fine_tune, options):
    """The config of the run: the one that the model was trained with, and what shrinking changes."""
    config = TrainConfig.from_mapping(card.config, card.name)
    has_data = isinstance(card.config.get("data"), dict) and "dataset" in card.config["data"]
    if card.builder is None or not has_data or config.data.dataset == OWN_DATA:
        raise checks.InputError(
            f"{card.name} was made from a model or data of its maker's own, and cannot be trained again here."
        )
    defaults = TrainConfig().flat()
    fresh = ("out", "resume", "strategy", "replicas", "weights", "freeze", "teacher")
    changes = {key: defaults[key] for key in fresh}
    if distill is not None:
        model = distill if ":" in distill else f"{card.builder.family}:{distill}"
        changes |= {"model": model, "model_args": {}, "teacher": str(source)}
    else:
        # An average of the weights would bring back what was set to zero.
        changes |= {"schedule": "cosine", "warmup": 0.0, "ema": None, "epochs": fine_tune or 1}
    return config.replace(**{**changes, **options})


def _add_to_score(folder, how):
    path = folder / "score.json"
    score = json.loads(path.read_text()) | {"shrunk": how}
    files.write_atomic(path, json.dumps(score, indent=2) + "\n")


def _check_sparsity(path, wanted):
    """Raises unless an exported model has the zeros that were asked for."""
    found = sparsity(path)
    if found < wanted - 0.01:
        raise checks.InputError(
            f"{path} has {found:.1%} zeros in its kernels: asked for were {wanted:.1%}."
        )
