"""Dropout that a training can go on with where it stopped."""

import keras
import numpy as np


class Reseeding(keras.callbacks.Callback):
    """Starts each round's dropout from the seed and the round's number alone.

    Keras does not save the states of a model's random generators.

    Args:
        seed: The training's seed.
    """

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        states = [v for v in self.model.variables if v.path.endswith("generator_state")]
        rng = np.random.default_rng([self.seed, epoch])
        for state in states:
            state.assign(rng.integers(2**31, size=state.shape))
