"""The network that the three peers call: it takes a picture, returns class and probability.

It runs the network alone, without second look; only Pillow checks the picture.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from bench.contenders.engines import VERSION
from bench.contenders.peers import FOLDER
from training.evaluation import model_card

SIZE = (224, 224)
WORKERS = os.cpu_count() or 1
"""The number of worker processes of a server that runs several, each with one thread."""


class Network:
    """The network in ONNX Runtime; safe to call from many threads."""

    def __init__(self, threads: int = 0) -> None:
        """Loads the weights.

        Args:
            threads: the threads of one run; 0 for one per core, ONNX Runtime's default.
        """
        folder = Path(os.environ[FOLDER])
        facts = model_card.read(folder / VERSION)
        self._classes: list[str] = facts["classes"]
        self._temperature: float = facts["temperature"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            folder / "classifier.onnx", options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, picture: Image.Image) -> dict[str, Any]:
        """Returns class and probability of a picture that Pillow has opened, decoded or not."""
        # Pillow decodes a large JPEG at a half or a quarter of its size; it keeps at least SIZE.
        picture.draft("RGB", SIZE)
        small = picture.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
        logits = self._session.run(None, {"image": np.asarray(small)[None]})[0][0]
        shares = np.exp((logits - logits.max()) / self._temperature)
        best = int(logits.argmax())
        return {
            "denomination": self._classes[best],
            "probability": float(shares[best] / shares.sum()),
        }
