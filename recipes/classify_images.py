"""Classify images.

    python recipes/classify_images.py --monitor accuracy    # embedded 8x8 digits: 10 s on 2 cores
    python recipes/classify_images.py --dataset mnist --epochs 15 --batch-size 128 --augment digits --monitor accuracy
    python recipes/classify_images.py --dataset mnist --model resnet:20 --epochs 2 --batch-size 128 --monitor accuracy
    python recipes/classify_images.py --model dense:small --teacher digits_cnn       # distillation
    python recipes/classify_images.py --dataset photos/     # your own: photos/cats/1.png, photos/dogs/2.jpg

Test accuracy over seeds 0, 1, 2 (mean ± standard deviation), and the linear baseline of `benchmarks/baselines.py`:

    digits (first command)     98.70 % ± 0.16       linear 96.94 %
    mnist (second command)     99.33 % ± 0.11       linear 92.50 %    (10 minutes a seed on busy 2 cores)
    mnist (third command)      99.40 % ± 0.05       linear 92.50 %    (10 to 12 minutes a seed on busy 2 cores)
"""

import zoo

DEFAULTS = zoo.TrainConfig(model="cnn:base").replace(
    dataset="digits", batch_size=64, epochs=20, learning_rate=5e-3, schedule="one_cycle"
)


def main(config):
    with zoo.start_run(config) as run:
        config = run.config
        splits = zoo.load_dataset(**zoo.data_options(config))
        splits = splits.mapped(zoo.prepare(splits))
        teacher = zoo.teacher(splits, run)  # None unless asked for
        with run.strategy.scope():
            model = zoo.build(
                config.model, **{**splits.preparation.builder_arguments, **config.model_args}
            )
            zoo.compile_model(
                model,
                splits.info,
                config,
                steps_per_epoch=splits.steps_per_epoch,
                teacher=teacher,
            )
        if zoo.diagnose(model, splits, run):
            return
        history = zoo.fit_model(model, splits, run)
        report = zoo.evaluate_model(model, splits, run, history)
        export = zoo.export_model(model, splits, run)
    print(report)
    print(f"exported {export}; predict with: zoo predict {run.folder} image.png")


if __name__ == "__main__":
    zoo.command(main, DEFAULTS, __doc__)
