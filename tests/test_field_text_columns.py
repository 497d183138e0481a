"""Texts as people write them, alone and in tables: what they are split into, and which columns are read as texts."""

import logging

import numpy as np
import pandas as pd
import pytest
from test_field_texts import LABELS, OPTIONS, RNG, plain, reviews
from tolerances import KERNELS, assert_close

import zoo
from zoo.data import load as door
from zoo.data.kinds import cleaning


@pytest.fixture
def said(caplog):
    """What the log says."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["这个电影非常好看", "故事无聊浪费时间"], "characters"),
        (["この映画はとても面白い", "ひどい映画だった"], "characters"),
        (["หนังเรื่องนี้ดีมาก", "น่าเบื่อมาก"], "characters"),
        (["我很喜欢这个 iPhone 手机", "这台 laptop 不好用"], "characters"),
        (["이 영화는 정말 재미있다", "이 영화는 정말 지루하다"], "words"),
        (["I ate 寿司 at the bar", "I ate soup at the bar"], "words"),
        (["Kowalski", "Rossi", "Nakamura", "Bianchi"], "characters"),
        (["Anna Kowalska", "Marco Rossi", "Yui Nakamura", "Ida Berg"], "characters"),
        (["yes", "no", "yes", "no", "no", "yes"], "words"),
        (["the film was fine", "the film was poor"], "words"),
    ],
)
def test_what_texts_are_split_into_is_told_from_them(texts, unit):
    assert cleaning.unit_for(texts)[0] == unit


def test_an_ideographic_text_of_many_languages_loses_no_character():
    (words,) = cleaning.units(["我喜欢iPhone手机 very much"], "words", ("signs",))
    assert words == ["我", "喜", "欢", "iphone", "手", "机", "very", "much"]


def test_chinese_reviews_are_learned_character_by_character(in_tmp):
    filler = list("的一是了我不人在他有这上")
    core = {"good": "非常好看", "bad": "无聊糟糕"}
    texts = ["".join([*RNG.choice(filler, 4), core[k], *RNG.choice(filler, 4)]) for k in LABELS]
    pd.DataFrame({"review": texts, "label": LABELS}).to_csv("t.csv", index=False)
    trained = zoo.train("cnn:tiny", "t.csv", target="label", epochs=6, **OPTIONS)
    assert trained.report.scores["accuracy"] > 0.9
    assert "split into characters" in (trained.report.folder / "log.txt").read_text()
    model = zoo.load(trained.export)
    assert model.card.text_unit == "characters"
    new = ["ＡＢ电影非常好看１", "AB电影非常好看1"]
    wide, narrow = model.predict(new)["probabilities"]
    assert_close(wide, narrow, KERNELS, scale=1)
    assert_close(plain(trained, text=new), [wide, narrow], KERNELS, scale=1)


def test_words_of_new_texts_that_are_not_known_are_warned_of(said):
    texts = np.array([f"{chr(97 + i % 26)}{i}x and{i} so{i} on{i}" for i in range(120)])
    splits = door.load((texts, np.arange(120) % 2), door.DataOptions())
    zoo.prepare(splits)
    assert "pass text_unit='characters'" in said()


def test_answers_without_spaces_are_split_into_characters():
    pairs = (
        np.array([f"word {i % 9} of {i}" for i in range(60)]),
        np.array(["好的电影", "不好看"] * 30),
    )
    info, _ = door.read(pairs, task="translation", repeats="keep")
    assert (info.text_unit, info.target_unit) == ("words", "characters")


def names():
    ends = {"it": ["ini", "olo", "etti"], "pl": ["ski", "wicz", "czyk"]}
    labels = ["it", "pl"] * 60
    stems = ["".join(RNG.choice(list("aeioubdgmnrt"), 5)) for _ in labels]
    found = [(stem + RNG.choice(ends[k])).title() for stem, k in zip(stems, labels)]
    return pd.DataFrame({"name": found, "country": labels})


def test_names_alone_are_learned_from_letter_by_letter(in_tmp):
    names().to_csv("t.csv", index=False)
    trained = zoo.train("cnn:tiny", "t.csv", target="country", epochs=15, **OPTIONS)
    assert trained.report.scores["accuracy"] > 0.8
    assert "name: read as text" in (trained.report.folder / "log.txt").read_text()
    assert zoo.load(trained.export).card.text_unit == "characters"


def test_names_beside_other_columns_are_left_out_with_advice(said):
    table = names().assign(height=RNG.normal(size=120))
    info, _ = door.read(table, target="country")
    assert (info.kind, info.columns) == ("table", ("height",))
    assert "To learn from it alone pass columns=('name',)" in said()
    info, _ = door.read(table, target="country", columns=("name",))
    assert (info.kind, info.text_unit) == ("text", "characters")
    info, _ = door.read(table, target="country", kinds={"name": "category"})
    assert info.column_kinds == ("category", "number")


def test_requests_that_repeat_are_texts_where_they_are_alone_and_categories_where_said(said):
    asked = [
        ["what time do you close", "send me the bill", "do you take cash"][i % 3]
        for i in range(120)
    ]
    table = pd.DataFrame({"asked": asked, "intent": ["open", "pay", "pay"] * 40})
    assert door.read(table, target="intent")[0].kind == "text"
    assert "kinds={'asked': 'category'}" in said()
    for told in (table, table.astype({"asked": "category"})):
        kinds = {} if told is not table else {"asked": "category"}
        info, _ = door.read(told, target="intent", kinds=kinds)
        assert (info.kind, info.column_kinds) == ("table", ("category",))
    short = table.assign(asked=table["asked"].str.split().str[0])
    assert door.read(short, target="intent")[0].column_kinds == ("category",)
    assert door.read(short, target="intent", kinds={"asked": "text"})[0].kind == "text"
    table["size"] = RNG.normal(size=120)
    assert door.read(table, target="intent")[0].column_kinds == ("category", "number")
    assert "its phrases are taken for categories" in said()


def test_a_code_of_each_row_does_not_keep_a_text_from_being_read():
    table = pd.DataFrame({"order": [f"A-{i:03}" for i in range(120)], "review": reviews()})
    info, _ = door.read(table.assign(label=LABELS), target="label")
    assert (info.kind, info.columns) == ("text", ("review",))


def test_dates_of_another_form_are_not_learned_from_as_names():
    days = pd.date_range("2024-01-01", periods=120).strftime("%d/%m/%Y")
    info, _ = door.read(pd.DataFrame({"day": days, "label": LABELS}), target="label")
    assert info.column_kinds == ("date",)


@pytest.mark.parametrize("as_written", [str, str.encode, lambda text: 123 if "9" in text else text])
def test_texts_of_a_frame_may_be_bytes_or_numbers_here_and_there(as_written):
    table = pd.DataFrame({"review": list(map(as_written, reviews())), "label": LABELS})
    info, splits = door.read(table, target="label", repeats="keep")
    assert info.kind == "text"
    found = [text for part in splits.values() for text in part.inputs]
    assert all(
        isinstance(text, str) and (text == "123" or text.startswith("the film")) for text in found
    )
