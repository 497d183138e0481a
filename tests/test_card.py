"""The card: typed, versioned, and written again as it was read."""

import ast
import copy
import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from frozen import kept

import zoo
from zoo import cli, families
from zoo.saving import card as cards
from zoo.saving import card_entries, card_page, manifest, places, store

ROOT = Path(zoo.__file__).parents[1]
SHIPPED = ROOT / "saved_models"
NAMES = [path.name for path in sorted(SHIPPED.iterdir()) if path.is_dir()]
FROZEN = [(version, name) for version in kept.VERSIONS for name in kept.names(version, "exports")]


def content_of(name="wine_dense"):
    """What the card of a shipped model holds."""
    return json.loads((store.find(SHIPPED / name) / "assets.extra/card.json").read_text())


def assert_written_alike(folder, target):
    (target / "assets.extra").mkdir()
    cards.write(target, cards.read(folder))
    name = "assets.extra/card.json"
    assert (target / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_card_is_written_as_it_was_read(name, tmp_path):
    assert_written_alike(store.find(SHIPPED / name), tmp_path)


@pytest.mark.parametrize(("version", "name"), FROZEN)
def test_a_frozen_card_is_written_as_it_was_read(version, name, tmp_path):
    folder = kept.unpack(version, f"exports/{name}", tmp_path / "1")
    assert_written_alike(folder, tmp_path)


def test_a_card_of_a_newer_version_says_to_upgrade(wine, in_tmp, capsys, monkeypatch):
    path = wine / "assets.extra/card.json"
    path.write_text(json.dumps({"card_version": 2, "title": "of other entries"}))
    manifest.write(wine)
    for use in (zoo.load, zoo.verify, lambda folder: zoo.build(weights=folder)):
        with pytest.raises(zoo.InputError, match="of version 2, which a newer keras-zoo wrote.*Upgrade"):  # fmt: skip
            use(wine)
    monkeypatch.setenv("ZOO_MODELS_DIR", str(wine.parents[1]))
    cli.main(["models"])
    assert "wine           " in (printed := capsys.readouterr().out)
    assert "newer keras-zoo" in printed
    assert "[wine]" not in store.render_table(wine.parents[1])


@pytest.mark.parametrize("name", sorted(places.names()))
def test_a_shipped_model_is_what_its_tables_call_it(name):
    """The size with the arguments behind the plus builds a model of as many parameters as the one that ships."""
    card = cards.read(places.find(name))
    assert card_entries.glance(places.find(name)).model == card.described
    size, _, text = card.described.partition(" + ")
    said = {key: yaml.safe_load(value) for key, value in (p.split("=") for p in text.split())}
    given = {
        key: card.builder.arguments[key]
        for key in ("input_shape", "num_classes", "vocabulary_size")
        if key in card.builder.arguments
    }
    arguments = families.arguments(size, {**given, **said})
    plain = json.loads(json.dumps(arguments))
    assert plain == {**plain, **card.builder.arguments}
    assert plain.keys() == card.builder.arguments.keys()


@pytest.mark.parametrize("version", [None, "1", True, 0, -1, 1.5])
def test_a_card_without_a_version_is_none(version):
    with pytest.raises(manifest.DamagedModelError, match="no usable entry 'card_version'"):
        cards.Card.from_json({**content_of(), "card_version": version})


def test_the_first_cards_of_version_1_are_brought_up_to_date(tmp_path):
    old = content_of()
    for key in ("input_range", "column_kinds", "text_size", "text_unit"):
        del old[key]
    for run in old["runs"]:
        for key in ("interval", "constant", "temperature"):
            del run[key]
    card = cards.Card.from_json(old)
    assert (card.input_range, card.column_kinds, card.text_size, card.text_unit) == (None, (), None, "words")  # fmt: skip
    assert [(run.interval, run.constant, run.temperature) for run in card.runs] == [(None, {}, 1.0)] * 3  # fmt: skip
    assert card.temperature == 1.0
    assert list(card.to_json()) == list(content_of())
    assert "| 0 | 1.0000 | 0.0005 | 0.0005 | - | 36 |" in card_page.render(card)


def changed(content, path, value):
    """Some JSON with another value, or without one (`...`), at a path."""
    content = copy.deepcopy(content)
    *way, last = path
    inner = content
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return content


OPTIONAL = (
    "input_range",
    "column_kinds",
    "text_size",
    "text_unit",
    "ranges",
    "readings",
    "taken_for",
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(((key,), ...) for key in content_of() if key not in OPTIONAL),
        *(((key,), 3.5) for key in content_of()),
        (("builder",), {"family": "dense", "size": "tiny"}),
        (("builder", "arguments", "units"), [{"module": "builtins"}]),
        (("data",), "wine"),
        (("data", "licence"), ...),
        (("input_shape",), [None, "3"]),
        (("input_range",), [0.0]),
        (("labels",), [1, 2]),
        (("column_kinds",), "number"),
        (("text_size",), [1]),
        (("text_cleaning",), "html"),
        (("categories",), {"city": "Rome"}),
        (("signatures", "serve"), []),
        (("runs",), []),
        (("runs", 0, "scores"), {}),
        (("runs", 0, "scores", "accuracy"), "high"),
        (("runs", 1, "seed"), ...),
        (("runs", 1, "fit_seconds"), "1 s"),
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_that_cannot_be_used_is_named(path, value):
    with pytest.raises(manifest.DamagedModelError, match=f"no usable entry {path[0]!r}"):
        cards.Card.from_json(changed(content_of(), path, value))


def test_entries_that_this_version_does_not_know_are_written_again():
    content = changed(changed(content_of(), ("runs", 0, "energy"), 3), ("colour",), ["red"])
    card = cards.Card.from_json(content)
    assert card.others == {"colour": ["red"]}
    assert dataclasses.replace(card, name="another").to_json() == {**content, "name": "another"}


AS_A_DICT = {  # how, and the same of the dict in card.json
    "an entry": lambda card: card["labels"],
    "an entry of an entry": lambda card: card["runs"][0]["scores"]["accuracy"],
    "an entry that is not there": lambda card: card.get("colour", "none"),
    "whether one is there": lambda card: ("labels" in card, "colour" in card),
    "a copy": lambda card: {**card},
    "all of it": dict,
}


@pytest.mark.parametrize("how", AS_A_DICT)
def test_a_card_is_read_as_a_dict_until_0_3_0(how):
    card, content, read = zoo.load("wine_dense").card, content_of(), AS_A_DICT[how]
    with pytest.warns(DeprecationWarning, match="works until keras-zoo 0.3.0"):
        assert read(card) == read(content)
    assert len(card) == len(content)
    assert list(card) == list(content)


def test_a_missing_entry_of_a_card_is_a_key_error():
    with pytest.warns(DeprecationWarning, match="card.colour in place of"), pytest.raises(KeyError):
        zoo.load("wine_dense").card["colour"]


def test_a_card_cannot_be_changed():
    card = zoo.load("wine_dense").card
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.name = "another"
    with pytest.raises(TypeError):
        card["name"] = "another"


def test_nothing_here_reads_a_card_as_a_dict():
    for path in (*(ROOT / "zoo").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript):
                read = getattr(node.value, "attr", getattr(node.value, "id", ""))
                assert not read.endswith("card"), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("name", "model", "headline"),
    [
        ("wine_dense", "dense:small", "accuracy 1.0000 ± 0.0000 (3 seeds)"),
        ("mnist_vit", "vit:", " (1 seed)"),
    ],
)
def test_a_card_says_what_the_model_is_and_reaches(name, model, headline):
    card = cards.read(store.find(SHIPPED / name))
    assert card.model.startswith(model)
    assert card.headline.endswith(headline)
