"""Keras's own test of a layer.

`run_layer_test` is private to Keras, so this is the one place that touches it.
Should an upgrade move it, the import below fails, and so does the test.
"""

from keras.src import testing


def run_layer_test(layer, **arguments):
    """Builds, calls, trains, saves and reloads a layer, in several precisions."""
    testing.TestCase().run_layer_test(layer, **arguments)
