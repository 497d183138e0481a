"""Classify the rows of a table, or predict a number from them.

    python recipes/classify_table.py --monitor accuracy     # 178 wines of three growers: 6 s on 2 cores
    python recipes/classify_table.py --dataset breast_cancer --monitor accuracy
    python recipes/classify_table.py --dataset diabetes     # a regression
    python recipes/classify_table.py --dataset shop.csv --target bought     # your own

Test scores over seeds 0, 1, 2 (mean ± standard deviation), and the linear baseline of `benchmarks/baselines.py`:

    wine                       100.00 % ± 0.00      linear 97.22 %    (36 test rows)
    breast_cancer              95.91 % ± 1.34       linear 96.49 %    (114 test rows: the linear model is better)
    diabetes (rmse)            61.7 ± 1.4           linear 59.1       (89 test rows: the linear model is better)
"""

import zoo

DEFAULTS = zoo.TrainConfig(model="dense:small").replace(
    dataset="wine", batch_size=16, epochs=40, learning_rate=5e-3, schedule="one_cycle"
)


def main(config):
    with zoo.start_run(config) as run:
        config = run.config
        splits = zoo.load_dataset(**zoo.data_options(config))
        splits = splits.mapped(zoo.prepare(splits))
        with run.strategy.scope():
            arguments = splits.preparation.arguments_of(config.model, config.model_args)
            model = zoo.build(config.model, **arguments)
            zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
        if zoo.diagnose(model, splits, run):
            return
        history = zoo.fit_model(model, splits, run)
        report = zoo.evaluate_model(model, splits, run, history)
        export = zoo.export_model(model, splits, run)
    print(report)
    print(f"exported {export}; predict with: zoo predict {run.folder} rows.csv")


if __name__ == "__main__":
    zoo.command(main, DEFAULTS, __doc__)
