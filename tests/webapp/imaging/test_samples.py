"""The page's sample pictures are those that the drawing script produces."""

import numpy as np
import pytest
from PIL import Image

from tests.support import drawings
from webapp.views.pages import SAMPLES


def test_every_sample_of_the_page_is_drawn() -> None:
    assert tuple(f"{word}.webp" for word in drawings.SAMPLES) == SAMPLES


@pytest.mark.parametrize("word", drawings.SAMPLES)
def test_the_shipped_picture_is_what_the_script_draws(word: str) -> None:
    with Image.open(drawings.FOLDER / f"{word}.webp") as file:
        shipped = np.asarray(file.convert("RGB"), int)
    drawn = np.asarray(drawings.draw(word, drawings.SAMPLES[word]), int)
    # What the compression loses, and no more.
    assert np.abs(shipped - drawn).mean() < 6
