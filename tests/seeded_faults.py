"""Seeded faults in the sources: one a file, each a change of one line, chosen by the seed, the path and the text alone."""

import ast
import bisect
import collections
import hashlib
import itertools
import re
from typing import NamedTuple

SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "is": "is not", "is not": "is",
    "in": "not in", "not in": "in", "and": "or", "or": "and", "+": "-", "-": "+", "*": "/", "/": "*",
    "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "max": "min", "min": "max", "maximum": "minimum",
    "minimum": "maximum", "True": "False", "False": "True",
}  # fmt: skip
LAST = "return"  # kind of fault for files that offer nothing else
# Files that decide nothing: help texts, lists.
NO_LOGIC = ("zoo/tuning/command_line.py", "zoo/config/options.py")
# Changes that no test could notice: file, line, what becomes of it; why.
EQUIVALENT = {
    (
        "zoo/families.py",
        "target = np.take_along_axis(source, np.maximum(length - 1 - steps, 0), 1) + 2",
        "target = np.take_along_axis(source, np.minimum(length - 1 - steps, 0), 1) + 2",
    ): "examples for a training of some steps: other answers do as well",
    (
        "zoo/saving/sandboxed.py",
        "rights = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (1 << 15 if version >= 5 else 0)",
        "rights = (1 << (13 + (version > 2) + (version >= 3))) - 1 | (1 << 15 if version >= 5 else 0)",
    ): "kernels of one version of Landlock alone tell the difference",
    (
        "zoo/saving/sandboxed.py",
        "if rules < 0:",
        "if rules <= 0:",
    ): "the file of number 0 is standard input",
    (
        "zoo/saving/gate.py",
        "part := file.read(min(size, MIB))",
        "part := file.read(max(size, MIB))",
    ): "the same bytes, unless the file grows between two calls",
}


class Fault(NamedTuple):
    """A line and what becomes of it, without their indentation, and the number that the line had."""

    file: str
    kind: str
    line: int
    old: str
    new: str


class Outdated(Exception):
    """The line of a fault is no longer there, or there twice."""


def choose(root, count, seed):
    """So many faults of the files of `zoo/`, each of another file."""
    paths = [path.relative_to(root).as_posix() for path in (root / "zoo").rglob("*.py")]
    paths = [path for path in paths if not path.endswith("__init__.py") and path not in NO_LOGIC]
    paths.sort(key=lambda path: _digest(seed, path))
    found = (choose_in(path, (root / path).read_text(), seed) for path in paths)
    return list(itertools.islice(filter(None, found), count))


def choose_in(path, text, seed):
    """A fault of one file, whose kind is chosen first: there are many numbers and few slices. `None` if it offers none."""

    def order(fault):
        kind = _digest(seed, path, text, fault.kind)
        return fault.kind == LAST, kind, _digest(seed, path, text, *fault)

    found = [Fault(path, *fault) for fault in faults_of(text)]
    found = [fault for fault in found if (path, fault.old, fault.new) not in EQUIVALENT]
    return min(found, key=order, default=None)


def faults_of(text):
    """All faults that a source offers: tuples of kind, line number, old and new line."""
    source = _Source(text)
    times = collections.Counter(line.strip() for line in text.splitlines())
    for kind, start, end, new in _edits(ast.parse(text), source):
        number, old, changed = source.line_with(start, end, new)
        if changed and times[old] == 1:  # so that it is found when it has moved
            yield kind, number, old, changed


def apply(fault, text):
    """The source with the fault, wherever its line is now."""
    lines = text.splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if line.strip() == fault.old]
    if len(places) != 1:
        raise Outdated(f"{fault.file} has {fault.old!r} {len(places)} times")
    lines[places[0]] = lines[places[0]].replace(fault.old, fault.new)
    return "".join(lines)


def _digest(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


class _Source:
    """The bytes of a source, in which `ast` counts the columns."""

    def __init__(self, text):
        self.bytes = text.encode()
        self._starts = [0]
        for line in self.bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node):
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def line_with(self, start, end, new):
        """The number of the line of an edit, the line, and what becomes of it: nothing if the edit takes several lines."""
        number = bisect.bisect(self._starts, start)
        first, after = self._starts[number - 1 : number + 1]
        changed = self.bytes[first:start] + new.encode() + self.bytes[end:after]
        is_one = end <= after and "\n" not in new
        return number, self.bytes[first:after].decode().strip(), is_one and changed.decode().strip()

    def text(self, node):
        return self.bytes[self.start(node) : self.end(node)].decode()

    def swap_between(self, left, right):
        """Exchanges the operator between two nodes; brackets and ends of lines stay."""
        gap = self.bytes[self.end(left) : self.start(right)].decode()
        found = re.fullmatch(r"[\s()]*?(\w+ \w+|[^\s()]+)[\s()]*", gap)
        if found and found[1] in SWAPS:
            start = self.end(left) + found.start(1)
            yield start, start + len(found[1]), SWAPS[found[1]]


def _walk(node):
    """Nodes of code that decides something: neither annotations nor what becomes a message."""
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            is_code = isinstance(child, ast.AST) and name not in ("annotation", "returns")
            if is_code and not isinstance(child, (ast.Raise, ast.JoinedStr)):
                yield from _walk(child)


def _edits(tree, source):
    """Tuples of kind, first byte, byte after the last, and what is written there."""
    draws = "matplotlib" in source.bytes.decode()  # numbers are sizes of fonts and figures there
    for node in _walk(tree):
        for kind, edits in _kinds(node, source).items():
            if not (draws and kind == "number"):
                yield from ((kind, *edit) for edit in edits)


def _kinds(node, source):
    """The edits of one node, by kind."""
    match node:
        case ast.Compare(left=left, comparators=others):
            return {"comparison": _swaps(source, [left, *others])}
        case ast.BoolOp(values=values):
            return {"and, or": _swaps(source, values)}
        case ast.BinOp(left=one, right=other) | ast.AugAssign(target=one, value=other):
            return {"arithmetic": () if _is_text(one, other) else source.swap_between(one, other)}
        case ast.UnaryOp(op=ast.Not()):
            return {"not": [(source.start(node), source.start(node) + len("not "), "")]}
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            is_large = node.value >= 100  # one more of a limit or of many examples changes little
            return {"number": [] if is_large else [_write(source, node, repr(node.value + 1))]}
        case ast.arguments(defaults=defaults, kw_defaults=more):
            return {"flag": _flags(source, [*defaults, *more])}
        case ast.keyword(value=value):
            return {"flag": _flags(source, [value])}
        case ast.Slice(lower=lower, upper=upper):
            bounds = [bound for bound in (lower, upper) if isinstance(bound, (ast.Name, ast.Attribute, ast.Call))]  # fmt: skip
            return {
                "slice": [_write(source, bound, f"{source.text(bound)} + 1") for bound in bounds]
            }
        case ast.If(test=test) | ast.IfExp(test=test):
            return {"condition": _negated(source, test)}
        case ast.comprehension(ifs=[test]):
            return {"condition": _negated(source, test)}
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SWAPS:
            end = source.end(node.func)
            return {"max, min": [(end - len(name), end, SWAPS[name])]}
        case ast.Return(value=ast.AST() as value) if source.text(value) != "None":
            return {LAST: [_write(source, value, "None")]}
    return {}


def _write(source, node, text):
    return source.start(node), source.end(node), text


def _swaps(source, nodes):
    return [edit for pair in zip(nodes, nodes[1:]) for edit in source.swap_between(*pair)]


def _is_text(*nodes):
    kinds = (ast.JoinedStr, ast.List, ast.Tuple)
    return any(isinstance(n, kinds) or isinstance(getattr(n, "value", None), str) for n in nodes)


def _flags(source, nodes):
    values = [
        node for node in nodes if isinstance(node, ast.Constant) and node.value in (True, False)
    ]
    values = [node for node in values if isinstance(node.value, bool)]
    return [_write(source, node, SWAPS[source.text(node)]) for node in values]


def _negated(source, test):
    is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return [] if is_negated else [_write(source, test, f"not ({source.text(test)})")]
