"""Search the settings of an image classifier, and train the best ones with three seeds.

    python recipes/tune_images.py                            # embedded 8x8 digits; at most 5 minutes of search
    python recipes/tune_images.py --dataset mnist --model resnet:20 --epochs 9 --limit 10000
    python recipes/tune_images.py --batch-size 128           # what differs from its default is not searched

The first takes 52 s on 2 cores: 20 trials, the first of them with the default settings, and the best settings trained three
times on train + validation: test accuracy 0.9861 ± 0.0083.

The same command goes on with a search that was stopped. On the command line alone, for any family and data set:

    zoo tune cnn --dataset mnist --tuner hyperband --trials 30 --fix dropout=0.2 --space num_stages=2..3 --retrain
"""

import zoo

DEFAULTS = zoo.TrainConfig(model="cnn:base").replace(dataset="digits", epochs=20)
SEARCH = {
    "tuner": "hyperband",  # many trials of few epochs; the best go on
    "trials": 20,
    "objective": "val_accuracy",
    "space": {"num_stages": (1, 2)},  # the images are 8x8
    "max_params": 200_000,
    "max_minutes": 5,
}


def main(config):
    tuned = zoo.tune(config.model, config=config, retrain=True, **SEARCH)
    if tuned is not None:  # a worker's chief has it
        print(tuned)


if __name__ == "__main__":
    zoo.command(main, DEFAULTS, __doc__)
