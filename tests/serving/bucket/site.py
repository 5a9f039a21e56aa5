"""A bucket, and a site whose pods and Job work on copies of the bucket."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.rollout.conftest import CONFIG
from tests.support.servers import HOST, ROOT, ModelServer

COMPONENT = ROOT / "deploy" / "kubernetes" / "components" / "models-bucket"
LOCK, PULL, PUSH = (COMPONENT / name for name in ("lock.sh", "pull.sh", "push.sh"))
OR_UNLOCK = COMPONENT / "or_unlock.sh"
BUCKET = "us-bills-models"
REMOTE = f"bucket:{BUCKET}"
MODELS = "us_bills us_bills_count"

MOTO = shutil.which("moto_server")

needs_a_bucket = pytest.mark.skipif(
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


def files_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Job:
    """What runs beside the command of a Job: its claim, and what brings files back."""

    def __init__(
        self, bucket: Bucket, folder: Path, name: str, command: str, **variables: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self._environment = bucket.environment | {"COMMAND": command, **variables}

    def lock(self, seconds: int = 0) -> subprocess.Popen[str]:
        """Begins to claim the bucket, and waits for others so long."""
        return self._start(LOCK, self.name, str(seconds))

    def or_unlock(self, *command: str) -> subprocess.Popen[str]:
        """Begins a command that gives the bucket back if it fails."""
        words = ["sh", str(OR_UNLOCK), REMOTE, self.name, *command]
        return subprocess.Popen(words, env=self._environment, stderr=subprocess.PIPE, text=True)

    @contextmanager
    def push(self, models_named: str = MODELS) -> Iterator[subprocess.Popen[str]]:
        """Brings back what is new, for the last time at the end of the block."""
        process = self._start(PUSH, models_named, self.name)
        try:
            yield process
        finally:
            process.terminate()

    def _start(self, script: Path, *arguments: str) -> subprocess.Popen[str]:
        command = ["sh", str(script), REMOTE, str(self.folder), *arguments]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status, and what it said."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said


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
        """One Job: the lock, a fresh copy of the files, the command; what it made goes back."""
        shutil.rmtree(self._job, ignore_errors=True)
        job = Job(self._bucket, self._job, f"rollout-{words[0]}", shlex.join(words))
        assert end_of(job.lock()) == (0, "")
        self.pull(self._job, "half")
        config = f"--config={self._job}/config/models.config"
        where = [config, f"--models-root={self._job}", f"--server={self.server.grpc_url}"]
        with job.push("half") as pushing:
            done = subprocess.run(
                [sys.executable, "-m", "serving", "rollout", *where, "--webapp=", *words],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
        status, said = end_of(pushing)
        # A file that the command writes just then fails one attempt; the last one must succeed.
        assert status == 0, said
        return done

    @property
    def _environment(self) -> dict[str, str]:
        return self._bucket.environment | {"DEFAULTS": str(self._defaults)}
