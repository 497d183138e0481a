"""A column's different texts are looked at once, and what is found quickly is what would be found slowly."""

import gc
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

import zoo
from zoo.data import carving, examples, once, repeats
from zoo.data.kinds import date_forms, readings, units
from zoo.data.user import csv_files

CITIES = ["Rome", "Paris ", None, "Rome", "paris", "Paris "]


def test_the_texts_of_a_column_are_counted_and_found():
    found = once.texts_of(pd.Series(CITIES))
    assert found.texts == ["Rome", "Paris ", "paris"]
    assert found.codes.tolist() == [0, 1, -1, 0, 2, 1]
    assert (found.counts.tolist(), found.first.tolist(), found.has_gaps) == ([2, 2, 1], [0, 1, 4], True)  # fmt: skip
    assert found.spread([1.0, 2.0, 3.0], -1.0, "float64").tolist() == [1, 2, -1, 1, 3, 2]
    assert once.texts_of(pd.Series([1.5, None])) is None
    assert once.texts_of(pd.Series(["a", 1], dtype=object)) is None


def test_texts_that_become_alike_are_one():
    written = once.texts_of(pd.Series(CITIES)).written(["Rome", "Paris", "Paris"], "")
    assert written.tolist() == ["Rome", "Paris", "", "Rome", "Paris", "Paris"]
    found = once.texts_of(written)
    assert (found.texts, found.counts.tolist()) == (["Rome", "Paris", ""], [2, 3, 1])
    assert found.codes.tolist() == [0, 1, 2, 0, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        written[0] = "Berlin"


def test_what_is_found_is_kept_as_long_as_the_column_and_of_nothing_that_may_change():
    before = len(once._FOUND)
    written = once.texts_of(np.array(["a", "b"], object)).written(["a", "b"])
    assert once.texts_of(written) is once.texts_of(written.reshape(-1, 1))
    assert once.texts_of(written[::-1]).texts == ["b", "a"]
    own = np.array(["a", "b"], object)
    assert once.texts_of(own).texts == ["a", "b"]
    own[0] = "c"
    assert once.texts_of(own).texts == ["c", "b"]
    del written
    gc.collect()
    assert len(once._FOUND) == before


@pytest.mark.parametrize("name", ["taken_apart", "_apart"])
def test_looking_at_a_table_takes_as_many_looks_whatever_its_rows(name, tmp_path, monkeypatch):
    home, looks = {"taken_apart": units, "_apart": date_forms}[name], []
    look = getattr(home, name)
    monkeypatch.setattr(home, name, lambda text: looks.append(text) or look(text))
    rows = ["Rome,3 kg,05.01.2023,up", "Paris,4 kg,06.02.2023,down", "Oslo,5 kg,07.03.2022,up"]
    counted = []
    for times in (20, 200):
        (tmp_path / "table.csv").write_text("\n".join(["city,weight,day,kind", *rows * times]))
        zoo.inspect(tmp_path / "table.csv", target="kind", repeats="keep")
        counted.append(len(looks))
        looks.clear()
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize(
    "texts",
    [
        ["1", "2", "30"], ["1.0", "2"], ["-1.5", "+2", ".5", "1e3"], ["007", "8"], ["1,5", "2"], ["12", "x"], ["5", " 6"], ["1", "NA"],
        ["1234567890123456", "2"], ["3", "1\n2"], ["１", "2"], ["1e999", "2"], ["2", ""],
    ],
)  # fmt: skip
@pytest.mark.parametrize("style", [None, "plain", "plain; whole"])
def test_columns_of_plain_numbers_are_read_as_all_others(texts, style, monkeypatch):
    column = pd.Series([*texts, texts[0], None], name="x")

    def read():
        found, used = readings.typed(column, style=style)
        return found.tolist(), found.dtype, used

    quick = repr(read())
    monkeypatch.setattr(units, "are_plain", lambda texts: False)
    assert repr(read()) == quick


def test_codes_in_a_file_are_found_wherever_they_stand(monkeypatch):
    pattern, rng = re.compile(rb"0(?<=[,;\t|\"\n\r ]0)[0-9]"), np.random.default_rng(0)
    signs, found = np.frombuffer(b'0123,;|"\n ax.-\t', np.uint8), []
    monkeypatch.setattr(csv_files, "_PIECE", 5)  # so that most stand across the border of two
    for _ in range(2000):
        content = rng.choice(signs, rng.integers(0, 16)).tobytes()
        found.append(csv_files._has_codes(content))
        assert found[-1] == (pattern.search(content) is not None), content
    assert 0.02 < np.mean(found) < 0.9


def test_examples_of_each_class_are_those_that_scikit_learn_picks():
    rng = np.random.default_rng(0)
    cases = [([29, 28, 27], 49), ([22, 32, 22], 46)]  # rounding draws a number here
    for _ in range(100):
        counts = rng.integers(2, rng.choice([4, 9, 200]), rng.integers(2, 9))
        cases.append((counts, int(rng.integers(len(counts), sum(counts) - len(counts) + 1))))
    for counts, wanted in cases:
        ids = rng.permutation(np.repeat(rng.choice(20, len(counts), replace=False), counts))
        _, part = train_test_split(np.arange(len(ids)), test_size=wanted, random_state=0, stratify=ids)  # fmt: skip
        found = carving._of_each_class(ids, len(ids) - wanted)
        assert np.flatnonzero(found).tolist() == sorted(part)


@pytest.mark.parametrize("columns", [2, 6])
def test_rows_that_repeat_are_found_whatever_their_columns(columns):
    rng = np.random.default_rng(0)
    names = [*(f"n{i}" for i in range(columns - 1)), "city"]

    def rows(count):
        numbers = rng.integers(0, 2, (columns - 1, count)).astype("float32")
        texts = np.array(rng.choice(["a", "b", "c"], count), object)
        return examples.Arrays(dict(zip(names, [*numbers, texts])), np.zeros(count, "int64"))

    train, judged = rows(60), rows(20)
    wanted = set(zip(*judged.inputs.values()))
    shared = [row in wanted for row in zip(*train.inputs.values())]
    assert repeats._shared(train, judged).tolist() == shared
    assert columns < 3 or 0 < sum(shared) < 60
