"""Both tiers with TLS between them: the same answers, and no answer without the certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import specimen
from tests.support import certificates
from tests.support.servers import SHIPPED_FLAGS, ModelServer
from tests.webapp.server import FrontEnd

PHOTO = specimen.encode(specimen.bill("20"), "JPEG")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    flags = [*SHIPPED_FLAGS, f"--ssl_config_file={folder / 'ssl.config'}"]
    with ModelServer(tmp_path_factory.mktemp("server"), flags, wait_for=["us_bills"]) as running:
        yield running


def test_a_front_end_with_the_sites_certificates_answers(server: ModelServer, folder: Path) -> None:
    settings = {
        "US_BILLS_MODEL_SERVER_CA": str(folder / "ca.crt"),
        "US_BILLS_CLIENT_CERT": str(folder / "web.crt"),
        "US_BILLS_CLIENT_KEY": str(folder / "web.key"),
        "US_BILLS_TIMEOUT": "60",
    }
    with FrontEnd(server.grpc_url.replace("grpc:", "grpcs:"), **settings) as front_end:
        front_end.wait_for("/readyz", 200)
        reply = front_end.predict(PHOTO)
        assert reply.status_code == 200, reply.text
        assert reply.json()["model"]["name"] == "us_bills"


def test_a_front_end_without_a_certificate_says_that_the_model_server_is_away(
    server: ModelServer, folder: Path
) -> None:
    settings = {"US_BILLS_MODEL_SERVER_CA": str(folder / "ca.crt")}
    with FrontEnd(server.grpc_url.replace("grpc:", "grpcs:"), **settings) as front_end:
        assert front_end.predict(PHOTO).status_code == 503
