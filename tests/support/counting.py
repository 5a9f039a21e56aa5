"""A counter model for tests: it reads bills from plain rectangles painted on a picture.

A rectangle's red marks it as a bill, its green is the bill's number of sixteen, its blue the value.
A blue mark makes the counter unsure, a green mark keeps it busy for minutes. Its outputs have the
form of the real counter's, so tests can cover everything between a photo and its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer
from webapp.imaging.preprocessing import COUNT_SIZE

VALUES = ("1", "5", "10", "20", "50", "100")
PLACES = 16
FEWEST_PIXELS = 30
NONSENSE = "us_bills_count_nonsense"

Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a rectangle, in pixels of the photo."""

_RED, _GREEN_STEP, _BLUE_STEP = 255, 256 // PLACES, 40
_UNSURE, _SLOW = (0, 0, 255), (0, 255, 0)
_TABLE = (120, 84, 58)
_CONFIG = """model_config_list {{
  config {{ name: "us_bills" base_path: "{root}/models/us_bills" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
  config {{ name: "us_bills_count" base_path: "{folder}/us_bills_count" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 3 versions: 4 versions: 5 }} }}
    version_labels {{ key: "stable" value: 3 }} }}
  config {{ name: "us_bills_count_nonsense" base_path: "{folder}/us_bills_count_nonsense"
    model_platform: "tensorflow" version_labels {{ key: "stable" value: 1 }} }}
}}
"""


def picture(
    bills: Sequence[tuple[str, Box]],
    *,
    size: tuple[int, int] = (448, 336),
    on: Image.Image | None = None,
    unsure: bool = False,
    slow: bool = False,
) -> Image.Image:
    """Paints bills on a table, or on a picture.

    Args:
        bills: The value and the place of each bill.
        size: The size of the table.
        on: A picture to paint on, in place of the table.
        unsure: Makes the counter reject its own list.
        slow: Makes the counter take far longer than any client waits.
    """
    photo = on.copy() if on else Image.new("RGB", size, _TABLE)
    draw = ImageDraw.Draw(photo)
    for place, (value, (left, top, right, bottom)) in enumerate(bills):
        colour = (_RED, _GREEN_STEP * place + 8, _BLUE_STEP * VALUES.index(value) + 20)
        draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    corner = (photo.width - 8, photo.height - 8, photo.width, photo.height)
    if unsure or slow:
        draw.rectangle(corner, fill=_UNSURE if unsure else _SLOW)
    return photo


@contextmanager
def serving_both(folder: Path) -> Iterator[ModelServer]:
    """Runs a model server with the shipped classifier, this counter, and a nonsense counter.

    Version 3 of the counter is stable, 4 is a copy of 3, 5 returns nonsense.
    """
    # Imported here, so that only tests that need TensorFlow import it.
    from tests.serving import models

    models.save(_counter(), folder / "us_bills_count" / "3")
    models.publish(folder / "us_bills_count" / "3", folder / "us_bills_count", 4)
    models.save(_nonsense(), folder / NONSENSE / "1")
    models.publish(folder / NONSENSE / "1", folder / "us_bills_count", 5)
    config = _CONFIG.format(root=ROOT, folder=folder)
    names = ["us_bills", "us_bills_count", NONSENSE]
    with ModelServer(folder / "server", HOW_TO_SERVE, config, wait_for=names) as server:
        yield server


def _counter() -> Any:
    import tensorflow as tf

    class Counter(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[_image(tf)])  # type: ignore[untyped-decorator]
        def call(self, image: Any) -> dict[str, Any]:
            red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
            painted = (red >= 250) & (tf.abs(green % _GREEN_STEP - 8) <= 5)
            painted &= tf.abs(blue % _BLUE_STEP - 20) <= 8
            number = tf.where(painted, green // _GREEN_STEP, -1)
            # [N, 16, y, x]
            mask = number[:, tf.newaxis] == tf.range(PLACES)[tf.newaxis, :, tf.newaxis, tf.newaxis]
            there = tf.reduce_sum(tf.cast(mask, tf.int32), (2, 3)) >= FEWEST_PIXELS
            unsure = tf.reduce_any((blue == 255) & (red == 0) & (green == 0), (1, 2))
            slow = tf.reduce_any((green == 255) & (red == 0) & (blue == 0))
            return {
                "boxes": tf.where(there[..., tf.newaxis, tf.newaxis], _corners(tf, mask), 0.0),
                "classes": tf.where(there, tf.gather(VALUES, _class(tf, mask, blue)), ""),
                "scores": tf.where(there, 0.9, 0.0),
                "count": tf.reduce_sum(tf.cast(there, tf.int32), 1),
                "accepted": ~unsure & _after(tf, 10_000_000 * tf.cast(slow, tf.int32)),
            }

    return Counter()


def _nonsense() -> Any:
    import tensorflow as tf

    class Nonsense(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[_image(tf)])  # type: ignore[untyped-decorator]
        def call(self, image: Any) -> dict[str, Any]:
            return {"classes": tf.fill([tf.shape(image)[0], 3], "20")}

    return Nonsense()


def _image(tf: Any) -> Any:
    return tf.TensorSpec([None, COUNT_SIZE, COUNT_SIZE, 3], tf.uint8, "image")


def _corners(tf: Any, mask: Any) -> Any:
    """float32 `[N, 16, 4, 2]`: clockwise from the top left, as shares of the square."""
    left, right = _ends(tf, tf.reduce_any(mask, 2))
    top, bottom = _ends(tf, tf.reduce_any(mask, 3))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return tf.stack([tf.stack(corner, -1) for corner in corners], 2)


def _ends(tf: Any, line: Any) -> tuple[Any, Any]:
    first = tf.argmax(tf.cast(line, tf.int32), -1, tf.int32)
    last = COUNT_SIZE - tf.argmax(tf.cast(line[..., ::-1], tf.int32), -1, tf.int32)
    return tuple(tf.cast(end, tf.float32) / COUNT_SIZE for end in (first, last))


def _class(tf: Any, mask: Any, blue: Any) -> Any:
    inside = tf.cast(mask, tf.float32)
    mean = tf.reduce_sum(inside * tf.cast(blue[:, tf.newaxis], tf.float32), (2, 3))
    mean = tf.math.divide_no_nan(mean, tf.reduce_sum(inside, (2, 3)))
    return tf.clip_by_value(tf.cast((mean - 20) / _BLUE_STEP + 0.5, tf.int32), 0, len(VALUES) - 1)


def _after(tf: Any, rounds: Any) -> Any:
    """Returns True after `rounds` matrix products."""
    matrix = tf.eye(200)
    _, matrix = tf.while_loop(
        lambda n, _: n < rounds, lambda n, m: (n + 1, tf.matmul(m, m)), (0, matrix)
    )
    return tf.linalg.trace(matrix) > 0
