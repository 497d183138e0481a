"""What of a card's JSON can be used. Imports TensorFlow only where every entry is looked at."""

import datetime

from zoo.config.config import MADE_BY

MOST = 1.7976931348623157e308  # of a number: JSON reads more as infinity
# What a card says of its input, and of each where there are several.
OF_INPUT = (
    "input_kind",
    "input_shape",
    "input_range",
    "columns",
    "column_kinds",
    "readings",
    "text_size",
    "text_unit",
    "text_cleaning",
    "categories",
    "ranges",
    "decoding",
)


def first_unusable(content, entries=None):
    """The first entry of a card's JSON, brought up to date, that cannot be used; `None` where all can. Anybody may have made it.

    Args:
        content: The JSON.
        entries: Those that are looked at; all where it is `None`.
    """
    if entries is not None:
        return next((k for k in entries if k not in content or not _USABLE[k](content[k])), None)
    from zoo.data import kinds  # imports TensorFlow

    usable = {key: key in content and is_one(content[key]) for key, is_one in _USABLE.items()}
    if usable["input_kind"] and usable["input_shape"]:
        kind, rank = content["input_kind"], len(content["input_shape"])
        usable["input_kind"] = kind in kinds.KINDS
        usable["input_shape"] = not usable["input_kind"] or kinds.kind(kind).fits(rank)
    return next((key for key, is_one in usable.items() if not is_one), None)


def _is_text(value):
    return isinstance(value, str)


def _is_number(value):
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_one and -MOST <= value <= MOST


def _is_count(value):
    return type(value) is int and 0 <= value < 2**63


def _is_dict(value):
    return isinstance(value, dict)


def _is_range(value):
    """Whether it is the lowest and the highest of some numbers, or the first and the last of some days."""
    return _is_list_of(_is_number, 2)(value) or _is_list_of(_is_day, 2)(value)


def _is_day(value):
    try:
        return isinstance(value, str) and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def _is_list_of(is_one, lengths=None):
    def is_list(value):
        fits = isinstance(value, list) and (lengths is None or len(value) == lengths)
        return fits and all(map(is_one, value))

    return is_list


def _or_none(is_one):
    return lambda value: value is None or is_one(value)


def _is_file_name(name):
    """Whether a file of this name lies in the folder it is put into, and can be shown."""
    is_shown = isinstance(name, str) and name.isprintable() and name not in ("", ".", "..")
    return is_shown and not set(name) & {"/", "\\"}


def _is_builder(value):
    """Whether it names a family and a size, and gives plain arguments: of a dict Keras makes whatever object it names."""
    parts = [value.get(key) for key in ("family", "size")] if isinstance(value, dict) else [None]
    arguments = value.get("arguments") if isinstance(value, dict) else None
    if not all(isinstance(part, str) for part in parts) or not isinstance(arguments, dict):
        return False
    waiting = list(arguments.values())
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif not isinstance(found, (int, float, str, type(None))):
            return False
    return True


def _has(**entries):
    """A function that tells whether a value is a dict with entries that can be used."""

    def has_all(value):
        return _is_dict(value) and all(
            key in value and is_one(value[key]) for key, is_one in entries.items()
        )

    return has_all


def _may_have(**entries):
    """A function that tells whether a value is a dict whose entries of these names, where it has them, can be used."""

    def fits(value):
        return _is_dict(value) and all(
            is_one(value[key]) for key, is_one in entries.items() if key in value
        )

    return fits


def _is_tensors(value):
    """Whether it is a dict from the name of a tensor to its dtype and shape."""

    def is_tensor(pair):
        is_pair = isinstance(pair, list) and len(pair) == 2 and _is_text(pair[0])
        return (
            is_pair and pair[0].isidentifier() and _is_shape(pair[1])
        )  # its dtype stands in the page's lines of Python

    return _is_dict(value) and all(map(is_tensor, value.values()))


def _is_of_signatures(value):
    is_signature = _has(inputs=_is_tensors, outputs=_is_tensors)
    return _is_dict(value) and "serving_default" in value and all(map(is_signature, value.values()))


def _is_of_runs(value):
    is_run = _has(seed=_is_count, num_test=_is_count, scores=_is_of_scores, fit_seconds=_or_none(_is_number))  # fmt: skip
    # Later entries, which `up_to_date` adds.
    has_more = _may_have(
        interval=_or_none(_is_list_of(_is_number, 2)),
        constant=_is_of_numbers,
        temperature=lambda value: _is_number(value) and value > 0,
        uncalibrated=_is_of_numbers,
        baseline=_is_dict,
        shrunk=_has(prune=_or_none(_is_number), quantize=_or_none(_is_text), **{"from": _is_text}),
    )
    return bool(value) and _is_list_of(lambda run: is_run(run) and has_more(run))(value)


def _is_of_numbers(value):
    return _is_dict(value) and all(map(_is_number, value.values()))


def _is_of_scores(value):
    return bool(value) and _is_of_numbers(value)


_is_shape = _is_list_of(_or_none(_is_count))


def _is_of_counts(value):
    return _is_dict(value) and all(map(_is_count, value.values()))


def _is_config(value):
    """Whether it has what is read of the `TrainConfig`; the rest is checked where a run goes on with it."""
    data = _may_have(missing=_or_none(_are_texts), decimal=_or_none(_is_text))
    parts = _may_have(model=_is_text, data=data, run=_may_have(precision=_is_text))
    return parts(value) and "model" in value


def _are_inputs(value):
    """Whether it describes several inputs, each with all entries of `OF_INPUT`."""
    from zoo.data import kinds  # imports TensorFlow

    return (
        _is_dict(value)
        and bool(value)
        and all(
            _is_dict(one)
            and set(one) == set(OF_INPUT)
            and all(_USABLE[key](one[key]) for key in OF_INPUT)
            and one["input_kind"] in kinds.KINDS
            and kinds.kind(one["input_kind"]).fits(len(one["input_shape"]))
            for one in value.values()
        )
    )


def _are_styles(styles):
    from zoo.data.kinds import date_forms, units  # imports TensorFlow

    return all(units.is_style(style) or date_forms.is_form(style) for style in styles)


_are_texts = _is_list_of(_is_text)
_USABLE = {
    "name": _is_file_name,
    "card_version": lambda version: _is_count(version) and version > 0,
    "task": _is_text,
    "input_kind": _is_text,
    "input_shape": _is_shape,
    "preprocessing": _are_texts,
    "labels": _are_texts,
    "label_type": lambda found: found in (None, "int", "bool"),
    "target_names": _or_none(_are_texts),
    "inputs": _or_none(_are_inputs),
    "columns": _are_texts,
    "runs": _is_of_runs,
    "data": _has(name=_is_text, source=_is_text, licence=_is_text, examples=_is_of_counts),
    "signatures": _is_of_signatures,
    "config": _is_config,
    "builder": _or_none(_is_builder),
    "input_range": _or_none(_is_list_of(_is_number, 2)),
    "column_kinds": _are_texts,
    "readings": lambda styles: styles is None or _is_dict(styles) and _are_styles(styles.values()),
    "taken_for": _or_none(_are_texts),
    "decoding": _or_none(_is_count),
    "text_size": _or_none(_is_list_of(_is_count, 2)),
    "text_unit": _is_text,
    "categories": lambda known: (
        known is None or _is_dict(known) and all(map(_are_texts, known.values()))
    ),
    "novelty": lambda found: found is None or _has(threshold=_is_number)(found),
    "ranges": lambda found: (
        found is None or _is_dict(found) and all(map(_is_range, found.values()))
    ),
    "text_cleaning": _or_none(_are_texts),
    "protocol": _is_text,
    "made_by": _has(**dict.fromkeys(MADE_BY, _is_text)),
    "limits": _is_text,
}
