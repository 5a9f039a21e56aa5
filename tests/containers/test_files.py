"""The container files, as far as they can be checked without a Docker engine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.rollout.signatures import verify_parser
from tests.containers import bases
from tests.containers.stack import compose_command
from tests.support import certificates
from webapp.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILES = {
    name: (ROOT / name / "Dockerfile").read_text() for name in ("webapp", "serving/local")
}


def copied(dockerfile: str) -> list[tuple[str, str]]:
    """Returns (source, destination) of each COPY from the repository, with every lock file."""
    (lock,) = re.findall(r"^ARG REQUIREMENTS=(\w+)$", dockerfile, re.MULTILINE)
    each = [dockerfile.replace("${REQUIREMENTS}", name) for name in (lock, f"{lock}-otlp")]
    lines = "\n".join(each).splitlines()
    words = [line.split()[1:] for line in lines if line.startswith("COPY ")]
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
    assert "--model_config_file=/config/models.config" in server_flags()
    assert "--model_config_file=serving/config/models.config" in (ROOT / "Procfile").read_text()


def shown_by_compose(*more: str, **variables: str) -> dict[str, Any]:
    """The services of the compose file, and of `more` files, as Compose understands them."""
    files = [str(ROOT / name) for name in ("docker-compose.yml", *more)]
    named = [part for file in files for part in ("--file", file)]
    command = [*compose_command(), *named, "config"]
    text = subprocess.check_output(command, env=os.environ | variables, text=True)
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def test_of_a_signed_site_the_model_server_waits_for_the_verification(tmp_path: Path) -> None:
    key = tmp_path / "verify.pub"
    services = shown_with("deploy/signed/compose.yml", US_BILLS_VERIFY_KEY=str(key))
    awaited = services["serving"]["depends_on"]["verify"]["condition"]
    assert awaited == "service_completed_successfully"
    for name in ("verify", "serving", "rollout"):
        assert services[name]["environment"]["US_BILLS_VERIFY_KEY"] == "/keys/verify.pub"
        assert str(key) in str(services[name]["volumes"])
    command = [*services["verify"]["entrypoint"], *services["verify"]["command"]]
    assert command[:4] == ["python3", "-m", "serving", "verify"]
    verify_parser().parse_args(command[4:])


def test_with_mutual_tls_server_and_clients_get_their_files(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    services = shown_with("deploy/mutual-tls/compose.yml", US_BILLS_CERTIFICATES=str(tmp_path))
    assert services["serving"]["entrypoint"][:3] == SERVICES["serving"]["entrypoint"]
    assert services["serving"]["entrypoint"][3:] == ["--ssl_config_file=/tls/ssl.config"]
    # With certificates, a name stands for addresses that speak TLS.
    assert services["rollout"]["entrypoint"] == SERVICES["rollout"]["entrypoint"]
    for name in ("web", "rollout"):
        given = services[name]["environment"]
        mounted = [str(volume) for volume in services[name]["volumes"]]
        for variable in ("MODEL_SERVER_CA", "CLIENT_CERT", "CLIENT_KEY"):
            file = Path(given[f"US_BILLS_{variable}"]).name
            assert (tmp_path / file).is_file()
            assert any(str(tmp_path / file) in each for each in mounted)


def shown_with(file: str, **variables: str) -> dict[str, Any]:
    """The services as Compose understands both files, those of all profiles."""
    named = [part for each in ("docker-compose.yml", file) for part in ("--file", str(ROOT / each))]
    text = subprocess.check_output(
        [*compose_command(), *named, "--profile", "tools", "config"],
        env=os.environ | variables,
        text=True,
    )
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def server_flags(**variables: str) -> list[str]:
    """The model server's flags in Compose, which some versions show as one text."""
    command = shown_by_compose(**variables)["serving"]["command"]
    return shlex.split(command) if isinstance(command, str) else command


def procfile_flags(**variables: str) -> list[str]:
    """The model server's flags of `make run`, as its shell makes them."""
    (line,) = re.findall(r"^serving: exec (.*)$", (ROOT / "Procfile").read_text(), re.MULTILINE)
    shown = subprocess.check_output(
        ["sh", "-c", f"printf '%s\\n' {line}"], env=os.environ | variables, text=True
    )
    return shown.splitlines()


FLAGS = pytest.mark.parametrize("flags", [server_flags, procfile_flags])


@FLAGS
def test_the_halves_of_the_model_get_a_thread_each(flags: Callable[..., list[str]]) -> None:
    assert "--tensorflow_intra_op_parallelism=1" in flags()


@FLAGS
@pytest.mark.parametrize("workers", [1, 3, 20])
def test_all_that_the_front_ends_workers_ask_at_once_finds_room(
    flags: Callable[..., list[str]], workers: int
) -> None:
    (threads,) = [
        int(flag.partition("=")[2])
        for flag in flags(US_BILLS_WORKERS=str(workers))
        if flag.startswith("--grpc_max_threads=")
    ]
    # Beside the photos, each worker has a shadow's copy and a question about readiness under way.
    assert workers * (Settings().at_once + 2) <= threads


@FLAGS
def test_flags_are_added_without_an_edit(flags: Callable[..., list[str]]) -> None:
    added = "--enable_batching --rest_api_timeout_in_ms=100"
    assert flags(US_BILLS_SERVING_FLAGS=added) == [*flags(), *added.split()]


def test_both_ways_start_the_server_in_the_precision_that_a_variable_names() -> None:
    assert SERVICES["serving"]["entrypoint"][:2] == ["bash", "/config/start.sh"]
    for precision in ("float32", "bfloat16"):
        environment = shown_by_compose(US_BILLS_PRECISION=precision)["serving"]["environment"]
        assert environment["US_BILLS_PRECISION"] == precision
    assert procfile_flags()[:2] == ["bash", "serving/config/start.sh"]


def test_either_image_has_the_entry_that_compose_starts() -> None:
    # TensorFlow Serving's image has it too.
    assert SERVICES["serving"]["entrypoint"][2:] == ["/usr/bin/tf_serving_entrypoint.sh"]
    entry = ("serving/local/tf_serving_entrypoint.sh", "/usr/bin/tf_serving_entrypoint.sh")
    assert entry in copied(DOCKERFILES["serving/local"])
    assert (ROOT / entry[0]).stat().st_mode & 0o111 == 0o111


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
    bases = re.findall(r"^ARG \w*BASE=(.+)$", DOCKERFILES[name], re.MULTILINE)
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) or base == "${BASE}" for base in bases)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILES[name], re.MULTILINE)) == {
        "${BASE}",
        "${BUILD_BASE}",
    }


def test_the_digests_of_all_images_that_are_named_by_tag_are_looked_up(tmp_path: Path) -> None:
    # In the registries' place: a digest for each name that is asked for.
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo "of:$4"\n')
    docker.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    found = subprocess.check_output([ROOT / ".ci" / "digests"], text=True, env={"PATH": path})
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.y*ml")]
    text = "\n".join(file.read_text() for file in files)
    named = set(re.findall(r"image: (?:\$\{\w+:-)?([a-z/.-]+:[^\s}@]+)\}?$", text, re.MULTILINE))
    assert "tensorflow/serving:2.20.0" in named
    assert set(found.splitlines()) == {f"{image}@of:{image}" for image in named}


def test_a_digest_that_cannot_be_looked_up_is_an_error(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([ROOT / ".ci" / "digests"], env={"PATH": path}, check=False)
    assert done.returncode != 0
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())
    (step,) = [s for s in weekly["jobs"]["digests"]["steps"] if "digests" in s.get("run", "")]
    assert step["shell"] == "bash"


def test_the_image_holds_all_that_the_front_end_imports(tmp_path: Path) -> None:
    for source, target in copied(DOCKERFILES["webapp"]):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, dirs_exist_ok=True)
    code = "import webapp.__main__, sys; print(webapp.__file__, 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "webapp" / "__init__.py"), "False"]


def test_dockerignore_lets_through_what_the_images_copy_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    let_through = {line[1:] for line in lines if line[0] == "!"}
    sources = {source for text in DOCKERFILES.values() for source, _ in copied(text)}
    assert let_through == {s for s in sources if not any(s.startswith(f"{o}/") for o in sources)}


def test_more_workers_can_be_given_more_memory_and_proxies_be_believed() -> None:
    given = {
        "US_BILLS_WORKERS": "2",
        "US_BILLS_WEB_MEMORY": "3g",
        "US_BILLS_SERVING_MEMORY": "4g",
        "US_BILLS_PROXIES": "1",
    }
    services = shown_by_compose(**given)
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


def test_feedback_is_kept_only_with_the_file_that_switches_it_on(tmp_path: Path) -> None:
    usual = shown_by_compose()["web"]
    assert "US_BILLS_FEEDBACK" not in usual["environment"]
    given = {"US_BILLS_OWNER": "1001:1002", "US_BILLS_FEEDBACK": str(tmp_path)}
    kept = shown_by_compose("deploy/feedback.yml", **given)["web"]
    assert kept["user"] == "1001:1002"
    assert kept["environment"].items() >= usual["environment"].items()
    assert kept["environment"]["US_BILLS_FEEDBACK"] == "/feedback"
    assert int(kept["environment"]["US_BILLS_FEEDBACK_BYTES"]) == Settings().feedback_bytes
    assert int(kept["environment"]["US_BILLS_FEEDBACK_DAYS"]) == Settings().feedback_days
    assert int(kept["environment"]["US_BILLS_FEEDBACK_RATE"]) == Settings().feedback_rate
    assert [v for v in kept["volumes"] if v not in usual["volumes"]] == [f"{tmp_path}:/feedback:rw"]


def test_every_variable_of_the_compose_files_is_in_the_manual() -> None:
    files = (ROOT / "docker-compose.yml", ROOT / "deploy" / "feedback.yml")
    used = {name for f in files for name in re.findall(r"\$\{(US_BILLS_\w+)", f.read_text())}
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert not [name for name in used if f"`{name}`" not in manual]


def test_builds_on_bases_made_here_have_the_names_that_compose_has() -> None:
    named = {
        (service["build"]["dockerfile"], re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"]))
        for service in SERVICES.values()
        if "build" in service
    }
    assert {(file, tag) for file, _, tag in bases.IMAGES} == named


def test_packages_are_installed_by_make_as_by_the_images_without_running_their_code() -> None:
    for text in (*DOCKERFILES.values(), (ROOT / "Makefile").read_text()):
        installs = [
            line for line in text.replace("\\\n", " ").splitlines() if "--require-hashes" in line
        ]
        assert installs
        assert all("--only-binary=:all:" in line for line in installs)
