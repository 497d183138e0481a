"""Texts and categories"""

import unicodedata

import numpy as np
import pandas as pd

from odd import odd
from zoo.data import load as door
from zoo.data.kinds import cleaning

RNG = np.random.default_rng(1)
LABELS = ["good", "bad"] * 60
NOISE = RNG.normal(size=120).round(3)


def reviews():
    words = {"good": ["fine", "great", "lovely"], "bad": ["poor", "awful", "boring"]}
    return [f"the film was {RNG.choice(words[k])}, number {i}" for i, k in enumerate(LABELS)]


def table(file="t.csv", **columns):
    """A table as a program writes it, with a column of labels."""
    pd.DataFrame({**columns, "label": LABELS}).to_csv(file, index=False)
    return file


def read(data, **options):
    return door.read(data, **{"target": "label", "repeats": "keep", **options})


def words_of(info, text):
    """What a text is split into."""
    return cleaning.units([text], info.text_unit, info.text_cleaning)[0]


@odd("Chinese reviews")
def _():
    info, _ = read(
        table(review=["".join(RNG.permutation(list("这个电影非常好看无聊"))) for _ in LABELS])
    )
    assert (info.kind, info.text_unit) == ("text", "characters")


@odd("Thai in folders named after classes")
def _():
    from pathlib import Path

    for i, label in enumerate(LABELS):
        Path(label).mkdir(exist_ok=True)
        Path(f"{label}/{i}.txt").write_text("หนัง" + "".join(RNG.permutation(list("ดีมากน่าเบื่อ"))))
    assert door.read(".", repeats="keep")[0].text_unit == "characters"


@odd("English reviews with some Japanese words")
def _():
    info, _ = read(
        table(review=[text + " 映画館" * (i % 3 == 0) for i, text in enumerate(reviews())])
    )
    assert words_of(info, "fine 映画") == ["fine", "映", "画"]


@odd("English questions with Chinese answers, to translate")
def _():
    pairs = np.array(reviews()), np.array(["好的电影", "不好看"] * 60)
    assert door.read(pairs, task="translation", repeats="keep")[0].target_unit == "characters"


@odd("full-width letters and digits among Japanese ones")
def _():
    info, _ = read(
        table(
            review=[
                "映画ＡＢＣ１２３" + "".join(RNG.permutation(list("とても面白い"))) for _ in LABELS
            ]
        )
    )
    assert words_of(info, "Ａ１") == ["a", "1"]


@odd("a table of family names and countries")
def _():
    found = ["".join(RNG.permutation(list("anoiretslu"))).title() for _ in LABELS]
    info, _ = read(table(name=found))
    assert (info.kind, info.text_unit) == ("text", "characters")


@odd("full names beside a column of numbers")
def _():
    names = [f"Ada {''.join(RNG.permutation(list('anoiretslu'))).title()}" for _ in LABELS]
    assert read(table(name=names, size=NOISE))[0].columns == ("size",)


@odd("short requests that repeat, in the only column")
def _():
    asked = [
        ["when do you open", "send the bill please", "do you take cash"][i % 3] for i in range(120)
    ]
    assert read(table(asked=asked))[0].kind == "text"


@odd("short requests that repeat, beside a column of numbers")
def _():
    asked = [
        ["when do you open", "send the bill please", "do you take cash"][i % 3] for i in range(120)
    ]
    assert read(table(asked=asked, size=NOISE))[0].column_kinds == ("category", "number")


@odd("an order code for each row beside the review")
def _():
    info, _ = read(table(order=[f"A-{i:04}" for i in range(120)], review=reviews()))
    assert info.columns == ("review",)


@odd("reviews with HTML tags and entities")
def _():
    info, _ = read(
        table(review=[f"<p>Caf&eacute; <b>so</b>&nbsp;so:<br/>{text}</p>" for text in reviews()])
    )
    assert words_of(info, "<p>Fish&nbsp;&amp; ch<i>ip</i>s &#39;n&#x27; so</p>") == [
        "fish",
        "chips",
        "n",
        "so",
    ]


@odd("typographic quotes, dashes, no-break spaces and emoji")
def _():
    info, _ = read(table(review=[f"“{text}”\u00a0— so\u200b!😀" for text in reviews()]))
    assert words_of(info, "“so”\u00a0it’s😀") == ["so", "its", "😀"]


@odd("mathematics and code, whose < and > are no tags")
def _():
    info, _ = read(table(review=[f"{text} a < b and c > d, list<int>" for text in reviews()]))
    assert words_of(info, "a < b and c > d") == ["a", "b", "and", "c", "d"]


@odd("reviews of punctuation alone among others")
def _():
    texts = reviews()
    texts[3], texts[4] = "...", ":-)"
    assert read(table(review=texts))[0].kind == "text"


@odd("accents written as signs of their own")
def _():
    read(table(review=[unicodedata.normalize("NFD", f"{text} au café") for text in reviews()]))


@odd("numbers here and there in a column of texts")
def _():
    texts = [123 if i % 4 == 0 else text for i, text in enumerate(reviews())]
    _, splits = read(pd.DataFrame({"review": texts, "label": LABELS}))
    assert "123" in splits["train"].inputs


@odd("reviews of several lines, in quotes, and empty lines between rows")
def _():
    cells = [f'"{text}\nand ""more"""' for text in reviews()]
    with open("t.csv", "w") as file:
        file.write("review,label\n" + "\n\n".join(map(",".join, zip(cells, LABELS))))
    _, splits = read("t.csv")
    assert sum(map(len, splits.values())) == 120
    assert splits["train"].inputs[0].endswith('\nand "more"')


@odd("zip codes, some of which begin with 0")
def _():
    info, splits = read(
        table(zip=[["10001", "60601", "02134"][i % 3] for i in range(120)], size=NOISE)
    )
    assert info.column_kinds == ("category", "number")
    assert "02134" in splits["train"].inputs["zip"]


@odd("categories with spaces, tabs and line breaks in them")
def _():
    cities = [["New York", "New  York", "New\nYork", "Öslo\u00a0"][i % 4] for i in range(120)]
    info, splits = read(table(city=cities, size=NOISE))
    splits = door.make_splits(info, splits, batch_size=8)
    from zoo.data.prepare import prepare

    assert prepare(splits).inputs.output_shape == (None, 4)  # two cities, the unknown one, the size


@odd("True and False of a DataFrame, beside numbers")
def _():
    info, _ = read(pd.DataFrame({"paid": NOISE > 0, "size": NOISE, "label": LABELS}))
    assert info.column_kinds == ("category", "number")


@odd("bytes in the cells of a DataFrame")
def _():
    info, splits = read(pd.DataFrame({"review": [t.encode() for t in reviews()], "label": LABELS}))
    assert splits["train"].inputs[0].startswith("the film")


@odd("a test table whose titles are in other capitals")
def _():
    from pathlib import Path

    Path("both").mkdir()
    table("both/train.csv", review=reviews())
    pd.DataFrame({"Review": reviews()[:8], "LABEL": LABELS[:8]}).to_csv("both/test.csv")
    info, splits = read("both")
    assert (info.columns, len(splits["test"])) == (("review",), 8)
