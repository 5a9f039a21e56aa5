"""The original design is a fair baseline: it has the shipped weights and gives the same answers."""

import base64

import numpy as np

from bench.contenders.original import create_app
from bench.contenders.weights import classifier
from serving.client import connect
from tests import specimen
from tests.support.servers import ROOT
from training.evaluation import model_card
from webapp.imaging.preprocessing import open_upright, to_tensor

VERSION = ROOT / "models" / "us_bills" / "1"
BILL = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()


def test_the_original_design_says_what_the_model_server_says(grpc_url: str) -> None:
    facts = model_card.read(VERSION)
    client = connect(grpc_url)
    answer = client.predict("us_bills", {"image": to_tensor(open_upright(BILL))[None]}).outputs
    client.close()
    # Sure at the first look, so that there was no second one, which the network alone lacks.
    assert answer["probabilities"][0, 0] > 0.99

    app = create_app(classifier(VERSION), facts["classes"], facts["temperature"])
    picture = specimen.encode(open_upright(BILL), "PNG")
    url = "data:image/png;base64," + base64.b64encode(picture).decode()
    told = app.test_client().post("/predict", json=url).get_json()
    assert told["result"] == answer["classes"][0, 0].decode()
    assert np.isclose(told["probability"], answer["probabilities"][0, 0], atol=1e-3)
