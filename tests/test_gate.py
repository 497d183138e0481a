"""The gate: what a SavedModel may hold, what is refused, and that nothing happens meanwhile."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import malicious
import numpy as np
import operations
import ordinary
import plain_load
import pytest
import tensorflow as tf
import warm
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

import zoo
from zoo import cli
from zoo.saving import card as cards
from zoo.saving import gate, graph_check, manifest, sandbox, sandboxed, store
from zoo.saving.load import load_weights

SHIPPED = malicious.SHIPPED
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


@pytest.fixture
def bait(tmp_path):
    return malicious.Bait(tmp_path / "bait").lay()


@pytest.fixture
def wine(tmp_path):
    """A copy of a shipped model."""
    return shutil.copytree(WINE, tmp_path / "wine" / "1")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model of plain TensorFlow, not to be changed."""
    folder = tmp_path_factory.mktemp("plain") / "model"
    malicious.save(folder, malicious.harmless)
    return folder


def act(what):
    """The attack that does so."""
    return next(attack for attack in malicious.ATTACKS if attack.what == what)


def graph_of(folder):
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def registered():
    """Every operation that TensorFlow has."""
    found = op_def_pb2.OpList()
    found.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {definition.name: definition for definition in found.op}


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
        listened = malicious.Bait(bait.folder, listener.port)
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


def test_each_operation_that_is_not_allowed_is_refused(plain):
    model, allowed = graph_of(plain), graph_check.allowed_operations()
    graph_check.check_model(model)
    graph = model.meta_graphs[0].graph_def
    function = next(
        f
        for f in graph_check.library_of(graph).function
        if not graph_check.is_saver(f.signature.name)
    )
    saver = next(
        f for f in graph_check.library_of(graph).function if graph_check.is_saver(f.signature.name)
    )
    tried = 0
    for nodes, known in (
        (graph.node, allowed),
        (function.node_def, allowed),
        (saver.node_def, graph_check._SAVER_OPERATIONS),
    ):
        for name in sorted({*registered(), "NotRegistered"} - known):
            nodes.add(name="added", op=name)
            with pytest.raises(
                graph_check.Refusal, match=f"'added'.*the operation '{name}', which is not"
            ):
                graph_check.check_model(model)
            nodes.pop()
            tried += 1
    graph_check.check_model(model)
    assert tried > 4000


def test_allowed_operations_exist_and_name_no_file():
    definitions = registered()
    strange = re.compile("file|path|url|address|descriptor|token|region|library|server")
    for name in graph_check.allowed_operations():
        attributes = {attribute.name for attribute in definitions[name].attr}
        assert not {a for a in attributes if strange.search(a)}, name


def _function(model):
    return next(f for f in graph_check.library_of(model.meta_graphs[0].graph_def).function if "call" in f.signature.name or "lambda" in f.signature.name or "harmless" in f.signature.name)  # fmt: skip


def _node(model, op="Mul"):
    return next(n for f in graph_check.library_of(model.meta_graphs[0].graph_def).function for n in f.node_def if n.op == op)  # fmt: skip


def _caller(model):
    return next(n for n in model.meta_graphs[0].graph_def.node if n.op == "StatefulPartitionedCall")


def _objects(model):
    return model.meta_graphs[0].object_graph_def


def _text(model, text):
    saver = next(f for f in graph_check.library_of(model.meta_graphs[0].graph_def).function if "traced_save" in f.signature.name)  # fmt: skip
    part = next(n for n in saver.node_def if b"_temp/part" in n.attr["value"].tensor.string_val)
    part.attr["value"].tensor.string_val[:] = text


STRUCTURE = {
    "calls the function 'outside'": lambda m: setattr(_caller(m).attr["f"].func, "name", "outside"),
    "passes a function to a function": lambda m: setattr(_caller(m).attr["f"].func.attr["g"].func, "name", "outside"),
    "without a value": lambda m: setattr(_node(m).attr["T"], "placeholder", "T"),
    "meant for the device": lambda m: setattr(_node(m), "device", "/job:worker/task:1"),
    "settings that change": lambda m: setattr(_caller(m).attr["config_proto"], "s", _settings()),
    "damaged settings": lambda m: setattr(_caller(m).attr["config_proto"], "s", b"\xff"),
    "takes the gradient of": lambda m: setattr(_node(m).attr["_gradient_op_type"], "s", b"PyFunc"),
    "two functions have the same name": lambda m: graph_check.library_of(m.meta_graphs[0].graph_def).function.add().CopyFrom(_function(m)),
    "the name of the operation": lambda m: setattr(graph_check.library_of(m.meta_graphs[0].graph_def).function.add().signature, "name", "MatMul"),
    "attributes of its own": lambda m: _function(m).signature.attr.add(name="T"),
    "a gradient calls": lambda m: graph_check.library_of(m.meta_graphs[0].graph_def).gradient.add(function_name="a", gradient_func="b"),
    "has the tags": lambda m: m.meta_graphs[0].meta_info_def.tags.append("train"),
    "holds 0 graphs": lambda m: m.ClearField("meta_graphs"),
    "holds a collection 'queue_runners'": lambda m: m.meta_graphs[0].collection_def["queue_runners"].SetInParent(),
    "a file that it names itself": lambda m: _saver_call(m).input.__setitem__(0, "Const"),
    "names a file by": lambda m: _text(m, [b"/../../../etc/passwd"]),
    "reads a file that is not its argument": lambda m: malicious.fixed_prefix(m, malicious.Bait(SHIPPED)),
    "handle of the process": lambda m: malicious.handle_constant(m, None),
    "more than 268,435,456 elements": lambda m: _node(m, "Const").attr["value"].tensor.tensor_shape.dim.add(size=2**40),
    "is of the kind": lambda m: _objects(m).nodes[0].ClearField("user_object"),
    "is a 'optimizer' of the process": lambda m: setattr(_objects(m).nodes[0].user_object, "identifier", "optimizer"),
    "sets the attribute '__class__'": lambda m: _objects(m).nodes[0].children.add(node_id=0, local_name="__class__"),
    "names the object 99": lambda m: _objects(m).nodes[0].children.add(node_id=99, local_name="a"),
    "a list has an element '99999999'": lambda m: _long_list(m),
    "does not list": lambda m: _objects(m).nodes.add().bare_concrete_function.__setattr__("concrete_function_name", "a"),
    "which is not there": lambda m: _objects(m).nodes.add().constant.__setattr__("operation", "a"),
    "the variables of an optimizer|optimizer's variables": lambda m: _objects(m).nodes[0].slot_variables.add(),
    "is meant for the device '/job:elsewhere'": lambda m: _objects(m).nodes.add().resource.__setattr__("device", "/job:elsewhere"),
}  # fmt: skip


def _settings():
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.custom_optimizers.add(name="mine")
    return config.SerializeToString()


def _saver_call(model):
    return next(n for n in model.meta_graphs[0].graph_def.node if n.op.endswith("PartitionedCall") and graph_check.is_saver(n.attr["f"].func.name))  # fmt: skip


def _long_list(model):
    node = _objects(model).nodes.add()
    node.user_object.identifier = "trackable_list_wrapper"
    node.children.add(node_id=0, local_name="99999999")


@pytest.mark.parametrize("words", STRUCTURE)
def test_rules_of_structure(words, plain):
    model = graph_of(plain)
    STRUCTURE[words](model)
    with pytest.raises(graph_check.Refusal, match=words):
        graph_check.check_model(model)


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
        except manifest.DamagedModelError:
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

    def check_then_swap(content):
        check(content)
        shutil.rmtree(wine)
        shutil.copytree(store.find(SHIPPED / "digits_dense"), wine)

    monkeypatch.setattr(graph_check, "check", check_then_swap)
    swapped = zoo.load(wine)
    assert swapped.card["name"] == "wine_dense"
    np.testing.assert_array_equal(swapped.signatures["embed"](**ones(WINE))["embedding"], expected)
    assert cards.read(wine)["name"] == "digits_dense"


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
        assert zoo.load(wine).card["name"] == "wine_dense"
        return
    with pytest.raises(manifest.DamagedModelError, match="has changed|digits_dense"):
        model = zoo.load(wine)
        assert model.card["name"] == "digits_dense"
        raise manifest.DamagedModelError("all of it is digits_dense")


def ones(folder):
    return {column: tf.ones(2) for column in cards.read(folder)["columns"]}


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
    model = graph_of(wine)
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
    malicious.change_card(**change)(wine, None)
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
    model = zoo.load(tmp_path / "model", foreign=True)
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
        ({"x": ["a"]}, "x must be float32"),
        ({"x": [[1.0]]}, r"x must have shape \(None,\). Received: \(1, 1\)"),
    ]:
        with pytest.raises(zoo.InputError, match=words):
            model(inputs)
    with pytest.raises(zoo.InputError, match="no card.*'x'"):
        model.predict([1.0])
    assert zoo.verify(plain, foreign=True)["signatures"] == ["serving_default"]


def test_an_unsafe_load_is_asked_for_and_logged(bait, tmp_path, caplog):
    attack = act("serving_default lists a folder")
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
    attack = act("serving_default lists a folder")
    malicious.made(attack, bait, in_tmp / "model")
    with pytest.raises(SystemExit):
        cli.main(["verify", "--foreign", "model"])
    assert "'MatchingFiles', which is not on the list" in capsys.readouterr().out
    cli.main(["verify", "--foreign", "--unsafe", "model"])
    assert capsys.readouterr().out.startswith("ok")


# The list of operations.


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*/saved_model.pb")), ids=lambda p: p.parts[-3])  # fmt: skip
def test_shipped_models_need_only_listed_operations(path):
    assert operations.operations_of(path.parent) <= listed()


def listed():
    return set(graph_check.LISTS[0].read_text().splitlines())


@pytest.mark.parametrize("name", ["dense, columns", "files of images", "texts"])
def test_an_export_needs_only_listed_operations(name, tmp_path):
    unlisted = operations.operations_of(operations.EXPORTS[name](tmp_path)) - listed()
    assert not unlisted, f"print the list anew (tests/operations.py), and review: {unlisted}"


@pytest.mark.slow
def test_the_list_is_what_exports_need():
    assert graph_check.LISTS[0].read_text() == operations.render()


# The process with few rights.


def sandbox_or_skip():
    if missing := sandboxed_limits():
        pytest.skip(f"this machine does not offer: {missing}")


def sandboxed_limits():
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import sandboxed\n"
        "print(json.dumps(sandboxed.limit({'memory': 2**32, 'seconds': 9, 'readable': [], 'listable': []})))"
    )
    where = str(Path(sandboxed.__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", code, where], capture_output=True, text=True, check=True
    )
    return json.loads(child.stdout)


HARM = {
    "serving_default writes a file": "Permission denied|PermissionDenied",
    "an initializer writes a file": "Permission denied|PermissionDenied",
    "serving_default answers with a file": "Permission denied|PermissionDenied",
    "serving_default calls another machine": "Unavailable|unavailable|failed to connect|DEADLINE|Deadline",
    "serving_default ends the process": "ended early \\(signal 6\\)",
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.slow] * (i > 0)) for i, what in enumerate(HARM)]
)
def test_a_sandbox_keeps_harm_in(what, tmp_path):
    sandbox_or_skip()
    with plain_load.listening() as listener:
        bait = malicious.Bait(tmp_path / "bait", listener.port).lay()
        malicious.made(act(what), bait, tmp_path / "model")
        np.savez(tmp_path / "x.npz", x=np.ones(2, "float32"))
        watch = plain_load.Watch(bait.folder)
        with pytest.raises(zoo.InputError, match=HARM[what]):
            zoo.predict_sandboxed(
                tmp_path / "model", [tmp_path / "x.npz"], foreign=True, unsafe=True
            )
        assert watch.effects() - {"read"} == set()
        assert not listener.connected


@pytest.mark.slow
def test_a_sandbox_answers_as_the_model_does(tmp_path, capsys):
    sandbox_or_skip()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype("uint8")
    np.save(tmp_path / "x.npy", pixels)
    rows = zoo.predict_sandboxed("digits_cnn", [tmp_path / "x.npy"])
    expected = zoo.load("digits_cnn").predict(pixels)["probabilities"]
    np.testing.assert_allclose([row["probabilities"] for row in rows], expected, atol=1e-6)
    cli.main(["predict", "--sandbox", "digits_cnn", str(tmp_path / "x.npy")])
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bomb", "limits", "words"),
    [
        (lambda x: tf.while_loop(lambda z: tf.reduce_sum(z) > -1, lambda z: [z], [x])[0], {"seconds": 20}, "was stopped: it ran for 20 seconds|ended early"),
        (lambda x: tf.reduce_sum(tf.random.uniform([2**30 + tf.size(x)])), {"memory_mb": 2048}, "allocat|ended early|OOM|ResourceExhausted"),
    ],
    ids=["time", "memory"],
)  # fmt: skip
def test_a_sandbox_ends_a_bomb(bomb, limits, words, tmp_path):
    sandbox_or_skip()
    malicious.save(tmp_path / "model", lambda x: {"y": bomb(x)})
    np.savez(tmp_path / "x.npz", x=np.ones(2, "float32"))
    with pytest.raises(zoo.InputError, match=words):
        zoo.predict_sandboxed(tmp_path / "model", [tmp_path / "x.npz"], foreign=True, **limits)


def test_a_machine_without_a_limit_says_so(caplog):
    request = {"shown": "m", "partial": False, "memory": 2**32}
    said = json.dumps({"missing": ["no network (unshare: Operation not permitted)"]}).encode()
    with pytest.raises(sandbox.SandboxError, match="no network .* is missing.*--partial"):
        sandbox._read(request, said, 0)
    rows = said + b'\nnoise\n{"row": {"input": "x", "y": [1]}}\n'
    with caplog.at_level("WARNING", "zoo"):
        assert sandbox._read({**request, "partial": True}, rows, 0) == [{"input": "x", "y": [1]}]
    assert "no network" in caplog.text


# Signatures.


def test_signatures(wine, in_tmp):
    pytest.importorskip("model_signing", reason="needs the extra `sign`")
    for name in ("mine", "other"):
        make = f"openssl ecparam -name prime256v1 -genkey -noout -out {name}.pem && openssl ec -in {name}.pem -pubout -out {name}.pub"  # fmt: skip
        subprocess.run(make, shell=True, check=True, capture_output=True)
    with pytest.raises(manifest.DamagedModelError, match="is not signed"):
        zoo.verify(wine, key="mine.pub")
    assert zoo.sign(wine, "mine.pem") == wine / manifest.SIGNATURE
    assert zoo.load(wine).labels
    assert zoo.verify(wine, key="mine.pub")["largest_difference"] <= 1e-5
    with pytest.raises(manifest.DamagedModelError, match="not what the owner of other.pub signed"):
        zoo.verify(wine, key="other.pub")
    for key, words in [("none.pem", "no key"), ("mine.pub", "cannot sign")]:
        with pytest.raises(zoo.InputError, match=words):
            zoo.sign(wine, key)
    malicious.change_card(limits="none")(wine, None)
    manifest.write(wine)  # which whoever changed the card can do
    with pytest.raises(manifest.DamagedModelError, match="not what the owner of mine.pub signed"):
        zoo.verify(wine, key="mine.pub")


def test_signing_without_the_extra_says_so(wine, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(zoo.InputError, match=r"keras-zoo\[sign\]"):
        zoo.sign(wine, "mine.pem")
