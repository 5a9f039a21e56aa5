"""Helpers for tests of uploads: sending a picture, and a file that records how it is read."""

import io

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def send(client: FlaskClient, data: bytes) -> TestResponse:
    """Sends one picture as the whole body."""
    return client.post("/predict", data=data, content_type="image/jpeg")


class Watched(io.BytesIO):
    """A file that notes how many bytes each read asks for, and how many it gets."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: list[int] = []
        self.given: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.asked.append(-1 if size is None else size)
        self.given.append(len(data))
        return data
