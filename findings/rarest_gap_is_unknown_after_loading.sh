#!/usr/bin/env bash
# keras.layers.StringLookup forgets the empty text in a .keras file, where it is the rarest of the words.
#
# Guessed: that a model with a StringLookup that was adapted, alone or in a FeatureSpace of a table with gaps, answers from its
# .keras file as before: the words lie in the file, and loading says nothing.
# Seen with tensorflow 2.21.0 and keras 3.15.1: words are sorted by their counts and written one a line, and reading the file
# leaves out empty lines at its end. A gap that is rarer than every category, as gaps are, becomes an unknown word, whose
# weights never trained. All weights are equal, and the same data with as many gaps as the commonest category answer alike.
# A word that holds a separator of lines, such as U+2028, becomes two, and every rarer word gets the number of another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cat > "$folder/look.py" <<'PY'
import sys

import keras
import tensorflow as tf


def before_and_after(words):
    lookup = keras.layers.StringLookup()
    lookup.adapt(tf.constant(words))
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, lookup(inputs))
    model.save(f"{sys.argv[1]}/model.keras")
    loaded = keras.saving.load_model(f"{sys.argv[1]}/model.keras")
    asked = tf.constant(list(dict.fromkeys(words)))
    return [found(asked).numpy().tolist() for found in (model, loaded)]


print("gap rarest", *before_and_after(["yes"] * 3 + ["no"] * 2 + [""]))
print("gap commonest", *before_and_after([""] * 3 + ["yes"] * 2 + ["no"]))
print("separator", *before_and_after(["a"] * 3 + ["b\u2028c"] * 2 + ["d"]))
PY
seen=$(TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
echo "$seen"
[ "$seen" = "gap rarest [1, 2, 3] [1, 2, 0]
gap commonest [1, 2, 3] [1, 2, 3]
separator [1, 2, 3] [1, 0, 4]" ] || { echo "this has changed"; exit 1; }
