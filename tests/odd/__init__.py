"""Inputs that look odd and are read as meant, and the page that lists what they are taken for.

    python tests/odd_inputs.py > docs/odd_inputs.md

Each module of this folder is a group: its docstring is the title, and each function that `@odd` names is a row. It writes its
files into the current folder, which is empty, reads them, and asserts that they are what a person would expect; the page holds
what the log says.
"""

ROWS = {}


def odd(name):
    """Adds a function to the rows of its module, under the words that the page has for its input."""

    def add(case):
        rows = ROWS.setdefault(case.__module__, {})
        assert name not in rows, name
        rows[name] = case
        return case

    return add
