"""A Docker engine, the images built from this checkout, and the compose file run with them."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, BuildError

from tests.containers import bases
from tests.containers.stack import (
    PHOTO,
    Stack,
    compose_command,
    connected_engine,
    require_image,
    run_python,
)
from tests.support.servers import ROOT

WEB_IMAGE = "us-bills-web:test"
LOCAL_IMAGE = "us-bills-serving:test"
MODEL_SERVERS = [
    os.environ.get("US_BILLS_SERVING_IMAGE") or LOCAL_IMAGE,
    "tensorflow/serving:2.20.0",
]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A Docker engine that answers, or a skip."""
    client = connected_engine()
    yield client
    client.close()


@pytest.fixture(scope="session")
def made_bases(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Whether base images were made locally; otherwise builds pull those of the Dockerfiles."""
    if bases.can_be_made():
        bases.make(engine, tmp_path_factory.mktemp("bases"))
    return bases.can_be_made()


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build context: the files of a clone, and a golden photo as in a used checkout.

    Uncommitted files are included, so that work in progress can be tested.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git does not list the files of this checkout: {error}")
    folder = tmp_path_factory.mktemp("context")
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    golden = folder / "serving" / "config" / "golden"
    golden.mkdir()
    (golden / "20.jpg").write_bytes(PHOTO)
    return folder


@pytest.fixture(scope="session")
def web_image(engine: docker.DockerClient, made_bases: bool, context: Path) -> str:
    """The front end's image, built from this checkout as the README says."""
    arguments = {"BASE": bases.RUN_BASE, "BUILD_BASE": bases.BUILD_BASE} if made_bases else {}
    _build(engine, context, "webapp/Dockerfile", WEB_IMAGE, arguments)
    return WEB_IMAGE


@pytest.fixture(scope="session")
def local_image(engine: docker.DockerClient, made_bases: bool, context: Path) -> str:
    """The local model server's image.

    On locally made bases it is built without TensorFlow, which takes minutes and 4 GB; the
    container uses this Python's TensorFlow instead (`Stack`).
    `US_BILLS_SERVING_IMAGE=us-bills-serving` runs the tests against a complete image.
    """
    if not made_bases:
        _build(engine, context, "serving/local/Dockerfile", LOCAL_IMAGE, {})
        return LOCAL_IMAGE
    lock = context / "requirements" / "serving.txt"
    lock.write_text(_without_tensorflow(lock.read_text()))
    arguments = {"BASE": bases.BASH_BASE, "BUILD_BASE": bases.BUILD_BASE}
    _build(engine, context, "serving/local/Dockerfile", LOCAL_IMAGE, arguments)
    return LOCAL_IMAGE


@pytest.fixture(scope="session", params=MODEL_SERVERS)
def images(
    request: pytest.FixtureRequest, engine: docker.DockerClient, web_image: str, local_image: str
) -> tuple[str, str, str]:
    """The images of front end, model server and tools, once for each model server."""
    if request.param != LOCAL_IMAGE:
        require_image(engine, request.param)
    return web_image, request.param, local_image


@pytest.fixture(scope="session")
def packages(engine: docker.DockerClient, local_image: str) -> Path | None:
    """This Python's packages, for an image without TensorFlow but with the same minor version."""
    probe = (
        "import importlib.util as u, sys;"
        "print(*sys.version_info[:2], bool(u.find_spec('tensorflow')))"
    )
    major, minor, whole = run_python(engine, local_image, probe).split()
    if whole == "True":
        return None
    if (int(major), int(minor)) != sys.version_info[:2]:
        pytest.skip(f"the bases made here have Python {major}.{minor}, this is {sys.version}")
    return Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="session")
def stack(
    engine: docker.DockerClient,
    images: tuple[str, str, str],
    packages: Path | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """`docker compose up`, once for each model server."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(engine, compose_command(), folder, *images, packages) as running:
        yield running


def _build(
    engine: docker.DockerClient, context: Path, file: str, tag: str, arguments: dict[str, str]
) -> None:
    try:
        engine.images.build(
            path=str(context), dockerfile=file, tag=tag, buildargs=arguments, rm=True
        )
    except BuildError as error:
        output = "".join(str(line.get("stream", line)) for line in error.build_log)
        pytest.fail(f"{file}: {error}\n{output}")
    except APIError:
        if arguments:
            raise
        pytest.skip(f"the base image of {file} is not here and cannot be pulled")


def _without_tensorflow(lock: str) -> str:
    """Returns the entries of a lock file that the local server imports itself."""
    blocks = ("\n" + lock).replace(" \\\n    ", " \\  ").splitlines()
    needed = {"cmeel", "cmeel-mimalloc", "grpcio", "numpy", "protobuf", "typing-extensions"}
    kept = [line for line in blocks if line.partition("==")[0] in needed]
    return "\n".join(line.replace(" \\  ", " \\\n    ") for line in kept) + "\n"
