"""Versions load and unload as in a real TensorFlow Serving: states, order, predictions."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.serving.exchanges import replay
from tests.serving.exchanges.comparing import same_json
from tests.serving.exchanges.recorded import KNOWN_DIFFERENCES, Case, Stage, cases
from tests.serving.exchanges.stages import Stages
from tests.serving.exchanges.timelines import HELD_ROUNDS, Disk
from tests.support.servers import ModelServer, wait_until

Snapshot = dict[int, str]

TIMELINES = cases(
    lambda c: 600 <= c.number < 647 and "events" in c.record and c.name not in KNOWN_DIFFERENCES
)
AFTERWARDS = {
    case.name: [c for c in cases(lambda _: True) if c.is_exchange and c.number in numbers]
    for case in TIMELINES
    for numbers in [{"600": range(601, 603), "610": range(611, 615)}.get(case.name[:3], range(0))]
}
ONE = {"instances": [1]}


class Scene:
    """A server with one model whose base path changes."""

    def __init__(self, case: Case, stage: Stage) -> None:
        config = stage.server.config or ""
        (self.model,) = re.findall(r'base_path: "[^"]*/(\w+)"', config.split("/models/half")[0])
        self.stage = stage
        self.server: ModelServer = stage.server
        self.disk = Disk(stage.folder / self.model, stage.models)
        self.disk.begin(case)
        self.server.start()

    def status(self) -> list[Any]:
        """What REST says of the versions, newest first, as recorded timelines have it.

        Of an error's text only whether there is one: its words are each server's own.
        """
        reply = requests.get(f"{self.server.rest_url}/v1/models/{self.model}", timeout=30)
        return [
            [
                entry["version"],
                entry["state"],
                entry["status"]["error_code"],
                bool(entry["status"]["error_message"]),
            ]
            for entry in reply.json()["model_version_status"]
        ]

    def wait_for(self, recorded: Sequence[Any]) -> None:
        """Waits until the status is as recorded."""
        expected = [[*entry[:3], bool(entry[3])] for entry in recorded]
        for _ in wait_until(f"status {expected}", time.monotonic() + 40):
            if (now := self.status()) == expected:
                return
        raise AssertionError(now)

    def snapshots(self) -> list[Snapshot]:
        """The states of all versions after each change, from the log."""
        states: Snapshot = {}
        taken = []
        pattern = rf"^serving: {self.model} version (-?\d+): (\w+)"
        for version, state in re.findall(pattern, self.server.output(), re.MULTILINE):
            states = states | {int(version): state}
            taken.append(states)
        return taken

    @contextmanager
    def asking(self) -> Iterator[list[str]]:
        """Predicts all the time; gives the replies, each once for as long as it stays the same."""
        replies: list[str] = []
        done = threading.Event()

        def ask() -> None:
            with requests.Session() as session:
                while not done.is_set():
                    url = f"{self.server.rest_url}/v1/models/{self.model}:predict"
                    reply = session.post(url, json.dumps(ONE), timeout=30)
                    text = f"{reply.status_code} {reply.json()}"
                    if not replies or replies[-1] != text:
                        replies.append(text)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield replies
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("case", TIMELINES[:-1], ids=lambda case: case.name)
def test_versions_come_and_go_as_recorded(case: Case, stages: Stages) -> None:
    scene = Scene(case, stages.prepare(case))
    if case.number == 640:
        _look_while_it_loads(case, scene)
        return
    events = case.record["events"]
    with scene.asking() as replies:
        _play(scene, events)
    assert replies == _recorded_replies(events)
    _require_in_order(_recorded_snapshots(events), scene.snapshots())
    for later in AFTERWARDS[case.name]:
        assert replay.difference(later, scene.stage) == "", later.name


def _look_while_it_loads(case: Case, scene: Scene) -> None:
    """Cases 640 to 646, which follow each other on one server."""
    rest = cases(lambda c: 640 < c.number <= 646)
    with scene.asking() as replies:
        scene.disk.act("version 2 appears")
        scene.wait_for([["2", "LOADING", "OK", ""], ["1", "AVAILABLE", "OK", ""]])
        for look in rest[:-1]:
            assert replay.difference(look, scene.stage) == "", look.name
        scene.wait_for(_statuses(case.record["events"])[-1])
        _play(scene, rest[-1].record["events"])
    assert replies == _recorded_replies(case.record["events"])
    _require_in_order(_recorded_snapshots(rest[-1].record["events"]), scene.snapshots())


def _play(scene: Scene, events: Sequence[dict[str, Any]]) -> None:
    """Does what was done, each time until the status is what it was before the next deed."""
    acts = [index for index, event in enumerate(events) if "action" in event]
    scene.wait_for(_statuses(events)[0])
    for start, end in zip(acts, [*acts[1:], len(events)], strict=True):
        before = scene.status()
        scene.disk.act(events[start]["action"])
        followed = _statuses(events[start:end])
        if not followed:
            time.sleep(1.5)
        scene.wait_for(followed[-1] if followed else before)
    time.sleep(0.3)


def _statuses(events: Sequence[dict[str, Any]]) -> list[list[Any]]:
    return [event["status"] for event in events if "status" in event]


def _recorded_replies(events: Sequence[dict[str, Any]]) -> list[str]:
    texts = [event["predict"].partition(" ") for event in events if "predict" in event]
    return [f"{status} {json.loads(body)}" for status, _, body in texts]


def _recorded_snapshots(events: Sequence[dict[str, Any]]) -> list[Snapshot]:
    return [{int(v): state for v, state, *_ in status} for status in _statuses(events)]


def _require_in_order(recorded: list[Snapshot], ours: list[Snapshot]) -> None:
    """Ours has every change; what polling saw of the original's must be among them, in order."""
    left = iter(ours)
    for snapshot in recorded:
        assert any(snapshot == other for other in left), (snapshot, ours)


INCOMPLETE = {
    "617_novars_new_version": {2: "END", 1: "AVAILABLE"},
    "634_slow_copy_with_retries": {2: "AVAILABLE", 1: "END"},
    "635_slow_copy_no_retries": {2: "AVAILABLE", 1: "END"},
}
"""The end of timelines in which the original serves what is not complete, or never what is."""


@pytest.mark.parametrize("case", cases(lambda c: c.name in INCOMPLETE), ids=lambda case: case.name)
def test_a_version_serves_once_it_is_complete_and_not_before(case: Case, stages: Stages) -> None:
    assert case.name in KNOWN_DIFFERENCES
    scene = Scene(case, stages.prepare(case))
    events, end = case.record["events"], INCOMPLETE[case.name]
    with scene.asking() as replies:
        scene.disk.act(next(event["action"] for event in events if "action" in event))
        for version, state in end.items():
            scene.server.wait_for_state(scene.model, version, state)
    good = [f"200 {{'predictions': [{value}]}}" for value in (2.5, 3.5)]
    assert replies in (good, good[:1])
    recorded = _recorded_snapshots(events)
    until = [snapshot for snapshot in recorded if snapshot.get(2) != "AVAILABLE"]
    _require_in_order(until, scene.snapshots())
    assert scene.snapshots()[-1] == end


@pytest.mark.parametrize("numbers", [[620], [622, 623], [624, 625], [626, 627]])
def test_names_of_versions_are_read_as_recorded(numbers: list[int], stages: Stages) -> None:
    looks = cases(lambda c: c.number in numbers)
    scene = Scene(looks[0], stages.prepare(looks[0]))
    for case in looks:
        assert replay.difference(case, scene.stage) == "", case.name


def test_a_running_request_holds_back_what_follows_as_recorded(stages: Stages) -> None:
    case, reply, *looks = cases(lambda c: 647 <= c.number < 650)
    scene = Scene(case, stages.prepare(case))
    answers: list[Any] = []
    url = f"{scene.server.rest_url}/v1/models/{scene.model}:predict"
    body = json.dumps({"instances": [HELD_ROUNDS]})
    long = threading.Thread(target=lambda: answers.append(requests.post(url, body, timeout=60)))
    long.start()
    time.sleep(0.3)
    scene.disk.act("version 2 appears")
    scene.wait_for([["2", "LOADING", "OK", ""], ["1", "AVAILABLE", "OK", ""]])
    new = f"{scene.server.rest_url}/v1/models/{scene.model}/versions/2:predict"
    for _ in wait_until("version 2 to answer", time.monotonic() + 10):
        if requests.post(new, json.dumps(ONE), timeout=30).ok:
            break
    for look in looks:
        assert replay.difference(look, scene.stage) == "", look.name
    long.join()
    scene.wait_for(_statuses(case.record["events"])[-1])
    expected = reply.record["r"]["body"].replace("25000", str(HELD_ROUNDS))
    assert same_json(answers[0].content, expected.encode())
    _require_in_order(_recorded_snapshots(case.record["events"]), scene.snapshots())


def test_a_polled_configuration_is_followed_as_recorded(stages: Stages) -> None:
    (case,) = cases(lambda c: c.number == 850)
    stage = stages.prepare(case)
    stage.server.start()
    for event in case.record["events"]:
        if event["action"] == "file deleted and put back":
            stage.server.config_file.unlink()
        stage.server.config_file.write_text(stage.own_config(event["config_file"]))
        # Some edits change nothing that can be seen at once: let the file be polled.
        time.sleep(1.5)
        for path, expected in event["replies"].items():
            _wait_for_reply(stage, path, expected)


def _wait_for_reply(stage: Stage, path: str, expected: dict[str, Any]) -> None:
    for _ in wait_until(f"{path} as recorded", time.monotonic() + 20):
        reply = requests.get(stage.server.rest_url + path, timeout=30)
        same = same_json(reply.content, expected["body"].encode())
        if reply.status_code == expected["status"] and same:
            return
