"""Learn to draw images like those of a data set, with a variational autoencoder.

    python recipes/generate_images.py                       # embedded 8x8 digits: 70 s on 2 cores
    python recipes/generate_images.py --dataset mnist --model vae:iwae --binarize dynamic --epochs 100 --batch-size 100
    python recipes/generate_images.py --dataset photos/ --model vae:conv --image-size 32 32

Negative log-likelihood of the test images (grey levels as probabilities, 100 importance samples) in nats, over seeds
0, 1, 2 (mean ± standard deviation); the lower, the better:

    digits (first command)     23.92 nats ± 0.06     constant guess, each pixel by its mean: 27.21
"""

import zoo

DEFAULTS = zoo.TrainConfig(model="vae:small").replace(
    dataset="digits",
    task="generation",
    batch_size=32,
    epochs=200,
    learning_rate=3e-3,
    schedule="one_cycle",
)


def main(config):
    with zoo.start_run(config) as run:
        config = run.config
        splits = zoo.load_dataset(**zoo.data_options(config))
        splits = splits.mapped(zoo.prepare(splits))
        with run.strategy.scope():
            model = zoo.build(
                config.model, **{**splits.preparation.builder_arguments, **config.model_args}
            )
            zoo.compile_model(model, splits.info, config, steps_per_epoch=splits.steps_per_epoch)
        if zoo.diagnose(model, splits, run):
            return
        history = zoo.fit_model(model, splits, run)
        report = zoo.evaluate_model(model, splits, run, history)
        export = zoo.export_model(model, splits, run)
    print(report)
    print(f"exported {export}; draw with: zoo.load({str(run.folder)!r}).sample(16)")


if __name__ == "__main__":
    zoo.command(main, DEFAULTS, __doc__)
