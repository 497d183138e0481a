#!/usr/bin/env bash
# keras.export.ExportArchive traces every endpoint twice.
#
# Guessed: that `write_out` traces a function that was added with an `input_signature` once, as `get_concrete_function` does
# on its second call.
# Seen with tensorflow 2.21.0 and keras 3.15.1: its Python runs twice. Keras asks for the concrete functions before it saves,
# to collect their variables; TensorFlow asks again inside of its saving context, whose variable policy is part of the key under
# which traces are kept, and finds none. What the function does on the side happens twice, and an export with loops, such
# as a beam search, takes nearly twice as long. Entering `save_context` before the first request traces once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cat > "$folder/look.py" <<'PY'
import sys

import keras
import tensorflow as tf
from tensorflow.python.saved_model import save_context

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def traces(inside):
    seen = []
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = tf.TensorSpec((None, 4), tf.float32)
    archive.add_endpoint("serve", lambda x: seen.append(1) or model(x), [spec])
    collect = archive._filter_and_track_resources

    def collect_inside():
        with save_context.save_context(tf.saved_model.SaveOptions()):
            collect()

    if inside:
        archive._filter_and_track_resources = collect_inside
    archive.write_out(f"{sys.argv[1]}/model-{inside}", verbose=False)
    return len(seen)


print("traces:", traces(False), "with the saving context entered first:", traces(True))
PY
seen=$(TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
echo "$seen"
[ "$seen" = "traces: 2 with the saving context entered first: 1" ] || { echo "this has changed"; exit 1; }
