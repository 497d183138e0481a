#!/usr/bin/env bash
# Several workers of tf.distribute cannot make a variable of int8 or bfloat16.
#
# Guessed: that MultiWorkerMirroredStrategy makes a variable of every number type that MirroredStrategy makes, since all that
# workers do with it at first is to send its value from the first one to the others.
# Seen with tensorflow 2.21.0 on two processes: the operation that sends it knows bool, int32, int64, float16, float32 and
# float64 alone. Tables in 8 bits, which layers that look codes up hold, and weights in bfloat16, as the Keras policy
# "bfloat16" has, raise InvalidArgumentError where they are made; on two devices of one process they are made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cat > "$folder/look.py" <<'PY'
import json
import os
import sys

import tensorflow as tf

TYPES = (tf.bool, tf.int32, tf.int64, tf.float16, tf.float32, tf.float64, tf.bfloat16, tf.int8, tf.uint8)


def refused(strategy):
    found = []
    for dtype in TYPES:
        try:
            with strategy.scope():
                tf.Variable(tf.zeros([2], dtype))
        except tf.errors.InvalidArgumentError:
            found.append(dtype.name)
    return " ".join(found) or "none"


if len(sys.argv) == 1:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    print("two devices refuse:", refused(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])))
else:
    ports = [f"localhost:{port}" for port in sys.argv[2:]]
    task = {"type": "worker", "index": int(sys.argv[1])}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": ports}, "task": task})
    said = refused(tf.distribute.MultiWorkerMirroredStrategy())
    if task["index"] == 0:
        print("two workers refuse:", said, flush=True)
PY
export TF_CPP_MIN_LOG_LEVEL=3
look() { timeout 120 "$folder/venv/bin/python" "$folder/look.py" "$@" 2>/dev/null; }
ports=(28461 28462)
look 1 "${ports[@]}" &
seen=$(look; look 0 "${ports[@]}")
wait
echo "$seen"
[ "$seen" = "two devices refuse: none
two workers refuse: bfloat16 int8 uint8" ] || { echo "this has changed"; exit 1; }
