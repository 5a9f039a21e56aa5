"""One photo gets the same answer over every interface."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import tensorflow as tf

from serving.client import Client, connect
from tests import specimen
from tests.end_to_end.conftest import Stack
from tests.photos import real_photos
from tests.support.servers import ROOT
from webapp.imaging.preprocessing import (
    at_reduced_scale,
    decode,
    open_header,
    open_upright,
    to_tensor,
)

DRAWN = [
    specimen.encode(specimen.bill("20", width=960), "JPEG", quality=90),
    specimen.encode(specimen.bill("100", width=300, angle=200), "PNG"),
    specimen.encode(specimen.other(width=500), "JPEG", quality=60),
]
PredictionResponse = dict[str, float]


def by_class(classes: Any, probabilities: Any) -> PredictionResponse:
    names = [name.decode() if isinstance(name, bytes) else name for name in classes]
    return dict(zip(names, map(float, probabilities), strict=True))


def as_the_front_end_does(photo: bytes) -> np.ndarray:
    return to_tensor(decode(at_reduced_scale(open_header(photo))))


def from_client(client: Client, photo: bytes) -> PredictionResponse:
    outputs = client.predict(
        "us_bills", {"image": as_the_front_end_does(photo)[None]}, label="stable"
    ).outputs
    client.close()
    return by_class(outputs["classes"][0], outputs["probabilities"][0])


def from_bytes(rest_url: str, photo: bytes) -> PredictionResponse:
    request = {
        "signature_name": "serve_bytes",
        "instances": [{"b64": b64encode(photo).decode()}],
    }
    reply = requests.post(f"{rest_url}/v1/models/us_bills:predict", json=request, timeout=20)
    assert reply.status_code == 200, reply.text
    (answer,) = reply.json()["predictions"]
    return by_class(answer["classes"], answer["probabilities"])


@pytest.fixture(scope="module")
def in_python() -> Callable[[bytes], PredictionResponse]:
    loaded = tf.saved_model.load(str(ROOT / "models" / "us_bills" / "1"))

    def ask(photo: bytes) -> PredictionResponse:
        outputs = loaded.signatures["serving_default"](image=as_the_front_end_does(photo)[None])
        return by_class(outputs["classes"].numpy()[0], outputs["probabilities"].numpy()[0])

    return ask


def assert_same_everywhere(stack: Stack, expected: PredictionResponse, photo: bytes) -> None:
    front_end = stack.predict(photo).json()["predictions"][0]["probabilities"]
    assert front_end == pytest.approx(expected, abs=1e-3)
    for url in (f"grpc://{stack.grpc_target}", stack.rest_url):
        assert from_client(connect(url), photo) == pytest.approx(expected, abs=1e-3)
    assert from_bytes(stack.rest_url, photo) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("photo", DRAWN, ids=["bill", "turned-bill", "mug"])
def test_a_drawn_picture_gets_the_same_probabilities_on_every_path(
    stack: Stack, in_python: Callable[[bytes], PredictionResponse], photo: bytes
) -> None:
    assert_same_everywhere(stack, in_python(photo), photo)


def test_real_photos_get_the_same_probabilities_on_every_path(
    stack: Stack, in_python: Callable[[bytes], PredictionResponse]
) -> None:
    for path in real_photos()[::40]:
        photo = path.read_bytes()
        assert_same_everywhere(stack, in_python(photo), photo)


def test_real_photos_as_large_as_a_phones_get_the_same_answers_though_decoded_smaller(
    grpc_url: str,
) -> None:
    # Twelve megapixels are decoded at an eighth, one at half.
    for size, every in (((4000, 3000), 40), ((1152, 864), 20)):
        pairs = [whole_and_reduced(path, size) for path in real_photos()[::every]]
        client = connect(grpc_url)
        whole, reduced = (
            client.predict("us_bills", {"image": np.stack(tensors)}).outputs
            for tensors in zip(*pairs, strict=True)
        )
        client.close()
        assert (whole["accepted"] == reduced["accepted"]).mean() >= 0.95
        assert (whole["classes"][:, 0] == reduced["classes"][:, 0]).mean() >= 0.95
        assert np.abs(whole["probabilities"] - reduced["probabilities"]).mean() < 0.005


def whole_and_reduced(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The tensors of a photo enlarged to `size`, decoded at full and at reduced scale."""
    photo = open_upright(path.read_bytes()).resize(size)
    data = specimen.encode(photo, "JPEG", quality=90)
    return to_tensor(open_upright(data)), as_the_front_end_does(data)


def test_real_bills_are_named_rightly_nine_times_in_ten(stack: Stack) -> None:
    bills = [
        path for path in real_photos() if path.parent.name in {"1", "5", "10", "20", "50", "100"}
    ]
    answers = [top_class(stack, path) for path in bills]
    right = [said == path.parent.name for said, path in zip(answers, bills, strict=True)]
    assert np.mean(right) >= 0.9


def top_class(stack: Stack, photo: Path) -> str:
    (prediction,) = stack.predict(photo.read_bytes()).json()["predictions"]
    probabilities: PredictionResponse = prediction["probabilities"]
    if prediction["accepted"]:
        assert prediction["denomination"] == max(probabilities, key=probabilities.__getitem__)
    else:
        assert prediction["denomination"] is None
    return max(probabilities, key=probabilities.__getitem__)
