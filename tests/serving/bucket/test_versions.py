"""Pods copy only complete versions from a bucket."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.serving import models
from tests.serving.bucket.site import MODELS, PULL, REMOTE, Bucket, files_of, needs_a_bucket
from tests.support.servers import ModelServer, free_port, wait_until

pytestmark = needs_a_bucket


def test_whole_versions_are_brought_under_their_numbers(
    bucket: Bucket, small_models: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        bucket.upload(small_models / "half" / str(number), number)
    bucket.rclone("copy", str(small_models / "half" / "3"), f"{REMOTE}/us_bills/3 old")
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
