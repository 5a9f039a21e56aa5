"""Draws boxes and classes into scenes, for people to look at."""

import cv2
import numpy as np

from training.augmentation.camera import Pixels
from training.counting.scenes.scene import Scene


def drawn(scene: Scene) -> Pixels:
    """Returns a scene with its boxes and classes, and unclear parts in red, uint8 [S,S,3]."""
    pixels = scene.pixels.copy()
    pixels[scene.unclear] = pixels[scene.unclear] // 2 + np.array([120, 0, 0], np.uint8)
    for bill in scene.bills:
        outline(pixels, bill.box, bill.label)
    return pixels


def outline(pixels: Pixels, box: np.ndarray, text: str) -> None:
    """Draws a box, float [4,2] in shares of the square, with a text in its middle."""
    corners = np.rint(box * len(pixels)).astype(np.int32)
    cv2.polylines(pixels, [corners], isClosed=True, color=(255, 60, 60), thickness=2)
    x, y = corners.mean(0).astype(int)
    at, font = (int(x) - 12, int(y) + 5), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(pixels, text, at, font, 0.6, (0, 0, 0), 4)
    cv2.putText(pixels, text, at, font, 0.6, (255, 255, 0), 2)
