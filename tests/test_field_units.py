"""Numbers with what people write beside them, codes, ranges and postcodes; the lines that messages name."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from test_field_time import KINDS, MIXED, NOISE, table

import zoo
from zoo.data import load as door
from zoo.data.kinds import categories, columns, readings
from zoo.data.user import csv_files

# Numbers


@pytest.mark.parametrize(
    ("cells", "style", "value"),
    [
        (lambda i: f"\u2212{i}", "plain; whole", -5),
        (lambda i: f"'{i}", "plain; whole", 5),
        (lambda i: f"\u00a0{i}\u00a0", "plain; whole", 5),
        (lambda i: str(i).translate(str.maketrans("0123456789", "０１２３４５６７８９")), "plain; whole", 5),
        (lambda i: f"{i} kg", "plain; kg; whole", 5),
        (lambda i: f"{i} day{'' if i == 1 else 's'}", "plain; day; whole", 5),
        (lambda i: f"{i}.5°C", "plain; °C", 5.5),
        (lambda i: f"{i}.5k", "plain; k", 5.5),
        (lambda i: f"${i}" if i % 2 else f"{i}", "plain; USD; whole", 5),
        (lambda i: f"€ 1.{100 + i},50", "1.234,5; EUR", 1105.5),
    ],
)  # fmt: skip
def test_numbers_are_read_with_what_people_write_beside_them(cells, style, value, in_tmp):
    kind, found, values = table([cells(i) for i in range(240)])
    assert (kind, found) == ("number", style)
    every = np.concatenate([values, table([cells(i) for i in range(240)][::-1])[2]])
    assert value in every


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (lambda i: f"${i}" if i % 3 else f"€{i}", r"'€0' in line 2, '\$1' in line 3"),
        (lambda i: f"{i} %" if i % 3 else f"0.{i:02}", "different units.*'1 %' in line 3"),
        (lambda i: f"{i}.5k" if i % 3 else f"{i}M", "different units"),
        (lambda i: f"{i} kg" if i % 3 else f"{i + 1}00 g", "different units"),
        (lambda i: f"({i})" if i % 3 else f"{i}", r"some in parentheses: write a minus.*'\(1\)' in line 3"),
    ],
)  # fmt: skip
def test_numbers_of_different_units_are_refused_with_their_lines(cells, told, in_tmp):
    with pytest.raises(zoo.InputError, match=told):
        table([cells(i) for i in range(240)])
    assert table([cells(i % 9) for i in range(240)], kinds={"x": "category"})[0] == "category"


@pytest.mark.parametrize(
    "cells",
    [
        lambda i: f"+49000{i % 9}",
        lambda i: f"1234567890123456{i % 9}",
        lambda i: f"{i % 9}{'ABC'[i % 3]}",
        lambda i: f"{10 * (i % 5)}-{10 * (i % 5) + 9}",
        lambda i: ">100" if i % 3 else str(i % 9),
    ],
)
def test_codes_and_ranges_are_categories(cells, in_tmp):
    kind, _, values = table([cells(i) for i in range(240)])
    assert kind == "category"
    assert set(values) <= {cells(i) for i in range(240)}


@pytest.mark.parametrize(("title", "kind"), [("plz", "category"), ("ZIP code", "category"), ("zipped", "number")])  # fmt: skip
def test_postcodes_are_no_numbers(title, kind):
    frame = pd.DataFrame({title: 10115 + MIXED % 9, "text": KINDS[::-1], "kind": KINDS})
    info, _ = door.read(frame, target="kind")
    assert info.column_kinds[0] == kind
    info, _ = door.read(frame, target="kind", kinds={title: "number"})
    assert info.column_kinds[0] == "number"


def test_numbers_of_17_digits_are_told_apart():
    ids = 12345678901234560 + MIXED % 9
    info, splits = door.read(pd.DataFrame({"x": ids, "z": NOISE, "kind": KINDS}), target="kind")
    assert info.column_kinds == ("category", "number")
    assert len(set(splits["train"].inputs["x"])) == 9


@pytest.mark.parametrize(
    ("style", "given"),
    [("1,234.5; whole", "9.750"), ("1.234,5; whole", "9,750"), ("plain", "9,750"), ("plain; %", "0.05"), ("plain", "5 %")],
)  # fmt: skip
def test_a_later_number_that_could_be_another_is_not_read(style, given):
    column = pd.Series([given, given])
    with pytest.raises(
        zoo.InputError, match="could mean another number|holds numbers, but 2 values"
    ):
        read, _ = readings.typed(column, style=style)
        columns.convert_column("x", read, "number", split="test")


@pytest.mark.parametrize(
    ("texts", "given", "wanted"),
    [
        (["007", "042"], ["7", "42", "007", "0007", "x"], ["007", "042", "007", "0007", "x"]),
        (["07", "123"], ["7"], ["7"]),
        (["12", "34"], ["7"], ["7"]),
    ],
)
def test_a_code_without_its_zeros_is_the_code(texts, given, wanted):
    layer = categories.CleanTexts.for_texts(np.array(texts, object))
    layer = categories.CleanTexts.from_config(layer.get_config())
    assert [text.decode() for text in layer(tf.constant(given)).numpy()] == wanted


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a,b\n1,2\n3,4\n", [2, 3]),
        ('a,b\n"1\nx",2\n\n3,4\n', [2, 5]),
        ("a,b\n\n1,2\n \n3,4\n\n", [3, 5]),
        ("sep=;\na;b\n1;2\n\n3;4", [3, 5]),
        ('a,b\r\n"1\r\nx",2\r\n3,4\r\n', [2, 4]),
    ],
)
def test_a_message_names_the_line_of_the_file(text, lines, in_tmp):
    (in_tmp / "t.csv").write_bytes(text.encode())
    assert csv_files.read_csv("t.csv")[0].index.tolist() == lines


def test_what_split_by_splits_is_said_where_splits_are_given(caplog):
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame({"day": days, "x": np.arange(60.0), "kind": list("ab") * 30})
    rows = frame[40:]
    caplog.set_level("INFO")
    info, splits = door.read(frame[:40], test=rows, target="kind", split_by="day")
    assert info.split == "split by 'day', the newest rows into validation"
    assert len(splits["test"]) == 20
    parts = {"validation": frame[30:40], "test": rows}
    info, splits = door.read(frame[:30], **parts, target="kind", split_by="day")
    assert "split_by='day' splits nothing: validation and test are given" in caplog.text
    assert info.split == ""
    assert [len(part) for part in splits.values()] == [30, 10, 20]
