"""Layers that hold other layers, from their configuration."""

import copy

import keras


def revive(config, custom_objects=None):
    """Returns the constructor's arguments, with the layers among them rebuilt."""
    # A copy: some Keras layers take entries out of the config they are given.
    return keras.saving.deserialize_keras_object(copy.deepcopy(config), custom_objects)
