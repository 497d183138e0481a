"""Runs the lines of Python on a card as a reader would, with TensorFlow alone: a script, with the folder of a version."""

import os
import re
import sys


def main(folder):
    os.chdir(folder)
    with open("assets.extra/card.md", encoding="utf-8") as file:
        blocks = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
    if not blocks:
        sys.exit("the card has no lines of Python")
    for block in blocks:
        exec(compile(block, "card.md", "exec"), {"__name__": "__card__"})
    if "zoo" in sys.modules:
        sys.exit("the card's lines import zoo")


if __name__ == "__main__":
    main(sys.argv[1])
