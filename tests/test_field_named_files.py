"""Tables that name files, and pixels that stand in cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pictures
import pytest
from test_field_images import OPTIONS
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.saving import inputs

# Tables of files


def table(names="{}.png", folder="images", count=20, **columns):
    numbers = [f"{i:05d}" for i in range(count)]
    for number in numbers:
        pictures.write(f"{folder}/{number}.png")
    kind = ["a", "b"] * (count // 2)
    frame = pd.DataFrame({"id": [names.format(n) for n in numbers], "kind": kind, **columns})
    frame.to_csv("t.csv", index=False)
    return frame


EVEN = np.arange(20) % 2


@pytest.mark.parametrize(
    ("names", "options", "task"),
    [
        ("{}.png", {"folder": "images"}, "classification"),
        ("images/{}.png", {}, "classification"),
        ("images\\{}.png", {}, "classification"),
        ("{}", {"folder": "images"}, "classification"),
        ("{}.png", {"target": ("y",), "folder": "images"}, "regression"),
        ("{}.png", {"target": ("even", "third"), "folder": "images"}, "multilabel"),
        ("{}.png", {"target": ("tags",), "target_separator": "|"}, "multilabel"),
    ],
)
def test_a_table_names_files(names, options, task, in_tmp, caplog):
    columns = {"y": np.linspace(0, 1, 20), "even": EVEN, "third": np.arange(20) % 3 == 0}
    columns["third"] = columns["third"].astype(int)
    frame = table(names, tags=["x|y", "y"] * 10, **columns)
    options = {"target": ("kind",), **options}
    with caplog.at_level("INFO", "zoo"):
        info, splits = door.read("t.csv", files="id", **options)
        _, same = door.read(frame, files="id", **{"folder": "images", **options})
    assert (info.kind, info.task, info.columns) == ("image", task, ("id",))
    assert [len(splits[split]) for split in ("train", "test")] == [16, 4]
    np.testing.assert_array_equal(splits["train"].inputs, same["train"].inputs)
    assert ("with the ending .png" in caplog.text) == (names == "{}")
    assert "columns that are not read beside the files" in caplog.text


def test_the_target_of_a_file_is_that_of_its_row(in_tmp):
    for i in range(20):
        pictures.write(f"images/{i}.png", value=i)
    frame = pd.DataFrame({"id": [f"{i}.png" for i in range(20)], "y": np.arange(20) + 0.5})
    frame.sample(frac=1, random_state=0).to_csv("images/t.csv", index=False)
    for cache_mb in (0, 256):
        splits = zoo.load_dataset("images/t.csv", files="id", target=("y",), batch_size=2, cache_mb=cache_mb)  # fmt: skip
        for x, y in splits.mapped(None).test:
            np.testing.assert_array_equal(x[:, 0, 0, 0], y - 0.5)


def test_missing_files_are_named_with_their_line(in_tmp, caplog):
    table()
    Path("images/00003.png").unlink()
    Path("images/00007.png").write_bytes(b"none")
    options = {"files": "id", "folder": "images", "target": ("kind",)}
    with pytest.raises(zoo.InputError, match=r"first line 5: there is no file images/00003.png"):
        door.read("t.csv", **options)
    _, splits = door.read("t.csv", skip_bad=True, **options)
    assert sum(map(len, splits.values())) == 18
    assert "first line 9: it is damaged" in caplog.text
    with pytest.raises(zoo.InputError, match=r"None of the 20 files .* is in .*: pass folder="):
        door.read("t.csv", **{**options, "folder": "elsewhere"})


def test_names_of_files_are_no_categories(in_tmp):
    frame = table(size=np.arange(20.0))
    for data in ("t.csv", frame):
        with pytest.raises(zoo.InputError, match="'id' names files.*pass files='id'"):
            door.read(data, target=("kind",))
    info, _ = door.read(frame, target=("kind",), columns=("size",))
    assert info.columns == ("size",)


def test_a_test_table_without_targets_is_left_to_predict(in_tmp, caplog):
    frame = table(size=np.random.default_rng(0).normal(size=20))
    Path("shop").mkdir()
    frame[:15].to_csv("shop/train.csv", index=False)
    frame[15:].drop(columns="kind").to_csv("shop/test.csv", index=False)
    with caplog.at_level("INFO", "zoo"):
        for options in ({"columns": ("size",)}, {"files": "id", "folder": "images"}):
            _, splits = door.read("shop", target=("kind",), **options)
            assert [len(splits[split]) for split in ("train", "test")] == [12, 3]
    assert "shop/test.csv has no labels (kind): it can be predicted" in caplog.text


def test_a_model_of_named_files_predicts_a_table_of_new_ones(in_tmp):
    table("{}", y=np.linspace(0, 1, 20))
    trained = zoo.train("cnn:tiny", "t.csv", files="id", folder="images", target="y", **OPTIONS)
    model = zoo.load(trained.export)
    pd.DataFrame({"id": ["00003", "00007"]}).to_csv("images/new.csv", index=False)
    found = [row["prediction"] for row in inputs.predict_files(model, ["images/new.csv"])]
    alone = model.predict(["images/00003.png", "images/00007.png"])["prediction"]
    assert_close(np.array(found), alone, KERNELS)


def test_a_table_names_texts(in_tmp):
    for i in range(20):
        Path(f"{i}.txt").write_text(f"a text that is {('good', 'bad')[i % 2]}, number {i}")
    pd.DataFrame({"doc": [f"{i}.txt" for i in range(20)], "kind": ["a", "b"] * 10}).to_csv("t.csv")
    info, splits = door.read("t.csv", files="doc", target=("kind",))
    assert (info.kind, info.columns) == ("text", ("doc",))
    assert all("good" in str(t) for t, y in zip(splits["test"].inputs, splits["test"].targets) if y == 0)  # fmt: skip


# Pixels in cells


@pytest.mark.parametrize("form", ["{}", "[{}]", "list", "array"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_in_a_cell_are_images(form, channels, in_tmp):
    drawn = np.random.default_rng(0).integers(0, 256, (20, 6, 6, channels))
    rows = drawn.reshape(20, -1).tolist()
    sign = ", " if "[" in form else " "
    cells = [form.format(sign.join(map(str, row))) for row in rows]
    cells = {"list": rows, "array": list(np.array(rows))}.get(form, cells)
    frame = pd.DataFrame({"pixels": cells, "mood": ["glad", "sad"] * 10})
    info, splits = door.read(frame, target="mood")
    assert (info.kind, info.input_shape) == ("image", (6, 6, channels))
    found = np.concatenate([data.inputs for data in splits.values()])
    assert sorted(map(bytes, found)) == sorted(map(bytes, drawn.astype("uint8")))


def test_a_model_of_pixels_predicts_cells_and_arrays_alike(in_tmp):
    drawn = np.random.default_rng(0).integers(0, 256, (40, 6, 6)).astype("uint8")
    cells = [" ".join(map(str, image.reshape(-1))) for image in drawn]
    frame = pd.DataFrame({"mood": ["glad", "sad"] * 20, "pixels": cells})
    frame.to_csv("t.csv", index=False)
    model = zoo.load(zoo.train("cnn:tiny", "t.csv", target="mood", **OPTIONS).export)
    wanted = model.predict(drawn)["probabilities"]
    found = [row["probabilities"] for row in inputs.predict_files(model, ["t.csv"])]
    assert_close(np.array(found), wanted, KERNELS, scale=1)
    assert_close(model.predict(frame[["pixels"]])["probabilities"], wanted, KERNELS, scale=1)


def test_a_cell_that_holds_no_pixels_among_others_is_named(in_tmp):
    drawn = np.random.default_rng(0).integers(100, 256, (20, 64))  # 100 200 150 might be one number
    cells = [" ".join(map(str, image)) for image in drawn]
    frame = pd.DataFrame({"pixels": [*cells[:19], "1 2 3"], "mood": ["glad", "sad"] * 10})
    with pytest.raises(zoo.InputError, match="first row 19: 'pixels' holds no list of 64 whole"):
        door.read(frame, target="mood")
    _, splits = door.read(frame, target="mood", skip_bad=True)
    assert sum(map(len, splits.values())) == 19


def test_numbers_that_are_no_pixels_stay_what_they_were():
    texts = [f"{i} {i + 1} {i + 2}" for i in range(20)]  # too few to be a list
    info, _ = door.read(pd.DataFrame({"x": texts, "kind": ["a", "b"] * 10}), target="kind")
    assert info.kind == "text"
    lists = [" ".join(map(str, range(i, i + 10))) for i in range(20)]
    frame = pd.DataFrame({"x": lists, "kind": ["a", "b"] * 10})
    with pytest.raises(zoo.InputError, match="hold lists of 10 numbers, of which no square image"):
        door.read(frame, target="kind")
    assert door.read(frame, target="kind", kinds={"x": "text"})[0].kind == "text"
