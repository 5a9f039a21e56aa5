"""Makes base images on this machine, for use where none can be pulled.

Debian packages are unpacked into an empty folder, as in the images that the Dockerfiles name:
`RUN_BASE` has Python and no shell, `BASH_BASE` has a shell too, `BUILD_BASE` also pip and the
certificates that this machine trusts. Needs `mmdebstrap` and root, on a Debian with that Python.
`python -m tests.containers.bases` makes them for a build by hand.
"""

import ensurepip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import docker

RUN_BASE = "us-bills-test-base:run"
BASH_BASE = "us-bills-test-base:bash"
BUILD_BASE = "us-bills-test-base:build"

IMAGES = (
    ("webapp/Dockerfile", RUN_BASE, "us-bills-web"),
    ("serving/local/Dockerfile", BASH_BASE, "us-bills-serving"),
)
"""What is built on them: the Dockerfile, its base, and the name that Compose has for it."""

_PACKAGES = "base-files,bash,dash,grep,libpython3-stdlib,libstdc++6,netbase,python3-minimal,tzdata"
_SHELLS = {"./bin/bash", "./bin/rbash", "./bin/dash", "./bin/sh", "./bin/grep"}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD = """\
FROM {bash_base}
COPY pip.whl certificates.crt /build/
ENV PYTHONPATH=/build/pip.whl PIP_CERT=/build/certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1
"""


def can_be_made() -> bool:
    """Whether this machine has what `make` needs."""
    return shutil.which("mmdebstrap") is not None and os.geteuid() == 0


def make(engine: docker.DockerClient, folder: Path) -> None:
    """Makes the three images, unless the engine has them; takes about 20 seconds.

    Raises:
        subprocess.CalledProcessError: `mmdebstrap` failed, for example without a network.
    """
    if all(engine.images.list(name) for name in (RUN_BASE, BASH_BASE, BUILD_BASE)):
        return
    whole, bare = folder / "whole.tar", folder / "bare.tar"
    _unpack_packages(whole)
    _copy_without(_SHELLS, whole, bare)
    for tar, name in ((bare, RUN_BASE), (whole, BASH_BASE)):
        repository, _, tag = name.partition(":")
        engine.api.import_image_from_file(str(tar), repository=repository, tag=tag)
    _add_pip(engine, folder)


def _unpack_packages(target: Path) -> None:
    suite = Path("/etc/os-release").read_text().partition("VERSION_CODENAME=")[2].split()[0]
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
    subprocess.run(
        ["mmdebstrap", "--variant=extract", f"--include={_PACKAGES}", *left_out, suite, target],
        check=True,
        capture_output=True,
    )


def _copy_without(names: set[str], source: Path, target: Path) -> None:
    with tarfile.open(source) as whole, tarfile.open(target, "w") as bare:
        for member in whole:
            if member.name not in names:
                content = whole.extractfile(member) if member.isfile() else None
                bare.addfile(member, content)


def _add_pip(engine: docker.DockerClient, folder: Path) -> None:
    context = folder / "build"
    context.mkdir()
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copy(wheel, context / "pip.whl")
    shutil.copy(_CERTIFICATES, context / "certificates.crt")
    (context / "Dockerfile").write_text(_BUILD.format(bash_base=BASH_BASE))
    engine.images.build(path=str(context), tag=BUILD_BASE, rm=True)


def main() -> None:
    """Makes the images and prints how to build on them."""
    with tempfile.TemporaryDirectory() as folder:
        make(docker.from_env(timeout=600), Path(folder))
    for file, run, tag in IMAGES:
        arguments = f"--build-arg BASE={run} --build-arg BUILD_BASE={BUILD_BASE}"
        sys.stdout.write(f"docker build {arguments} --file {file} --tag {tag} .\n")


if __name__ == "__main__":
    main()
