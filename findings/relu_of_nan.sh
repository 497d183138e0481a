#!/usr/bin/env bash
# Keras's Dense(relu) turns NaN into 0 in `predict` and `fit`, and leaves it NaN when the layer is called directly.
#
# Guessed: that ReLU of NaN is decided by the processor's instructions (0 with AVX-512, NaN with AVX2).
# Seen with tensorflow 2.21.0 and keras 3.15.1 on x86-64: the instructions do not matter. An eager call gives NaN; in a
# graph TensorFlow fuses product, bias and ReLU into one operation of oneDNN, which gives 0; without oneDNN
# (TF_ENABLE_ONEDNN_OPTS=0) the graph gives NaN, too. So a weight of NaN can leave outputs and loss finite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
model.set_weights([np.full((4, 3), np.nan, "float32"), np.zeros(3, "float32")])
x = np.ones((2, 4), "float32")
print("called:", np.asarray(model(x))[0, 0], "predicted:", model.predict(x, verbose=0)[0, 0])
PY
export TF_CPP_MIN_LOG_LEVEL=3
seen=$(for isa in DEFAULT AVX2 SSE41; do
  ONEDNN_MAX_CPU_ISA=$isa TF_ENABLE_ONEDNN_OPTS=1 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null
done; TF_ENABLE_ONEDNN_OPTS=0 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null)
wanted="called: nan predicted: 0.0
called: nan predicted: 0.0
called: nan predicted: 0.0
called: nan predicted: nan"
printf '%s\n' "$seen"
[ "$seen" = "$wanted" ] || { echo "this has changed; seen before:"; echo "$wanted"; exit 1; }
