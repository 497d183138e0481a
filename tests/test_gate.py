"""The gate: what a SavedModel may hold, what is refused, and that nothing happens meanwhile."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import harmful_changes
import harmful_programs
import malicious
import numpy as np
import ordinary
import plain_load
import pytest
import tensorflow as tf
import warm

import zoo
from zoo import cli
from zoo.saving import card as cards
from zoo.saving import gate, graph_check, manifest, store
from zoo.saving.load import load_weights

SHIPPED = harmful_changes.SHIPPED
WINE = store.find(SHIPPED / "wine_dense")
KINDS = {attack.kind: i for i, attack in reversed([*enumerate(malicious.ATTACKS)])}
ATTACKS = [
    pytest.param(
        attack,
        id=f"{attack.kind}: {attack.what}",
        marks=[pytest.mark.slow] * (i not in KINDS.values()),
    )
    for i, attack in enumerate(malicious.ATTACKS)
]


# Attacks.


def test_there_are_enough_attacks():
    assert len(malicious.ATTACKS) >= 40
    page = (SHIPPED.parent / "docs" / "security.md").read_text()
    assert f"(`tests/ordinary.py`, {len(ordinary.ORDINARY)} of them)" in page
    assert len({(attack.kind, attack.what) for attack in malicious.ATTACKS}) == len(
        malicious.ATTACKS
    )


def test_the_page_lists_them():
    page = (SHIPPED.parent / "docs" / "malicious.md").read_text()
    assert f"`python tests/malicious.py`: {len(malicious.ATTACKS)} models." in page
    rows = [row.split(" | ") for row in page.splitlines()[7:]]
    listed = [[f"| {attack.kind}", attack.what, attack.harm] for attack in malicious.ATTACKS]
    assert [row[:3] for row in rows] == listed, "run: python tests/malicious.py > docs/malicious.md"
    for row, attack in zip(rows, malicious.ATTACKS, strict=True):
        assert re.search(attack.words, row[3])


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_malicious_model_is_refused_and_does_nothing(attack, bait, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    malicious.made(attack, bait, tmp_path / "model")
    watch = plain_load.Watch(bait.folder)
    for trust in (zoo.load, zoo.verify):
        with pytest.raises(zoo.InputError, match=attack.words):
            trust(tmp_path / "model", foreign=not attack.own)
    assert watch.effects() == set()
    assert list(scratch.glob("zoo-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("attack", malicious.ATTACKS, ids=lambda a: f"{a.kind}: {a.what}")
def test_it_does_harm_where_nobody_checks(attack, bait, tmp_path):
    with plain_load.listening() as listener:
        listened = harmful_programs.Bait(bait.folder, listener.port)
        malicious.made(attack, listened, tmp_path / "model")
        process = warm.start(
            plain_load.__file__, tmp_path / "model", bait.folder, imports="tensorflow"
        )
        printed, said = process.communicate()
    if process.returncode == 0:
        effects = json.loads(printed.splitlines()[-1])["effects"]
    else:
        effects = ["hung" if process.returncode == -14 else "died"]
    effects += ["connected"] * bool(listener.connected)
    assert attack.harm in effects, said[-2000:]


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_random_changes_are_refused_or_harmless(count, wine):
    """The manifest agrees with every change, so that the gate itself is what refuses it."""
    rng, refused = np.random.default_rng(count), 0
    names = ["saved_model.pb", "variables/variables.index", "fingerprint.pb", "assets.extra/card.json", "assets.extra/golden.npz"]  # fmt: skip
    contents = {name: (wine / name).read_bytes() for name in names}
    for _ in range(count):
        name = names[int(rng.choice(len(names), p=[0.7, 0.05, 0.05, 0.15, 0.05]))]
        (wine / name).write_bytes(changed(contents[name], rng))
        manifest.write(wine)
        try:
            with gate.checked(wine) as folder:
                cards.read(folder)
        except zoo.InputError:  # damaged, or of a version that does not exist yet
            refused += 1
        (wine / name).write_bytes(contents[name])
    assert refused > count / 5


def changed(content, rng):
    """Flips, overwrites, inserts, removes or repeats bytes, at one place or several."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(len(content))), int(rng.integers(1, 9))
        match rng.integers(5):
            case 0:
                content[at] ^= 1 << int(rng.integers(8))
            case 1:
                content[at : at + length] = rng.bytes(length)
            case 2:
                content[at:at] = rng.bytes(length)
            case 3:
                del content[at : at + length]
            case 4:
                content[at:at] = content[at : at + 50 * length]
        content = content or bytearray(b"\0")
    return bytes(content)


# What is loaded is what was checked.


def test_a_swap_after_the_check_has_no_effect(wine, monkeypatch):
    expected = zoo.load(wine).signatures["embed"](**ones(wine))["embedding"]
    check = graph_check.check

    def check_then_swap(*arguments):
        check(*arguments)
        shutil.rmtree(wine)
        shutil.copytree(store.find(SHIPPED / "digits_dense"), wine)

    monkeypatch.setattr(graph_check, "check", check_then_swap)
    swapped = zoo.load(wine)
    assert swapped.card.name == "wine_dense"
    np.testing.assert_array_equal(swapped.signatures["embed"](**ones(WINE))["embedding"], expected)
    assert cards.read(wine).name == "digits_dense"


@pytest.mark.parametrize("moment", range(5))
def test_a_swap_while_files_are_copied_is_noticed(wine, moment, monkeypatch):
    copied, copy_file = [], gate._copy_file

    def copy_then_swap(folder, entry, name, *rest):
        copy_file(folder, entry, name, *rest)
        copied.append(name)
        if len(copied) == moment:
            shutil.copytree(store.find(SHIPPED / "digits_dense"), wine, dirs_exist_ok=True)

    monkeypatch.setattr(gate, "_copy_file", copy_then_swap)
    if moment == 0:
        assert zoo.load(wine).card.name == "wine_dense"
        return
    with pytest.raises(manifest.DamagedModelError, match="has changed|digits_dense"):
        model = zoo.load(wine)
        assert model.card.name == "digits_dense"
        raise manifest.DamagedModelError("all of it is digits_dense")


def ones(folder):
    return {column: tf.ones(2) for column in cards.read(folder).columns}


def test_loading_changes_nothing_and_leaves_nothing(wine, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    copies = []
    load = gate.load
    monkeypatch.setattr(gate, "load", lambda folder, shown: (copies.append(folder), load(folder, shown))[1])  # fmt: skip
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in wine.rglob("*")}
    wine.chmod(0o500)
    zoo.load(wine)
    model = zoo.build(weights=wine)
    load_weights(model, wine)
    zoo.verify(wine)
    wine.chmod(0o700)
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in wine.rglob("*")}  # fmt: skip
    assert len(copies) == 3
    assert all(copy.is_relative_to(scratch) and not copy.exists() for copy in copies)
    assert list(scratch.glob("zoo-*")) == []


@pytest.mark.parametrize(
    "use",
    [
        zoo.load,
        zoo.verify,
        lambda path: zoo.build(weights=path),
        lambda path: load_weights(zoo.build("dense:tiny", input_shape=(13,), num_classes=3), path),
        lambda path: zoo.from_weights(zoo.TrainConfig(weights=str(path))),
        lambda path: zoo.predict_sandboxed(path, [WINE / "fingerprint.pb"]),
    ],
    ids=["load", "verify", "build", "load_weights", "from_weights", "predict_sandboxed"],
)
def test_every_way_to_a_model_leads_through_the_gate(use, wine):
    model = harmful_changes.graph_of(wine)
    model.meta_graphs[0].graph_def.node.add(name="evil", op="WriteFile")
    (wine / "saved_model.pb").write_bytes(model.SerializeToString())
    manifest.write(wine)
    with pytest.raises(
        gate.RefusedModelError, match="'evil' of the graph is the operation 'WriteFile'"
    ):
        use(wine)


def test_a_model_of_this_project_has_a_golden_pair(wine):
    (wine / "assets.extra" / "golden.npz").unlink()
    manifest.write(wine)
    with pytest.raises(manifest.DamagedModelError, match="has no golden pair"):
        zoo.verify(wine)


def test_hashes_come_before_parsing(wine, monkeypatch):
    monkeypatch.setattr(graph_check, "check", lambda _: pytest.fail("parsed"))
    (wine / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(manifest.DamagedModelError, match="saved_model.pb has changed"):
        zoo.load(wine)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "weights.hdf5", "model.pkl"])
def test_files_that_run_code_are_never_loaded(name, in_tmp):
    (in_tmp / name).write_bytes(b"")
    (in_tmp / "folder").mkdir()
    shutil.copy(in_tmp / name, in_tmp / "folder")
    for path in (name, *(["folder"] if name.endswith(("keras", "h5")) else [])):
        for use in (zoo.load, zoo.verify, lambda p: zoo.build(weights=p)):
            with pytest.raises(zoo.InputError, match="can run code of whoever made it"):
                use(path)


def test_installers_may_link_the_models_that_they_install(wine, tmp_path, monkeypatch):
    (tmp_path / "cache").hardlink_to(wine / "saved_model.pb")
    with pytest.raises(gate.RefusedModelError, match="saved_model.pb is a hard link"):
        zoo.load(wine)
    monkeypatch.setattr(store, "PACKAGED", tmp_path)
    assert zoo.load(wine).labels


def test_variables_hold_no_handles(tmp_path):
    raw = tf.raw_ops
    shape = tf.constant([], tf.int32)
    table = raw.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64, shared_name="table_0")
    empty = raw.EmptyTensorList(element_shape=shape, max_num_elements=1, element_dtype=tf.resource)
    saved = tf.Module()
    saved.kept = tf.Variable(raw.TensorListPushBack(input_handle=empty, tensor=table), shape=())
    saved.call = tf.function(harmful_programs.harmless, input_signature=[harmful_programs.SPEC])
    tf.saved_model.save(saved, tmp_path / "model", signatures=saved.call)
    with pytest.raises(gate.RefusedModelError, match="variable 'kept/.* is a handle"):
        zoo.load(tmp_path / "model", foreign=True)


def test_variables_that_cannot_be_read(plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "model")
    (folder / "variables" / "variables.index").write_bytes(b"other")
    with pytest.raises(manifest.DamagedModelError, match="Cannot read the variables of"):
        zoo.load(folder, foreign=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "variables.data-00001-of-00002").write_bytes(b"x"), "do not belong together"),
        (lambda f: (f / "variables.data-00001-of-00001").write_bytes(b"x"), "do not belong together"),
        (lambda f: (f / "variables.data-00000-of-00001").open("ab").truncate(gate.GRAPH_LIMIT + 8192), "larger than the variables that its index"),
        (lambda f: (f / "variables.index").unlink(), "variables/variables.index is missing"),
    ],
    ids=["another shard", "a shard too many", "larger", "no index"],
)  # fmt: skip
def test_files_of_variables_are_those_of_the_index(change, words, plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "model")
    change(folder / "variables")
    with pytest.raises(gate.RefusedModelError, match=words):
        zoo.load(folder, foreign=True)


def test_whatever_tensorflow_raises_is_a_message(plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "model")
    model = harmful_changes.graph_of(folder)
    for function in model.meta_graphs[0].object_graph_def.concrete_functions.values():
        function.output_signature.Clear()  # TensorFlow: NotEncodableError
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(manifest.DamagedModelError, match="TensorFlow cannot load"):
        zoo.load(folder, foreign=True)


# Cards.


@pytest.mark.parametrize(
    "change",
    [
        {"labels": "abc"},
        {"runs": None},
        {
            "builder": {
                "family": "dense",
                "size": "tiny",
                "arguments": {"units": [{"class_name": "x"}]},
            }
        },
        {"builder": {"family": ["dense"], "size": "tiny", "arguments": {}}},
        {"builder": []},
    ],
    ids=str,
)
def test_a_card_holds_what_the_code_reads(change, wine):
    harmful_changes.change_card(**change)(wine, None)
    manifest.write(wine)
    with pytest.raises(manifest.DamagedModelError, match=f"no usable entry '{next(iter(change))}'"):
        zoo.load(wine)


# Ordinary models.

HEAVY = ("MobileNetV3", "EfficientNet")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (not (i % 4 == 0 and name not in HEAVY)))
        for i, name in enumerate(ordinary.ORDINARY)
    ],
)
def test_no_false_alarm(name, tmp_path):
    ordinary.ORDINARY[name](str(tmp_path / "model"))
    allow = [ordinary.TO_ALLOW[name]] if name in ordinary.TO_ALLOW else []
    for operation in allow:
        with pytest.raises(gate.RefusedModelError, match=rf"pass allow=\['{operation}'\]"):
            zoo.load(tmp_path / "model", foreign=True)
    model = zoo.load(tmp_path / "model", foreign=True, allow=allow)
    assert "serving_default" in model.signatures
    with pytest.raises(manifest.DamagedModelError, match="foreign=True"):
        zoo.load(tmp_path / "model")


def test_a_model_of_others_is_called_by_the_names_of_its_tensors(plain, caplog, monkeypatch):
    model = zoo.load(plain, foreign=True)
    assert model.card is None
    assert model({"x": [1, 2]})["y"].numpy().tolist() == [2.0, 4.0]
    for inputs, words in [
        ([1.0], r"takes a dict of arrays: 'x' \(float32 \(None,\)\). Received: list"),
        ({"z": [1.0]}, r"Received: \['z'\]"),
        ({"x": ["a"]}, "'x' must be float32"),
        ({"x": [[1.0]]}, r"'x' must have shape \(None,\). Received: \(1, 1\)"),
    ]:
        with pytest.raises(zoo.InputError, match=words):
            model(inputs)
    with pytest.raises(zoo.InputError, match="no card.*'x'"):
        model.predict([1.0])
    assert zoo.verify(plain, foreign=True)["signatures"] == ["serving_default"]


def test_an_operation_can_be_allowed_and_no_other_is(bait, tmp_path, in_tmp, capsys):
    ordinary.ORDINARY["linear algebra"](str(tmp_path / "model"))
    cli.main(["verify", "--foreign", "--allow", "Cholesky", str(tmp_path / "model")])
    assert capsys.readouterr().out.startswith("ok")
    assert zoo.load(tmp_path / "model", foreign=True, allow="Cholesky").signatures
    with pytest.raises(gate.RefusedModelError, match="'Cholesky', which is not"):
        zoo.load(tmp_path / "model", foreign=True, allow=["RFFT"])
    attack = malicious.named("serving_default lists a folder")
    malicious.made(attack, bait, tmp_path / "bad")
    with pytest.raises(gate.RefusedModelError, match="'MatchingFiles', which is not"):
        zoo.load(tmp_path / "bad", foreign=True, allow=["Cholesky"])


def test_an_unsafe_load_is_asked_for_and_logged(bait, tmp_path, caplog):
    attack = malicious.named("serving_default lists a folder")
    malicious.made(attack, bait, tmp_path / "model")
    with caplog.at_level("WARNING", "zoo"):
        model = zoo.load(tmp_path / "model", foreign=True, unsafe=True)
    assert "is loaded unchecked" in caplog.text
    assert b"secret" in str(model({"x": [1.0]})["stolen"].numpy()).encode()


def test_unsafe_still_compares_hashes(wine):
    (wine / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(manifest.DamagedModelError, match="has changed"):
        zoo.load(wine, unsafe=True)


def test_commands(plain, bait, in_tmp, capsys):
    np.savez("x.npz", x=np.ones(2, "float32"))
    cli.main(["verify", "--foreign", str(plain)])
    assert "no golden pair, serving_default" in capsys.readouterr().out
    cli.main(["predict", "--foreign", "--json", str(plain), "x.npz"])
    assert json.loads(capsys.readouterr().out) == {"input": "x.npz", "outputs": {"y": [2.0, 2.0]}}
    cli.main(["predict", "--foreign", str(plain), "x.npz", "--out", "out.csv"])
    assert "x.npz" in Path("out.csv").read_text()
    attack = malicious.named("serving_default lists a folder")
    malicious.made(attack, bait, in_tmp / "model")
    with pytest.raises(SystemExit):
        cli.main(["verify", "--foreign", "model"])
    assert "'MatchingFiles', which is not on the list" in capsys.readouterr().out
    cli.main(["verify", "--foreign", "--unsafe", "model"])
    assert capsys.readouterr().out.startswith("ok")
