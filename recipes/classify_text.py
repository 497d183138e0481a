"""Classify texts.

    python recipes/classify_text.py --monitor accuracy      # embedded words, the stressed syllable: 135 s on 2 cores
    python recipes/classify_text.py --dataset imdb_reviews --model cnn:text --batch-size 64
    python recipes/classify_text.py --dataset reviews.csv --target label --columns text
    python recipes/classify_text.py --dataset letters/      # your own: letters/thanks/1.txt, letters/orders/2.txt

Test accuracy over seeds 0, 1, 2 (mean ± standard deviation):

    cmudict_stress (first command)     86.65 % ± 0.07     linear, on n-grams 86.33 %, most frequent class 67.43 %

The linear model is fitted on all training words (80.69 % with the 20,000 that `--baseline` takes).
"""

import zoo

DEFAULTS = zoo.TrainConfig(model="recurrent:base").replace(
    dataset="cmudict_stress", batch_size=128, epochs=5, learning_rate=3e-3, schedule="one_cycle"
)


def main(config):
    with zoo.start_run(config) as run:
        config = run.config
        splits = zoo.load_dataset(**zoo.data_options(config))
        splits = splits.mapped(zoo.prepare(splits))
        with run.strategy.scope():
            arguments = splits.preparation.arguments_of(config.model, config.model_args)
            model = splits.preparation.adapt(zoo.build(config.model, **arguments), config.model)
            zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
        if zoo.diagnose(model, splits, run):
            return
        history = zoo.fit_model(model, splits, run)
        report = zoo.evaluate_model(model, splits, run, history)
        export = zoo.export_model(model, splits, run)
    print(report)
    print(f"exported {export}; predict with: zoo predict {run.folder} text.txt")


if __name__ == "__main__":
    zoo.command(main, DEFAULTS, __doc__)
