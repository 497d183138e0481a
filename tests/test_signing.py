"""A signed model is what the owner of the key signed."""

import subprocess
import sys

import harmful_changes
import pytest

import zoo
from zoo.saving import golden_check, manifest


def test_signatures(wine, in_tmp):
    pytest.importorskip("model_signing", reason="needs the extra `sign`")
    for name in ("mine", "other"):
        make = f"openssl ecparam -name prime256v1 -genkey -noout -out {name}.pem && openssl ec -in {name}.pem -pubout -out {name}.pub"  # fmt: skip
        subprocess.run(make, shell=True, check=True, capture_output=True)
    with pytest.raises(manifest.DamagedModelError, match="is not signed"):
        zoo.verify(wine, key="mine.pub")
    assert zoo.sign(wine, "mine.pem") == wine / manifest.SIGNATURE
    assert zoo.load(wine).labels
    assert zoo.verify(wine, key="mine.pub")["largest_difference"] <= golden_check.TOLERANCE
    with pytest.raises(manifest.DamagedModelError, match="not what the owner of other.pub signed"):
        zoo.verify(wine, key="other.pub")
    for key, words in [("none.pem", "no key"), ("mine.pub", "cannot sign")]:
        with pytest.raises(zoo.InputError, match=words):
            zoo.sign(wine, key)
    harmful_changes.change_card(limits="none")(wine, None)
    manifest.write(wine)  # which whoever changed the card can do
    with pytest.raises(manifest.DamagedModelError, match="not what the owner of mine.pub signed"):
        zoo.verify(wine, key="mine.pub")


def test_signing_without_the_extra_says_so(wine, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(zoo.InputError, match=r"keras-zoo\[sign\]"):
        zoo.sign(wine, "mine.pem")
