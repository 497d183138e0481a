"""Texts as people write them: what is brought to plain text inside of the graph, and what a text is split into.

What is brought is a tuple of keys of `STEPS`, which a model keeps: `"html"` where the training texts hold HTML, `"signs"` for all
texts of the caller's own. Texts of the data sets that have a name, and of models of before, are cleaned without them.
"""

import html.entities
import re

import keras
import numpy as np
import tensorflow as tf

_BREAK = r"<\s*br\s*/?\s*>"
_PUNCTUATION = r"""[!"#$%&()\*\+,\-\./:;<=>?@\[\\\]^_`{|}~']"""
# Scripts that put no spaces between words, as `re` knows characters and as RE2 does.
SPACELESS = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"  # Han, kana
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Myanmar, Khmer
)
# Elements of HTML; those that stand within a word leave no space.
_WITHIN = "a|abbr|b|big|em|font|i|ins|mark|s|small|span|strike|strong|sub|sup|tt|u"
_ELEMENTS = (
    f"{_WITHIN}|article|blockquote|body|br|center|code|dd|div|dl|dt|footer|form|h[1-6]|head|header|hr|html|img|input|label|li|link|"
    "meta|nav|ol|option|p|pre|section|select|table|tbody|td|textarea|th|thead|title|tr|ul"
)
_TAG = r"(?i)</?(?:{})(?:\s[^<>]*)?/?>"
# Characters whose entities are read: those of ASCII and Latin-1, and the usual ones of print; & is last, so that &amp;lt; is &lt;.
_PRINT = "‘’‚“”„–—…•€™‹›"
_ENTITIES = [*(c for c in map(chr, range(34, 256)) if ord(c) in html.entities.codepoint2name and c != "&"), *_PRINT, "'", "&"]  # fmt: skip


def _entity(character):
    """The pattern of the entities of a character: by name, decimal and hexadecimal."""
    code = ord(character)
    name = html.entities.codepoint2name.get(code, "apos")
    return f"&(?:{name}|#0*{code}|#[xX]0*(?i:{code:x}));"


_HTML = [
    (r"(?is)<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->", " "),
    (_TAG.format(_WITHIN), ""),
    (_TAG.format(_ELEMENTS), " "),
    *((_entity(c), c) for c in _ENTITIES),
]
_SIGNS = [
    (r"[\p{Z}\x{85}]", " "),
    (r"\p{Cf}", ""),  # without width
    ("[‘’‚‛]", "'"),
    ("[“”„‟«»]", '"'),
    (r"[\x{2010}\x{2011}]", "-"),
]
_SIGNS_OF_WORDS = [
    (_PUNCTUATION, ""),
    (rf"[\p{{So}}{SPACELESS}]", r" \0 "),
    (r"\p{P}", " "),
]
_SIGNS_OF_TOKENS = [(pattern, r" \0 ") for pattern, _ in _SIGNS_OF_WORDS]
STEPS = {
    "html": "tags of HTML left out, entities such as &amp; read",
    "signs": "full-width signs, quotes of print and spaces of any width brought to plain ones",
}


def clean(texts, unit, steps=()):
    """Brings a tensor of texts to what is split: in lower case, HTML's breaks taken for spaces, of words without punctuation.

    Of tokens each sign of punctuation is one by itself.

    Args:
        texts: A string tensor `[N]`.
        unit: `"words"`, `"tokens"` or `"characters"`.
        steps: Keys of `STEPS`.
    """
    if "html" in steps:
        texts = _replaced(texts, _HTML)
    if "signs" in steps:
        texts = _replaced(_usual_width(texts), _SIGNS)
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.strip(tf.strings.regex_replace(texts, _BREAK, " "))
    if unit == "characters":
        return texts
    patterns = _SIGNS_OF_TOKENS if unit == "tokens" else _SIGNS_OF_WORDS
    return _replaced(texts, patterns if "signs" in steps else patterns[:1])


@keras.saving.register_keras_serializable(package="zoo")
class Clean:
    """`clean` with its settings, which a Keras file keeps: what a `TextVectorization` standardises by."""

    def __init__(self, unit, steps=()):
        self.unit, self.steps = unit, tuple(steps)

    def __call__(self, texts):
        return clean(texts, self.unit, self.steps)

    def get_config(self):
        return {"unit": self.unit, "steps": list(self.steps)}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _replaced(texts, patterns):
    for pattern, by in patterns:
        texts = tf.strings.regex_replace(texts, pattern, by)
    return texts


def _usual_width(texts):
    """Full-width letters, digits and signs, as Chinese and Japanese keyboards write them, as those of ASCII."""
    codes = tf.strings.unicode_decode(texts, "UTF-8")
    is_wide = (codes.flat_values >= 0xFF01) & (codes.flat_values <= 0xFF5E)
    codes = codes.with_flat_values(codes.flat_values - tf.where(is_wide, 0xFEE0, 0))
    return tf.strings.unicode_encode(codes, "UTF-8")


def units(texts, unit, steps=()):
    """The words, tokens or characters of some texts, `str` or UTF-8 bytes: a list of lists, as the layer tells them apart."""
    cleaned = clean(tf.constant(list(texts), tf.string), unit, steps).numpy()
    if unit != "characters":  # of bytes, as only ASCII's spaces separate them
        return [[word.decode(errors="replace") for word in text.split()] for text in cleaned]
    return [list(text.decode(errors="replace")) for text in cleaned]


def steps_for(texts):
    """The steps that some training texts, `str`, need."""
    markup = re.compile(rf"{_TAG.format(_ELEMENTS)}|{'|'.join(_entity(c) for c in _ENTITIES)}|<!--")
    held = sum(bool(markup.search(re.sub(_BREAK, " ", text))) for text in texts)
    return (("html",) if held else ()) + ("signs",), held


def count(text):
    """Words of a text; of a script without spaces between words, its characters."""
    return len(re.sub(f"[{SPACELESS}]", r" \g<0> ", text).split())


def spaceless_share(texts):
    """Share of the words of some texts that are characters of scripts without spaces."""
    found = sum(len(re.findall(f"[{SPACELESS}]", text)) for text in texts)
    return found / max(1, sum(map(count, texts)))


def unit_for(texts):
    """What some training texts, `str`, are split into, and why where it is characters.

    Characters where most letters are of scripts without spaces, counting a word of others as one; and where texts are names or
    single words, most of which occur in one text alone.
    """
    few = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:2000]]
    if spaceless_share(few) > 0.5:
        return "characters", "most are of a script without spaces between words"
    split = [text.lower().split() for text in few]
    half = len(split) // 2
    known = {word for text in split[:half] for word in text}
    later = [word for text in split[half:] for word in text]
    if (
        half
        and np.mean([count(text) for text in few]) <= 2.5
        and np.mean([word not in known for word in later]) > 0.5
    ):
        return "characters", "they are single words or names, most of which occur once"
    return "words", None
