"""A film for Chromium's fake camera: `--use-file-for-fake-video-capture=film.y4m`."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

SIZE = (480, 360)
FRAMES_A_SECOND = 2


def shoot(path: Path, scenes: Sequence[Image.Image], seconds: int = 4) -> Path:
    """Write a film in which each picture stands still for a while; the camera shows it in a loop.

    The format is YUV4MPEG2: a line of text, then each frame's planes, colour at half the size.
    """
    width, height = SIZE
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{width} H{height} F{FRAMES_A_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
        for scene in scenes:
            frame = b"FRAME\n" + _planes(scene)
            film.write(frame * seconds * FRAMES_A_SECOND)
    return path


def _planes(scene: Image.Image) -> bytes:
    light, blue, red = scene.convert("RGB").resize(SIZE).convert("YCbCr").split()
    half = (SIZE[0] // 2, SIZE[1] // 2)
    return light.tobytes() + blue.resize(half).tobytes() + red.resize(half).tobytes()
