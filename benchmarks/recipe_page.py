"""Makes a recipe's page of the documentation from a run of it.

    python recipes/classify_text.py --out runs/text
    python benchmarks/recipe_page.py classify_text runs/text

Writes docs/recipes/classify_text.md: what the recipe's head says, then the run's report, with its pictures beside it.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
NEWLINE = "\n"
PAGES = ROOT / "docs" / "recipes"


def main(recipe, run):
    run, folder = Path(run), PAGES / recipe
    head = ast.get_docstring(ast.parse((ROOT / "recipes" / f"{recipe}.py").read_text()))
    title, _, rest = head.partition("\n")
    made = yaml.safe_load((run / "config.yaml").read_text())["made_by"]
    report = (run / "report.md").read_text().partition("\n")[2].strip()
    report = re.sub(r"\n- all settings and versions:.*|\n\nAll answers: .*", "", report)
    pictures = re.findall(r"\]\((\S+\.png)\)", report)
    report = re.sub(r"\]\((\S+\.png)\)", rf"]({recipe}/\1)", report)
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        shutil.copyfile(run / picture, folder / picture)
    page = [
        f"# {title.rstrip('.')}",
        f"[recipes/{recipe}.py](../../recipes/{recipe}.py)",
        f"```\n{rest.strip(NEWLINE)}\n```",
        "## The report of one run",
        f"`{made['command']}` (keras {made['keras']}, tensorflow {made['tensorflow']}, {made['device']})",
        report,
    ]
    (PAGES / f"{recipe}.md").write_text("\n\n".join(page) + "\n")
    print(PAGES / f"{recipe}.md")


if __name__ == "__main__":
    main(*sys.argv[1:])
