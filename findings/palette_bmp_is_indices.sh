#!/usr/bin/env bash
# TensorFlow reads a BMP file with a palette as the palette's indices, not as its colours.
#
# Guessed: that `tf.io.decode_image(..., channels=3)` gives the colours of an 8-bit BMP, as Pillow does, or an error, as it has for
# compressed ones; and so that `keras.utils.image_dataset_from_directory`, which reads BMP files by it, trains on the picture.
# Seen with tensorflow 2.21.0, keras 3.15.1 and pillow 12.0.0: the palette is skipped. Each pixel is its index, three times over, so a
# picture of a few strong colours becomes one of almost black greys, without a word, and Keras's loader returns it so. Such files come
# from scanners, old paint programs and Pillow's own `save` of a picture of mode P or L.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1 pillow==12.0.0
cat > "$folder/look.py" <<'PY'
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

for name in ("red", "yellow"):
    path = pathlib.Path(sys.argv[1], "pictures", name, "0.bmp")
    path.parent.mkdir(parents=True)
    picture = Image.new("P", (8, 8), 0 if name == "red" else 1)
    picture.putpalette([255, 0, 0, 255, 255, 0] + [0] * 762)
    picture.save(path)
    colours = np.asarray(Image.open(path).convert("RGB"))[0, 0].tolist()
    read = tf.io.decode_image(path.read_bytes(), channels=3).numpy()[0, 0].tolist()
    print(name, "pillow", colours, "tensorflow", read)
loaded = keras.utils.image_dataset_from_directory(
    path.parents[1], image_size=(8, 8), shuffle=False, verbose=False
)
print("keras", [int(image.numpy().max()) for images, _ in loaded for image in images])
PY
seen=$(TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
echo "$seen"
wanted="red pillow [255, 0, 0] tensorflow [0, 0, 0]
yellow pillow [255, 255, 0] tensorflow [1, 1, 1]
keras [0, 1]"
[ "$seen" = "$wanted" ] || { echo "this has changed"; exit 1; }
