"""What `make quickstart` runs: trains on the embedded digits, verifies, and predicts held-out digits from PNG files.

python recipes/quickstart.py    # a minute on 2 cores, 10 s of it training
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import zoo
from zoo import files

HERE = Path(__file__).parent


def run(*arguments, **options):
    """Runs a command as a user would, in a fresh process; stops with it where it fails."""
    print("\n$", *arguments, flush=True)
    child = subprocess.run(
        [sys.executable, *map(str, arguments)], text=True, check=False, **options
    )
    if child.returncode:
        sys.exit(child.returncode)
    return child.stdout


def main():
    start = time.monotonic()
    folder = Path("runs") / time.strftime("quickstart-%Y%m%d-%H%M%S")
    run(HERE / "classify_images.py", "--out", folder)
    run("-m", "zoo.cli", "verify", folder)

    digits = folder / "held_out"
    digits.mkdir()
    truth = write_digits(digits, 12)
    names = sorted(truth)
    lines = run(
        "-m", "zoo.cli", "predict", folder, digits, "--json", stdout=subprocess.PIPE
    ).splitlines()
    answers = {Path(row["input"]).name: row for row in map(json.loads, lines)}
    for name in names:
        row = answers[name]
        print(
            f"  {name}: predicted {row['label']} ({max(row['probabilities']):.0%}), is {truth[name]}"
        )
    right = sum(answers[name]["label"] == truth[name] for name in names)

    score = json.loads((folder / "score.json").read_text())
    print(f"""
Done in {time.monotonic() - start:.0f} s.
  test accuracy         {score["scores"]["accuracy"]:.2%} on {score["num_test"]} held-out digits ({right} of the {len(names)} above are right)
  report and pictures   {folder}/report.md
  SavedModel            {folder}/export/1
Try next:
  .venv/bin/zoo predict mnist_cnn {digits}        # a model that ships, on images of another size
  .venv/bin/python recipes/classify_images.py --dataset mnist --epochs 3
  .venv/bin/python recipes/classify_table.py --dataset diabetes""")


def write_digits(folder, count):
    """Writes the first test digits as PNG files; returns file name → label."""
    splits = zoo.load_dataset("digits")
    import tensorflow as tf  # after zoo, which keeps its import quiet

    images, targets = splits.pick("test", range(count)), splits.targets("test")[:count]
    for i, image in enumerate(images):
        files.write_atomic(folder / f"digit_{i:02}.png", tf.io.encode_png(image).numpy())
    return {f"digit_{i:02}.png": splits.info.labels[target] for i, target in enumerate(targets)}


if __name__ == "__main__":
    main()
