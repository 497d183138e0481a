#!/usr/bin/env bash
# keras.layers.Normalization does not standardise columns in small units: it divides by 1e-7 at least.
#
# Guessed: (x - mean) / sqrt(variance) for every column that varies, as the layer's documentation has it and as scikit-learn's
# StandardScaler computes it, whatever the unit; what stands in for a deviation of 0 would be for constant columns alone.
# Seen with keras 3.15.1 on tensorflow 2.21.0: the deviation is replaced by keras.config.epsilon() wherever it is smaller. Layer
# thicknesses of some nanometres, given in metres, keep a deviation of 0.01 beside 1 of the other columns, and capacities in farad one
# of 0.00001: a network hardly sees them, without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 scikit-learn==1.9.1
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np
from sklearn.preprocessing import StandardScaler

units = np.array([1.0, 1e-6, 1e-9, 1e-12])
x = np.random.default_rng(0).normal(5.0, 1.0, size=(1000, 4)) * units
layer = keras.layers.Normalization()
layer.adapt(x.astype("float32"))
given = keras.layers.Normalization(mean=x.mean(0).tolist(), variance=x.var(0).tolist())
for name, found in (
    ("adapted", np.asarray(layer(x.astype("float32")))),
    ("given", np.asarray(given(x.astype("float32")))),
    ("scikit-learn", StandardScaler().fit_transform(x)),
):
    print(name, *(f"{deviation:.0e}" for deviation in found.std(0)))
PY
seen=$(TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null)
echo "$seen"
wanted="adapted 1e+00 1e+00 1e-02 1e-05
given 1e+00 1e+00 1e-02 1e-05
scikit-learn 1e+00 1e+00 1e+00 1e+00"
[ "$seen" = "$wanted" ] || { echo "this has changed"; exit 1; }
