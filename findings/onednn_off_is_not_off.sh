#!/usr/bin/env bash
# TF_ENABLE_ONEDNN_OPTS=0 does not take oneDNN out of TensorFlow's matrix products.
#
# Guessed: that with this variable, which the start-up message names "to turn them off", numbers come from Eigen alone and no
# longer depend on oneDNN's choice of instructions.
# Seen with tensorflow 2.21.0 on x86-64: `tf.matmul` still calls oneDNN's gemm, through Eigen's contraction, and that still
# chooses its instructions by the processor, so that ONEDNN_MAX_CPU_ISA goes on changing results in the last digits.
# Convolutions do leave oneDNN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0
cat > "$folder/look.py" <<'PY'
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
a, b = (tf.constant(rng.normal(size=(256, 256)).astype("float32")) for _ in range(2))
tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 8)), 1, "SAME")
print("digits", hash(tf.matmul(a, b).numpy().tobytes()))
PY
export TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0 ONEDNN_VERBOSE=1 PYTHONHASHSEED=0
look() { ONEDNN_MAX_CPU_ISA=$1 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null; }
all=$(look DEFAULT) old=$(look SSE41)
gemm=$(grep -c 'exec,cpu,gemm' <<<"$all" || true)
convolutions=$(grep -c 'exec,cpu,convolution' <<<"$all" || true)
same=$([ "$(grep ^digits <<<"$all")" = "$(grep ^digits <<<"$old")" ] && echo same || echo other)
echo "calls of gemm: $([ "$gemm" -gt 0 ] && echo some || echo none); of convolution: $convolutions; digits under SSE4.1: $same"
[ "$gemm" -gt 0 ] && [ "$convolutions" = 0 ] && [ "$same" = other ] || { echo "this has changed"; exit 1; }
