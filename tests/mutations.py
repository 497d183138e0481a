"""Puts faults into copies of a checkout, one at a time, and says which the default tests catch.

    python tests/mutations.py --count 30 --seed 0                          faults chosen anew
    python tests/mutations.py --faults tests/mutations.json --root PATH    the same faults in another checkout

First the tests of the files that say most about the changed module, then (without --near) all others on two processes.
What fails without the fault, too, is no catch. Tests that are silent for --silence seconds hang, which counts as caught.
Each run of pytest is forked from this process, which has imported TensorFlow and other large packages, but nothing of `zoo`.
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest
import seeded_faults

OWN = Path(__file__).resolve().parents[1]
LARGE = ("tensorflow", "keras", "keras_tuner", "sklearn.linear_model", "matplotlib.figure", "pandas", "tensorboard")  # fmt: skip
NEAR = 3  # files of tests that are run first
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "runs", "build", "dist", "*.egg-info", ".ruff_cache")  # fmt: skip


def near(root, file):
    """The test files that mention a module most, then those that mention its importers, and theirs."""
    sources = [path for path in (root / "zoo").rglob("*.py") if path.name != "__init__.py"]
    texts = {path.relative_to(root).as_posix(): path.read_text() for path in sources}
    found, seen, modules = [], set(), {file}
    while modules and len(found) < NEAR:
        counts = _mentions(root, modules)
        more = [path for path in counts if path not in found]
        found += sorted(more, key=lambda path: (-counts[path], path))
        seen |= modules
        modules = {path for path in texts for file in modules if _uses(texts[path], file)} - seen
    return found[:NEAR]


def _mentions(root, files):
    """How often each test file mentions some modules, by their names or those of what `zoo` offers of them."""
    offered = ast.parse((root / "zoo/__init__.py").read_text())
    homes = next(
        ast.literal_eval(node.value) for node in offered.body if isinstance(node, ast.Assign)
    )
    counts = {}
    for path in (root / "tests").rglob("test_*.py"):
        text, count = path.read_text(), 0
        for file in files:
            module, stem = _module(file), Path(file).stem
            names = "|".join(name for name, home in homes.items() if home == module)
            count += len(re.findall(rf"\bzoo\.({names})\b", text)) if names else 0
            count += len(re.findall(rf"\b{stem}\b", text)) if _uses(text, file) else 0
            count += 1000 * (path.stem == f"test_{stem}")
        if count:
            counts[path.relative_to(root).as_posix()] = count
    return counts


def _module(file):
    return file.removesuffix(".py").replace("/", ".")


def _uses(text, file):
    package, _, name = _module(file).rpartition(".")
    imported = rf"from {re.escape(package)} import [^#\n]*\b{name}\b"
    return re.search(rf"\b{re.escape(package)}\.{name}\b|{imported}", text)


class Watch:
    """Plugin of pytest: writes down the first test that fails and the last that began."""

    def __init__(self, folder):
        self._failed, self._began = folder / "failed", folder / "began"

    def pytest_collectreport(self, report):
        self._note(report)

    def pytest_runtest_logstart(self, nodeid):
        self._began.write_text(nodeid)

    def pytest_runtest_logreport(self, report):
        self._note(report)

    def _note(self, report):
        self._began.touch()
        if report.failed and not self._failed.exists():
            self._failed.write_text(report.nodeid)


def run(tree, arguments, silence):
    """Runs pytest in a tree; returns whether all is well, and the test that failed, or hangs."""
    folder = Path(tempfile.mkdtemp(dir=tree.parent))
    began = folder / "began"
    began.touch()
    pid = os.fork()
    if pid == 0:
        _become(tree, arguments, folder)
    ended, code = 0, None
    while not ended and time.time() - began.stat().st_mtime < silence:
        time.sleep(0.2)
        ended, code = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it has started, too
    if not ended:
        os.waitpid(pid, 0)
        return False, f"hangs: {began.read_text()}"
    failed = folder / "failed"
    return code == 0, (failed if failed.exists() else began).read_text()  # which crashed


def _become(tree, arguments, folder):
    """Turns this process into one that runs pytest in a tree, as if it had been started there."""
    code = 1
    try:
        os.setsid()
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
        for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
            os.dup2(file, number)
        (folder / "tmp").mkdir()
        os.environ.update(PYTHONPATH=str(tree), TMPDIR=str(folder / "tmp"))
        tempfile.tempdir = None
        os.chdir(tree)
        sys.path[:] = [str(tree), *(p for p in sys.path if not _is_of_a_checkout(Path(p)))]
        code = pytest.main(arguments, plugins=[Watch(folder)])
    finally:
        sys.stdout.flush()
        os._exit(code)


def _is_of_a_checkout(path):
    return (path / "zoo").is_dir() or (path / "conftest.py").exists()


def judge(fault, root, folder, options):
    """What catches a fault: a test, `"not caught"`, or why it cannot be said."""
    tree = folder / "tree"
    shutil.copytree(root, tree, ignore=LEFT_OUT)
    try:
        changed = seeded_faults.apply(fault, (root / fault.file).read_text())
    except (seeded_faults.Outdated, FileNotFoundError) as error:
        return f"outdated: {error}"
    (tree / fault.file).write_text(changed)
    first = near(tree, fault.file)
    stages = [["-x", *first]] if first else []
    if not options.near:
        others = {path.relative_to(tree).as_posix() for path in (tree / "tests").rglob("test_*.py")}
        stages.append(["-x", "-n", "2", "--dist", "worksteal", *sorted(others - set(first))])
    for arguments in stages:
        is_well, test = run(tree, arguments, options.silence)
        if not is_well:
            return test if test.startswith("hangs") else _without_fault(test, root, folder, options)
    return "not caught" if stages else "no near tests"


def _without_fault(test, root, folder, options):
    """The test that failed, unless it fails in an unchanged copy, too."""
    shutil.copytree(root, folder / "well", ignore=LEFT_OUT)
    arguments = [test or "tests"] if "::" in test else [test or "tests", "--collect-only"]
    is_well, _ = run(folder / "well", arguments, options.silence)
    return (test or "no test begins") if is_well else f"undecided: fails without it, too: {test}"


def row(number, fault, result, seconds):
    cells = [number, f"{fault.file}:{fault.line}", f"`{fault.old}` → `{fault.new}`", result, f"{seconds:.0f}"]  # fmt: skip
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--count", type=int, default=30, help="how many faults")
    add("--seed", type=int, default=0, help="by which they are chosen")
    add("--faults", type=Path, help="a list that --save wrote, in place of a choice")
    add("--save", type=Path, help="write the list, and run nothing")
    add("--only", type=int, nargs="+", metavar="N", help="the numbers of those to run")
    add("--root", type=Path, default=OWN, help="the checkout; default: that of this file")
    add("--near", action="store_true", help="run the nearest tests alone")
    add("--silence", type=float, default=300, help="seconds after which silent tests hang")
    add("--out", type=Path, help="a file that gets the table, too")
    return parser.parse_args()


def main():
    options = parse()
    root = options.root.resolve()
    if options.faults:
        faults = [seeded_faults.Fault(**fault) for fault in json.loads(options.faults.read_text())]
    else:
        faults = seeded_faults.choose(root, options.count, options.seed)
    if options.save:
        text = json.dumps([fault._asdict() for fault in faults], indent=1, ensure_ascii=False)
        options.save.write_text(text + "\n")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for module in LARGE:
        importlib.import_module(module)
    table(faults, root, options)


def table(faults, root, options):
    """Runs the faults, and prints a row of each when it is done."""
    lines, results = [], []

    def show(line):
        lines.append(line)
        print(line, flush=True)
        if options.out:
            options.out.write_text("\n".join(lines) + "\n")

    show("| | line | before → after | caught by | seconds |\n| --- | --- | --- | --- | --- |")
    for number, fault in enumerate(faults, 1):
        if options.only and number not in options.only:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="zoo-", ignore_cleanup_errors=True) as folder:
            results.append(judge(fault, root, Path(folder).resolve(), options))
        show(row(number, fault, results[-1], time.monotonic() - start))
    open_ends = ("not caught", "no near tests", "outdated", "undecided")
    count = sum(not result.startswith(open_ends) for result in results)
    show(f"\n{count} of {len(results)} are caught.")


if __name__ == "__main__":
    main()
