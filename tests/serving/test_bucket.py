"""Versions in a bucket: a real S3 protocol, the real rclone, and the scripts of pods and Job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from serving.traffic import Traffic, read
from tests.serving import models
from tests.serving.rollout.conftest import CONFIG
from tests.support.servers import HOST, ROOT, ModelServer, free_port, wait_until

COMPONENT = ROOT / "deploy" / "kubernetes" / "components" / "models-bucket"
PULL, PUSH = COMPONENT / "pull.sh", COMPONENT / "push.sh"
BUCKET = "us-bills-models"
REMOTE = f"bucket:{BUCKET}"
MODELS = "us_bills us_bills_count"

MOTO = shutil.which("moto_server")

pytestmark = pytest.mark.skipif(
    not (shutil.which("rclone") and MOTO), reason="rclone or moto_server is not installed"
)


class Bucket:
    """One bucket of a server that speaks S3, and what rclone needs to know of it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        # Nothing of this machine's own account.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RCLONE_"))}
        self.environment = inherited | {
            "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_BUCKET_TYPE": "s3",
            "RCLONE_CONFIG_BUCKET_PROVIDER": "Other",
            "RCLONE_CONFIG_BUCKET_ENDPOINT": self.url,
            "RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID": "key",
            "RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY": "secret",
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }

    def rclone(self, *arguments: str) -> str:
        return subprocess.check_output(["rclone", *arguments], env=self.environment, text=True)

    def pull(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Runs the script once."""
        command = ["sh", str(PULL), REMOTE, str(folder), MODELS]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )

    def upload(self, version: Path, number: int, model: str = "us_bills") -> None:
        """Uploads a version by the documented commands."""
        manual = (ROOT / "docs" / "operations.md").read_text()
        commands = re.findall(r"^rclone copy .*$", manual, re.MULTILINE)
        assert len(commands) == 2
        for command in commands:
            here = command.replace("models/us_bills/2 ", f"{version} ", 1)
            there = here.replace("us_bills/2", f"{model}/{number}")
            subprocess.run(["sh", "-c", there], env=self.environment, check=True)


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    """The port of a server that speaks S3 and keeps everything in memory."""
    port = free_port()
    process = subprocess.Popen(
        [str(MOTO), "-H", HOST, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in wait_until("the S3 server", time.monotonic() + 120):
            try:
                requests.get(f"http://{HOST}:{port}", timeout=5)
                break
            except requests.RequestException:
                assert process.poll() is None
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bucket(moto: int) -> Bucket:
    """An empty one."""
    requests.post(f"http://{HOST}:{moto}/moto-api/reset", timeout=30)
    made = Bucket(moto)
    made.rclone("mkdir", f"bucket:{BUCKET}")
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_whole_versions_are_brought_under_their_numbers(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        bucket.upload(small_models / "half" / str(number), number)
    bucket.rclone("copy", str(small_models / "half" / "3"), f"{REMOTE}/us_bills/notes")
    done = bucket.pull(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "us_bills").iterdir()} == {"1", "2"}
    for name in ("1", "2"):
        assert files_of(tmp_path / "us_bills" / name) == files_of(small_models / "half" / name)


def test_every_model_gets_its_versions(bucket: Bucket, small_models: Path, tmp_path: Path) -> None:
    bucket.upload(small_models / "half" / "1", 1)
    bucket.upload(small_models / "half" / "2", 1, "us_bills_count")
    assert bucket.pull(tmp_path).returncode == 0
    for name, version in (("us_bills", "1"), ("us_bills_count", "2")):
        assert files_of(tmp_path / name / "1") == files_of(small_models / "half" / version)


def test_a_model_that_the_bucket_lacks_keeps_no_other_waiting(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    bucket.upload(small_models / "half" / "1", 1)
    done = bucket.pull(tmp_path)
    assert done.returncode == 0
    assert done.stderr == "the bucket has no version of us_bills_count\n"
    assert [path.name for path in sorted(tmp_path.glob("*/*"))] == ["1"]


def test_a_version_on_its_way_into_the_bucket_is_left_there(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    version = small_models / "half" / "1"
    bucket.rclone("copy", "--exclude", "saved_model.pb", str(version), f"{REMOTE}/us_bills/1")
    assert bucket.pull(tmp_path).returncode == 0
    assert not list((tmp_path / "us_bills").iterdir())


def test_a_pull_that_was_cut_off_is_finished_by_the_next(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    bucket.upload(small_models / "half" / "1", 1)
    draft = tmp_path / "us_bills" / ".pull-1"
    (draft / "variables").mkdir(parents=True)
    (draft / "saved_model.pb").write_bytes(b"half of it")
    (draft / "left over").write_bytes(b"")
    assert bucket.pull(tmp_path).returncode == 0
    assert files_of(tmp_path / "us_bills" / "1") == files_of(small_models / "half" / "1")
    assert not draft.exists()


def test_a_version_that_is_here_is_never_changed(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    here = models.publish(small_models / "half" / "1", tmp_path / "us_bills", 1)
    bucket.upload(small_models / "half" / "2", 1)
    assert bucket.pull(tmp_path).returncode == 0
    assert files_of(here) == files_of(small_models / "half" / "1")


def test_a_bucket_that_is_away_is_an_error_and_leaves_what_is_here(
    small_models: Path, tmp_path: Path
) -> None:
    models.publish(small_models / "half" / "1", tmp_path / "us_bills", 1)
    done = Bucket(free_port()).pull(tmp_path)
    assert done.returncode != 0
    assert "connection refused" in done.stderr
    assert {path.name for path in (tmp_path / "us_bills").iterdir()} == {"1"}


def test_a_server_loads_a_version_that_comes_while_both_run(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    bucket.upload(small_models / "half" / "1", 1)
    folder = tmp_path / "us_bills"
    command = ["sh", str(PULL), REMOTE, str(tmp_path), MODELS, "1"]
    flags = ["--model_name=us_bills", f"--model_base_path={folder}"]
    server = ModelServer(tmp_path / "server", flags, wait_for=["us_bills"])
    with subprocess.Popen(command, env=bucket.environment, stdout=subprocess.DEVNULL) as pulling:
        try:
            for _ in wait_until("version 1", time.monotonic() + 60):
                if (folder / "1").exists():
                    break
            with server:
                bucket.upload(small_models / "half" / "2", 2)
                server.wait_for_state("us_bills", 2, "AVAILABLE", 60)
        finally:
            pulling.kill()


class Site:
    """A model server, a front end and the Job of a rollout, each with its own copy of the files."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self.pod, self.web, self._job = (folder / name for name in ("pod", "web", "job"))
        self._defaults = folder / "defaults"
        self._defaults.mkdir()
        (self._defaults / "models.config").write_text(CONFIG.format("/models"))
        self.server = ModelServer(
            folder / "server",
            [
                f"--model_config_file={self.pod}/config/models.config",
                f"--models_root={self.pod}",
                "--allow_version_labels_for_unavailable_models",
            ],
            wait_for=["half"],
        )

    def pull(self, folder: Path, models_named: str) -> None:
        """Brings what the bucket has, as a pod does before it starts."""
        command = ["sh", str(PULL), REMOTE, str(folder), models_named]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)

    @contextmanager
    def pulling(self, folder: Path, models_named: str) -> Iterator[None]:
        """Brings what is new, as the container beside a server does."""
        command = ["sh", str(PULL), REMOTE, str(folder), models_named, "1"]
        with subprocess.Popen(command, env=self._environment) as process:
            try:
                yield
            finally:
                process.kill()

    def rollout(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One Job: a fresh copy of the files, the command, and what it made goes to the bucket."""
        shutil.rmtree(self._job, ignore_errors=True)
        self.pull(self._job, "half")
        push = ["sh", str(PUSH), REMOTE, str(self._job), "half"]
        with subprocess.Popen(push, env=self._environment) as pushing:
            try:
                config = f"--config={self._job}/config/models.config"
                where = [config, f"--models-root={self._job}", f"--server={self.server.grpc_url}"]
                done = subprocess.run(
                    [sys.executable, "-m", "serving", "rollout", *where, "--webapp=", *words],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            finally:
                pushing.terminate()
            assert pushing.wait(60) == 0
        return done

    @property
    def _environment(self) -> dict[str, str]:
        return self._bucket.environment | {"DEFAULTS": str(self._defaults)}


def test_a_version_is_published_to_the_bucket_tried_and_promoted(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    bucket.upload(small_models / "half" / "1", 1, "half")
    site = Site(bucket, tmp_path)
    site.pull(site.pod, "half")
    with site.pulling(site.pod, "half"), site.server:
        for words in (
            ["publish", str(small_models / "half" / "2")],
            ["canary", "2", "--percent", "10"],
        ):
            done = site.rollout(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        assert site.server.states("half") == {1: "AVAILABLE", 2: "AVAILABLE"}
        site.pull(site.web, "")
        assert read(site.web / "config" / "traffic.json", "half").of("half") == Traffic(2, 10.0)
        assert not (site.web / "half").exists()
        done = site.rollout("promote", "2")
        assert done.returncode == 0, done.stdout + done.stderr
    # A pod that comes later has all of it.
    shutil.rmtree(site.pod)
    site.pull(site.pod, "half")
    assert files_of(site.pod / "half" / "2") == files_of(small_models / "half" / "2")
    with site.server:
        done = site.rollout("status")
        (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("2 ")]
        assert row[:6] == ["2", "yes", "AVAILABLE", "stable", "100", "%"]


def test_what_a_rollout_made_waits_for_a_bucket_that_is_away(
    small_models: Path, tmp_path: Path
) -> None:
    models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    (tmp_path / "config").mkdir()
    command = ["sh", str(PUSH), REMOTE, str(tmp_path), "half"]
    away = Bucket(free_port()).environment
    with subprocess.Popen(command, env=away, stderr=subprocess.PIPE, text=True) as pushing:
        time.sleep(1)
        (tmp_path / "config" / "models.config").write_text("new")
        assert pushing.stderr is not None
        assert any("the bucket cannot be written" in line for line in pushing.stderr)
        pushing.terminate()
        # It says that something is left.
        assert pushing.wait(60) == 1
