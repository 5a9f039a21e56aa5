"""An S3 server, and a bucket on it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
import requests

from tests.serving.bucket.site import BUCKET, MOTO, Bucket
from tests.support.servers import HOST, free_port, wait_until


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    """The port of an S3 server that keeps everything in memory."""
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
    """An empty bucket."""
    requests.post(f"http://{HOST}:{moto}/moto-api/reset", timeout=30)
    made = Bucket(moto)
    made.rclone("mkdir", f"bucket:{BUCKET}")
    return made
