"""How long `zoo.inspect` looks at a CSV file of a million rows, beside `pandas.read_csv` of the same file in the same process.

    python benchmarks/read_tables.py                 # 1,000,000 rows of 11 columns, 70 MB, three rounds
    python benchmarks/read_tables.py --rows 100000

The file is made in a temporary folder: five columns of normal numbers with four decimals, two of whole numbers, two of categories, one of
ISO dates, and two classes. Neither imports nor the first use of a library count: one round before is not measured.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import zoo


def make(path, rows):
    """Writes the file."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.normal(size=rows).round(4) for i in range(5)})
    table["age"], table["income"] = rng.integers(0, 90, rows), rng.integers(1000, 200_000, rows)
    table["town"] = rng.choice([f"town{i}" for i in range(40)], rows)
    table["plan"] = rng.choice(["a", "b", "c"], rows)
    days = pd.to_timedelta(rng.integers(0, 3000, rows), unit="D")
    table["day"] = (pd.Timestamp("2015-01-01") + days).strftime("%Y-%m-%d")
    table["kind"] = np.where(table["x0"] + table["x1"] > 0, "up", "down")
    table.to_csv(path, index=False)


def seconds(function):
    """Wall time of a call."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        make(path, options.rows)
        ways = {
            "pandas.read_csv": lambda: pd.read_csv(path),
            "zoo.inspect": lambda: str(zoo.inspect(path, target="kind")),
        }
        found = {name: [] for name in ways}
        for _ in range(options.rounds + 1):  # in turns; the first round is not counted
            for name, way in ways.items():
                found[name].append(seconds(way))
        size = path.stat().st_size / 1e6
    base, ours = (statistics.median(times[1:]) for times in found.values())
    for name, times in found.items():
        print(f"{name:<16} {', '.join(f'{t:.2f}' for t in times[1:])} s")
    print(f"{options.rows:,} rows, {size:.0f} MB: {ours / base:.1f} times pandas.read_csv")


if __name__ == "__main__":
    main()
