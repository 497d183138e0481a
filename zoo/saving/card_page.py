"""The card as a page for people: `card.md`."""

from zoo.data import kinds
from zoo.models import checks
from zoo.tasks import task

MOST_INPUTS = 30  # that an example writes out


def render(card):
    """Renders a `Card` as Markdown."""
    data, made_by = card.data, card.made_by
    lines = [
        f"# {card.name}",
        "",
        f"{card.described} for {card.task} on {data.name}: {card.headline}.",
        "",
        "## Use",
        "",
        "```python",
        *_example(card),
        "```",
        "",
        "These lines need TensorFlow alone. Run them in the folder that holds saved_model.pb, or put its path in place of the dot.",
        "",
        "| signature | inputs | outputs |",
        "| --- | --- | --- |",
    ]
    for name, signature in card.signatures.items():
        lines.append(
            f"| {name} | {_tensors(signature['inputs'])} | {_tensors(signature['outputs'])} |"
        )
    lines += [
        "",
        f"- input: {_meaning(card)}",
        *(f"- input `{name}`: {_meaning(part)}" for name, part in card.parts.items()),
        f"- preprocessing, inside the graph: {'; '.join(card.preprocessing)}",
    ]
    if card.labels and task(card.task).targets != "none":
        shown = ", ".join(card.labels[:20]) + (", ..." if len(card.labels) > 20 else "")
        lines.append(f"- classes: {shown}")
    if card.target_names:
        lines.append(f"- predicted numbers, in this order: {', '.join(card.target_names)}")
    if card.runs[0].shrunk:
        lines.append(f"- {_shrunk(card.runs[0].shrunk)}")
    lines += [
        f"- limits: {card.limits}",
        "",
        "## Scores",
        "",
        *_score_lines(card),
    ]
    counts = ", ".join(f"{split} {count:,}" for split, count in data.examples.items())
    lines += _taken_for(card)
    lines += [
        "",
        "## Origin",
        "",
        f"- data: {data.name} ({counts}), {data.source}; licence: {data.licence}",
        f"- command: `{made_by['command']}`",
        f"- made on {made_by['date']} with keras {made_by['keras']}, tensorflow {made_by['tensorflow']}, "
        f"Python {made_by['python']}, on {made_by['device']}",
        "",
    ]
    return "\n".join(map(checks.shown, lines))  # whoever wrote the card


def _meaning(card):
    """What a raw input is, in words."""
    shape = card.input_shape
    sizes = dict(zip(("height", "width", "channels"), shape)) | {"shape": tuple(shape)}
    sizes |= {"steps": shape[0] if shape else 0, "columns": ", ".join(card.columns)}
    return kinds.kind(card.input_kind).meaning.format(**sizes)


def _taken_for(card):
    if not card.taken_for:
        return []
    return ["", "## What the data were taken for", "", *(f"- {line}" for line in card.taken_for)]


def _shrunk(shrunk):
    if shrunk.get("members") is not None:
        return f"cut: the first {shrunk['members']} members of {shrunk['from']}"
    if shrunk["prune"] is not None:
        return f"pruned: {shrunk['prune']:.0%} of the elements of all kernels of {shrunk['from']} together are zero"
    return f"quantized: weights of dense layers and embeddings of {shrunk['from']} in {shrunk['quantize']}"


def _score_lines(card):
    names = list(card.runs[0].scores)
    titles = " | ".join(name.replace("|", "\\|") for name in names)
    yield f"Protocol: {card.protocol}. The weights here are those of the first row."
    yield ""
    yield f"| seed | {titles} | 95 % of the first | test examples | training time |"
    yield "| --- |" + " --- |" * (len(names) + 3)
    for run in card.runs:
        values = " | ".join(f"{value:.4f}" for value in run.scores.values())
        ends = run.interval
        interval = f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "-"
        seconds = "unknown" if run.fit_seconds is None else f"{run.fit_seconds:.0f} s"
        yield f"| {run.seed} | {values} | {interval} | {run.num_test:,} | {seconds} |"


def _tensors(tensors):
    shown = [
        f"`{name}` {dtype} {_shape(shape)}" for name, (dtype, shape) in list(tensors.items())[:4]
    ]
    return ", ".join(shown) + (f", ... ({len(tensors)} in all)" if len(tensors) > 4 else "")


def _shape(shape):
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _example(card):
    """Lines of Python that ask the model for one made-up example."""
    inputs = card.signatures["serving_default"]["inputs"]
    values = {name: _value(name, *spec, card) for name, spec in inputs.items()}
    if len(values) > MOST_INPUTS:
        given = [
            'specs = model.signatures["serving_default"].structured_input_signature[1]',
            "example = {name: tf.zeros([1], spec.dtype) for name, spec in specs.items()}",
        ]
    elif len(values) == 1:
        ((name, value),) = values.items()
        given = [f"example = {{{name!r}: {value}}}"]
    else:
        given = ["example = {", *(f"    {name!r}: {value}," for name, value in values.items()), "}"]
    return [
        "import tensorflow as tf",
        "",
        'model = tf.saved_model.load(".")',
        *given,
        'outputs = model.signatures["serving_default"](**example)',
        "print({name: values.numpy() for name, values in outputs.items()})",
    ]


def _part_of(card, name):
    """What describes an input of `serving_default`: the card, or its part of one of several inputs; and its name there."""
    for called, part in card.parts.items():
        if name == called:
            return part, name
        if name.removeprefix(f"{called}_") in part.columns:
            return part, name.removeprefix(f"{called}_")
    return card, name


def _value(name, dtype, shape, card):
    """A made-up value for an input of `serving_default`, as Python: of a column one that training knew, where the card says some."""
    card, name = _part_of(card, name)
    if dtype == "string":
        kind = dict(zip(card.columns, card.column_kinds)).get(name)
        days = (card.ranges or {}).get(name, ("2024-01-31",))
        known = (card.categories or {}).get(name) or [days[0] if kind == "date" else "a few words"]
        return f"tf.constant([{next((text for text in known if text), known[0])!r}])"
    if len(shape) == 1:
        low, high = (card.ranges or {}).get(name, (1.0, 1.0))
        return f"tf.constant([{(low + high) / 2:.6g}], tf.{dtype})"
    known = dict(
        enumerate(card.input_shape)
    )  # a card may say other sizes of its input than of its signature
    sizes = [size or known.get(i) or 1 for i, size in enumerate(shape[1:])]
    return f"tf.zeros([1, {', '.join(map(str, sizes))}], tf.{dtype})"
