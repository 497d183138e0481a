"""Prints the promises that the tests of a checkout make: a line for each test function.

    python tests/promises.py [ROOT] > tests/promises.txt

`[default]` are those of which at least one case runs without --slow; the others are `[slow]`. What pytest itself says goes
to standard error.
"""

import contextlib
import os
import sys
from pathlib import Path

import pytest

OWN = Path(__file__).resolve().parents[1]


def made(items, root):
    """The lines of some collected tests, sorted."""
    found = {}
    for item in items:
        name = item.originalname.removeprefix("test_").replace("_", " ")
        key = (item.path.relative_to(root).as_posix(), name)
        found[key] = found.get(key, False) or "slow" not in item.keywords
    return [
        f"{path}: {name}  [{'default' if is_default else 'slow'}]"
        for (path, name), is_default in sorted(found.items())
    ]


def collect(root):
    """The promises of a checkout, whose tests and whose `zoo` are imported into this process."""
    found = []

    class Keep:
        def pytest_collection_finish(self, session):
            found.extend(made(session.items, root))

    # Neither the modules of the tests nor `zoo` may come from the checkout of this file.
    sys.path[:] = [p for p in sys.path if Path(p).resolve() not in (OWN, OWN / "tests")]
    os.chdir(root)
    with contextlib.redirect_stdout(sys.stderr):
        code = pytest.main(["--collect-only", "-qq"], plugins=[Keep()])
    if code:
        raise SystemExit(f"the tests of {root} cannot be collected")
    return found


if __name__ == "__main__":
    print(*collect(Path((sys.argv[1:] or [OWN])[0]).resolve()), sep="\n")
