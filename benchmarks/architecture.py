"""The architecture in numbers: what one training passes through, and what is decided outside its home.

python benchmarks/architecture.py                            # of the zoo that Python imports
PYTHONPATH=OTHER python benchmarks/architecture.py           # of another checkout
python benchmarks/architecture.py --places                   # every comparison and option, by file and line

Before a task, a kind of input and a runtime were rows (commit 70e9fa2, TensorFlow 2.21, Keras 3.15, Python 3.11):

    way              files  functions  calls  moves
    CSV: train          50        391   2973    460
    CSV: load            9         58   4885    126
    CSV: predict         6         21     67     12
    images: train       47        399   2159    458
    images: load         8         53   3767    109
    images: predict      4         12     19      6

    comparisons with a task's name outside its home       65 in 26 files
    comparisons with a kind's name outside its home       47 in 21 files
    dictionaries of tasks, and of kinds                   8 in 3 files, 5 in 4 files
    places that carry an option of the data by hand       182 in 8 files (with those of other files 302 in 53)
    lines of zoo/                                         19,465; none of its 115 files is longer than 350

The figures of a run depend on its data: each letter of a column's title is a call or two, each step of training five.
"""

import argparse
import ast
import collections
import dataclasses
import importlib
import inspect
import os
import sys
import tempfile
from pathlib import Path

TASKS = ("classification", "multilabel", "regression", "forecasting", "generation", "translation")
KINDS = ("image", "text", "table", "series", "features")
OPTIONS = (
    "batch_size", "data_dir", "validation_fraction", "use_validation", "image_size", "limit", "cache_mb",
    "augment", "augment_share", "seed", "text_size", "text_unit", "window", "horizon", "season", "bucket", "target",
    "columns", "task", "binarize", "skip_bad",
)  # fmt: skip
HOMES = ("tasks/", "data/kinds/", "config/")  # where a name may be compared
FEWEST, LEAST = 4, 8  # a file that carries so many options, in so many places, is a corridor


# What one call passes through


@dataclasses.dataclass(frozen=True)
class Walk:
    """The calls of functions of zoo/ in the main thread while something runs.

    Attributes:
        files: Distinct files that the functions stand in.
        functions: Distinct functions, by file and name; those of classes and inner ones, too.
        calls: Calls of them; a generator counts each time that it goes on.
        moves: Calls that land in another file than the call before; the first call is one.
    """

    files: frozenset
    functions: int
    calls: int
    moves: int


def walk(root, work):
    """Runs a function and counts.

    Args:
        root: The folder zoo/ whose functions count.
        work: A function without arguments.

    Returns:
        What it returned, and the `Walk`.
    """
    root, functions, trail = str(root), set(), []

    def see(frame, event, _):
        code = frame.f_code
        is_function = code.co_flags & inspect.CO_OPTIMIZED  # no body of a module or class
        if event == "call" and is_function and code.co_filename.startswith(root):
            functions.add((code.co_filename, code.co_qualname))
            trail.append(code.co_filename)

    sys.setprofile(see)
    try:
        result = work()
    finally:
        sys.setprofile(None)
    moves = sum(one != other for one, other in zip([None, *trail], trail, strict=False))
    return result, Walk(frozenset(trail), len(functions), len(trail), moves)


def write_csv(folder):
    """Writes a table of 200 rows with numbers, gaps, categories and dates; returns the path and its first rows."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(10, 3, 200).round(2),
            "city": rng.choice(["Berlin", "Paris", "Rome"], 200),
            "date": pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d"),
            "target": rng.choice(["no", "yes"], 200),
        }
    )
    frame.loc[::10, "size"] = np.nan
    frame.to_csv(path := f"{folder}/rows.csv", index=False)
    return path, frame.drop(columns="target").head(3)


def write_images(folder):
    """Writes 40 pictures in the folders of two classes; returns the path and three pictures."""
    import keras
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), "uint8")
    for number, picture in enumerate(pixels):
        place = Path(folder, "pictures", "ab"[number % 2])
        place.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(place / f"{number}.png", picture, scale=False)
    return f"{folder}/pictures", pixels[:3]


WAYS = {
    "CSV": ("dense:tiny", write_csv, {"target": "target"}),
    "images": ("cnn:tiny", write_images, {"augment": "photographs"}),
}


def walks(root):
    """Name of a way → `Walk`, for a table and for images: training, loading the export, predicting three rows."""
    import zoo

    for name in ("train", "load"):  # imports what it needs; that the name is asked for then counts
        getattr(zoo, name)
        del vars(zoo)[name]
    found = {}
    for title, (model, write, options) in WAYS.items():
        given = {"epochs": 1, "batch_size": 16, "quiet": True, **options}
        with tempfile.TemporaryDirectory() as folder:
            path, rows = write(folder)
            out = f"{folder}/run"
            trained, train = walk(root, lambda: zoo.train(model, path, out=out, **given))  # noqa: B023
            loaded, load = walk(root, lambda: zoo.load(trained.export))  # noqa: B023
            _, predict = walk(root, lambda: loaded.predict(rows))  # noqa: B023
        one = {"train": train, "load": load, "predict": predict}
        found |= {f"{title}: {verb}": walked for verb, walked in one.items()}
    return found


# What is decided outside its home


def names_of(table, module):
    """The keys of a table of zoo/ beside the names that were compared before there was one."""
    old = {"TASKS": TASKS, "KINDS": KINDS}[table]
    try:
        return {*old, *getattr(importlib.import_module(module), table)}
    except ModuleNotFoundError as error:
        if not error.name.startswith("zoo."):
            raise
        return set(old)


def strings(node, constants=()):
    """The strings that an operand is, or that a tuple, list, set or dict in it holds."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.Name):
        return dict(constants).get(node.id, set())
    if isinstance(node, ast.Dict):
        return set().union(*(strings(key) for key in node.keys if key))
    inner = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else ()
    return set().union(*(strings(item, constants) for item in inner))


def last_name(node):
    """What an operand is called: `kind` of `info.kind`, `input_kind` of `card["input_kind"]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return getattr(node, "attr", getattr(node, "id", ""))


class _Comparisons(ast.NodeVisitor):
    """Lines on which a name is compared, by `==`, `!=`, `in`, `not in` or a `case`.

    What a column of a table is, or is called, is no kind of input: `column == "text"`, and `kind` in a loop over `kinds`.
    """

    def __init__(self, tree, names):
        self.names, self.lines, self.of_columns = names, [], ["column", "columns"]
        self.constants = {
            target.id: strings(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Dict)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.visit(tree)

    def visit_Compare(self, node):  # noqa: N802
        operands = [node.left, *node.comparators]
        found = set().union(*(strings(operand, self.constants) for operand in operands))
        if found & self.names and not {last_name(o) for o in operands} & set(self.of_columns):
            self.lines.append(node.lineno)
        self.generic_visit(node)

    def visit_MatchValue(self, node):  # noqa: N802
        if strings(node.value) & self.names:
            self.lines.append(node.value.lineno)

    def _visit_loop(self, node):
        loops = getattr(node, "generators", [node])
        inside = [
            name.id
            for loop in loops
            if {"kinds", "column_kinds"} & {last_name(part) for part in ast.walk(loop.iter)}
            for name in ast.walk(loop.target)
            if isinstance(name, ast.Name)
        ]
        self.of_columns += inside
        self.generic_visit(node)
        del self.of_columns[len(self.of_columns) - len(inside) :]

    visit_For = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_loop


def outside(root, homes=HOMES):
    """The files of zoo/ that are no home, each with its syntax tree."""
    for path in sorted(Path(root).rglob("*.py")):
        inside = path.relative_to(root).as_posix()
        if not inside.startswith(homes):
            yield inside, ast.parse(path.read_text(encoding="utf-8"))


def comparisons(root, names):
    """Comparisons with a name outside of the homes: a list of (file, line)."""
    return [
        (file, line)
        for file, tree in outside(root)
        for line in _Comparisons(tree, set(names)).lines
    ]


def tables(root, names):
    """Dictionaries outside of the homes all of whose keys, two at least, are such names: a list of (file, line)."""
    return [
        (file, node.lineno)
        for file, tree in outside(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        if len(node.keys) > 1 and all(key and strings(key) & set(names) for key in node.keys)
    ]


def carried(root, options=OPTIONS):
    """Places that carry an option of the data by hand: a list of (file, line, option, how).

    A place is a parameter, a keyword argument, or a string in a tuple, list, set or key of a dict. `name` is left out: nearly
    all that has it is called something else.
    """
    found = []
    for file, tree in outside(root, ("config/",)):
        for node in ast.walk(tree):
            if isinstance(node, ast.arguments):
                given = [*node.posonlyargs, *node.args, *node.kwonlyargs]
                found += [(file, a.lineno, a.arg, "parameter") for a in given]
            elif isinstance(node, ast.keyword):
                found.append((file, node.value.lineno, node.arg, "argument"))
            elif isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
                items, how = (
                    (node.keys, "key") if isinstance(node, ast.Dict) else (node.elts, "item")
                )
                texts = [i for i in items if isinstance(i, ast.Constant)]
                found += [(file, i.lineno, i.value, how) for i in texts]
    return [place for place in found if place[2] in options]


def in_corridors(places):
    """Those of the places whose file carries several options: `FEWEST` different ones, in `LEAST` places."""
    of_file = collections.defaultdict(list)
    for file, _, option, _ in places:
        of_file[file].append(option)
    return [
        place
        for place in places
        if len(set(of_file[place[0]])) >= FEWEST and len(of_file[place[0]]) >= LEAST
    ]


def too_long(root, limit=350):
    """Lines of all files of zoo/, and the files that are longer than the limit."""
    lengths = {
        path.relative_to(root).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(Path(root).rglob("*.py"))
    }
    return sum(lengths.values()), [file for file, count in lengths.items() if count > limit]


def in_files(places):
    """How many places, in how many files."""
    return f"{len(places)} in {len({place[0] for place in places})} files"


def table(rows):
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [str(cell).rjust(w) if i else str(cell).ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  ".join(cells))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", action="store_true", help="list each place, and trace nothing")
    options = parser.parse_args()
    import zoo

    root = Path(zoo.__file__).parent
    kinds, tasks = names_of("KINDS", "zoo.data.kinds"), names_of("TASKS", "zoo.tasks")
    counted = {
        "comparisons with a task's name": comparisons(root, tasks),
        "comparisons with a kind's name": comparisons(root, kinds),
        "dictionaries of tasks": tables(root, tasks),
        "dictionaries of kinds": tables(root, kinds),
        "data options carried by hand": in_corridors(carried(root)),
        "the same in any file": carried(root),
    }
    if options.places:
        for what, places in counted.items():
            print(f"\n{what}: {in_files(places)}")
            for file, *rest in places:
                print(f"  {file}:{' '.join(map(str, rest))}")
        return
    lines, long = too_long(root)
    print(f"{root}: {lines} lines; longer than 350: {', '.join(long) or 'none'}")
    for what, places in counted.items():
        print(f"{what}: {in_files(places)}")
    rows = [("way", "files", "functions", "calls", "moves")]
    for title, one in walks(root).items():
        rows.append((title, len(one.files), one.functions, one.calls, one.moves))
    print()
    table(rows)


if __name__ == "__main__":
    main()
