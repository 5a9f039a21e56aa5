"""The original design, rebuilt: Flask, the picture as base64 in JSON, Keras' `predict` in process.

`python -m bench.contenders.original FOLDER PORT` serves `classifier.keras`, one request at a time,
as the original's single loop did, and prepares the picture as the model requires.
"""

from __future__ import annotations

import base64
import io
import logging
import sys
from pathlib import Path

import keras
import numpy as np
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from PIL import Image
from werkzeug.serving import make_server

from bench.contenders.engines import VERSION
from tests.support.servers import HOST
from training.evaluation import model_card


def create_app(model: keras.Model, classes: list[str], temperature: float) -> Flask:
    """Builds the application for a model that returns logits, calibrated by `temperature`."""
    app = Flask(__name__)

    @app.get("/ready")
    def ready() -> str:
        return "yes"

    @app.post("/predict")
    def predict() -> ResponseReturnValue:
        _, _, text = request.get_json().partition("base64,")
        image = Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")
        pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR))
        logits = model.predict(pixels[None], verbose=0)[0]
        shares = np.exp((logits - logits.max()) / temperature)
        best = int(logits.argmax())
        return jsonify(result=classes[best], probability=float(shares[best] / shares.sum()))

    return app


def main(folder: Path, port: int) -> None:
    """Serves until the process is stopped."""
    model = keras.models.load_model(folder / "classifier.keras")
    model.predict(np.zeros((1, 224, 224, 3), np.uint8), verbose=0)
    facts = model_card.read(folder / VERSION)
    app = create_app(model, facts["classes"], facts["temperature"])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_server(HOST, port, app).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
