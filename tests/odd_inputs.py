"""Prints docs/odd_inputs.md: inputs that look odd and are read as meant, group by group; see the folder `odd`.

python tests/odd_inputs.py > docs/odd_inputs.md
"""

import logging
import pkgutil
import sys

import odd
from bad_inputs import empty_folder

LONGEST = 300  # characters of what the log says


def groups():
    """Title of a group → its rows: the words for an input → the function that reads it."""
    names = sorted(f"odd.{module.name}" for module in pkgutil.iter_modules(odd.__path__))
    titles = {name: __import__(name, fromlist=["x"]).__doc__.splitlines()[0] for name in names}
    return {titles[name]: odd.ROWS[name] for name in names}


class _Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = []

    def emit(self, record):
        if not hasattr(record, "is_time"):  # what takes long, takes long here
            self.lines.append(record.getMessage())


def said(case):
    """What the log says while an input is read."""
    log, told = logging.getLogger("zoo"), _Lines()
    level = log.level
    log.addHandler(told)
    log.setLevel(logging.INFO)
    try:
        with empty_folder():
            case()
    finally:
        log.removeHandler(told)
        log.setLevel(level)
    lines = [line for line in told.lines if "no test data given" not in line]
    return "; ".join(line.replace("\n", " ") for line in lines)


def row(name, told):
    """A line of the page in Markdown."""
    told = told if len(told) <= LONGEST else told[:LONGEST] + " ..."
    return f"| {name} | {told.replace('|', '&#124;') or 'read without a word'} |"


def main():
    found = groups()
    print("# What looks odd, and what it is taken for\n")
    print(
        f"Printed by `python tests/odd_inputs.py`: {sum(map(len, found.values()))} inputs that are read as a person would."
    )
    print("What cannot be read is refused: [bad_inputs.md](bad_inputs.md).")
    for title, rows in found.items():
        print(f"\n## {title}\n\n| input | what the log says |\n| --- | --- |")
        for name, case in rows.items():
            print(row(name, said(case)))


if __name__ == "__main__":
    sys.exit(main())
