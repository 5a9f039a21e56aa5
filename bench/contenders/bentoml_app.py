"""A BentoML service whose method takes a picture, with one worker process per core."""

from __future__ import annotations

from typing import Any

import bentoml
from PIL import Image

from bench.contenders.network import WORKERS, Network


@bentoml.service(
    workers=WORKERS, logging={"access": {"enabled": False}}, metrics={"enabled": False}
)
class Bills:
    """A service in the style of BentoML's own examples."""

    def __init__(self) -> None:
        self.network = Network(threads=1)

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, image: Image.Image) -> dict[str, Any]:
        """Returns class and probability of one picture, sent as the form field `image`."""
        return self.network(image)
