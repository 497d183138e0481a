"""Variables that are written twice into an export, and in any order.

Fault: `ExportArchive` lists Keras's wrappers of the variables beside the variables, and TensorFlow writes both; those that
it finds in the signatures come in another order each time.
Upstream: keras-team/keras#23553.
Seen in: Keras 3.12 to 3.15.
Way round: the archive's private lists are set to the bare variables, in the models' order.
"""

from zoo.keras_fixes.export_trace import as_saved


def list_once(archive, models):
    """Makes an archive write every weight of some models once, in their order; call it after the endpoints are added.

    Seeds are left out: they are of no use to a served model.

    Args:
        archive: The `keras.export.ExportArchive`.
        models: The models that it tracks.
    """
    trackable, track = archive._tf_trackable, archive._filter_and_track_resources
    trackable.variables = [weight.value for model in models for weight in model.weights]
    trackable.trainable_variables, trackable.non_trainable_variables = [], []

    def track_in_order():
        with as_saved():
            track()
        order = {variable.name: i for i, variable in enumerate(trackable.variables)}
        trackable._all_variables = sorted(
            trackable._all_variables, key=lambda v: (order.get(v.name, len(order)), v.name)
        )

    archive._filter_and_track_resources = track_in_order
