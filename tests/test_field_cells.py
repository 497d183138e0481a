"""What was read wrongly once: cells of CSV files and their separators."""

import numpy as np
import pandas as pd
import pytest
from test_field import NOISE, RNG, read, write

import zoo
from zoo.data import load as door
from zoo.data.kinds import units
from zoo.saving import inputs

# What was read wrongly once


def test_a_code_for_a_gap_is_one_in_numbers_too(in_tmp):
    rows = [[-999 if i % 5 == 0 else i, i % 7, "ab"[i % 2]] for i in range(60)]
    name = write("t.csv", rows, ["x", "z", "kind"])
    for data in (name, pd.read_csv(name)):
        _, splits = door.read(data, target="kind", missing=("-999",))
        held = np.concatenate([part.inputs["x"] for part in splits.values()])
        assert np.isnan(held).sum() == 12
        assert np.nanmin(held) == 1


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (["0,100", "0,107"], "1.234,5"),
        (["1,234", "0,500"], "1.234,5"),
        (["0,125", "2,5"], "1.234,5"),
    ],
)
def test_no_thousands_begin_with_nothing(texts, style):
    assert units.number_style(texts) == style


@pytest.mark.parametrize(
    "text",
    [
        "p,q,kind\n1,5,3,x\n1,6,3,y\n",
        "# mine\np,q,kind\n1,2,x\n2,3,y\n",
        "p,kind\n1,123,x\n2,423,y\n3,7,x\n",
    ],
)
def test_cells_beyond_the_header_are_refused(text, in_tmp):
    with open("t.csv", "w") as file:
        file.write(text)
    with pytest.raises(zoo.InputError, match="the header has|is no CSV table"):
        read("t.csv")


def test_a_file_of_one_column_may_hold_commas(in_tmp):
    with open("t.csv", "w") as file:
        file.write("price\n3,5\n4,25\n")
    frame, _ = zoo.import_quietly("zoo.data.user.csv_files").read_csv("t.csv")
    assert frame["price"].tolist() == ["3,5", "4,25"]


def test_points_beside_decimal_commas_and_texts_of_a_frame_are_asked_about(in_tmp):
    rows = [[f"{1 + i % 9}.{100 + i}", f"{i},5", "ab"[i % 2]] for i in range(60)]
    name = write("t.csv", rows, ["p", "q", "kind"], ";")
    with pytest.raises(zoo.InputError, match="'p': '1.100' can be read in two ways"):
        read(name)
    _, splits = read(name, decimal=",")
    assert splits["train"].inputs.max(0)[0] > 1000
    frame = pd.DataFrame(
        {"q": [f"1,{100 + i}" for i in range(60)], "z": NOISE[:60], "kind": list("ab") * 30}
    )
    with pytest.raises(zoo.InputError, match="'q': '1,100' can be read in two ways"):
        door.read(frame, target="kind")


def test_a_later_table_that_is_written_otherwise_is_refused(in_tmp):
    (in_tmp / "both").mkdir()
    write(
        "both/train.csv",
        [[f"{i},5", i % 7, "ab"[i % 2]] for i in range(60)],
        ["p", "q", "kind"],
        ";",
    )
    write("both/test.csv", [["3.5", 1, "a"], ["3.125", 2, "b"]], ["p", "q", "kind"])
    with pytest.raises(
        zoo.InputError, match="'p' was learned from numbers with decimal commas; '3.5' in line 2"
    ):
        read("both")


def test_words_of_python_are_titles_like_others(in_tmp):
    titles = ["lambda", "class", "None", "self", "from"]
    rows = [[*RNG.normal(size=5).round(2), "ab"[i % 2]] for i in range(60)]
    name = write("t.csv", rows, [*titles, "kind"])
    trained = zoo.train("dense:tiny", name, target="kind", epochs=1, quiet=True)
    model = zoo.load(trained.export)
    assert model.card.columns == ("lambda_", "class_", "None_", "self_", "from_")
    frame = pd.read_csv(name)[titles]
    assert len(model.predict(frame)["label"]) == 60
    rows = list(inputs.predict_files(model, [name]))
    assert [row["label"] for row in rows] == model.predict(frame)["label"].tolist()
