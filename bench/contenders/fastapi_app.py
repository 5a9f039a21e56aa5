"""FastAPI and uvicorn: the file of its tutorial, with an upload and a function that may block.

FastAPI runs the function in a thread; ONNX Runtime leaves Python's lock while it computes.
"""

from __future__ import annotations

from fastapi import FastAPI, UploadFile
from PIL import Image

from bench.contenders.network import Network

app = FastAPI()
network = Network()


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict(image: UploadFile) -> dict[str, str | float]:
    """Answers about one picture, sent as the form field `image`."""
    return network(Image.open(image.file))
