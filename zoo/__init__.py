"""A zoo of small Keras 3 models: builders, one shared recipe, and SavedModels that prove themselves.

>>> import zoo
>>> model = zoo.build("cnn:small", input_shape=(28, 28, 1), num_classes=10)

Importing `zoo` does not import TensorFlow; the first use of a name does.
"""

import importlib
import os
import sys

_HOMES = {
    "FAMILIES": "zoo.families",
    "InputError": "zoo.models.checks",
    "TrainConfig": "zoo.config.config",
    "build": "zoo.building",
    "build_bag": "zoo.models.bag",
    "build_cnn": "zoo.models.cnn",
    "build_dense": "zoo.models.dense",
    "build_recurrent": "zoo.models.recurrent",
    "build_resnet": "zoo.models.resnet",
    "build_seq2seq": "zoo.models.seq2seq",
    "build_transformer": "zoo.models.transformer",
    "build_vae": "zoo.models.vae",
    "build_vit": "zoo.models.vit",
    "compile_model": "zoo.training.compile",
    "convert": "zoo.saving.runtimes.convert",
    "data_options": "zoo.config.config",
    "diagnose": "zoo.training.diagnose",
    "enable_lora": "zoo.models.lora",
    "evaluate_model": "zoo.training.evaluate",
    "export_model": "zoo.saving.export",
    "finish": "zoo.finishing",
    "fit_model": "zoo.training.fit",
    "from_weights": "zoo.saving.trained",
    "inspect": "zoo.data.inspection",
    "list_models": "zoo.catalogue",
    "load": "zoo.saving.load",
    "load_dataset": "zoo.data.load",
    "load_model": "zoo.building",
    "load_run": "zoo.saving.result",
    "make_strategy": "zoo.training.strategy",
    "predict_sandboxed": "zoo.saving.sandbox",
    "prepare": "zoo.data.prepare",
    "command": "zoo.cli",
    "publish": "zoo.saving.publishing",
    "renew": "zoo.saving.renew",
    "shrink": "zoo.shrinking",
    "runs": "zoo.training.listing",
    "sign": "zoo.saving.signing",
    "start_run": "zoo.training.run",
    "teacher": "zoo.saving.trained",
    "train": "zoo.api",
    "tune": "zoo.tuning.search",
    "verify": "zoo.saving.load",
}
__all__ = list(_HOMES)


def __getattr__(name):
    if name == "__version__":
        from importlib import metadata

        return metadata.version("keras-zoo")
    if name not in _HOMES:
        raise AttributeError(
            f"module 'zoo' has no attribute {name!r}. It has: {', '.join(__all__)}"
        )
    value = getattr(import_quietly(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return [*globals(), *__all__]


def import_quietly(module):
    """Imports a module without what TensorFlow's C++ code prints meanwhile to standard error; no setting hides it."""
    if module in sys.modules:
        return sys.modules[module]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        return importlib.import_module(module)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
