#!/usr/bin/env bash
# A newcomer's first hour with the command line, as it is typed. `tests/journeys/test_journeys.py` runs it in an empty folder.
set -euo pipefail

# What is there?
zoo --version
zoo --help
zoo models 'cnn*'
zoo info cnn:small --input-shape 28 28 1
zoo train --help > help.txt

# A table of one's own.
python - <<'PY'
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
table = pd.DataFrame({"age": rng.integers(18, 90, 300), "town": rng.choice(["Rome", "Oslo", "Lima"], 300)})
table["income"] = [f"{value:,.2f}" for value in rng.uniform(1000, 9000, 300)]
table["bought"] = np.where((table.age > 50) ^ (rng.random(300) < 0.05), "yes", "no")
table.loc[::20, "age"] = np.nan
table.to_csv("shop.csv", index=False)
table.drop(columns="bought").head(4).assign(town=["Rome", "Paris", "Oslo", "Lima"]).to_csv("new.csv", index=False)
PY
zoo inspect shop.csv --target bought
zoo train --dataset shop.csv --target bought --epochs 3 --baseline --out runs/shop --quiet
zoo runs
test -s runs/shop/report.md
zoo predict runs/shop new.csv
zoo predict runs/shop new.csv --json
zoo predict runs/shop new.csv --out answers.csv
head -1 answers.csv | grep -q '^age,town,income,'

# Another loss, metrics, two numbers to predict.
zoo train --model dense:tiny --dataset shop.csv --target bought --epochs 2 --loss focal --metrics auc --quiet --out runs/focal
grep -q auc runs/focal/metrics.csv
zoo train --model dense:tiny --dataset shop.csv --target age income --skip-bad --task regression --epochs 2 --quiet --out runs/two

# What is mistyped is answered with what was meant, and exit code 2.
mistyped() { local code=0; "$@" > said.txt 2>&1 || code=$?; test "$code" = 2; ! grep -q Traceback said.txt; tail -1 said.txt; }
mistyped zoo trian --dataset shop.csv
mistyped zoo train --dataset shop.csv --target bought --epoch 3
mistyped zoo train --dataset shop.csv --target bougth
mistyped zoo train --dataset shops.csv --target bought
mistyped zoo predict runs/shop missing.csv
mistyped zoo train --dataset shop.csv --target bought --lr 0.1

# A long run is stopped, finished, and then goes on after all.
timeout --signal INT 45 zoo train --model dense:tiny --dataset shop.csv --target bought --epochs 100000 --out runs/long --quiet || test $? = 124
zoo finish runs/long

# Trained models that ship.
zoo verify wine_dense
zoo predict imdb_transformer "A wonderful film"
zoo info wine_dense

# A search, and a model published for others.
zoo tune dense:tiny --dataset shop.csv --target bought --trials 2 --epochs 2 --out runs/search --quiet
zoo publish runs/shop shop_dense
zoo verify shop_dense
