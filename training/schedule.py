"""How fast a network learns, from the first step to the last."""

import keras


def warmed_cosine(rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns a learning rate that rises to `rate`, then falls to nothing as half a cosine does.

    Args:
        rate: The highest, which the first twentieth of the steps rises to, from a twentieth of it.
        steps: All steps of the training, as the optimizer counts them.
    """
    warm_up = steps // 20
    return keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
    )
