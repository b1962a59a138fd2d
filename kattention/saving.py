"""Layers that hold other layers, from their configuration."""

import copy

import keras


def revive(config, custom_objects=None):
    """Returns the constructor's arguments, with the layers among them rebuilt."""
    return {
        # A copy: some Keras layers take entries out of the config they are given.
        name: keras.saving.deserialize_keras_object(copy.deepcopy(part), custom_objects)
        if isinstance(part, (dict, list))
        else part
        for name, part in config.items()
    }
