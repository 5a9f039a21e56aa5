"""`docker compose up` answers photos, and its containers have no rights that they do not need."""

import re
import time
from typing import Any

import pytest
import requests

from tests.containers.stack import Stack
from tests.support.servers import wait_until

SERVICES = ("serving", "web")
LISTENING = "0A"


def host_config(stack: Stack, service: str) -> dict[str, Any]:
    return dict(stack.container(service).attrs["HostConfig"])


def listeners(table: str) -> set[int]:
    """The ports that listen, from /proc/net/tcp; Docker's own name server is left out."""
    rows = [line.split() for line in table.splitlines()[1:]]
    local = [row[1] for row in rows if row[3] == LISTENING and not row[1].startswith("0B00007F")]
    return {int(address.split(":")[1], 16) for address in local}


def read(stack: Stack, service: str, file: str) -> str:
    """A file's text; the front end has no shell, the model server perhaps no Python."""
    if service == "web":
        return stack.inside(service, "python3", "-c", f"print(open({file!r}).read())")
    return stack.inside(service, "bash", "-c", f'echo "$(<{file})"')


def test_a_photo_sent_to_the_page_is_answered(stack: Stack) -> None:
    reply = stack.predict()
    assert reply.status_code == requests.codes.ok, reply.text
    assert reply.json()["model"] == {"name": "us_bills", "version": 1, "label": "stable"}


@pytest.mark.parametrize("service", SERVICES)
def test_containers_are_healthy(stack: Stack, service: str) -> None:
    for _ in wait_until(f"{service} to be healthy", time.monotonic() + 120):
        health = stack.container(service).attrs["State"]["Health"]
        if health["Status"] == "healthy":
            break
    assert health["Log"][-1]["ExitCode"] == 0, health["Log"]


@pytest.mark.parametrize("service", SERVICES)
def test_processes_run_as_nobody_without_capabilities(stack: Stack, service: str) -> None:
    status = dict(
        line.split(":", 1) for line in read(stack, service, "/proc/1/status").splitlines()
    )
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65534"}
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_only_tmp_can_be_written(stack: Stack, service: str) -> None:
    mounts = read(stack, service, "/proc/mounts").splitlines()
    devices = re.compile(r" /(proc|dev|sys|etc/(hosts|hostname|resolv\.conf))[ /]")
    ours = [line.split() for line in mounts if not devices.search(line)]
    writable = {fields[1] for fields in ours if "rw" in fields[3].split(",")}
    assert writable == {"/tmp"}


def test_each_container_listens_on_its_own_ports_only(stack: Stack) -> None:
    found = {
        service: {
            port
            for file in ("/proc/net/tcp", "/proc/net/tcp6")
            for port in listeners(read(stack, service, file))
        }
        for service in SERVICES
    }
    assert found == {"serving": {8500, 8501}, "web": {5000}}


def test_every_published_port_is_bound_to_this_machine(stack: Stack) -> None:
    for service in SERVICES:
        bindings = host_config(stack, service)["PortBindings"].values()
        assert {binding["HostIp"] for entries in bindings for binding in entries} == {"127.0.0.1"}


@pytest.mark.parametrize("service", SERVICES)
def test_memory_processes_and_logs_are_limited(stack: Stack, service: str) -> None:
    config = host_config(stack, service)
    assert 0 < config["Memory"] <= 2 * 1024**3
    assert 0 < config["PidsLimit"] <= 4096
    assert config["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert config["RestartPolicy"]["Name"] == "unless-stopped"


def test_logs_hold_one_line_a_request_and_no_picture(stack: Stack) -> None:
    request_id = stack.predict().headers["X-Request-Id"]
    # The engine may be a moment behind.
    for _ in wait_until("the line", time.monotonic() + 30):
        log = stack.container("web").logs().decode()
        if lines := [line for line in log.splitlines() if request_id in line]:
            break
    (line,) = lines
    assert '"status": 200' in line or '"status":200' in line
    assert len(line) < 1000


def test_the_model_server_shows_metrics_on_its_rest_port(stack: Stack) -> None:
    stack.predict()
    page = requests.get(f"{stack.rest_url}/monitoring/prometheus/metrics", timeout=5).text
    assert re.search(r"^:tensorflow:serving:request_count\{.*us_bills.*\} \d", page, re.MULTILINE)
