"""Every example in the README and in docstrings is run; the README's numbers are those of the cards."""

import ast
import base64
import dataclasses
import doctest
import importlib
import json
import re
from pathlib import Path

import pytest
import tensorflow as tf
import test_recipes
from tolerances import PRINTED, assert_close

import zoo
from benchmarks import serving_page
from zoo import catalogue, families, summary
from zoo.saving import card as cards
from zoo.saving import store

ROOT = Path(zoo.__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = README + "".join(
    (ROOT / f"docs/{name}.md").read_text()
    for name in ("saved_models", "several", "your_own_model", "novelty")
)
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGES, re.S)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "zoo").rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize(
    "snippet",
    [
        pytest.param(
            snippet,
            id=str(i),
            marks=[pytest.mark.slow] * ("seq2seq:tiny" in snippet or "vae:small" in snippet),
        )
        for i, snippet in enumerate(SNIPPETS)
    ],
)
def test_readme_examples_run(snippet, in_tmp):
    if "load_breast_cancer" in snippet:
        pytest.importorskip("pandas")
    (in_tmp / "saved_models").symlink_to(ROOT / "saved_models")
    exec(compile(snippet, "README.md", "exec"), {})


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name, in_tmp):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_builders_and_public_calls_have_tested_examples():
    for value in [row.build for row in families.FAMILIES.values()] + [
        zoo.build, zoo.train, zoo.tune, zoo.load, zoo.load_dataset, zoo.prepare, zoo.list_models
    ]:  # fmt: skip
        assert ">>>" in value.__doc__, value
        assert "Raises" in value.__doc__ or value in (zoo.list_models, zoo.prepare), value


def test_the_readme_shows_the_scores_of_the_cards():
    section = README.partition("## Models that ship")[2]
    shown = section.partition("\n```")[0]  # the table, before the commands
    for path in sorted((ROOT / "saved_models").iterdir()):
        if path.is_dir():
            card = cards.read(store.find(path))
            (row,) = [line for line in shown.splitlines() if line.startswith(f"| `{path.name}`")]
            assert card.headline.replace("accuracy ", "").replace(" (3 seeds)", "") in row
            assert f"| `{path.name}` ({card.described}) |" in row


def test_the_readme_lists_the_families():
    for name, row in families.FAMILIES.items():
        assert f"| `{name}` | {', '.join(row.sizes)} |" in README
        assert row.reference in README


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("saved_models/**/*.md")]
    targets = set()
    for page in pages:
        prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#]+)", prose):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"
                targets.add((page.parent / target).resolve())
    assert set((ROOT / "docs").glob("**/*.png")) <= targets, "a picture that no page shows"


def test_the_pages_of_recipes_begin_with_their_heads():
    pages = sorted((ROOT / "docs/recipes").glob("*.md"))
    assert {page.stem for page in pages} == {Path(script).stem for script, _ in test_recipes.CASES}
    for page in pages:
        head = ast.get_docstring(ast.parse((ROOT / f"recipes/{page.stem}.py").read_text()))
        title, _, rest = head.partition("\n")
        shown = f"# {title.rstrip('.')}\n\n[recipes/{page.stem}.py](../../recipes/{page.stem}.py)"
        assert page.read_text().startswith(shown + "\n\n```\n" + rest.strip("\n") + "\n```\n"), (
            f"python benchmarks/recipe_page.py {page.stem} RUN"
        )


def test_the_readme_shows_the_speeds_of_their_page():
    page = (ROOT / "docs/speed.md").read_text()
    part = page.partition("## The recipes against plain Keras")[2].partition("\n## ")[0]
    rows = [row.split(" | ") for row in part.splitlines() if row.startswith("| `")]
    assert len(rows) == 9
    ours, noise = ([float(row[column]) for row in rows] for column in (3, 5))
    said = README.replace("\n", " ")
    assert f"(ratios {min(ours):.2f} to {max(ours):.2f}, " in said
    assert f"{min(noise):.2f} to {max(noise):.2f})" in said
    part = page.partition("## Batches of texts")[2].partition("\n## ")[0]
    ratios = [float(row.split(" | ")[2]) for row in part.splitlines() if row.startswith("| `")]
    assert f"train {min(ratios)} to {max(ratios)} times as many IMDB reviews" in said
    (images,) = re.findall(r"(\S+) times faster by the medians", page)
    assert f", {images} times faster than keras.io's" in said
    shares = sorted(float(share) for share in re.findall(r"(\d\.\d) % of (?:the|that|a)", page))
    assert f"Checkpoints cost {shares[0]} to {shares[-1]} %" in said


def test_no_placeholder_is_left():
    for path in [*ROOT.glob("*.md"), *(ROOT / "recipes").glob("*.py")]:
        assert not re.findall(
            r"\b[A-Z]+_(?:SCORE|RESULT|LINEAR|SECTION|TABLE|QUICKSTART|DIGITS)\b", path.read_text()
        ), path


def test_the_page_of_families_is_that_of_the_facts():
    page = (ROOT / "docs/families.md").read_text()
    assert page == summary.families_page(), "zoo models --page > docs/families.md"
    assert "random weights" in page


def test_the_facts_are_of_every_size_of_the_table():
    found = {size.model: (size.tasks, size.inputs) for size in catalogue.sizes()}
    wanted = {
        f"{name}:{size}": (", ".join(row.samples), ", ".join(row.inputs))
        for name, row in families.FAMILIES.items()
        for size in row.sizes
    }
    assert found == wanted, "python -m zoo.summary"
    assert list(found) == list(wanted)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_facts_of_the_smallest_size_are_those_of_its_model(name, monkeypatch):
    row = families.FAMILIES[name]
    tiny = dataclasses.replace(row, sizes={"tiny": row.sizes["tiny"]})
    monkeypatch.setattr(families, "FAMILIES", {name: tiny})
    assert list(summary.measured()) == [s for s in catalogue.sizes() if s.model == f"{name}:tiny"]


@pytest.mark.slow
@pytest.mark.parametrize("size", catalogue.sizes(), ids=lambda size: size.model)
def test_the_parameters_of_a_size_are_those_of_its_model(size):
    if size.parameters < 10_000_000:  # larger ones take long to build
        assert size.parameters == summary.build_for_info(size.model).count_params()


def test_the_requests_for_serving_are_answered():
    """As TensorFlow Serving reads them: base64 to bytes, each instance's values stacked."""
    page = (ROOT / "docs" / "serving.md").read_text()
    assert page == serving_page.page(), "python -m benchmarks.serving_page > docs/serving.md"
    requests = re.findall(r"models/(\w+):predict -d '(.*)'\n```\n\nAnswer: (.*)\.", page)
    assert [name for name, *_ in requests] == sorted(store.names())
    for name, text, answer in requests:
        body = json.loads(text)
        model = zoo.load(name)
        signature = model.signatures[body.get("signature_name", "serving_default")]
        specs = signature.structured_input_signature[1]
        given = {}
        for key, spec in specs.items():
            values = [instance[key] for instance in body["instances"]]
            values = [base64.b64decode(v["b64"]) if isinstance(v, dict) else v for v in values]
            given[key] = tf.constant(values, spec.dtype)
        outputs = signature(**given)
        for key, value in re.findall(r"`(\w+)` ('.*?'|[-0-9.e]+)", answer):
            found = outputs[key][0].numpy()
            found = found.decode() if isinstance(found, bytes) else found
            wanted = ast.literal_eval(value)
            if isinstance(wanted, str):
                assert found == wanted
            else:
                assert_close(found, wanted, PRINTED, scale=abs(wanted) or 1)
