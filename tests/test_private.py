"""Private parts of Keras, TensorFlow and KerasTuner are used, and their methods replaced, in few files, which are listed."""

import ast
import importlib
import inspect
from pathlib import Path

import keras
import pytest

import zoo

ROOT = Path(zoo.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
HOMES = {
    "models/layers.py": {"_flatten_layers"},  # `all_layers`: there is no public way through blocks
    "shrinking.py": {"_loaded"},  # of `zoo.saving.load`, so of zoo itself
    "training/signals.py": {"_exit"},  # of `os`, which documents it
    "tuning/spaces.py": {"_get_name"},  # of a dimension within a `name_scope`; KerasTuner has no public one
    # Its oracles are subclasses of KerasTuner's, whose state is private and saved in part only.
    "tuning/tuner.py": {
        *("_brackets", "_compute_values_hash", "_current_bracket", "_get_epochs", "_get_num_rounds"),
        *("_get_oracle_fname", "_get_size", "_get_trial_dir", "_is_worker", "_memory", "_next_index"),
        *("_ordered_ids", "_random_values", "_save_trial", "_tried_so_far"),
    },
}  # fmt: skip
LIBRARIES = ("keras", "tensorflow", "keras_tuner")
BY_NAME = ("getattr", "setattr", "hasattr", "delattr")


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def own_names(tree):
    """Names that a file defines: functions, classes, variables, and attributes of `self`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from [node.attr] * (getattr(node.value, "id", None) in ("self", "cls"))


def foreign_privates(text, inherited=frozenset()):
    """Private attributes that a file uses and does not define itself, and private names that it imports.

    Args:
        text: The file's.
        inherited: Names that may come from classes of other files of zoo: `self` and `cls` may use them.
    """
    tree = ast.parse(text)
    own = set(own_names(tree))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute):
            is_own = getattr(node.value, "id", None) in ("self", "cls") and node.attr in inherited
            names = [] if is_own else [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in BY_NAME:
            names = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
        yield from (name for name in names if is_private(name) and name not in own)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("model._flatten_layers()", {"_flatten_layers"}),
        ("self.model._tracker.unlock()", {"_tracker"}),
        ("super()._clip_gradients(grads)", {"_clip_gradients"}),
        ("self._is_worker()", {"_is_worker"}),
        ("getattr(layer, '_kernel')", {"_kernel"}),
        ("setattr(layer, '_kernel', 0)", {"_kernel"}),
        ("layer._moments = 0", {"_moments"}),
        ("from keras.src.layers import _private", {"_private"}),
        ("class A:\n def _own(self): self._own()", set()),
        ("self._inherited(model._inherited)", {"_inherited"}),
        ("cls._inherited()", set()),
        ("def f(self): self._mine = self._mine", set()),
        ("_TABLE = {}\nprint(a.b, a.__class__, _TABLE)", set()),
    ],
)
def test_a_private_attribute_of_others_is_found(line, found):
    assert set(foreign_privates(line, {"_inherited"})) == found


OURS = {name for path in FILES.values() for name in own_names(ast.parse(path.read_text()))}


@pytest.mark.parametrize("name", FILES)
def test_private_attributes_of_others_are_used_in_their_homes_only(name):
    text = FILES[name].read_text()
    if not name.startswith("keras_fixes/"):
        assert set(foreign_privates(text, OURS)) <= HOMES.get(name, set())
    for listed in HOMES.get(name, ()):
        assert listed in text, f"{listed} is not used any more: take it off the list"


def classes():
    """All classes that zoo defines."""
    for name in FILES:
        module = "zoo." + name.removesuffix(".py").replace("/", ".").removesuffix("__init__")
        for value in vars(importlib.import_module(module.removesuffix("."))).values():
            if inspect.isclass(value) and value.__module__ == module:
                yield value, name


def replaced_privates(kind):
    """Private attributes of a class of `LIBRARIES` that a class, or a class of zoo that it inherits from, defines anew."""
    ours = [one for one in kind.__mro__ if one.__module__.startswith("zoo.")]
    others = [one for one in kind.__mro__ if one.__module__.partition(".")[0] in LIBRARIES]
    theirs = {name for one in others for name in vars(one)}
    return {name for one in ours for name in vars(one) if is_private(name)} & theirs


def test_private_methods_of_others_are_not_replaced_by_inheritance():
    class Layer(keras.layers.Layer):
        def _flatten_layers(self):
            return []

    Layer.__module__ = "zoo.layers"
    assert replaced_privates(Layer) == {"_flatten_layers"}
    ignored = {"_abc_impl"}  # Python's own, of abstract classes
    for kind, name in classes():
        found = replaced_privates(kind) - ignored
        if not name.startswith("keras_fixes/"):
            assert found <= HOMES.get(name, set()), kind


KERAS = [
    *(keras.Model, keras.layers.Layer, keras.layers.LSTM, keras.layers.BatchNormalization),
    *(keras.optimizers.Optimizer, keras.losses.Loss, keras.metrics.Metric, keras.callbacks.Callback),
    *(keras.export.ExportArchive, keras.random.SeedGenerator),
]  # fmt: skip
METHODS = {
    *(name for one in KERAS for name, value in inspect.getmembers(one, inspect.isroutine)),
    "__class__",
}


def replaced_methods(text):
    """Names of Keras's methods that a file sets as attributes of anything but `self`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
            if node.attr in METHODS and not is_own:
                yield node.attr


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("model.train_step = f", ["train_step"]),
        ("optimizer.apply = apply", ["apply"]),
        ("a.b.call, x = f, 1", ["call"]),
        ("value.__class__ = Other", ["__class__"]),
        ("del layer.call", ["call"]),
        ("self.call = f; model.trainable = False; layer.rate = 0", []),
    ],
)
def test_a_replaced_method_is_found(line, found):
    assert list(replaced_methods(line)) == found


def test_methods_of_keras_are_replaced_in_one_folder():
    found = {name: list(replaced_methods(path.read_text())) for name, path in FILES.items()}
    outside = {name: names for name, names in found.items() if names and not name.startswith("keras_fixes/")}  # fmt: skip
    assert outside == {}
    assert sum(map(len, found.values())) > 4  # that there are some shows that they are seen
