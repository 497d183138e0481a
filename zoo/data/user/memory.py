"""The caller's own data in memory: arrays, texts, a DataFrame or a `tf.data` set, brought to `DataInfo` and `Arrays`."""

import dataclasses

import numpy as np

from zoo.data import carving, examples, kinds, naming
from zoo.data.kinds import (
    cells,
    cleaning,
    dates,
    objects,
    plain_columns,
    readings,
    series,
    several,
    units,
)
from zoo.data.part import Part
from zoo.data.user import forms, named_files, oddities, pairs, targets, weights
from zoo.models import checks
from zoo.tasks import task


def read(data, options, *, validation=None, test=None, name="your data", separator=None):
    """Brings the caller's own data to a description and `Arrays` per split.

    Args:
        data: Training data: a pair (x, y) of arrays, a DataFrame, or a `tf.data.Dataset` of pairs (batched or not), or another form
            that `forms.read` knows.
            One-dimensional `x` of strings is text. Of dates in a DataFrame the day is read, not the time. Of a task without
            targets the data may be `x` alone; of a series they are its rows.
        options: The `DataOptions`.
        validation, test: Further splits in the same form.
        name: What messages and the card call the data.
        separator: What separated the cells of the file that they come from; `None` where they come from none.

    Returns:
        The `DataInfo` and a dict from each given split to `Arrays`.

    Raises:
        InputError: The data have a form, shape or value that the zoo cannot train on; the message says what to pass.
    """
    named_files.check(data, options)
    row = task(options.task) if options.task else None
    if row and row.targets == "steps":
        weights.check_none(data, options, row)
        if options.skip_bad or not (validation is test is None):
            raise checks.InputError(
                "A series is split by time and has no gaps: pass it whole, as `data`, without skip_bad."
            )
        return _read_series(data, options, name, separator)
    data, test = forms.both(data, test)
    parts, styles, table = _parts(data, validation, test, options, separator)
    train = parts["train"]
    for part in parts.values():
        if isinstance(part.x, several.Inputs) != isinstance(train.x, several.Inputs):
            raise checks.InputError(
                f"The {part.split} data have one input and the train data several, or the other way round: they must agree."
            )
    titles = options.target or train.labels
    if options.target_separator:
        titles = targets.split_labels(parts, options.target_separator)
        row = row or task("multilabel")
    if row is None or row.targets == "number":
        targets.check_numbers(train, titles)
    row = row or task(targets.guess_task(train.y, getattr(train.x, "shape", ())))
    targets.check_classes(train, titles, row, is_told=bool(options.task))
    weights.check(parts, row)
    names, convert_targets = row.convert(train.y, titles)
    if train.labels and row.targets == "class":
        names, convert_targets = targets.in_order(train.labels, names, convert_targets)
    described, convert = kinds.recognise(train.x).describe(parts, options)
    if options.files:
        described["columns"] = tuple(naming.column_names([options.files]))
    if row.targets == "answer":
        described["target_unit"], why = cleaning.unit_for(list(map(str, train.y)))
        if why:
            examples.log.info("answers: split into characters, as %s", why)
    if described.get("parts") and row.targets in ("answer", "none"):
        raise checks.InputError(
            f"A {row.name} learns from one input, and the data have several, {', '.join(described['parts'])}: pass one of them."
        )
    called = options.target[0] if len(options.target) == 1 else ""
    told = {row.names: names, "target": called, "label_type": targets.label_type(train, row)}
    info = _described(described | told, name, row.name, styles)
    if train.by is not None:
        told = carving.told(train.by, options.split_by, "test" in parts)
        info = dataclasses.replace(info, split=told)
    elif train.is_frame and "test" not in parts:
        carving.warn_of_chance(table.drop(columns=list(options.target), errors="ignore"))
    splits = {
        split: examples.paired(
            convert(part), convert_targets(part), part.by, part.weights, part.names
        )
        for split, part in parts.items()
    }
    if info.columns and row.targets == "class" and isinstance(splits["train"], examples.Arrays):
        kind = kinds.kind(info.kind)
        oddities.warn(kind.named(splits["train"].inputs, info), splits["train"].targets)
    return info, splits


def _described(fields, name, task_name, styles):
    """The `DataInfo` of some fields; of several inputs with that of each.

    Args:
        fields: Those that a kind and a task say.
        name: What messages and the card call the data.
        task_name: Of the task.
        styles: Column → style; of several inputs a dict of these.
    """
    parts = {
        own: _described(of_input, f"{name} ({own})", task_name, styles.get(own, {}))
        for own, of_input in fields.get("parts", {}).items()
    }
    columns = fields.get("columns", ())
    fields = {key: value for key, value in fields.items() if key != "parts"}
    fields["styles"] = {column: style for column, style in styles.items() if column in columns}
    return examples.DataInfo(name=name, task=task_name, parts=parts, **fields)


def _read_series(data, options, name, separator):
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):  # pandas, whose index counts
        data = data.to_frame(name=str(data.name or "value"))
    if not isinstance(data, tuple):
        data = forms.inputs_alone("The steps of the series", data)
    data, styles = _typed(data, options, separator, has_dates=False)
    info, held = series.read(data, options, name)
    styles = {column: styles[column] for column in info.columns if column in styles}
    return dataclasses.replace(info, styles=info.styles | styles), {"train": held}


def _parts(data, validation, test, options, separator):
    """Split → its `Part`, without examples that cannot be used; column → style of the training table; and that table, where it is one."""
    given = {"train": data, "validation": validation, "test": test}
    parts, styles, table, group = {}, None, None, None
    for split, part in given.items():
        if part is not None or split == "train":
            part, beside = weights.apart(part)
            form = _named_alike(forms.read(split, part, options), table)
            form, used = _typed(form, options, separator, styles)
            if split == "train":
                styles, table = used, form.x if isinstance(form, pairs.Pair) else form
                is_left = validation is None or test is None
                by, group = _split_by(table, options, test is not None, is_left)
            of_rows = weights.of(split, form, beside, options.sample_weight, options.target)
            left_out = {group, options.sample_weight}
            parts[split] = _part(split, form, options, left_out, of_rows, parts.get("train"))
    parts["train"].by = by
    for part in parts.values():
        part.y = targets.plain(part.y)
        problems = targets.problems(part.y) | weights.problems(part.weights)
        if not part.is_frame:
            problems |= kinds.recognise(part.x).problems(part)
        if part.by is not None:
            problems |= {f"its {options.split_by!r} is missing": carving.is_missing(part.by)}
        part.drop(problems, options.skip_bad)
    is_table = parts["train"].is_frame or options.files
    if not is_table:
        pairs.check_no_table(parts["train"].x, options)
    return parts, styles, table


def _named_alike(form, train):
    """A later form with the titles of the training table, where they differ in spaces, signs and capitals alone."""
    if isinstance(form, pairs.Pair):
        return dataclasses.replace(form, x=_named_alike(form.x, train))
    if isinstance(form, several.Inputs) and isinstance(train, several.Inputs):
        return form.map(lambda name, values: _named_alike(values, train.parts.get(name)))
    if not (objects.is_frame(form) and objects.is_frame(train)):
        return form
    titles = list(map(str, train.columns))
    names = dict(zip(naming.column_names(titles), titles))
    found = naming.by_name(list(form.columns), list(names))
    return form.rename(columns={title: names[name] for name, title in found.items()})


def _typed(form, options, separator, styles=None, has_dates=True):
    """A form whose DataFrame's columns of texts are read, and column → style of its numbers and dates; other forms as they are.

    Args:
        form, options, separator: A form that `forms.read` gives; as in `read`.
        styles: Those of the training table, for a later one.
        has_dates: Whether dates are read; those of a series are read where its order is found.
    """
    if isinstance(form, pairs.Pair):
        x, used = _typed(form.x, options, separator, styles, has_dates)
        return dataclasses.replace(form, x=x), used
    if isinstance(form, several.Inputs):
        known = styles or {}
        found = {
            name: _typed(
                values, options, separator, None if styles is None else known.get(name, {})
            )
            for name, values in form.parts.items()
        }
        return form.map(lambda name, _: found[name][0]), {
            name: used for name, (_, used) in found.items()
        }
    if not objects.is_frame(form):
        return form, {}
    frame = plain_columns.with_dates(form)
    names = dict(zip(frame.columns, naming.column_names(frame.columns), strict=True))
    is_later = styles is not None
    known = {title: styles.get(names[title]) for title in frame.columns} if is_later else None
    of_numbers = known and {title: s for title, s in known.items() if units.is_style(s)}
    texts = [title for title in known or () if title not in of_numbers]
    texts += [title for title, kind in options.kinds.items() if kind != "number"]
    texts += [options.files] if options.files else []
    if not is_later and frame.columns.is_unique:  # otherwise told of later
        endings = [ending for kind in kinds.KINDS.values() for ending in kind.file_endings]
        texts += [title for title in frame.columns if cells.are_no_values(frame[title], endings)]
    unread = _unread(frame, options) if has_dates else []
    found, used = readings.typed_frame(
        frame.drop(columns=unread), styles=of_numbers, texts=texts, missing=options.missing, decimal=options.decimal,
        quoted_in=separator, skip_bad=options.skip_bad, labels=_labels(options),
    )  # fmt: skip
    if has_dates:
        others = [*options.target, *(t for t, kind in options.kinds.items() if kind != "date")]
        found, of_dates = dates.read_frame(
            found, styles=known, order=options.dates, texts=others, skip_bad=options.skip_bad
        )
        used |= of_dates
    if unread:
        found = found.assign(**{title: frame[title] for title in unread})[list(frame.columns)]
    return found, {names[title]: style for title, style in used.items()}


def _labels(options):
    """Titles of the targets → whether they are classes for sure; none where they are numbers for sure."""
    is_number = options.task and task(options.task).targets in ("number", "steps")
    return {} if is_number else dict.fromkeys(options.target, bool(options.task))


def _unread(frame, options):
    """Titles of columns that are not asked for, and so not read: they may hold anything."""
    wanted = {*options.columns, *options.target, options.split_by, options.files, options.sample_weight}  # fmt: skip
    return [title for title in frame.columns if options.columns and title not in wanted]


def _split_by(frame, options, has_test, is_left):
    """What a training table is split by, and the title of its column where it only tells groups apart; `None` without one.

    Args:
        frame, options: The training table, the `DataOptions`.
        has_test: Whether the test split is the caller's own.
        is_left: Whether any split is left to make.
    """
    title = options.split_by
    if not title or not objects.is_frame(frame):
        return None, None
    checks.one_of("column in split_by", title, list(frame.columns))
    if title in options.target:
        raise checks.InputError(f"split_by={title!r} is the target: name another column.")
    by = carving.split_column(frame[title])
    is_learned = carving.is_order(by) or title in options.columns
    more = "" if is_learned else "; it is not learned from, unless columns name it"
    if not is_left:
        examples.log.warning("split_by=%r splits nothing: validation and test are given", title)
        return None, None if is_learned else title
    examples.log.info("rows are %s%s", carving.told(by, title, has_test), more)
    return by, None if is_learned else title


def _part(split, form, options, left_out=(), of_rows=None, like=None):
    """A split as a `Part`.

    Args:
        split, form, options: Its name, its data as `forms.read` gives them, the `DataOptions`.
        left_out: Titles of columns that are not learned from, unless columns name them.
        of_rows: The weights of the rows, or `None`.
        like: The training `Part`; `None` for that itself.
    """
    if isinstance(form, Part):
        return dataclasses.replace(form, weights=of_rows)
    if objects.is_frame(form):
        x, y, labels = _read_frame(split, form, options, left_out)
        part = Part(split, x, y, _row_of(x), labels, weights=of_rows)
        if options.files:
            named_files.read(part, options)
        return part
    x, y = form.x, form.y
    if options.target:
        raise checks.InputError(
            f"`target` names a column of a table, but the {split} data bring their targets beside them: leave it out."
        )
    if objects.is_frame(x) and options.columns:
        for column in options.columns:
            checks.one_of(f"column of the {split} inputs", column, list(x.columns))
        x = x[list(options.columns)]
    if objects.is_frame(x):
        x = x[[t for t in x.columns if t not in {*left_out} - {*options.columns}]]
    for values in x.parts.values() if isinstance(x, several.Inputs) else [x]:
        if objects.is_frame(values):
            naming.check_titles(split, list(values.columns))
    if y is None:
        if not options.task or task(options.task).targets != "none":
            raise checks.InputError(
                f"The {split} data have no targets, but must give pairs: pass the name of a data set, a path, a pair of arrays (x, y), a DataFrame "
                "with target='column', or a tf.data.Dataset of (x, y)."
            )
        y = np.zeros(len(x), "int64")  # the same class for all
    x = several.brought(f"The {split} inputs", x, like and like.x, options.image_size)
    return Part(split, x, y, _row_of(x), form.labels, weights=of_rows)


def _row_of(x):
    if objects.is_frame(x):
        rows = x.index
        return lambda i: f"{rows.name or 'row'} {rows[i]}"
    return lambda i: f"example {i}"


def _read_frame(split, frame, options, left_out):
    """Returns the columns to learn from, without that of groups, as a DataFrame, the targets as an array, and the order of their classes if they have one."""
    is_alone = options.files and options.task and task(options.task).targets == "none"
    named = [] if is_alone else targets.titles_of(split, frame, options.target)
    columns = (options.files,) if options.files else options.columns
    for column in columns:
        checks.one_of(f"column of the {split} table", column, list(frame.columns))
    if len(frame) == 0:
        raise checks.InputError(f"The {split} table has no rows.")
    others = [title for title in frame.columns if title not in (*columns, *named, *left_out)]
    if options.files and others and split == "train":
        examples.log.info("columns that are not read beside the files: %s", ", ".join(others))
    wanted = (
        list(columns) if columns else [c for c in frame.columns if c not in (*named, *left_out)]
    )
    if any(t in wanted for t in named):
        raise checks.InputError(
            f"The target {options.target!r} is among the columns to learn from."
        )
    naming.check_titles(split, wanted)
    if len(named) == 1 and not frame.columns.is_unique:
        raise checks.InputError(
            f"The {split} table has two columns {named[0]!r}: which is the target?"
        )
    if len(named) == 1 and hasattr(frame[named[0]], "cat"):
        return frame[wanted], *pairs.targets(split, frame[named[0]], options)
    return frame[wanted], targets.of_columns(frame, named), ()
