"""CSV files as people and programs write them: their form, their header, their cells, the line of each row."""

import codecs
import csv
import gzip
import io
import re
import warnings
import zlib
from pathlib import Path

import numpy as np

from zoo.data import examples
from zoo.data.kinds import columns as tables
from zoo.data.user import paths, rows
from zoo.models import checks

SEPARATORS = (",", ";", "\t", "|")
ENDINGS = paths.TABLES
HEAD = 65536  # bytes of a CSV file that tell its form


def is_csv(path):
    """Whether a file is named as a CSV table."""
    return str(path).lower().endswith(ENDINGS)


def stem(path):
    """The name of a CSV file without its endings."""
    name = Path(path).name
    ending = next((e for e in ENDINGS if name.lower().endswith(e)), Path(path).suffix)
    return name[: -len(ending) or None]


def read_csv(path, content=None, *, texts=None, named=()):
    """Reads a CSV table with a header as a DataFrame whose index is the number of the line.

    Cells are separated by commas, semicolons, tabs or bars; the file may be packed by gzip. Rows of empty cells at the end are
    no rows. What a cell is, all cells of its column tell together: see
    `kinds.readings`.

    Args:
        path: The file; what messages call it where `content` is given.
        content: Its bytes, where they do not come from a file.
        texts: Titles of columns that are texts whatever they look like; by default all. Of the others those are numbers
            that are nothing but numbers, however they are read.
        named: Titles that the caller named, each of which must be that of one column.

    Returns:
        The DataFrame and the separator.

    Raises:
        InputError: It is no CSV table, has no header, has rows of more cells than titles, or is no UTF-8 text.
    """
    import pandas as pd

    try:
        content = Path(path).read_bytes() if content is None else content
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        content = content.removeprefix(codecs.BOM_UTF8)
        blank = re.match(rb"(?:[^\S\n]*\n)*", content)[0]  # lines before the header
        content = _unescaped(path, content[len(blank) :])
        skipped, separator, titles = _header(path, _head(content))
        titles = _distinct(path, titles, named)
        content = _without_empty_rows(path, content, separator)
        form = (path, content, separator, skipped, len(titles))
        rows.check(*form, before=blank.count(b"\n"))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", pd.errors.ParserWarning
            )  # of cells that it would leave out
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # such columns are read again
            frame = _cells(content, separator, skipped, titles, texts)
    except UnicodeDecodeError:
        raise checks.InputError(
            f"{path} is not UTF-8 text (byte {_first_bad_byte(content)}): save it as UTF-8."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it is damaged"
        raise checks.InputError(f"Cannot read {path}: {why}.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        rows.check(*form, before=blank.count(b"\n"), is_uneven=True)
        raise checks.InputError(f"{path} is no CSV table: {str(error).strip()}") from error
    frame.index = _lines(content, separator, skipped, len(frame)) + blank.count(b"\n")
    frame = frame[[i for i, title in enumerate(titles) if title is not None]]
    frame.columns = [title for title in titles if title is not None]
    return frame.rename_axis("line"), separator  # messages then say "line 7"


def _first_bad_byte(content):
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _unescaped(path, content):
    """The content with quotes in cells doubled, where they are escaped by backslashes as MySQL and Spark write them."""
    if (
        b"\\" not in content or b'\\"' not in content
    ):  # one sign is looked for ten times as fast as two
        return content
    doubled = re.sub(rb'\\(["\\])', lambda m: b'""' if m[1] == b'"' else m[1], content)
    if _is_even(content) or not _is_even(doubled):
        return content
    examples.log.info('%s: \\" in a cell is read as a quote', path)
    return doubled


def _is_even(content):
    """Whether quotes stand around cells alone and all rows have a cell for each title, whatever sign separates them."""
    text, found = content.decode("utf-8"), []
    for separator in SEPARATORS:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            first, *widths = [len(row) for row in rows if row]
        except (csv.Error, ValueError):
            continue
        if len(set(widths)) == 1:
            found.append(widths[0] if widths[0] - first in (0, 1) else 0)
    return max(found, default=0) > 1 or found == [1] * len(SEPARATORS)


def _without_empty_rows(path, content, separator):
    """The content without the rows of empty cells at its end, as spreadsheets leave them."""
    empty, count = re.compile(rb'(\s|""|%b)*' % re.escape(separator.encode())), 0
    end = len(content)
    while (last := content.rfind(b"\n", 0, end)) > 0:
        line = content[last + 1 : end]
        if not empty.fullmatch(line):
            break
        count += separator.encode() in line
        end = last
    if count:
        examples.log.info("%s: %d rows of empty cells at its end are not read", path, count)
    return (
        content if len(content) - end < 3 else content[:end]
    )  # the end of the last line costs nothing


def _is_text(column):
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype)


def _head(content):
    """The first lines of a file as a text, and whole lines only."""
    is_cut = len(content) > HEAD
    head = content[:HEAD].rpartition(b"\n")[0] if is_cut else content
    return (head if head or not is_cut else content).decode("utf-8")


_LONG = 1e15  # whole numbers from here on are not exact as float64, or are no numbers
_PIECE = 2**18  # bytes that fit into the cache of a processor
_BEFORE = list(b',;\t|"\n\r ')  # what a cell may follow


def _has_codes(content):
    """Whether a cell begins with 0 and a further digit: 007 is more than its value. Four times as fast as a pattern."""
    signs = np.frombuffer(content, np.uint8)
    for start in range(0, len(signs), _PIECE):
        piece = signs[max(start - 2, 0) : start + _PIECE]
        before = piece[:-2]
        is_code = (piece[1:-1] == ord("0")) & (piece[2:] - ord("0") < 10)
        is_code &= (before <= ord(",")) | (before == ord(";")) | (before == ord("|"))
        if is_code.any() and np.isin(before[is_code], _BEFORE).any():
            return True
    return False


def _cells(content, separator, skipped, titles, texts):
    """The cells of a CSV file as a DataFrame whose columns are numbered: all as texts where `texts` is `None`."""
    import pandas as pd

    form = {
        "sep": separator, "header": None, "names": range(len(titles)), "skiprows": skipped, "keep_default_na": False,
        "index_col": False,
    }  # fmt: skip
    if texts is None:
        return pd.read_csv(io.BytesIO(content), dtype=str, **form)
    told = {i: str for i, title in enumerate(titles) if title in texts}
    frame = pd.read_csv(io.BytesIO(content), dtype=told, na_values=[""], **form)
    # Numbers that are more than their value, 007 and +49; and beside decimal commas 1.100 may be 1100.
    is_spelled = b"+" in content or _has_codes(content)
    if not is_spelled and (separator != "," or b'"' in content):
        texts_there = [frame[i].drop_duplicates() for i in frame if _is_text(frame[i])]
        is_spelled = any(column.str.contains(r"\d,\d").any() for column in texts_there)
    again = []
    for i in frame.columns:
        column = frame[i]
        is_number = column.dtype.kind in "iuf"
        if is_number and column.notna().any() and not (is_spelled or (column.abs() >= _LONG).any()):
            continue
        # Besides numbers: True in any spelling, and numbers that have texts below them.
        if is_number or column.dtype.kind == "b" or (column.dtype == object and i not in told):
            again.append(i)
    if again:
        frame[again] = pd.read_csv(io.BytesIO(content), dtype=str, usecols=again, **form)
    return frame


def _lines(content, separator, skipped, count):
    """The line of the file that each of `count` rows begins in: values may go over several lines, and empty ones are no rows."""
    usual = np.arange(count) + skipped + 1
    end = len(content) - len(content[-2:]) + len(content[-2:].rstrip(b"\r\n"))
    if content.count(b"\n", 0, end) + 1 - skipped == count:
        return usual
    lines = io.StringIO(content.decode("utf-8"), newline="")
    for _ in range(skipped):
        next(lines)
    rows, found, first = csv.reader(lines, delimiter=separator), [], skipped + 1
    try:
        for row in rows:
            if row and (len(row) > 1 or row[0].strip()):
                found.append(first)
            first = skipped + rows.line_num + 1
    except csv.Error:  # a cell that is very long
        return usual
    return np.array(found) if len(found) == count else usual


def _header(path, text):
    """Lines to skip, the separator, and the title of each column; `None` for one that is not read."""
    # Not `splitlines`, which takes signs within a cell, such as U+2028, for ends of lines.
    lines = re.split("\r\n|\r|\n", text.rstrip("\r\n"))
    told = re.fullmatch(r"sep=(.)", lines[0].strip().strip('"'))
    skipped = 1 if told else 0
    rows = {s: [r for r in csv.reader(lines[skipped:], delimiter=s) if r] for s in SEPARATORS}  # fmt: skip
    if not rows[","]:
        raise checks.InputError(f"{path} is no CSV table: No columns to parse from file")

    def evenness(separator):
        first, *others = [len(row) for row in rows[separator]]
        usual = max(set(others), key=others.count) if others else first
        return usual - first in (0, 1) and first > 1, others.count(usual), usual

    separator = told[1] if told and told[1] in SEPARATORS else max(SEPARATORS, key=evenness)
    widest = max((min(map(len, rows[s][1:]), default=1), s) for s in SEPARATORS)[0]
    if len(rows[separator][0]) == 1 and widest > 2:
        raise checks.InputError(
            f"{path} is no CSV table: its first line, {lines[skipped]!r}, has one cell, and those below have {widest}. The first line "
            "must hold the titles of the columns."
        )
    if len(rows[separator][0]) == 1:  # one column, whose cells may hold any of them
        separator = "\x1f"
        rows[separator] = [[line.strip().strip('"')] for line in lines[skipped:] if line.strip()]
    titles, *cells = rows[separator]
    titles = [title.strip() for title in titles]
    if all(map(tables.is_number, titles)) and titles != list(map(str, range(len(titles)))):
        raise checks.InputError(
            f"{path} needs a header line: its first line holds numbers ({', '.join(titles[:3])})."
        )
    is_wider = bool(cells) and all(len(row) == len(titles) + 1 for row in cells)
    if is_wider and all(row[-1] == "" for row in cells):
        examples.log.info("%s: the separator at the ends of lines is not read", path)
        titles.append(None)
    elif (
        is_wider
        and '\\"' not in text
        and all(line.startswith('"') for line in lines[skipped + 1 :] if line)
    ):  # as R writes them
        examples.log.info(
            "%s: the first column has no title; it names the rows and is not read", path
        )
        titles.insert(0, None)
    elif titles[-1] == "" and all(row[-1] == "" for row in cells if len(row) == len(titles)):
        titles[-1] = None
    named = [f"Unnamed: {i}" if title == "" else title for i, title in enumerate(titles)]
    return skipped + 1, separator, named


def _distinct(path, titles, named):
    """Titles with a number after those that have occurred before, as pandas gives it, and as one line of the log says.

    Raises:
        InputError: A title that the caller named is that of several columns.
    """
    seen, found = {}, []
    for title in titles:
        count = seen[title] = seen.get(title, -1) + 1
        found.append(f"{title}.{count}" if count and title is not None else title)
    if twice := [title for title in seen if seen[title] and title is not None]:
        if asked := [title for title in twice if title in named]:
            raise checks.InputError(
                f"{path} has {seen[asked[0]] + 1} columns with the title {asked[0]!r}: which one is meant? Give each column a title of its own."
            )
        told = [
            f"{title!r} ({', '.join(t for t in found if t and t.rpartition('.')[0] == title)})"
            for title in twice
        ]
        examples.log.warning(
            "%s: titles of more than one column get a number: %s", path, ", ".join(told[:5]) + ", ..." * (len(told) > 5)
        )  # fmt: skip
    return found
