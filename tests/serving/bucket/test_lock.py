"""Two rollouts never work on one bucket at the same time."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.serving.bucket.site import REMOTE, Bucket, Job, end_of, needs_a_bucket
from tests.support.servers import ROOT, free_port, wait_until

pytestmark = needs_a_bucket


@pytest.fixture
def first(bucket: Bucket, tmp_path: Path) -> Job:
    """A Job that holds the bucket."""
    job = Job(bucket, tmp_path / "first", "rollout-first", "promote 2")
    assert end_of(job.lock()) == (0, "")
    return job


@pytest.fixture
def second(bucket: Bucket, tmp_path: Path) -> Job:
    """Another one, which has not begun."""
    return Job(bucket, tmp_path / "second", "rollout-second", "rollback")


def test_a_second_job_is_refused_with_the_first_ones_name_and_command(
    bucket: Bucket, first: Job, second: Job
) -> None:
    status, said = end_of(second.lock())
    assert status == 1
    assert said.startswith(f"Another rollout holds the bucket: {first.name} (`promote 2`). Wait")
    assert f"\n  kubectl --namespace us-bills delete job {first.name}\n" in said
    assert claims(bucket) == [first.name]


def test_a_second_job_waits_for_a_short_one(bucket: Bucket, first: Job, second: Job) -> None:
    waiting = second.lock(seconds=60)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(2)
    bucket.rclone("deletefile", f"{REMOTE}/lock/{first.name}")
    assert end_of(waiting) == (0, "")
    assert claims(bucket) == [second.name]


def test_of_several_that_come_at_once_one_holds_the_bucket(bucket: Bucket, tmp_path: Path) -> None:
    jobs = [Job(bucket, tmp_path / str(n), f"rollout-{n}", "rollback") for n in range(4)]
    results = [end_of(process)[0] for process in [job.lock(seconds=20) for job in jobs]]
    assert sorted(results) == [0, 1, 1, 1]
    assert claims(bucket) == [jobs[results.index(0)].name]


def test_status_needs_no_lock(bucket: Bucket, tmp_path: Path, first: Job) -> None:
    status = Job(bucket, tmp_path / "status", "rollout-status", "--model us_bills status --json")
    assert end_of(status.lock()) == (0, "")
    assert claims(bucket) == [first.name]


@pytest.mark.parametrize(
    "command",
    ["publish '/models/incoming/my status 2'", "publish status", "--model status canary 2"],
)
def test_a_command_about_what_is_named_status_needs_one(
    bucket: Bucket, tmp_path: Path, first: Job, command: str
) -> None:
    assert end_of(Job(bucket, tmp_path / "other", "rollout-other", command).lock())[0] == 1


def test_a_claim_that_nobody_renews_counts_no_more(
    bucket: Bucket, tmp_path: Path, first: Job
) -> None:
    late = Job(bucket, tmp_path / "late", "rollout-late", "rollback", EXPIRES="1s")
    assert end_of(late.lock(seconds=60)) == (0, "")
    assert claims(bucket) == [late.name]


def locked(bucket: Bucket, folder: Path) -> Job:
    """A job that has claimed the bucket, and renews that every second while it runs."""
    job = Job(bucket, folder, "rollout-x", "promote 2", RENEWS="1")
    assert end_of(job.lock()) == (0, "")
    return job


def test_a_claim_is_renewed_while_the_command_runs_and_gone_after_it(
    bucket: Bucket, tmp_path: Path
) -> None:
    job = locked(bucket, tmp_path)
    with job.push() as pushing:
        wait_until_renewed(bucket)
    assert end_of(pushing) == (0, "")
    assert claims(bucket) == []


def test_a_job_whose_claim_is_gone_brings_nothing_to_the_bucket(
    bucket: Bucket, tmp_path: Path
) -> None:
    job = locked(bucket, tmp_path)
    with job.push() as pushing:
        wait_until_renewed(bucket)
        withdraw(bucket, job)
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "models.config").write_text("new")
    status, said = end_of(pushing)
    assert status == 1
    assert said.count("nothing more is brought to the bucket") == 1
    assert bucket.rclone("lsf", "--recursive", "--files-only", REMOTE) == ""


def test_a_job_that_fails_before_its_command_gives_the_bucket_back(
    bucket: Bucket, first: Job
) -> None:
    assert end_of(first.or_unlock("true"))[0] == 0
    assert claims(bucket) == [first.name]
    assert end_of(first.or_unlock("sh", "-c", "exit 3"))[0] == 3
    assert claims(bucket) == []


def test_a_job_that_is_deleted_before_its_command_gives_the_bucket_back(
    bucket: Bucket, first: Job
) -> None:
    pulling = first.or_unlock("sleep", "60")
    time.sleep(1)
    pulling.terminate()
    assert end_of(pulling)[0] == 143
    assert claims(bucket) == []


def test_the_documented_command_frees_a_bucket_that_a_dead_job_holds(
    bucket: Bucket, first: Job, second: Job
) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    (command,) = re.findall(r"^\$ (rclone deletefile .*)$", manual, re.MULTILINE)
    words = command.replace("rollout-x7k2p", first.name)
    subprocess.run(["sh", "-c", words], env=bucket.environment, check=True)
    assert end_of(second.lock()) == (0, "")


def test_a_bucket_that_is_away_is_an_error(tmp_path: Path) -> None:
    job = Job(Bucket(free_port()), tmp_path, "rollout-x", "rollback")
    status, said = end_of(job.lock())
    assert status != 0
    assert "connection refused" in said


def withdraw(bucket: Bucket, job: Job) -> None:
    """Deletes a claim, again where a renewal under way has brought it back."""
    for _ in wait_until("the claim to stay away", time.monotonic() + 60):
        if job.name in claims(bucket):
            bucket.rclone("deletefile", f"{REMOTE}/lock/{job.name}")
        time.sleep(2)
        if not claims(bucket):
            return


def claims(bucket: Bucket) -> list[str]:
    return bucket.rclone("lsf", f"{REMOTE}/lock").split()


def wait_until_renewed(bucket: Bucket) -> None:
    """Of times that stores keep to the second."""
    times = ["lsf", "--format", "t", "--use-server-modtime", f"{REMOTE}/lock"]
    before = bucket.rclone(*times)
    for _ in wait_until("the claim to be renewed", time.monotonic() + 60):
        if bucket.rclone(*times) != before:
            return
