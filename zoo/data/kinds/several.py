"""Several inputs for each example, by name: each is of a kind of its own, which describes, checks and prepares it.

The raw inputs are a dict, such as `{"image": [N, H, W, C], "columns": {"age": [N], "sex": [N]}}`; in the signatures of an export,
which take tensors by name, they are `image`, `columns_age` and `columns_sex`.
"""

import dataclasses
import os
from collections.abc import Mapping

import keras
import numpy as np

from zoo.data import examples, naming
from zoo.data.kinds import objects, pixel_arrays
from zoo.data.kinds.row import Kind, Prepared, one_array
from zoo.data.part import Part
from zoo.models import checks


class Inputs:
    """The inputs of a split, by name; it has as many examples as each of them.

    Args:
        what: What messages call them.
        parts: Name → an array, a DataFrame or a list of pictures.

    Raises:
        InputError: They differ in length, or a name does not fit a signature.
    """

    dtype, ndim = np.dtype("V"), 1  # of no other kind

    def __init__(self, what, parts):
        self.parts = {name: as_column(values) for name, values in parts.items()}
        counts = {name: len(values) for name, values in self.parts.items()}
        if len(set(counts.values())) != 1:
            raise checks.InputError(f"{what} differ in length: {counts}")
        if wrong := [name for name in counts if naming.column_name(name) != name]:
            raise checks.InputError(
                f"{what}: the name {wrong[0]!r} does not fit a signature: call it {naming.column_name(wrong[0]) or 'x'!r}."
            )

    def __len__(self):
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows):
        return self.map(
            lambda _, values: (values.iloc if objects.is_frame(values) else values)[rows]
        )

    def map(self, function):
        """The inputs that a function (name, values) → values makes of these."""
        return Inputs("The inputs", {name: function(name, v) for name, v in self.parts.items()})


def as_column(values):
    """Numbers `[N]` as `[N, 1]`; other inputs as they are."""
    is_flat = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "fiub"
    return values[:, None] if is_flat else values


def plain(what, values):
    """What `objects.plain` gives; a dict of which one value has more than one dimension as `Inputs`."""
    is_dict = isinstance(values, Mapping) and len(values) > 1
    if not is_dict or not any(map(_is_more, values.values())):
        return objects.plain(what, values)
    parts = {str(n): objects.plain(f"{what}, {str(n)!r},", given) for n, given in values.items()}
    for name, part in parts.items():
        if (
            isinstance(part, np.ndarray)
            and part.dtype == object
            and isinstance(part.flat[0], os.PathLike)
        ):
            raise checks.InputError(
                f"{what}: {name!r} holds paths of files, which are not read among several inputs: pass their pixels or texts."
            )
    return Inputs(what, parts)


def _is_more(values):
    """Whether values of a dict are more than one column of a table."""
    if isinstance(values, Mapping) or objects.is_frame(values):
        return True
    if isinstance(values, (list, tuple)):
        first = next((value for value in values if value is not None), None)
        is_array = isinstance(first, (list, tuple)) or getattr(first, "ndim", 0) > 0
        return is_array or objects.is_picture(first)
    return len(getattr(values, "shape", ())) > 1


def brought(what, x, like, size):
    """Inputs of a split with pictures as pixels, as `pixel_arrays.brought` says; also those among several."""
    if not isinstance(x, Inputs):
        return pixel_arrays.brought(what, x, like=like, size=size)
    known = like.parts if isinstance(like, Inputs) else {}
    return x.map(
        lambda name, values: pixel_arrays.brought(
            f"{what}, {name!r},", values, like=known.get(name), size=size
        )
    )


def joined(what, batches, join):
    """The `Inputs` of batches, one after the other; `join` does it for the values of one input."""
    names = batches[0].parts
    return Inputs(what, {name: join([batch.parts[name] for batch in batches]) for name in names})


def refuse_named_model(info):
    """Raises `InputError`: no family of the table takes several inputs."""
    shown = ", ".join(f"{name} ({part.kind})" for name, part in info.parts.items())
    raise checks.InputError(
        f"{info.name} has several inputs, {shown}, and the models that have a name take one: pass a model of your own with a "
        "keras.Input of each name, or a function ({name: shape}, num_classes) that builds one; or join arrays of numbers to one, "
        "np.concatenate(..., axis=-1)."
    )


def by_input(name, kind, found):
    """An input's raw tensors by the names that they have in a signature of several inputs.

    Args:
        name: Of the input.
        kind: Its `Kind`.
        found: Name → tensor, array or spec, as the kind names them.
    """
    if kind.named is one_array:
        (value,) = found.values()
        return {name: value}
    return {f"{name}_{key}": value for key, value in found.items()}


class _Several:
    """The functions of the row, which ask the rows of the inputs.

    Args:
        kind: Name → `Kind`.
        recognise: Inputs of a part → `Kind`.
    """

    def __init__(self, kind, recognise):
        self.kind, self.recognise = kind, recognise

    def rows(self, info):
        """(name, `Kind`, `DataInfo`) of each input."""
        return [(name, self.kind(part.kind), part) for name, part in info.parts.items()]

    def problems(self, part):
        """Those of each input that is no table; what the kinds read is kept."""
        found = {}
        for name, values in part.x.parts.items():
            if not objects.is_frame(values):
                own = Part(part.split, values, part.y, part.row)
                why = self.recognise(values).problems(own)
                part.x.parts[name] = own.x
                found |= {f"{name}: {reason}": bad for reason, bad in why.items()}
        return found

    def describe(self, parts, options):
        """The fields of each input under its name, and a function from a part to the dict of its inputs."""
        names = list(parts["train"].x.parts)
        fields, converts, own = {}, {}, {}
        for part in parts.values():
            if set(part.x.parts) != set(names):
                raise checks.InputError(
                    f"The {part.split} inputs are {', '.join(part.x.parts)}; the train inputs {', '.join(names)}: they must agree."
                )
        for name in names:
            # Targets are numbers that all differ: one input alone need not tell the classes apart.
            own[name] = {
                split: Part(split, p.x.parts[name], np.arange(len(p.x), dtype="float64"), p.row)
                for split, p in parts.items()
            }
            row = self.recognise(own[name]["train"].x)
            try:
                fields[name], converts[name] = row.describe(own[name], options)
            except checks.InputError as error:
                raise checks.InputError(f"The input {name!r}: {error}") from error
            if any(len(p.x) != len(parts[split].x) for split, p in own[name].items()):
                raise checks.InputError(
                    f"skip_bad leaves out examples of {name!r} that the other inputs have: leave them out of all inputs yourself."
                )
        texts = [n for n, found in fields.items() if self.kind(found["kind"]).vocabulary]
        if len(texts) > 1:
            raise checks.InputError(
                f"Several inputs are texts ({', '.join(texts)}), each with a vocabulary of its own, and one can be learned: join the "
                "texts of an example to one; categories belong into one table, {'columns': DataFrame}."
            )
        described = {"kind": "several", "input_shape": (), "input_dtype": "mixed", "parts": fields}
        return described, lambda part: {
            name: _array(name, converts[name](own[name][part.split])) for name in names
        }

    def check(self, split, data, info):
        for name, kind, part in self.rows(info):
            (kind.check or examples.check_finite)(split, data.of_input(name), part)

    def resize(self, info, splits, size):
        """Brings the images among the inputs to a size."""
        parts = dict(info.parts)
        for name, kind, part in self.rows(info):
            if kind.resize:
                own = {split: data.of_input(name) for split, data in splits.items()}
                parts[name], own = kind.resize(part, own, size)
                splits = {
                    split: dataclasses.replace(
                        data, inputs={**data.inputs, name: own[split].inputs}
                    )
                    for split, data in splits.items()
                }
        return dataclasses.replace(info, parts=parts), splits

    def overview(self, info, data):
        return {
            f"{name}, {column}": words
            for name, kind, part in self.rows(info)
            for column, words in kind.overview(part, data.of_input(name)).items()
        }

    def prepare(self, splits, fixed_length):
        """A model from a dict of raw inputs to a dict of prepared ones; each by the statistics of its own training values."""
        found, raw, outputs = {}, {}, {}
        for name, kind, _ in self.rows(splits.info):
            found[name] = kind.prepare(splits.of_input(name), fixed_length)
            inputs = found[name].inputs
            own = keras.Model(inputs.input, inputs.output, name=f"prepare_{name}")
            raw[name] = _inputs(name, inputs.input)
            outputs[name] = own(raw[name])
        steps = [f"{name}: {step}" for name, one in found.items() for step in one.steps]
        arguments = {key: v for one in found.values() for key, v in one.arguments.items()}
        return Prepared(keras.Model(raw, outputs, name="prepare"), steps, arguments, parts=found)

    def specs(self, info):
        found = {}
        for name, kind, part in self.rows(info):
            own = by_input(name, kind, kind.specs(part))
            if double := found.keys() & own.keys():
                raise checks.InputError(
                    f"Two inputs of {info.name} have the name {min(double)!r} in a signature, where the columns of a table are "
                    f"INPUT_COLUMN: call the input {name!r} otherwise."
                )
            found |= {
                key: type(spec)(spec.shape, spec.dtype, name=key) for key, spec in own.items()
            }
        return found

    def named(self, rows, info):
        found = {}
        for name, kind, part in self.rows(info):
            found |= by_input(name, kind, kind.named(rows[name], part))
        return found

    def to_model(self, raw, info, inputs):
        found = {}
        for name, kind, part in self.rows(info):
            names = by_input(name, kind, {key: key for key in kind.specs(part)})
            own = {key: raw[flat] for flat, key in names.items()}
            found[name] = kind.to_model(own, part, inputs.get_layer(f"prepare_{name}"))
        return found

    def golden(self, rows, info):
        """The examples that any input proves itself with; the others go round from their first one."""
        found = {name: kind.golden(rows[name], part) for name, kind, part in self.rows(info)}
        most = max(len(_first(values)) for values in found.values())
        return keras.tree.map_structure(lambda v: v[np.arange(most) % len(v)], found)

    def check_raw(self, inputs, card, vocabulary):
        found = {}
        for name, part in card.parts.items():
            kind = self.kind(part.input_kind)
            found |= by_input(name, kind, kind.check_raw(inputs[name], part, vocabulary))
        lengths = {name: len(values) for name, values in found.items()}
        if len(set(lengths.values())) != 1:
            raise checks.InputError(f"The inputs of {card.name} differ in length: {lengths}")
        return found

    def far(self, named, card):
        """Examples any of whose inputs are."""
        found = []
        for name, part in card.parts.items():
            kind = self.kind(part.input_kind)
            names = (part.input_kind,) if kind.named is one_array else part.columns
            flat = by_input(name, kind, {own: own for own in names})
            found.append(kind.far({own: named[key] for key, own in flat.items()}, part))
        return np.any(found, 0)


def row(kind, recognise):
    """The `Kind` of several inputs.

    Args:
        kind, recognise: Those of the table, which this row is part of.
    """
    own = _Several(kind, recognise)
    return Kind(
        name="several",
        called="several inputs",
        meaning="several inputs by name",
        recognises=lambda x: isinstance(x, Inputs),
        problems=own.problems,
        describe=own.describe,
        check=own.check,
        resize=own.resize,
        overview=own.overview,
        model=refuse_named_model,
        prepare=own.prepare,
        specs=own.specs,
        named=own.named,
        to_model=own.to_model,
        golden=own.golden,
        check_raw=own.check_raw,
        far=own.far,
    )


def _array(name, found):
    """An input's values, which must be in memory."""
    if not isinstance(found, (np.ndarray, dict)):
        raise checks.InputError(
            f"{name!r} is read from files, which several inputs are not: pass its values."
        )
    return found


def _inputs(name, given):
    """Inputs of an outer model for those of the model that prepares an input."""
    if isinstance(given, dict):
        return {
            key: keras.Input(one.shape[1:], dtype=one.dtype, name=f"{name}_{key}")
            for key, one in given.items()
        }
    (one,) = keras.tree.flatten(given)
    return keras.Input(one.shape[1:], dtype=one.dtype, name=name)


def _first(values):
    return keras.tree.flatten(values)[0]
