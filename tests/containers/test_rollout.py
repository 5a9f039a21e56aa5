"""A version is rolled out and back while clients ask: no request fails."""

import os
import shutil
import time
from collections import Counter

import requests

from tests.containers.stack import Stack
from tests.support.servers import wait_until


def publish(stack: Stack, version: int) -> None:
    """Adds a version as `make train` does: written under another name, then renamed."""
    hidden = stack.models / f".{version}"
    shutil.copytree(stack.models / "1", hidden)
    hidden.rename(stack.models / str(version))
    for _ in wait_until(f"version {version}", time.monotonic() + 60):
        states = requests.get(f"{stack.rest_url}/v1/models/us_bills", timeout=5).json()
        found = {s["version"]: s["state"] for s in states["model_version_status"]}
        if found.get(str(version)) == "AVAILABLE":
            return


def point_stable_at(stack: Stack, version: int) -> None:
    """Replaces the configuration by one rename, so that nobody reads half of it."""
    file = stack.config / "models.config"
    text = file.read_text()
    for other in (1, 2):
        text = text.replace(f'key: "stable" value: {other}', f'key: "stable" value: {version}')
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)


def wait_for_answers(got: Counter[str], version: int) -> None:
    name = f"200 by version {version}"
    before = got[name]
    for _ in wait_until(name, time.monotonic() + 60):
        if got[name] > before + 10:
            return


def test_a_version_goes_out_and_back_without_a_failed_request(stack: Stack) -> None:
    with stack.load() as got:
        publish(stack, 2)
        point_stable_at(stack, 2)
        wait_for_answers(got, 2)
        point_stable_at(stack, 1)
        wait_for_answers(got, 1)
    assert set(got) == {"200 by version 1", "200 by version 2"}, got
    assert stack.predict().json()["model"]["version"] == 1
