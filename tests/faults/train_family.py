"""One worker, or the only process: python train_family.py FAMILY INDEX FOLDER OPTIONS trains a sample of the table.

Without noise: no dropout, and next to none within a variational autoencoder; so that any number of workers must end with
the same weights. OPTIONS are those of `zoo.train`, as JSON. Prints a digest of the weights.
"""

import hashlib
import json
import sys

import family_run
import keras
import numpy as np

import zoo

SETTINGS = {
    "epochs": 2, "batch_size": 12, "optimizer": "sgd", "learning_rate": 0.05, "checkpoint_steps": 4, "quiet": True,
}  # fmt: skip


def quiet_vae(input_shape, num_classes=None, num_samples=1):
    """A variational autoencoder with so little noise that it does not matter."""
    model = zoo.build("vae:tiny", input_shape=input_shape, num_samples=num_samples)
    model.get_layer("log_variance").bias.assign(np.full(2, -30.0))
    return model


def main(family, index, folder, options):
    asked = json.loads(options)
    strategy = asked.get("strategy", "auto")
    zoo.make_strategy(strategy, replicas=asked.get("replicas"))  # before anything uses TensorFlow
    own = (
        {"model": quiet_vae, "task": "generation", "learning_rate": 1e-3} if family == "vae" else {}
    )
    options = SETTINGS | {"model": f"{family}:tiny"} | own | asked
    data = family_run.data(family, int(index))
    trained = zoo.train(options.pop("model"), data, out=folder, **options)
    weights = [keras.ops.convert_to_numpy(weight) for weight in trained.network.weights]
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()
    print(f"weights: {digest}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
