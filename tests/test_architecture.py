"""A task and a kind of input are rows: what they are is asked of the row, not decided again by their names."""

from pathlib import Path

import pytest

import zoo
from benchmarks import architecture

ROOT = Path(zoo.__file__).parent
# Comparisons with a name outside of tasks/, data/kinds/ and config/
ALLOWED = {"task": 0, "kind": 0}
NAMES = {
    "task": architecture.names_of("TASKS", "zoo.tasks"),
    "kind": architecture.names_of("KINDS", "zoo.data.kinds"),
}


def listed(places):
    return "".join(f"\nzoo/{file}:{line}" for file, line in places)


@pytest.mark.parametrize("what", ALLOWED)
def test_no_name_of_a_row_is_compared_outside_its_home(what):
    found = architecture.comparisons(ROOT, NAMES[what])
    assert len(found) <= ALLOWED[what], (
        f"Ask a property of the {what}'s row, such as `task.targets`, in place of its name:{listed(found)}"
    )


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("info.kind == 'image'", 1),
        ("'image' != kind", 1),
        ("card['input_kind'] in ('text', 'series')", 1),
        ("kind not in {'text'}", 1),
        ("kind in {'text': 1}", 1),
        ("a < b and kind == 'text' or kind == 'image'", 2),
        ("USED = ('image', 'text')\nif kind in USED: pass", 1),
        ("match kind:\n case 'image' | 'text': pass\n case _: pass", 2),
        ("x = 'image'", 0),
        ("f(kind='image')", 0),
        ("kind == 'number'", 0),
        ("column != 'text'", 0),  # a title
        ("'text' in frame.columns", 0),
        ("[t for t, kind in kinds.items() if kind == 'text']", 0),  # what a column holds
        ("[t for t, kind in KINDS.items() if kind == 'text']", 1),
        ("for kind in info.column_kinds:\n  kind == 'text'\nkind == 'text'", 1),
    ],
)
def test_a_comparison_with_a_name_is_found_in_every_spelling(code, count, tmp_path):
    (tmp_path / "module.py").write_text(code)
    assert len(architecture.comparisons(tmp_path, architecture.KINDS)) == count


def test_homes_may_compare_names(tmp_path):
    for folder in architecture.HOMES:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").write_text("kind == 'image'")
    assert architecture.comparisons(tmp_path, architecture.KINDS) == []


def test_a_move_is_a_call_that_lands_in_another_file(tmp_path):
    code = {
        "a.py": "def f(g):\n    h()\n    return g()\ndef h(): pass",
        "b.py": "def g():\n    return 1",
    }
    names = {}
    for file, text in code.items():
        (tmp_path / file).write_text(text)
        exec(compile(text, str(tmp_path / file), "exec"), names)
    result, found = architecture.walk(tmp_path, lambda: names["f"](names["g"]) + names["f"](int))
    assert result == 1
    assert (len(found.files), found.functions, found.calls, found.moves) == (2, 3, 5, 3)


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("def f(limit, *, seed=0): pass", 2),
        ("lambda bucket: 0", 1),
        ("f(limit=1, season=2, name=3)", 2),
        ("('limit', 'seed')", 2),
        ("(('limit', 1), ('seed', 2))", 2),
        ("{'limit': 1, 'other': 2}", 1),
        ("x['limit'] + data.seed", 0),
        ("class Options:\n    limit: int = 0", 0),  # the declaration
    ],
)
def test_an_option_is_carried_by_parameters_arguments_and_strings(code, count, tmp_path):
    (tmp_path / "module.py").write_text(code)
    places = architecture.carried(tmp_path)
    assert len(places) == count
    assert architecture.in_corridors(places) == []


def test_a_file_that_carries_several_options_is_a_corridor(tmp_path):
    line = "f(limit=1, seed=2, season=3, bucket=4)\n"
    for name, code in {"long": line * 2, "short": line, "one": "f(seed=1)\n" * 9}.items():
        (tmp_path / f"{name}.py").write_text(code)
    places = architecture.in_corridors(architecture.carried(tmp_path))
    assert [place[0] for place in places] == ["long.py"] * 8
