"""Folders, labels and files that newcomers bring: splits, classes, spellings, and the forms of CSV files."""

import gzip
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pictures
import pytest

import zoo
from zoo.data import load as door
from zoo.data.inspection import inspect
from zoo.data.kinds import cells
from zoo.data.user import csv_files
from zoo.models.checks import InputError
from zoo.saving import inputs

X = np.random.default_rng(0).normal(size=40).round(4)
KINDS = np.array(["up", "down"] * 20)
TABLE = pd.DataFrame({"x": X, "colour": ["red", "blue"] * 20, "kind": KINDS})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def counts(splits):
    return {split: np.bincount(data.targets).tolist() for split, data in splits.items()}


def labelled(labels, **options):
    """What a table of these targets becomes: labels and number of each."""
    frame = pd.DataFrame({"x": X, "kind": pd.Series(labels * (40 // len(labels)))})
    info, splits = door.read(frame, target=("kind",), **options)
    targets = np.concatenate([data.targets for data in splits.values()])
    is_rows = targets.ndim > 1
    found = targets.sum(0) if is_rows else np.bincount(targets)
    return dict(zip(info.labels, found.astype(int).tolist()))


# Folders


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory):
    """A model of a set of which the folders of splits have a prefix, and hold one more folder each."""
    root = tmp_path_factory.mktemp("kaggle") / "p"
    for name, value in (("dark", 20), ("light", 220)):
        for split, count in (("train", 10), ("test", 5)):
            for i in range(count):
                path = root / f"seg_{split}" / f"seg_{split}" / name / f"{i}.png"
                pictures.write(path, value=value + 3 * i + (split == "test"))
    for i in range(3):
        pictures.write(root / "seg_pred" / "seg_pred" / f"{i}.png", value=225)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.parent)
        options = {"epochs": 8, "batch_size": 8, "learning_rate": 0.02, "quiet": True}
        zoo.train("dense:tiny", str(root), out="run", **options)
        return root, zoo.load(root.parent / "run" / "export")


def test_splits_with_a_prefix_are_splits(kaggle):
    root, model = kaggle
    assert tuple(model.card.labels) == ("dark", "light")
    told = str(inspect(root))
    assert "(train 18, test 10, validation 2)" in told
    assert "classes: dark 15, light 15" in told
    assert "seg_pred holds no classes" in told


def test_a_folder_beside_the_splits_is_predicted(kaggle):
    root, model = kaggle
    rows = list(inputs.predict_files(model, [str(root / "seg_pred")]))
    assert [row["label"] for row in rows] == ["light"] * 3


@pytest.mark.parametrize(
    "names", [("train_images", "test_images"), ("imgs-Training", "imgs-test"), ("traindata", "testdata")]
)  # fmt: skip
def test_names_that_differ_by_the_split_alone_are_splits(names, caplog):
    caplog.set_level(logging.INFO, "zoo")
    pictures.classes(f"p/{names[0]}")
    pictures.classes(f"p/{names[1]}", count=5)
    info, splits = door.read("p")
    assert info.labels == ("cat", "dog")
    assert counts(splits) == {"train": [10, 10], "test": [5, 5]}
    assert f"{names[0]} is train" in caplog.text


def test_a_split_with_a_prefix_may_have_no_labels(caplog):
    caplog.set_level(logging.INFO, "zoo")
    pictures.classes("p/pets_train")
    pictures.classes("p/pets_test", ("unknown",), 5)
    assert door.read("p")[0].labels == ("cat", "dog")
    assert "p/pets_test has no labels" in caplog.text


def test_folders_that_hold_other_classes_are_no_splits():
    pictures.classes("p/train_station", ("in", "out"))
    pictures.classes("p/test_station", ("old", "new"))
    assert door.read("p")[0].labels == ("test_station", "train_station")


def test_classes_above_splits_keep_the_splits(caplog):
    caplog.set_level(logging.INFO, "zoo")
    pictures.classes("p", ("a/train", "b/train"))
    pictures.classes("p", ("a/test", "b/test", "a/ground_truth"), 4)
    for options in ({}, {"task": "generation"}):
        info, splits = door.read("p", **options)
        assert {split: len(data) for split, data in splits.items()} == {"train": 20, "test": 8}
    assert "each class holds its splits" in caplog.text
    assert "not read: ground_truth" in caplog.text
    assert door.read("p")[0].labels == ("a", "b")


@pytest.mark.parametrize("names", [("bus", "car", "train"), ("bob", "val")])
def test_classes_may_have_the_name_of_a_split(names):
    pictures.classes("p", names)
    assert door.read("p")[0].labels == names


def test_folders_without_classes_beside_splits_are_left_to_predict(caplog):
    pictures.classes("p/train")
    pictures.classes("p/test", count=5)
    pictures.classes("p", ("pred",), 3)
    assert counts(door.read("p")[1]) == {"train": [10, 10], "test": [5, 5]}
    assert "p/pred holds no classes" in caplog.text


def test_class_folders_may_write_accents_in_two_ways():
    pictures.classes("p/train", ("caf\u00e9", "dog"))
    pictures.classes("p/test", ("cafe\u0301", "dog"), 5)
    info, splits = door.read("p")
    assert info.labels == ("caf\u00e9", "dog")
    assert counts(splits) == {"train": [10, 10], "test": [5, 5]}


# Labels


def test_labels_that_look_the_same_are_one(caplog):
    spelled = ["ice cream", "ice cream", "ice\u00a0cream", "ice  cream", "ice cream\u200b"]
    assert labelled([*spelled, "caf\u00e9", "cafe\u0301", "tea"]) == {"caf\u00e9": 10, "ice cream": 25, "tea": 5}  # fmt: skip
    assert r"'ice cream\u200b', 'ice\xa0cream' are 'ice cream'" in caplog.text
    assert labelled(["a", "A", "b", "b"]) == {"A": 10, "a": 10, "b": 20}


def test_the_order_of_a_categorical_has_each_label_once():
    values = pd.Categorical(["low", "Low", "high", "mid"] * 10, ["low", "Low", "mid", "high"])
    info, _ = door.read(pd.DataFrame({"x": X, "kind": values}), target=("kind",))
    assert info.labels == ("Low", "mid", "high")


def test_several_labels_in_a_cell_are_spelled_alike(caplog):
    options = {"target_separator": "|"}
    assert labelled(["Drama|comedy", "drama", "comedy", "drama| Comedy"], **options) == {"comedy": 30, "drama": 30}  # fmt: skip
    assert "'Comedy' are 'comedy'" in caplog.text


@pytest.mark.parametrize(
    "written",
    [
        ['["drama", "comedy"]', "['drama']", '["Comedy"]', "['comedy', 'drama']"],
        [["drama", "comedy"], ["drama"], ["comedy"], ["comedy", "drama"]],
    ],
)
def test_lists_in_cells_are_several_labels(written, caplog):
    labelled(written)
    assert "pass target_separator=','" in caplog.text
    assert labelled(written, target_separator=",") == {"comedy": 30, "drama": 30}


def test_categories_of_a_later_split_that_train_writes_otherwise_are_told(caplog):
    later = TABLE.assign(x=X + 1, colour=TABLE.colour.str.title())
    door.read(TABLE, test=later, target=("kind",))
    assert "colour of test: 40 of 40 values" in caplog.text
    assert "(it knew 'blue')" in caplog.text
    caplog.clear()
    flags = TABLE.assign(colour=["yes", "no"] * 20)
    door.read(flags, test=flags.assign(x=X + 1, colour=["TRUE", "0"] * 20), target=("kind",))
    assert "training knew" not in caplog.text


# CSV files


def read_csv(text):
    frame, _ = csv_files.read_csv("t.csv", text.encode(), texts=[])
    return frame


def test_quotes_that_a_backslash_escapes_are_quotes():
    rows = [f'"he said \\"hi {i}\\", ok",0.{i}2,up\n' for i in range(5)]
    frame = read_csv("text,x,kind\n" + "".join(rows))
    assert list(frame.columns) == ["text", "x", "kind"]
    assert frame.text.tolist() == [f'he said "hi {i}", ok' for i in range(5)]
    assert read_csv('text\n"a \\"b\\", c"\n"d \\\\"\n').text.tolist() == ['a "b", c', "d \\"]
    assert read_csv('place,x\n"C:\\a\\",1\n"C:\\b\\",2\n').place.tolist() == ["C:\\a\\", "C:\\b\\"]


def test_rows_of_empty_cells_at_the_end_are_no_rows(caplog):
    caplog.set_level(logging.INFO, "zoo")
    frame = read_csv('a,b\r\n1,2\r\n,\r\n ,\r\n"",""\r\n\r\n')
    assert frame.to_numpy().tolist() == [[1, 2]]
    assert frame.a.dtype == "int64"
    assert "3 rows of empty cells" in caplog.text
    assert read_csv('a,b\n1,"x\n,,"\n').b.tolist() == ["x\n,,"]
    assert len(read_csv("a,b\n1,2\n,\n3,4\n")) == 3


def test_tables_may_be_of_tabs_or_packed():
    TABLE.to_csv("t.csv", index=False)
    wanted = door.read("t.csv", target=("kind",))
    TABLE.to_csv("t.tsv", index=False, sep="\t")
    TABLE.to_csv("t.txt", index=False, sep="\t")
    TABLE.to_csv("t.csv.gz", index=False)
    Path("p").mkdir()
    Path("p/train.tsv").write_bytes(Path("t.tsv").read_bytes())
    for name in ("t.tsv", "t.txt", "t.csv.gz", "p"):
        info, splits = door.read(name, target=("kind",))
        assert info.columns == wanted[0].columns
        np.testing.assert_array_equal(splits["train"].inputs["x"], wanted[1]["train"].inputs["x"])
    assert info.name == "p"


def test_predict_reads_every_form_of_a_table():
    TABLE.to_csv("t.csv", index=False)
    zoo.train("dense:tiny", "t.csv", target="kind", epochs=1, batch_size=8, quiet=True, out="run")
    model = zoo.load("run/export")
    text = TABLE.to_csv(index=False, sep="\t") + "\t\t\n\t\t\n"
    for name in ("u.tsv", "u.txt"):
        Path(name).write_text(text)
    Path("u.csv.gz").write_bytes(gzip.compress(text.encode()))
    wanted = [row["label"] for row in inputs.predict_files(model, ["t.csv"])]
    for name in ("u.tsv", "u.txt", "u.csv.gz"):
        assert [row["label"] for row in inputs.predict_files(model, [name])] == wanted


def test_tables_may_be_splits_by_a_part_of_their_names():
    Path("p").mkdir()
    TABLE.to_csv("p/titanic_train.csv.gz", index=False)
    TABLE[:10].assign(x=X[:10] + 1).to_csv("p/titanic_test.csv", index=False)
    TABLE.to_csv("p/sample.csv", index=False)
    splits = door.read("p", target=("kind",))[1]
    assert {split: len(data) for split, data in splits.items()} == {"train": 40, "test": 10}


def test_a_target_of_spaces_is_missing():
    with pytest.raises(InputError, match="first row 3: its target is missing"):
        labelled(["up", "up", "down", "\u00a0"])


# Names of files


def named(names, **options):
    pd.DataFrame({"id": names, "kind": ["a", "b"] * (len(names) // 2)}).to_csv("t.csv", index=False)
    return door.read("t.csv", files="id", target=("kind",), **options)


def test_names_without_an_ending_are_those_of_one_file_each(caplog):
    caplog.set_level(logging.INFO, "zoo")
    for i in range(20):
        pictures.write(f"images/v1.{i}.{'jpg' if i % 2 else 'PNG'}")
        Path(f"images/v1.{i}.txt").write_text("a caption")
    named([f"v1.{i}" for i in range(20)])
    assert "the names with the ending .PNG, .jpg" in caplog.text
    pictures.write("images/v1.3.png")
    with pytest.raises(InputError, match=r"there are images/v1\.3\.jpg and images/v1\.3\.png"):
        named([f"v1.{i}" for i in range(20)])


def test_a_row_that_names_no_file_is_told():
    for i in range(20):
        pictures.write(f"images/{i}.png")
    for names in ([f"{i}.png" for i in range(19)], list(map(str, range(19)))):
        with pytest.raises(InputError, match="line 21: 'id' names no file"):
            named([*names, ""])
        assert sum(len(data) for data in named([*names, ""], skip_bad=True)[1].values()) == 19


def test_files_lie_in_a_folder_that_has_the_name_of_their_split_or_table():
    for name, level in (("train", 0), ("test", 100)):
        for i in range(20):
            pictures.write(f"p/{name}_images/{i}.png", value=level + i)
        rows = {"id": [f"{i}.png" for i in range(20)], "kind": ["a", "b"] * 10}
        pd.DataFrame(rows).to_csv(f"p/{name}.csv", index=False)
    splits = door.read("p", files="id", target=("kind",))[1]
    assert splits["train"].inputs.max() < 100 <= splits["test"].inputs.min()
    column = pd.Series(["3.png", "4.png"])
    found = cells.files_of("id", column, "p/test.csv", [".png"])
    assert list(map(str, found)) == ["p/test_images/3.png", "p/test_images/4.png"]
    with pytest.raises(InputError, match="'id' names no file in row 1"):
        cells.files_of("id", pd.Series(["3.png", ""]), "p/test.csv", [".png"])
