"""Prints docs/serving.md: TensorFlow Serving's command and a request for each model that ships.

python -m benchmarks.serving_page > docs/serving.md
"""

import base64
import json
from pathlib import Path

import numpy as np

from zoo.saving import card as cards
from zoo.saving import manifest, store

ROOT = Path(__file__).parents[1]
INTRODUCTION = """# Serving with TensorFlow Serving

Printed by `python -m benchmarks.serving_page`. A model's folder has the layout that TensorFlow Serving watches: it serves the
highest version, and a new one that `zoo publish` adds without a restart. The requests below are answered by the signatures
(a test sends them); the container itself is **untried** here.

Images go as encoded bytes to `serving_bytes`, in base64 as JSON needs it; tables as one number per column; texts as strings.
Several examples go into one request as more `instances`.
"""


def request_of(folder):
    """The signature's name, one golden example as TensorFlow Serving's REST interface takes it, and the golden answer."""
    card = cards.read(folder)
    signature = "serving_bytes" if "serving_bytes" in card.signatures else "serving_default"
    golden = np.load(folder / manifest.EXTRA / "golden.npz")
    own = f"inputs:{signature}/"
    group = own if any(key.startswith(own) for key in golden) else "inputs/"
    inputs = {k.removeprefix(group): golden[k][0] for k in golden if k.startswith(group)}
    instance = {name: _as_json(value) for name, value in sorted(inputs.items())}
    answer = {k.partition("/")[2]: golden[k][0] for k in golden if k.startswith(f"{signature}/")}
    body = {"instances": [instance]}
    if signature != "serving_default":
        body = {"signature_name": signature, **body}
    return body, answer


def _as_json(value):
    if value.dtype.kind == "S":
        return {"b64": base64.b64encode(value.item()).decode()}
    return round(value.item(), 6) if value.dtype.kind == "f" and value.ndim == 0 else value.tolist()


def page(folder=ROOT / "saved_models"):
    """The page, as text."""
    parts = [INTRODUCTION]
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        name, newest = path.name, store.find(path)
        body, answer = request_of(newest)
        shown = {k: v.item() for k, v in answer.items() if v.ndim == 0}
        parts.append(
            f"""## {name}

```bash
docker run -p 8501:8501 -v "$PWD/saved_models/{name}:/models/{name}" -e MODEL_NAME={name} tensorflow/serving

curl http://localhost:8501/v1/models/{name}:predict -d '{json.dumps(body)}'
```

Answer: {", ".join(f"`{key}` {value!r}" for key, value in sorted(shown.items())) or "arrays"}.
"""
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
