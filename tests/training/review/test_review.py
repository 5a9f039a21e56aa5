"""Feedback is reviewed on a page of this machine; only accepted photos may be learnt."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from tests import specimen
from tests.support.servers import ROOT
from training.data import dataset
from training.review import server
from training.review.page import AT_ONCE, create_app
from webapp.feedback.record import UNLISTED, Feedback
from webapp.feedback.store import FeedbackStore, id_of

BILL = specimen.encode(specimen.bill("20", width=96), "JPEG")


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback", 10_000_000)


@pytest.fixture
def client(store: FeedbackStore) -> FlaskClient:
    return create_app(store, "token", ["127.0.0.1", "localhost"]).test_client()


def add(store: FeedbackStore, was: str = "20", answered: str | None = "50") -> str:
    feedback = Feedback(was, answered, 1, {"50": 0.9, "20": 0.1}, days=90)
    store.add(feedback, BILL)
    return feedback.id


def decide(client: FlaskClient, name: str, decision: str, label: str = "20") -> int:
    given = {"decision": decision, "label": label}
    return client.post(f"/token/photos/{name}", data=given).status_code


def files(store: FeedbackStore) -> set[str]:
    found = store.folder.rglob("*.jpg")
    return {str(path.parent.relative_to(store.folder)) for path in found}


def test_it_shows_each_photo_with_what_it_was_and_what_was_answered(
    store: FeedbackStore, client: FlaskClient
) -> None:
    name, unsure = add(store), add(store, "Other", None)
    page = client.get("/token/").text
    assert "2 to look at, 0 accepted" in page
    assert re.search(r"as <strong>20</strong>; answered was\s+<strong>50</strong>", page)
    assert re.search(r"as <strong>Other</strong>; answered was\s+<strong>not sure</strong>", page)
    assert "50 90 %" in page
    for each in (name, unsure):
        photo = client.get(f"/token/photos/{each}")
        assert (photo.mimetype, photo.data) == ("image/jpeg", BILL)
        photo.close()


def test_accepted_it_lies_in_the_folder_of_its_class(
    store: FeedbackStore, client: FlaskClient
) -> None:
    assert decide(client, add(store), "accept") == 303
    assert files(store) == {"accepted/20"}
    assert "0 to look at, 1 accepted" in client.get("/token/").text


def test_it_can_be_given_another_class_also_a_new_one(
    store: FeedbackStore, client: FlaskClient
) -> None:
    decide(client, add(store), "accept", "10")
    decide(client, add(store, UNLISTED), "accept", " 10-2026 ")
    assert files(store) == {"accepted/10", "accepted/10-2026"}
    add(store)
    page = client.get("/token/").text
    labels = re.findall(r'<option value="(.*?)">', page)
    assert labels == ["10", "20", "50", "10-2026"]


def test_thrown_away_nothing_of_it_is_left(store: FeedbackStore, client: FlaskClient) -> None:
    name = add(store)
    assert decide(client, name, "discard", "") == 303
    assert files(store) == set()
    assert store.find(name) is None


@pytest.mark.parametrize("label", ["", "  ", "../20", ".git", UNLISTED])
def test_without_a_class_it_is_not_accepted(
    store: FeedbackStore, client: FlaskClient, label: str
) -> None:
    assert decide(client, add(store), "accept", label) == 400
    assert files(store) == {"unchecked/20"}


def test_a_decision_that_is_none_decides_nothing(store: FeedbackStore, client: FlaskClient) -> None:
    assert decide(client, add(store), "") == 400
    assert files(store) == {"unchecked/20"}


def test_a_photo_that_its_sender_deleted_meanwhile_is_named_as_gone(
    store: FeedbackStore, client: FlaskClient
) -> None:
    name = add(store)
    store.delete(name)
    assert decide(client, name, "accept") == 404
    assert client.get(f"/token/photos/{name}").status_code == 404


def test_what_was_accepted_is_shown_no_more(store: FeedbackStore, client: FlaskClient) -> None:
    name = add(store)
    decide(client, name, "accept")
    assert decide(client, name, "discard") == 404
    assert files(store) == {"accepted/20"}


def test_of_many_some_are_shown_at_once(store: FeedbackStore, client: FlaskClient) -> None:
    for _ in range(AT_ONCE + 1):
        add(store)
    page = client.get("/token/").text
    assert page.count("<img ") == AT_ONCE
    assert f"{AT_ONCE + 1} to look at" in page


def test_without_the_token_nothing_is_shown_or_decided(
    store: FeedbackStore, client: FlaskClient
) -> None:
    name = add(store)
    assert client.get("/").status_code == client.get(f"/photos/{name}").status_code == 404
    assert client.post(f"/wrong/photos/{name}", data={"decision": "accept"}).status_code == 404


def test_under_another_name_of_this_machine_it_does_not_answer(client: FlaskClient) -> None:
    assert client.get("/token/", headers={"Host": "evil.example"}).status_code == 400


def test_it_loads_nothing_from_elsewhere_and_tells_its_address_to_nobody(
    client: FlaskClient,
) -> None:
    headers = client.get("/token/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_unchecked_feedback_is_never_trained_on(store: FeedbackStore, client: FlaskClient) -> None:
    for was in ("20", "20", "50"):
        add(store, was)
    with pytest.raises(ValueError, match="training review"):
        dataset.scan(store.folder / "unchecked", {}, [])
    # Nor by way of the folder above it.
    with pytest.raises(ValueError, match=r"No pictures in|no sub-folders with pictures"):
        dataset.scan(store.folder, {}, [])
    for photo in store.photos()[:2]:
        decide(client, id_of(photo), "accept", photo.parent.name)
    found = dataset.scan(store.folder / "accepted", {}, [])
    assert [(photo.label, photo.source) for photo in found] == [("20", "feedback")] * 2


@pytest.fixture
def running(store: FeedbackStore) -> Iterator[subprocess.Popen[str]]:
    """The command, as a person starts it, on one photo."""
    add(store)
    command = [sys.executable, "-m", "training", "review", str(store.folder), "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_prints_the_address_and_ends_with_the_next_step(
    store: FeedbackStore, running: subprocess.Popen[str]
) -> None:
    assert running.stdout
    [address] = re.findall(r"open (http://127\.0\.0\.1:\d+/[\w-]{22}/) ", running.stdout.readline())
    [photo] = store.photos()
    given = {"decision": "accept", "label": "20"}
    reply = requests.post(f"{address}photos/{id_of(photo)}", data=given, timeout=20)
    assert "0 to look at, 1 accepted" in reply.text
    style: Any = requests.get(f"{address}static/review.css", timeout=20)
    assert style.ok
    rest = interrupted(running)
    assert running.returncode == 0
    assert f"training teach {store.folder}/accepted" in rest


def interrupted(process: subprocess.Popen[str]) -> str:
    """Presses Ctrl-C, again where Python lost the first one, as it does within a finalizer."""
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=15)[0]
    raise AssertionError("Ctrl-C does not end it.")


def test_it_listens_on_this_machine_alone(running: subprocess.Popen[str]) -> None:
    assert running.stdout
    [port] = re.findall(r":(\d+)/", running.stdout.readline())
    time.sleep(0.1)
    listening = Path("/proc/net/tcp").read_text()
    addresses = re.findall(rf"([0-9A-F]{{8}}):{int(port):04X} 00000000:0000 0A", listening)
    assert addresses == ["0100007F"]


def test_a_port_that_cannot_be_listened_on_is_named(store: FeedbackStore) -> None:
    add(store)
    with socket.create_server((server.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Cannot listen on port {port}"):
            server.serve(store.folder, port, lambda _: None)


def test_a_folder_that_holds_no_feedback_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "review", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tmp_path} holds no feedback" in done.stderr
