"""gRPC with TLS by TensorFlow Serving's file: which clients are served, which files are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from serving.client import ServingError, Tls, Unavailable, connect
from serving.rollout.cli import main as rollout
from tests.serving import models
from tests.serving.rollout.conftest import CONFIG, FLAGS
from tests.support import certificates
from tests.support.servers import ModelServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of a site."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(
    folder: Path, small_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    """A server that answers only clients with a certificate of the site."""
    place = tmp_path_factory.mktemp("server")
    models.publish(small_models / "half" / "1", place / "half", 1)
    flags = [*FLAGS, f"--ssl_config_file={folder / 'ssl.config'}"]
    with ModelServer(place, flags, CONFIG.format(place), ["half"]) as running:
        yield running


def url(server: ModelServer) -> str:
    return server.grpc_url.replace("grpc://", "grpcs://")


def ask(address: str, tls: Tls | None = None) -> float:
    """What the model says of 1: 2.5."""
    client = connect(address, tls) if tls else connect(address)
    try:
        inputs = {"x": np.array([1], np.float32)}
        return float(client.predict("half", inputs, timeout=5).outputs["y"][0])
    finally:
        client.close()


def test_a_client_of_the_site_is_answered(server: ModelServer, folder: Path) -> None:
    assert ask(url(server), certificates.of_client(folder)) == 2.5
    assert "listening, gRPC with TLS" in server.output()


def test_a_client_without_a_certificate_is_not(server: ModelServer, folder: Path) -> None:
    with pytest.raises(ServingError):
        ask(url(server), Tls(folder / "ca.crt"))


def test_a_client_of_another_authority_is_not(
    server: ModelServer, folder: Path, tmp_path: Path
) -> None:
    other = certificates.make(tmp_path / "other")
    with pytest.raises(ServingError):
        ask(url(server), Tls(folder / "ca.crt", other / "web.crt", other / "web.key"))


def test_plain_text_is_not_answered(server: ModelServer) -> None:
    with pytest.raises(Unavailable):
        ask(server.grpc_url)


def test_a_server_of_another_authority_is_not_believed(server: ModelServer, tmp_path: Path) -> None:
    other = certificates.make(tmp_path / "other")
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        ask(url(server), certificates.of_client(other))


def test_rest_stays_as_it_was(server: ModelServer) -> None:
    reply = requests.get(f"{server.rest_url}/v1/models/half", timeout=5)
    assert reply.json()["model_version_status"][0]["state"] == "AVAILABLE"


def test_the_rollout_command_asks_and_reloads_with_a_certificate(
    server: ModelServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = [f"--config={server.config_file}", f"--server={url(server)}", "--webapp="]
    own = ["--client-cert", str(folder / "web.crt"), "--client-key", str(folder / "web.key")]
    assert rollout([*where, *own, "--server-ca", str(folder / "ca.crt"), "status"]) == 0
    assert re.search(r"^1 +yes +AVAILABLE +stable", capsys.readouterr().out, re.MULTILINE)
    for name, file in (("MODEL_SERVER_CA", "ca"), ("CLIENT_CERT", "web"), ("CLIENT_KEY", "web")):
        ending = "key" if name.endswith("KEY") else "crt"
        monkeypatch.setenv(f"US_BILLS_{name}", str(folder / f"{file}.{ending}"))
    # Labels, told by a reload.
    assert rollout([*where, "rollback"]) == 0, capsys.readouterr().err


def test_the_rollout_command_finds_a_name_s_addresses_by_the_certificates_name(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = url(server).rpartition(":")[2]
    own = ["--client-cert", str(folder / "web.crt"), "--client-key", str(folder / "web.key")]
    where = [f"--config={server.config_file}", f"--server=dns:///localhost:{port}", "--webapp="]
    assert rollout([*where, *own, f"--server-ca={folder / 'ca.crt'}", "status"]) == 0
    assert re.search(r"^1 +yes .*AVAILABLE", capsys.readouterr().out, re.MULTILINE)


def test_several_servers_are_asked_with_certificates_of_one_name(
    server: ModelServer, folder: Path
) -> None:
    port = url(server).rpartition(":")[2]
    several = f"grpcs://127.0.0.1:{port},127.0.0.2:{port}"
    assert ask(several, certificates.of_client(folder))


def test_several_servers_of_another_name_are_not_believed(
    server: ModelServer, folder: Path
) -> None:
    port = url(server).rpartition(":")[2]
    # The second address answers, with a certificate that has not the first one.
    with pytest.raises(Unavailable):
        ask(f"grpcs://127.0.0.2:{port},127.0.0.1:{port}", certificates.of_client(folder))


def test_the_rollout_command_refuses_certificates_for_plain_text(
    server: ModelServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [f"--config={server.config_file}", f"--server={server.grpc_url}", "--webapp="]
    assert rollout([*where, "--server-ca", str(folder / "ca.crt"), "status"]) == 1
    assert "(certificates are set) grpcs://" in capsys.readouterr().err
    assert rollout([*where, "--client-key", str(folder / "web.key"), "status"]) == 1
    assert "Expected a client's certificate and its key" in capsys.readouterr().err


def field(name: str, text: str) -> str:
    return re.sub(rf"^{name}: .*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("without", ["server_key", "server_cert", "custom_ca"])
def test_a_file_that_lacks_something_is_refused_at_the_start(
    folder: Path, small_models: Path, tmp_path: Path, without: str
) -> None:
    file = tmp_path / "ssl.config"
    file.write_text(field(without, (folder / "ssl.config").read_text()))
    assert refused(tmp_path, small_models, file)


def test_a_key_of_another_certificate_is_refused_at_the_start(
    folder: Path, small_models: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ssl.config"
    text = (folder / "ssl.config").read_text()
    other = (certificates.make(tmp_path / "other") / "ssl.config").read_text()
    key = re.search(r"^server_key: .*$", other, re.MULTILINE)
    assert key is not None
    file.write_text(key[0] + "\n" + field("server_key", text))
    assert "a certificate of another key" in refused(tmp_path, small_models, file)


def test_a_file_that_is_not_there_is_refused_at_the_start(
    small_models: Path, tmp_path: Path
) -> None:
    assert "No such file" in refused(tmp_path, small_models, tmp_path / "none")


def refused(folder: Path, small_models: Path, ssl_config: Path) -> str:
    """Starts a server, which must say why it does not start; returns what it said."""
    flags = [f"--model_base_path={small_models / 'half'}", f"--ssl_config_file={ssl_config}"]
    server = ModelServer(folder / "server", flags)
    assert server.launch().wait(60) == 255
    said = server.output()
    assert str(ssl_config) in said
    assert "Traceback" not in said
    return said
