#!/usr/bin/env bash
# What a plain `pip install` of the wheel gives: builds it, installs it into an empty environment outside of the
# checkout, without extras, and uses it there. `make test-installed PYTHON=python3.12` tries another Python;
# `tests/installed.sh FOLDER` makes the environment in a new folder, and leaves it there.
set -euo pipefail
unset PYTHONPATH PYTHONDONTWRITEBYTECODE ZOO_MODELS_DIR ZOO_DATA_DIR
largest_mb=60
checkout=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
environment=$(realpath -m "${1:-$folder/venv}")

passed() { echo "ok      $1 (${SECONDS} s)"; SECONDS=0; }
fail() { # what is wrong, what was expected, what came
  printf 'FAILED  %s\nexpected: %s\nreceived: %s\n' "$1" "$2" "$3" >&2
  exit 1
}
same() { [ "$2" = "$3" ] || fail "$1" "$2" "$3"; }
holds() { grep -qF -- "$2" <<<"$3" || fail "$1" "a line with '$2'" "$3"; }
output() { # of a command that must succeed
  "$@" 2>"$folder/errors" || fail "$*" "exit code 0" "exit code $?, $(tail -n 20 "$folder/errors")"
}

mkdir "$folder/source" "$folder/elsewhere"
(cd "$checkout" && git ls-files -z | tar -c --null -T - | tar -x -C "$folder/source")
cd "$folder/elsewhere"

"${PYTHON:-python3}" -m venv "$folder/tools"
"$folder/tools/bin/python" -m pip install --quiet build
output "$folder/tools/bin/python" -m build --outdir "$folder/dist" "$folder/source" >"$folder/build.log"
wheel=$(echo "$folder"/dist/*.whl)
size=$(stat -c %s "$wheel")
[ "$size" -lt $((largest_mb * 1000000)) ] || fail "the wheel's size" "less than $largest_mb MB" "$size bytes"
passed "$(basename "$wheel") is built, from the sdist: $((size / 1000000)) MB, less than $largest_mb"

"${PYTHON:-python3}" -m venv "$environment"
bin=$environment/bin
output "$bin/python" -m pip install --quiet --no-compile "$wheel"
output "$bin/python" -m pip check >/dev/null
passed "installs without extras, and pip check finds no conflict, on $("$bin/python" --version)"

place=$(output "$bin/python" -Ic 'import zoo; print(zoo.__file__)')
packages=$("$bin/python" -Ic 'import sysconfig; print(sysconfig.get_path("purelib"))')
same "where zoo is imported from" "$packages/zoo/__init__.py" "$place"
passed "zoo is imported from site-packages"

output "$bin/zoo" --help >"$folder/help"
holds "zoo --help" "predict images" "$(cat "$folder/help")"
passed "zoo --help"

shipped=$(cd "$checkout/saved_models" && echo */ | tr -d /)
listed=$(output "$bin/zoo" models | sed '1,/^name /d; /^$/,$d' | cut -d ' ' -f 1 | xargs)
same "the models that zoo models lists" "$shipped" "$listed"
passed "zoo models lists the $(wc -w <<<"$shipped") shipped models"

verified=$(output "$bin/zoo" verify --all)
same "the models that zoo verify --all calls ok" "$shipped" "$(sed -n 's/^ok  *\([a-z0-9_]*\):.*/\1/p' <<<"$verified" | xargs)"
passed "zoo verify --all"

output "$bin/python" -Ic '
import numpy as np
one = np.zeros((28, 28), "uint8")
one[4:24, 13:16] = 255
np.save("one.npy", one[None])'
answer=$(output "$bin/zoo" predict mnist_cnn one.npy --json)
holds "zoo predict mnist_cnn, of a vertical stroke" '"label": "1"' "$answer"
passed "zoo predict mnist_cnn takes a stroke for a one"

output "$bin/zoo" train --model dense:tiny --dataset wine --smoke --quiet >"$folder/train"
holds "zoo train" "exported runs/wine-dense_tiny-1/export" "$(cat "$folder/train")"
output "$bin/zoo" verify runs/wine-dense_tiny-1 >"$folder/verified"
holds "zoo verify, of the run" "ok " "$(cat "$folder/verified")"
passed "zoo train --dataset wine, and zoo verify of that run"

output "$bin/python" -Ic '
import sys
import tensorflow as tf
serve = tf.saved_model.load("runs/wine-dense_tiny-1/export/1").signatures["serving_default"]
specs = serve.structured_input_signature[1]
answer = serve(**{name: tf.ones((2, *spec.shape[1:]), spec.dtype) for name, spec in specs.items()})
print(answer["probabilities"].shape, "zoo" in sys.modules)' >"$folder/plain"
holds "the export in plain TensorFlow" "(2, 3) False" "$(cat "$folder/plain")"
passed "plain TensorFlow loads the export, without zoo"
