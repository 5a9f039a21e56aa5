"""A web page whose host name resolves to this machine gets no answer; other programs do."""

from __future__ import annotations

import pytest
import requests

from serving.local.rest.hosts import AllowedHosts
from tests.support.servers import ModelServer

REBOUND = ["rebound.example", "rebound.example:8501", "127.0.0.1.rebound.example", "localhost.x"]
OWN = ["", "localhost", "LocalHost:8501", "localhost.", "127.0.0.1:8501", "10.0.0.7", "[::1]:8501"]


@pytest.mark.parametrize("host", OWN)
def test_addresses_and_localhost_are_nobody_elses_names(host: str) -> None:
    assert AllowedHosts("", "127.0.0.1").allow(host)
    assert AllowedHosts("serving", "0.0.0.0").allow(host)


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("host", [*REBOUND, "serving"])
def test_a_server_of_this_machine_answers_to_no_other_name(listens_on: str, host: str) -> None:
    assert not AllowedHosts("", listens_on).allow(host)


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
def test_names_that_are_given_are_answered_to_and_no_other(listens_on: str) -> None:
    hosts = AllowedHosts("serving, Models.Internal", listens_on)
    assert hosts.allow("serving:8501")
    assert hosts.allow("models.internal")
    for host in REBOUND:
        assert not hosts.allow(host)


@pytest.mark.parametrize("names", ["serving:8501", "serving.", "other, Serving.:80"])
def test_a_name_may_be_given_as_a_client_sends_it(names: str) -> None:
    for host in ("serving", "serving:8501", "serving."):
        assert AllowedHosts(names, "127.0.0.1").allow(host)


@pytest.mark.parametrize(("names", "listens_on"), [("", "0.0.0.0"), ("", "::"), ("*", "127.0.0.1")])
def test_a_server_on_a_network_answers_to_all_names_by_default(names: str, listens_on: str) -> None:
    for host in [*REBOUND, "serving", "serving.us-bills.svc.cluster.local"]:
        assert AllowedHosts(names, listens_on).allow(host)


@pytest.mark.parametrize("path", ["/v1/models/half", "/v1/models/half/metadata"])
def test_a_get_by_a_name_that_leads_here_is_refused(small_server: ModelServer, path: str) -> None:
    for host in REBOUND:
        reply = requests.get(small_server.rest_url + path, headers={"Host": host}, timeout=30)
        assert reply.status_code == 403
        assert f"--allowed_hosts as Host. Received: {host}" in reply.json()["error"]
    for host in ("localhost:8501", small_server.rest_url.partition("//")[2]):
        reply = requests.get(small_server.rest_url + path, headers={"Host": host}, timeout=30)
        assert reply.status_code == 200
