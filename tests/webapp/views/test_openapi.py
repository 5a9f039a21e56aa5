"""The API's description is complete and true: schemathesis sends valid and invalid requests."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from schemathesis import Case

from tests import specimen
from tests.support.servers import ROOT, ModelServer
from tests.webapp.server import FrontEnd

FORMATS = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
DRAWN = {
    kind: specimen.encode(specimen.bill("20", width=96), name) for name, kind in FORMATS.items()
}
PHOTOS = st.sampled_from(list(DRAWN.values()))
DATA_URLS = st.sampled_from(
    [f"data:image/{kind};base64,{base64.b64encode(data).decode()}" for kind, data in DRAWN.items()]
)
DOCUMENTED = {
    *("/", "/livez", "/readyz", "/metrics", "/openapi.json", "/predict"),
    *("/feedback", "/feedback/{id}", "/feedback/{id}/delete"),
}
# The page's own files: nothing that a program would ask for.
OWN_FILES = {"/static/<path:filename>", "/offline", "/worker.js"}


DESCRIPTION = json.loads((ROOT / "webapp" / "openapi.json").read_text(encoding="utf-8"))
# More than 16 pictures are refused as too large, which schemathesis takes for acceptance.
REFUSALS = {"expected-statuses": [400, 403, 404, 405, 406, 413, 415, 422, 429, "5xx"]}
schema = schemathesis.openapi.from_dict(
    DESCRIPTION,
    config=schemathesis.Config.from_dict({"checks": {"negative_data_rejection": REFUSALS}}),
)


@pytest.fixture(scope="module")
def front_end(
    model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FrontEnd]:
    feedback = str(tmp_path_factory.mktemp("feedback"))
    settings = {"US_BILLS_FEEDBACK": feedback, "US_BILLS_FEEDBACK_RATE": "1000000"}
    with FrontEnd(model_server.grpc_url, US_BILLS_TIMEOUT="60", **settings) as running:
        running.wait_for("/readyz", 200)
        yield running


# What OpenAPI cannot say: what a photo is, which classes there are, and that version and label
# exclude each other.
schemathesis.openapi.format("binary", PHOTOS)
schemathesis.openapi.format("photo-data-url", DATA_URLS)
schemathesis.openapi.format("class-name", st.sampled_from(["1", "20", "Other"]))
for media_type in DESCRIPTION["paths"]["/predict"]["post"]["requestBody"]["content"]:
    if media_type.startswith("image/") or media_type == "application/octet-stream":
        schemathesis.openapi.media_type(media_type, PHOTOS)


@schema.parametrize()
@settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_schemathesis_finds_nothing(case: Case[Any], front_end: FrontEnd) -> None:
    assume(not {"version", "label"} <= (case.query or {}).keys())
    case.call_and_validate(base_url=front_end.url)


def test_every_address_is_described(client_for: Callable[..., FlaskClient]) -> None:
    client = client_for()
    rules = {
        rule.rule.replace("<name>", "{id}") for rule in client.application.url_map.iter_rules()
    }
    assert rules - OWN_FILES == DOCUMENTED
    assert client.get("/openapi.json").get_json()["paths"].keys() == DOCUMENTED
