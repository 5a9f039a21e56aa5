"""A version is rolled out and back while clients send requests: no request fails."""

import os
import time
from collections import Counter

import pytest
import requests

from tests.containers.stack import PHOTO, Stack
from tests.support.servers import wait_until

# The second and the first version of control groups.
PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
CONFIG = """
model_config_list {{
  config {{
    name: "us_bills"
    base_path: "/models/us_bills"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ {versions} }} }}
    version_labels {{ key: "stable" value: {stable} }}
  }}
}}
"""


def configure(stack: Stack, *versions: int, stable: int) -> None:
    """Replaces the configuration by one rename, so that nobody reads half of it."""
    named = " ".join(f"versions: {version}" for version in versions)
    fresh = stack.config / "models.config.new"
    fresh.write_text(CONFIG.format(versions=named, stable=stable))
    os.replace(fresh, stack.config / "models.config")


def wait_until_available(stack: Stack, version: int) -> None:
    for _ in wait_until(f"version {version}", time.monotonic() + 180):
        states = requests.get(f"{stack.rest_url}/v1/models/us_bills", timeout=5).json()
        found = {s["version"]: s["state"] for s in states["model_version_status"]}
        if found.get(str(version)) == "AVAILABLE":
            return


def wait_for_answers(got: Counter[str], version: int) -> None:
    name = f"200 by version {version}"
    before = got[name]
    for _ in wait_until(name, time.monotonic() + 180):
        if got[name] > before + 10:
            return


def test_an_edited_configuration_moves_versions_without_a_failed_request(stack: Stack) -> None:
    with stack.load() as got:
        configure(stack, 1, 2, stable=1)
        wait_until_available(stack, 2)
        configure(stack, 1, 2, stable=2)
        wait_for_answers(got, 2)
        configure(stack, 1, 2, stable=1)
        wait_for_answers(got, 1)
    assert set(got) == {"200 by version 1", "200 by version 2"}, got
    assert stack.predict().json()["model"]["version"] == 1


def test_the_rollout_command_works_in_a_container(stack: Stack) -> None:
    configure(stack, 1, stable=1)
    with stack.load() as got:
        stack.rollout("canary", "2", "--percent", "50")
        assert "canary" in stack.rollout("status")
        stack.rollout("promote", "2")
        wait_for_answers(got, 2)
        stack.rollout("rollback")
        wait_for_answers(got, 1)
    assert set(got) == {"200 by version 1", "200 by version 2"}, got


def test_a_command_of_another_user_says_which_owner_to_name(stack: Stack) -> None:
    done = stack.run("run", "--rm", "-T", "--user", "12345:12345", "rollout", "rollback")
    assert done.returncode == 1
    assert "This process runs as 12345:12345" in done.stderr
    assert f"US_BILLS_OWNER={os.getuid()}:{os.getgid()}" in done.stderr


def test_two_versions_fit_into_the_memory_that_the_model_server_may_take(stack: Stack) -> None:
    configure(stack, 1, 2, stable=1)
    wait_until_available(stack, 2)
    pictures = [("image", PHOTO)] * 16
    for version in ("1", "2"):
        # Explained, which takes most; whether a busy machine answers in time is not asked here.
        address = f"{stack.web_url}/predict?explain=1&version={version}"
        requests.post(address, files=pictures, timeout=60)
    container = stack.container("serving")
    assert memory_peak(stack) < container.attrs["HostConfig"]["Memory"]
    assert container.attrs["State"]["OOMKilled"] is False


def memory_peak(stack: Stack) -> int:
    """The most that the model server's container has had, from its own account."""
    for file in PEAKS:
        command = ["bash", "-c", f'[[ ! -e {file} ]] || echo "$(<{file})"']
        if said := stack.inside("serving", *command):
            return int(said)
    return pytest.skip("this kernel keeps no record of a container's peak of memory")
