"""The container files, as far as they can be checked without a Docker engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "webapp" / "Dockerfile").read_text()


def copied() -> list[tuple[list[str], str]]:
    """Returns (sources, destination) of each COPY from the repository into the final stage."""
    final_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    words = [line.split()[1:] for line in final_stage.splitlines() if line.startswith("COPY ")]
    return [(w[:-1], w[-1]) for w in words if not w[0].startswith("--")]


def compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            probe = subprocess.run([*command, "version"], capture_output=True, check=False)
            if probe.returncode == 0:
                return command
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


@pytest.mark.parametrize("image", ["", "us-bills-serving:local"])
def test_compose_accepts_its_file_also_with_another_server_image(image: str) -> None:
    command = [*compose_command(), "--file", str(ROOT / "docker-compose.yml"), "config"]
    env = os.environ | ({"US_BILLS_SERVING_IMAGE": image} if image else {})
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = yaml.safe_load(done.stdout)["services"]
    assert shown["serving"]["image"] == (image or "tensorflow/serving:2.20.0")


def test_tensorflow_is_pinned_to_the_minor_of_the_server_image() -> None:
    minor = re.search(r"tensorflow/serving:(\d+\.\d+)\.", SERVICES["serving"]["image"])
    assert minor is not None
    for name in ("serving", "training", "run", "dev"):
        lock = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert re.search(rf"^tensorflow=={re.escape(minor[1])}\.", lock, re.MULTILINE), name


def test_the_model_server_reads_the_configuration_that_make_run_reads() -> None:
    assert "./serving/config:/config:ro" in SERVICES["serving"]["volumes"]
    assert "./models:/models:ro" in SERVICES["serving"]["volumes"]
    assert "--model_config_file=/config/models.config" in SERVICES["serving"]["command"]
    assert "--model_config_file=serving/config/models.config" in (ROOT / "Procfile").read_text()


def test_the_model_servers_ports_stay_on_this_machine() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["serving"]["ports"])


@pytest.mark.parametrize("name", ["serving", "web"])
def test_containers_cannot_write_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_neither_container_runs_as_root() -> None:
    assert SERVICES["serving"]["user"] == "65534:65534"
    assert re.search(r"^USER 65534:65534$", DOCKERFILE, re.MULTILINE)


def test_the_image_holds_all_that_the_front_end_imports(tmp_path: Path) -> None:
    for sources, destination in copied():
        for source in sources:
            target = tmp_path / destination
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, target)
    code = "import webapp.__main__, sys; print(webapp.__file__, 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "webapp" / "__init__.py"), "False"]


def test_all_that_the_image_copies_is_let_through_by_dockerignore() -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"
    }
    assert {source for sources, _ in copied() for source in sources} | {
        "requirements/webapp.txt"
    } == let_through
