"""Card, vocabulary and golden pair of somebody else's, with a manifest that agrees: used, or refused in one line."""

import contextlib
import json
import os
import shutil

import numpy as np
import pytest

import zoo
from zoo import files
from zoo.saving import card_page, golden_check, manifest, store

VALUES = (
    None, True, 0, -1, 1.5, 1e400, "", "\x1b[2K\rok", "x", [], [[]], {}, {"a": 1}, [None], ["a"], [1, 2], 10**30,
    [1e308], "a" * 100_000,
)  # fmt: skip
EXAMPLES = {
    "wine_dense": lambda model: {name: [1.0] for name in model.card.columns},
    "digits_cnn": lambda model: np.zeros((1, 8, 8), "uint8"),
    "cmudict_stress": lambda model: ["hello"],
}
# Of the random changes; `ZOO_RANDOM=10 python -m pytest tests/test_extra_files.py --slow` tries ten.
SEEDS = [0, *[pytest.param(n, marks=pytest.mark.slow) for n in range(1, int(os.environ.get("ZOO_RANDOM", "3")))]]  # fmt: skip


def places(content, path=()):
    """Every place in what JSON holds, as a path of keys and indices."""
    yield path
    items = content.items() if isinstance(content, dict) else ()
    items = enumerate(content) if isinstance(content, list) else items
    for key, value in items:
        yield from places(value, (*path, key))


def changed(content, rng):
    """What JSON holds with one value left out, added, replaced, or nested deeply."""
    value = VALUES[rng.integers(len(VALUES))]
    path = list(places(content))
    *way, last = path[rng.integers(1, len(path))]
    at = content
    for key in way:
        at = at[key]
    how = rng.integers(4)
    if how == 0:
        del at[last]
    elif how == 1:
        at[last] = value
    elif how == 2:
        at[last] = json.loads("[" * 300 + "]" * 300)
    elif isinstance(at, dict):
        at[f"new{rng.integers(9)}"] = value
    else:
        at.append(value)
    return json.dumps(content).encode()


def broken(text, rng):
    """A text as bytes that are no JSON, no UTF-8, or nested without end."""
    every = (text.encode("utf-16"), b"\xff\xfe" + text.encode(), text[: len(text) // 2].encode(), b"[" * 100_000, b"", b"null")  # fmt: skip
    return every[rng.integers(len(every))]


def change_json(path, rng, shortened):
    content = json.loads(path.read_text())
    if shortened:
        content = {key: values[:20] for key, values in content.items()}
    is_broken = rng.random() < 0.2
    path.write_bytes(broken(json.dumps(content), rng) if is_broken else changed(content, rng))


def change_golden(path, rng):
    with np.load(path) as golden:
        arrays = dict(golden)
    key = [*arrays][rng.integers(len(arrays))]
    values, how = arrays[key], rng.integers(7)
    if how == 0:
        del arrays[key]
    elif how == 1:
        arrays[key] = np.zeros(3)
    elif how == 2:
        arrays[key] = np.full(values.shape, "x")
    elif how == 3:
        arrays[key] = values[..., None]
    elif how == 4:
        arrays = {}
    elif how == 5:
        path.write_bytes(path.read_bytes()[:500])
        return
    else:
        path.write_bytes(b"PK\x03\x04" + rng.bytes(300))
        return
    np.savez_compressed(path, **arrays)


def use(folder, name):
    """What people do with a model; nothing but the errors that the zoo declares may come out of it."""
    with contextlib.suppress(zoo.InputError):
        model = zoo.load(folder)
        assert repr(model).isprintable()
        card_page.render(model.card)
        model.predict(EXAMPLES[name](model))
    with contextlib.suppress(zoo.InputError):
        zoo.build(weights=folder)


@pytest.mark.parametrize("seed", SEEDS)
def test_twenty_random_changes_are_used_or_refused(seed, tmp_path):
    rng = np.random.default_rng(seed)
    for number in range(20):
        name = [*EXAMPLES][number % len(EXAMPLES)]
        folder = shutil.copytree(store.find(name), tmp_path / str(number) / "1")
        extra = folder / manifest.EXTRA
        is_of_texts = (extra / "vocabulary.json").exists()
        which = "vocabulary" if is_of_texts and number % 2 else "card"
        change_json(extra / f"{which}.json", rng, which == "vocabulary")
        manifest.write(folder)
        use(folder, name)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes_of_golden_pairs_are_noticed_in_one_line(seed, wine):
    rng = np.random.default_rng(seed)
    whole = (wine / manifest.EXTRA / "golden.npz").read_bytes()
    for _ in range(3):
        path = wine / manifest.EXTRA / "golden.npz"
        path.write_bytes(whole)
        change_golden(path, rng)
        manifest.write(wine)
        with pytest.raises(manifest.DamagedModelError) as refused:
            zoo.verify(wine)
        assert str(refused.value).isprintable()


def changed_bytes(content, rng):
    """A file with some bytes changed, left out or put in, most of them near its begin, where headers are."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = rng.integers(len(content) if rng.random() < 0.4 else min(len(content), 130))
        content[place : place + rng.integers(0, 9)] = rng.choice([*b"{([\n'\"\t \0L"], rng.integers(0, 4)).astype("uint8").tobytes()  # fmt: skip
    return bytes(content)


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_damaged_arrays_are_refused_by_one_error_wherever_they_are_read(save, tmp_path):
    rng, path, refused = np.random.default_rng(0), tmp_path / "damaged", 0
    with open(path, "wb") as file:
        save(file, rng.random((30, 2)))
    whole = path.read_bytes()
    for _ in range(100):
        path.write_bytes(changed_bytes(whole, rng))
        try:
            files.read_arrays(path)
        except ValueError as error:
            refused += str(error).startswith("it cannot be read: ")
        with contextlib.suppress(ValueError):
            golden_check.read(path)
    assert refused > 30


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("signatures", lambda card: card["signatures"]["serving_default"]["inputs"].update(x=["float32)\nimport os", [None]])),
        ("builder", lambda card: card["builder"]["arguments"].update(new=1)),
        ("builder", lambda card: card["builder"]["arguments"].pop("input_shape")),
    ],
    ids=["dtype", "argument", "no shape"],
)  # fmt: skip
def test_what_a_card_says_is_neither_a_line_of_python_nor_an_argument_of_another(
    entry, change, wine
):
    card = json.loads((wine / manifest.EXTRA / "card.json").read_text())
    change(card)
    (wine / manifest.EXTRA / "card.json").write_text(json.dumps(card))
    manifest.write(wine)
    with pytest.raises(manifest.DamagedModelError, match=entry):
        zoo.build(weights=wine)


def test_a_card_may_say_another_shape_of_its_input_than_of_its_signature(tmp_path):
    folder = shutil.copytree(store.find("digits_cnn"), tmp_path / "1")
    path = folder / manifest.EXTRA / "card.json"
    card = json.loads(path.read_text())
    card["signatures"]["serving_default"]["inputs"] = {"image": ["uint8", [None, None, 8]]}
    path.write_text(json.dumps(card))
    manifest.write(folder)
    assert "tf.zeros([1, 8, 8], tf.uint8)" in card_page.render(zoo.load(folder).card)


def test_a_golden_pair_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "golden.npz", **{"inputs/x": np.zeros(2**20, "uint8")})
    assert golden_check.read(tmp_path / "golden.npz")
    monkeypatch.setattr(golden_check, "LARGEST", 2**20)
    with pytest.raises(ValueError, match="would take up 1 MiB"):
        golden_check.read(tmp_path / "golden.npz")
