"""Rows of a CSV file that have more or fewer cells than the header has titles."""

import csv
import io
import logging
import re

from zoo.models import checks

log = logging.getLogger("zoo")


def check(path, content, separator, skipped, count, *, before=0, is_uneven=False):
    """Raises `InputError` for a row of too many cells; says how many have too few, whose other cells are gaps.

    Args:
        path: What messages call the file.
        content: Its bytes.
        separator: What stands between two cells.
        skipped: Lines before the first row.
        count: Cells that each row should have.
        before: Lines of the file before the content.
        is_uneven: Whether some row is known to have too many.
    """
    if not is_uneven and (separator == "\x1f" or _are_even(content, separator, skipped, count)):
        return
    lines = io.StringIO(content.decode("utf-8"), newline="")
    for _ in range(skipped):
        next(lines, None)
    rows, begun, short = csv.reader(lines, delimiter=separator), skipped + before + 1, []
    try:
        for row in rows:
            if len(row) > count:
                raise checks.InputError(
                    f"{path}, line {begun}: {len(row)} cells, but the header has {count} titles. A {_called(separator)} within a cell "
                    "stands in quotes; or another sign separates the cells."
                )
            if row and len(row) < count and (len(row) > 1 or row[0].strip()):
                short.append((begun, len(row)))
            begun = skipped + before + rows.line_num + 1
    except csv.Error:  # a cell that is very long: pandas says what it is
        return
    if short:
        line, cells = short[0]
        log.warning(
            "%s: %d rows have fewer cells than the %d titles, first line %d with %d: those that lack are gaps",
            path, len(short), count, line, cells,
        )  # fmt: skip


def _are_even(content, separator, skipped, count):
    """Whether there are as many separators as rows of so many cells have, by counting alone; some too long and some too short, pandas tells."""
    bare = re.sub(rb'"[^"]*"', b"", content) if b'"' in content else content
    head, rest = bare.split(b"\n", skipped)[:skipped], bare.rstrip(b"\r\n")
    lines = rest.count(b"\n") + 1 - skipped
    separators = rest.count(separator.encode()) - sum(h.count(separator.encode()) for h in head)
    return separators == lines * (count - 1)


def _called(separator):
    return {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}.get(separator, repr(separator))
