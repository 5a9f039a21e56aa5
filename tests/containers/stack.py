"""Runs the compose file on free ports with separate models and configuration."""

import collections
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import docker
import pytest
import requests
import yaml
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container

from tests import specimen
from tests.support.servers import HOST, ROOT, free_ports, wait_until

PHOTO = specimen.encode(specimen.bill("20"), "JPEG")

PORTS = (
    "US_BILLS_GRPC_PORT",
    "US_BILLS_REST_PORT",
    "US_BILLS_WEB_PORT",
    "US_BILLS_HTTPS_PORT",
    "US_BILLS_PROMETHEUS_PORT",
    "US_BILLS_GRAFANA_PORT",
)

_OWN_TENSORFLOW = {
    "PYTHONPATH": "/packages:/site",
    "PYTHONDONTWRITEBYTECODE": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def compose_command() -> list[str]:
    """`docker compose` or `docker-compose`, whichever there is, or a skip."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            probe = subprocess.run([*command, "version"], capture_output=True, check=False)
            if probe.returncode == 0:
                return command
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


def connected_engine() -> docker.DockerClient:
    """A Docker engine that answers, or a skip."""
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    return client


def require_image(engine: docker.DockerClient, image: str) -> None:
    """Pulls an image that the engine does not have, or skips."""
    try:
        engine.images.get(image)
    except ImageNotFound:
        try:
            engine.images.pull(image)
        except APIError:
            pytest.skip(f"{image} is not here and cannot be pulled")


def run_python(engine: docker.DockerClient, image: str, code: str) -> str:
    """What Python code prints in a new container of an image."""
    said = engine.containers.run(image, ["-c", code], entrypoint="python3", remove=True)
    return str(said.decode().strip())


class Stack:
    """Both tiers as containers; the repository's own files stay untouched."""

    def __init__(
        self,
        engine: docker.DockerClient,
        compose: Sequence[str],
        folder: Path,
        web_image: str,
        serving_image: str,
        tools_image: str,
        packages: Path | None,
        *,
        models: Path = ROOT / "models",
        servers: int = 1,
        front_ends: int = 1,
    ) -> None:
        """Copies what the containers are shown; `with` brings them up.

        Args:
            engine: what runs them.
            compose: the command, see `compose_command`.
            folder: an empty folder for the copies.
            web_image: the front end's.
            serving_image: the model server's.
            tools_image: that of the rollout command.
            packages: Python packages with TensorFlow, for images without it.
            models: the versions.
            servers: how many model servers.
            front_ends: how many front ends.
        """
        self._scale = {"serving": servers, "web": front_ends}
        counts = {"GRPC": servers, "REST": servers, "WEB": front_ends}
        ranges = {name: free_ports(counts.get(name.split("_")[2], 1)) for name in PORTS}
        self.ports = {name: ports[0] for name, ports in ranges.items()}
        self.web_urls = [f"http://{HOST}:{port}" for port in ranges["US_BILLS_WEB_PORT"]]
        self.web_url = self.web_urls[0]
        self.rest_url = f"http://{HOST}:{self.ports['US_BILLS_REST_PORT']}"
        self.models = folder / "models" / "us_bills"
        self.config = folder / "serving" / "config"
        self._engine = engine
        self._project = f"us-bills-test-{uuid.uuid4().hex[:8]}"
        self._environment = os.environ | {k: _as_range(v) for k, v in ranges.items()}
        self._environment |= {
            "US_BILLS_HOSTNAME": HOST,
            "US_BILLS_SERVING_IMAGE": serving_image,
            "US_BILLS_WEB_IMAGE": web_image,
            "US_BILLS_TOOLS_IMAGE": tools_image,
            "US_BILLS_OWNER": f"{os.getuid()}:{os.getgid()}",
        }
        shutil.copytree(models, folder / "models")
        shutil.copytree(ROOT / "serving" / "config", self.config)
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        self._compose = [*compose, "--project-name", self._project]
        self._compose += ["--project-directory", str(folder)]
        self._compose += ["--file", str(ROOT / "docker-compose.yml")]
        if packages is not None:
            services = {"rollout"} | ({"serving"} if serving_image == tools_image else set())
            self._compose += ["--file", str(_override(folder, packages, services))]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `docker compose` on this project."""
        return subprocess.run(
            [*self._compose, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def compose(self, *arguments: str) -> str:
        """Runs `docker compose` on this project and returns what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}\n{self.logs()}"
        return done.stdout

    def rollout(self, *arguments: str) -> str:
        """Runs the rollout command as the README says."""
        return self.compose("run", "--rm", "-T", "rollout", *arguments)

    def container(self, service: str) -> Container:
        """The container of a service as it is now."""
        (found,) = self.containers(service)
        return found

    def containers(self, service: str) -> list[Container]:
        """All containers of a service as they are now."""
        labels = [
            f"com.docker.compose.project={self._project}",
            f"com.docker.compose.service={service}",
        ]
        return self._engine.containers.list(all=True, filters={"label": labels})

    def inside(self, service: str, *command: str) -> str:
        """What a command prints in a running container."""
        status, output = self.container(service).exec_run(list(command))
        assert isinstance(output, bytes)
        assert status == 0, output.decode()
        return output.decode().strip()

    def predict(self, timeout: float = 20) -> requests.Response:
        """Sends one photo to the page's port."""
        return requests.post(f"{self.web_url}/predict", files={"image": PHOTO}, timeout=timeout)

    def wait_until_ready(self, seconds: float = 90) -> None:
        """Waits until a photo sent now would be answered, by any front end."""
        for _ in wait_until("the front ends to be ready", time.monotonic() + seconds):
            with contextlib.suppress(requests.RequestException):
                if all(requests.get(f"{url}/readyz", timeout=5).ok for url in self.web_urls):
                    return

    def start_missing(self, *services: str) -> None:
        """Starts the containers that services lack, by default all, and touches no other."""
        scale = [f"--scale={service}={number}" for service, number in self._scale.items()]
        self.compose("up", "--detach", "--no-build", "--no-recreate", *scale, *services)

    def _wait_until_healthy(self, service: str, seconds: float) -> None:
        for _ in wait_until(f"{service} to be healthy", time.monotonic() + seconds):
            told = [c.attrs["State"]["Health"]["Status"] for c in self.containers(service)]
            if set(told) == {"healthy"}:
                return

    @contextlib.contextmanager
    def profile(self, name: str, *services: str) -> Iterator[None]:
        """Starts the services of a profile, which are not there otherwise; skips without images."""
        known = yaml.safe_load(self.compose("--profile", name, "config"))["services"]
        for service in services:
            require_image(self._engine, known[service]["image"])
        try:
            self.compose("--profile", name, "up", "--detach", "--no-build", *services)
            yield
        finally:
            self.compose("--profile", name, "rm", "--stop", "--force", "-v", *services)

    def logs(self) -> str:
        """All that the containers have printed."""
        done = self.run("logs")
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def load(self, clients: int = 4) -> Iterator[collections.Counter[str]]:
        """Keeps clients asking, and counts what they get: a status, or `no connection`."""
        got: collections.Counter[str] = collections.Counter()
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    reply = self.predict()
                    got[_named(reply)] += 1
                except requests.ConnectionError:
                    got["no connection"] += 1
                stop.wait(0.05)

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield got
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def __enter__(self) -> Self:
        try:
            # Compose waits no longer than one server needs that has the machine for itself.
            self.start_missing("serving")
            self._wait_until_healthy("serving", 600)
            self.start_missing()
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "--volumes", "--timeout", "5")
        # Of all services, those of profiles too, which some versions of Compose leave.
        labels = {"label": f"com.docker.compose.project={self._project}"}
        for volume in self._engine.volumes.list(filters=labels):
            volume.remove()


def _as_range(ports: range) -> str:
    """As Compose takes it: of several ports the first and the last."""
    return "-".join(map(str, sorted({ports[0], ports[-1]})))


def _named(reply: requests.Response) -> str:
    if reply.status_code != requests.codes.ok:
        return str(reply.status_code)
    return f"200 by version {reply.json()['model']['version']}"


def _override(folder: Path, packages: Path, services: Iterable[str]) -> Path:
    service = {"volumes": [f"{packages}:/site:ro"], "environment": _OWN_TENSORFLOW}
    file = folder / "override.json"
    file.write_text(json.dumps({"services": dict.fromkeys(services, service)}))
    return file
