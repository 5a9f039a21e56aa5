"""A rollout of versions in a bucket, by a Job with a copy of its files."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from serving.traffic import Traffic, read
from tests.serving import models
from tests.serving.bucket.site import PUSH, REMOTE, Bucket, Site, files_of, needs_a_bucket
from tests.support.servers import free_port

pytestmark = needs_a_bucket


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
