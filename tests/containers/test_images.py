"""The contents of the images: what they must and must not have."""

import docker
import pytest

from tests.containers.stack import run_python
from tests.support.servers import ROOT

ALLOWED_BYTES = 200_000_000


def test_the_front_ends_image_stays_below_200_mb(
    engine: docker.DockerClient, web_image: str
) -> None:
    assert engine.images.get(web_image).attrs["Size"] < ALLOWED_BYTES


@pytest.mark.parametrize("name", ["sh", "bash", "pip", "pip3", "apt-get", "gcc", "curl"])
def test_the_front_ends_image_has_no_shell_compiler_or_installer(
    engine: docker.DockerClient, web_image: str, name: str
) -> None:
    assert run_python(engine, web_image, f"import shutil; print(shutil.which({name!r}))") == "None"


def test_the_front_ends_image_holds_neither_tensorflow_nor_pip(
    engine: docker.DockerClient, web_image: str
) -> None:
    code = "import importlib.util as u; print([n for n in ('tensorflow', 'pip') if u.find_spec(n)])"
    assert run_python(engine, web_image, code) == "[]"


def test_the_front_ends_image_has_the_packages_of_its_lock_file_and_no_others(
    engine: docker.DockerClient, web_image: str
) -> None:
    code = (
        "import importlib.metadata as m;"
        "print(*(f'{d.name}=={d.version}' for d in m.distributions(path=['/packages'])))"
    )
    installed = run_python(engine, web_image, code).lower().replace("_", "-")
    assert set(installed.split()) == pinned_packages("webapp")


def pinned_packages(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return {line.split(" ")[0].lower() for line in lines if "==" in line}


@pytest.mark.parametrize("fixture", ["web_image", "local_image"])
def test_images_name_a_user_without_rights_and_keep_no_trace_of_the_build(
    engine: docker.DockerClient, request: pytest.FixtureRequest, fixture: str
) -> None:
    image = engine.images.get(request.getfixturevalue(fixture))
    assert image.attrs["Config"]["User"] == "65534:65534"
    assert not [line for line in image.attrs["Config"]["Env"] if line.startswith("PIP_")]
    assert "/build/" not in str(image.history())


def test_the_front_end_says_by_itself_whether_it_is_alive(
    engine: docker.DockerClient, web_image: str
) -> None:
    check = engine.images.get(web_image).attrs["Config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    assert check[1].startswith("python")
    assert "/livez" in check[-1]


@pytest.mark.parametrize("fixture", ["web_image", "local_image"])
def test_images_hold_no_configuration_and_none_of_what_lies_beside_it(
    engine: docker.DockerClient, request: pytest.FixtureRequest, fixture: str
) -> None:
    image = request.getfixturevalue(fixture)
    listed = run_python(engine, image, "import os; print(*os.listdir('/app/serving'))").split()
    assert "client" in listed
    assert "config" not in listed


def test_the_local_servers_image_has_its_allocator_in_a_form_that_loads(
    engine: docker.DockerClient, local_image: str
) -> None:
    code = "from serving.local.runtime.allocator import library; print(library())"
    assert run_python(engine, local_image, code) == "/packages/cmeel.prefix/lib/libmimalloc.so"
