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

from tests.containers.stack import compose_command

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILES = {
    name: (ROOT / name / "Dockerfile").read_text() for name in ("webapp", "serving/local")
}


def copied(dockerfile: str) -> list[tuple[str, str]]:
    """Returns (source, destination) of each COPY from the repository."""
    words = [line.split()[1:] for line in dockerfile.splitlines() if line.startswith("COPY ")]
    return [(w[0], w[1]) for w in words if not w[0].startswith("--")]


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


@pytest.mark.parametrize("flag", ["--tensorflow_intra_op_parallelism=1", "--grpc_max_threads=64"])
def test_the_halves_of_the_model_get_a_thread_each_and_a_burst_of_calls_finds_room(
    flag: str,
) -> None:
    assert flag in SERVICES["serving"]["command"]
    assert flag in (ROOT / "Procfile").read_text().split()


def test_the_model_servers_ports_stay_on_this_machine() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["serving"]["ports"])


@pytest.mark.parametrize("name", ["serving", "web"])
def test_containers_cannot_write_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_neither_container_runs_as_root(name: str) -> None:
    assert SERVICES["serving"]["user"] == "65534:65534"
    assert re.search(r"^USER 65534:65534$", DOCKERFILES[name], re.MULTILINE)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_base_images_are_pinned_by_digest(name: str) -> None:
    bases = re.findall(r"^ARG \w+=(.+)$", DOCKERFILES[name], re.MULTILINE)
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) or base == "${BASE}" for base in bases)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILES[name], re.MULTILINE)) == {
        "${BASE}",
        "${BUILD_BASE}",
    }


def test_the_image_holds_all_that_the_front_end_imports(tmp_path: Path) -> None:
    for source, target in copied(DOCKERFILES["webapp"]):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
    code = "import webapp.__main__, sys; print(webapp.__file__, 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "webapp" / "__init__.py"), "False"]


def test_dockerignore_lets_through_what_the_images_copy_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    let_through = {line[1:] for line in lines if line[0] == "!"}
    assert let_through == {source for text in DOCKERFILES.values() for source, _ in copied(text)}


def test_more_workers_can_be_given_more_memory_and_proxies_be_believed() -> None:
    given = {
        "US_BILLS_WORKERS": "2",
        "US_BILLS_WEB_MEMORY": "3g",
        "US_BILLS_SERVING_MEMORY": "4g",
        "US_BILLS_PROXIES": "1",
    }
    command = [*compose_command(), "--file", str(ROOT / "docker-compose.yml"), "config"]
    shown = subprocess.check_output(command, env=os.environ | given, text=True)
    services = yaml.safe_load(shown)["services"]
    web = services["web"]
    assert {
        name: web["environment"][name] for name in ("US_BILLS_WORKERS", "US_BILLS_PROXIES")
    } == {
        "US_BILLS_WORKERS": "2",
        "US_BILLS_PROXIES": "1",
    }
    # Compose writes bytes, or what it was given, by its version.
    assert str(web["mem_limit"]) in ("3g", str(3 * 1024**3))
    assert str(services["serving"]["mem_limit"]) in ("4g", str(4 * 1024**3))


def test_every_variable_of_the_compose_file_is_in_the_manual() -> None:
    used = set(re.findall(r"\$\{(US_BILLS_\w+)", (ROOT / "docker-compose.yml").read_text()))
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert not [name for name in used if f"`{name}`" not in manual]
