"""The learning rate schedule of a training run."""

import keras


def warmed_cosine(rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns a learning rate that rises to `rate`, then falls to 0 along half a cosine.

    Args:
        rate: The highest rate. The first twentieth of the steps rises to it from a twentieth of it.
        steps: The number of optimizer steps of the whole training.
    """
    warm_up = steps // 20
    return keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
    )
