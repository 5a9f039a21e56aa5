"""A sample of `bench/fuzz.py`: whatever is sent, the answer is one that the API describes."""

import io
from collections import Counter

from flask.testing import FlaskClient

from tests.webapp.fuzz import ALLOWED, uploads


def test_odd_uploads_get_documented_answers(client: FlaskClient) -> None:
    told: Counter[int] = Counter()
    for n, data in enumerate(uploads(300)):
        photo = {"image": (io.BytesIO(data), f"{n}.jpg")}
        reply = client.post("/predict", data=photo)
        assert reply.status_code in ALLOWED, f"upload {n}: {reply.text}"
        told[reply.status_code] += 1
    # Were all of them refused, or none, the sample would show nothing.
    assert min(told[200], told[400]) > 30
