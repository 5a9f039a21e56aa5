"""Weights whose halves differ from each other."""

import keras
import numpy as np


def with_random_weights(model: keras.Model) -> keras.Model:
    """Gives batch norms and what has a bias something to do, and returns the model."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) or len(layer.get_weights()) == 2:
            layer.set_weights([rng.uniform(0.5, 1.5, part.shape) for part in layer.get_weights()])
    return model
