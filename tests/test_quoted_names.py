"""What a model of somebody else's is called, in its graph, its files and its card, reaches a terminal escaped."""

import json
import shutil

import harmful_changes
import harmful_programs
import numpy as np
import pytest

import zoo
from zoo import cli
from zoo.models import checks
from zoo.saving import card as cards
from zoo.saving import card_page, gate, graph_check, manifest, store

EVIL = "x\x1b[2K\r\nok      everything is well\u202e"


def _operation(folder, model):
    model.meta_graphs[0].graph_def.node[0].op = EVIL


def _node(folder, model):
    node = model.meta_graphs[0].graph_def.node[0]
    node.name, node.device = EVIL, "/job:elsewhere"


def _device(folder, model):
    model.meta_graphs[0].graph_def.node[0].device = EVIL


def _attribute(folder, model):
    model.meta_graphs[0].graph_def.node[0].attr[f"_{EVIL}"].i = 1


def _function(folder, model):
    function = graph_check.graph_library(model.meta_graphs[0].graph_def).function[0]
    function.signature.name = EVIL
    function.node_def[0].op = "NoSuch"


def _called(folder, model):
    node = model.meta_graphs[0].graph_def.node[0]
    node.attr["f"].func.name = EVIL


def _collection(folder, model):
    model.meta_graphs[0].collection_def[EVIL].node_list.value[:] = []


def _object(folder, model):
    model.meta_graphs[0].object_graph_def.nodes[0].user_object.identifier = EVIL


def _tag(folder, model):
    model.meta_graphs[0].meta_info_def.tags[:] = [EVIL]


def _file(folder, model):
    (folder / EVIL.replace("/", "")).write_text("")


def _folder(folder, model):
    (folder / EVIL).mkdir()


CHANGES = [
    _operation, _node, _device, _attribute, _function, _called, _collection, _object, _tag, _file, _folder
]  # fmt: skip


def assert_is_harmless(text):
    assert all(c.isprintable() for c in text.replace("\n", "")), repr(text)
    assert not any(line.startswith("ok      everything") for line in text.split("\n"))


def said(arguments, capsys):
    """What a command prints, on both ways."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
        raise SystemExit(0)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert_is_harmless(captured.out + captured.err)
    return ended.value.code, captured.out + captured.err


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__[1:])
def test_a_refusal_quotes_names_escaped(change, plain, tmp_path, capsys):
    folder = shutil.copytree(plain, tmp_path / "model")
    model = harmful_changes.graph_of(folder)
    change(folder, model)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    code, text = said(["verify", "--foreign", str(folder)], capsys)
    assert code == 2
    assert text.startswith("FAILED")
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    code, text = said(["predict", "--foreign", str(folder), str(tmp_path / "x.npz")], capsys)
    assert code == 2
    assert "refused" in text
    with pytest.raises(gate.RefusedModelError) as refused:
        zoo.load(folder, foreign=True)
    assert_is_harmless(str(refused.value))


def test_files_that_a_manifest_lists_are_quoted_escaped(wine, capsys):
    text = (wine / manifest.PATH).read_text()
    entries = json.loads(text)["files"] | {EVIL: {"sha256": "", "size": 0}}
    (wine / manifest.PATH).write_text(manifest._render(entries))
    code, text = said(["verify", str(wine)], capsys)
    assert code == 2
    assert "is missing" in text


def test_outputs_and_signatures_are_quoted_escaped(tmp_path, capsys, in_tmp):
    folder = tmp_path / "model"
    harmful_programs.save(folder, harmful_programs.harmless)
    model = harmful_changes.graph_of(folder)
    signature = model.meta_graphs[0].signature_def["serving_default"]
    signature.outputs[EVIL].CopyFrom(signature.outputs["y"])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    said(["verify", "--foreign", str(folder)], capsys)
    np.savez("x.npz", x=np.zeros(3, "float32"))
    said(["predict", "--foreign", str(folder), "x.npz"], capsys)


@pytest.mark.parametrize(
    "path",
    [("data", "name"), ("labels", 0), ("limits",), ("protocol",), ("preprocessing", 0), ("made_by", "command")],
    ids=lambda path: path[0],
)  # fmt: skip
def test_entries_of_a_card_are_printed_escaped(path, wine, capsys, monkeypatch):
    place = wine / manifest.EXTRA / "card.json"
    content = json.loads(place.read_text())
    *way, last = path
    at = content
    for key in way:
        at = at[key]
    at[last] = EVIL
    place.write_text(json.dumps(content))
    card = cards.read(wine)
    page = card_page.render(card)
    assert_is_harmless(page)
    (wine / manifest.EXTRA / "card.md").write_text(EVIL)
    manifest.write(wine)
    monkeypatch.setenv("ZOO_MODELS_DIR", str(wine.parents[1]))
    assert said(["info", str(wine)], capsys)[0] == 0
    assert said(["models"], capsys)[0] == 0
    assert said(["verify", str(wine)], capsys)[0] == 0
    assert_is_harmless(store.render_table(wine.parents[1]))
    assert_is_harmless(repr(zoo.load(wine)))


def test_every_character_that_steers_is_shown():
    for code in [*range(32), *range(127, 160), 0x200E, 0x2028, 0x202E, 0xFEFF]:
        assert_is_harmless(checks.shown(f"a{chr(code)}b"))
        assert "\n" not in checks.shown(f"a{chr(code)}b")
