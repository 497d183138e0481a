"""Options by the names that they have in other libraries."""

# What people call an option who come from Keras, scikit-learn or PyTorch → what it is here.
ELSEWHERE = {
    "verbose": "quiet (quiet=True prints nothing but errors)",
    "lr": "learning_rate",
    "random_state": "seed",
    "validation_data": "validation (and test=... for the test split)",
    "validation_split": "validation_fraction",
    "test_size": "test (data of your own; a fifth of yours by default)",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "n_iter": "epochs",
    "bs": "batch_size",
    "early_stopping": "patience (epochs without a better monitor)",
    "label_column": "target",
    "labels": "target (of a table), or the pair (x, y)",
    "x": "the second argument: zoo.train(model, x, y)",
    "num_classes": "told from the data",
    "input_shape": "told from the data",
    "units": "model_args={'units': ...} (--model-args units=...)",
    "max_trials": "trials",
    "y": "the third argument: zoo.train(model, x, y)",
    "device": "strategy",
    "dropout": "model_args={'dropout': ...} (--model-args dropout=...)",
}
