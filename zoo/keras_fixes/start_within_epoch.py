"""Going on within an epoch.

Fault: `Model.fit` begins with a whole epoch (`initial_epoch`); it cannot begin after some of an epoch's steps, and
callbacks would count wrong ones.
Upstream: no issue known.
Seen in: Keras 3.15.
Way round: `Model.train_function` is replaced, for the steps that are done, by one that does nothing.
"""


def pass_over(model, executions, logs):
    """Makes Keras's loop pass over the next steps without work; call it from `on_train_begin`.

    Args:
        model: The model that is being fitted.
        executions: Calls of the training function that are passed over, at least 1.
        logs: What they return.
    """
    train, left = model.train_function, [executions]

    def pass_one(iterator):
        left[0] -= 1
        if not left[0]:
            model.train_function = train
        return logs

    model.train_function = pass_one
