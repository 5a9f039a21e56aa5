"""A FastAPI application for uvicorn, as in FastAPI's tutorial: an upload and a blocking function.

FastAPI runs the function in a thread; ONNX Runtime releases Python's lock while it computes.
"""

from __future__ import annotations

from fastapi import FastAPI, UploadFile
from PIL import Image

from bench.contenders.network import Network

app = FastAPI()
network = Network()


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict(image: UploadFile) -> dict[str, str | float]:
    """Returns class and probability of one picture, sent as the form field `image`."""
    return network(Image.open(image.file))
