"""Versions appear and disappear on disk while the server runs, and no request fails."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from serving.client import NotServed, connect
from tests.serving import models
from tests.support.servers import ModelServer, wait_until

CONFIG = """model_config_list {{
  config {{ name: "half" base_path: "{base}" model_platform: "tensorflow"
    model_version_policy {{ {policy} }} {labels} }}
}}
"""
RELATIVE = 'model_config_list { config { name: "m" base_path: "x" model_platform: "tensorflow" } }'
LATEST = "latest { num_versions: 1 }"
X = {"x": np.array([0], np.float32)}

Serve = Callable[..., ModelServer]


@pytest.fixture
def base(tmp_path: Path, small_models: Path) -> Path:
    """A base path of its own, with version 1."""
    models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    return tmp_path / "half"


@pytest.fixture
def serve(tmp_path: Path, base: Path) -> Iterator[Serve]:
    """Starts a server on `base`."""
    servers: list[ModelServer] = []

    def start(policy: str = LATEST, labels: str = "", *flags: str) -> ModelServer:
        config = CONFIG.format(base=base, policy=policy, labels=labels)
        own = ["--file_system_poll_wait_seconds=1", "--max_num_load_retries=0", *flags]
        servers.append(ModelServer(tmp_path / "server", own, config, wait_for=["half"]).start())
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def answer(server: ModelServer, **choice: int | str) -> float:
    client = connect(server.grpc_url)
    try:
        return float(client.predict("half", X, **choice).outputs["y"][0])  # type: ignore[arg-type]
    finally:
        client.close()


@contextmanager
def asking_all_the_time(server: ModelServer) -> Iterator[list[float]]:
    """Asks in a thread, before, during and after the block; a failed request fails the test."""
    answers: list[float] = []
    failures: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        client = connect(server.rest_url)
        last = False
        while not last:
            last = done.is_set()
            try:
                answers.append(float(client.predict("half", X).outputs["y"][0]))
            except Exception as error:
                failures.append(error)
        client.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in wait_until("the first answer", time.monotonic() + 30):
            if answers or failures:
                break
        yield answers
    finally:
        done.set()
        thread.join()
    assert failures == []


def test_a_new_version_takes_over_and_no_request_fails(
    serve: Serve, base: Path, small_models: Path
) -> None:
    server = serve()
    with asking_all_the_time(server) as answers:
        models.publish(small_models / "half" / "2", base, 2)
        server.wait_for_state("half", 1, "END")
    assert server.states("half") == {2: "AVAILABLE", 1: "END"}
    assert (answers[0], answers[-1]) == (2.0, 3.0)


def test_deleting_the_newest_version_falls_back_to_the_one_before(
    serve: Serve, base: Path, small_models: Path
) -> None:
    newest = models.publish(small_models / "half" / "2", base, 2)
    server = serve()
    shutil.rmtree(newest)
    server.wait_for_state("half", 1, "AVAILABLE")
    server.wait_for_state("half", 2, "END")
    assert answer(server) == 2.0


def test_a_half_copied_version_does_not_replace_a_good_one_until_it_is_complete(
    serve: Serve, base: Path, small_models: Path
) -> None:
    server = serve()
    source = small_models / "half" / "2"
    with asking_all_the_time(server) as answers:
        (base / "2").mkdir()
        shutil.copy(source / "saved_model.pb", base / "2")
        server.wait_for_state("half", 2, "END")
        assert server.states("half")[1] == "AVAILABLE"
        shutil.copytree(source / "variables", base / "2" / "variables")
        server.wait_for_state("half", 2, "AVAILABLE")
        server.wait_for_state("half", 1, "END")
    assert set(answers) == {2.0, 3.0}


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "NOT_FOUND"), (b"garbage", "DATA_LOSS"), (None, "NOT_FOUND")]
)
def test_a_broken_version_says_why_and_the_old_one_serves_on(
    serve: Serve, base: Path, content: bytes | None, code: str
) -> None:
    server = serve()
    (base / "2").mkdir()
    if content is not None:
        (base / "2" / "saved_model.pb").write_bytes(content)
    server.wait_for_state("half", 2, "END")
    client = connect(server.grpc_url)
    broken, good = client.status("half")
    client.close()
    assert (broken.state, broken.error_code, bool(broken.error_message)) == ("END", code, True)
    assert good.state == "AVAILABLE"
    assert answer(server) == 2.0


def test_a_base_path_that_is_corrected_is_loaded_from(
    serve: Serve, base: Path, small_models: Path
) -> None:
    server = serve(LATEST, "", "--model_config_file_poll_wait_seconds=1")
    wrong = base.parent / "wrong"
    (wrong / "1").mkdir(parents=True)
    (wrong / "1" / "saved_model.pb").write_bytes(b"garbage")
    one = server.config_file.read_text()
    for path, state in ((wrong, "END"), (small_models / "strings", "AVAILABLE")):
        entry = f'config {{ name: "other" base_path: "{path}" model_platform: "tensorflow" }}'
        server.config_file.write_text(one.replace("config {", f"{entry} config {{", 1))
        server.wait_for_state("other", 1, state)


def test_truncated_variables_do_not_replace_a_good_version(
    serve: Serve, base: Path, small_models: Path
) -> None:
    server = serve()
    broken = base / "draft"
    shutil.copytree(small_models / "half" / "2", broken)
    (broken / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    broken.rename(base / "2")
    server.wait_for_state("half", 2, "END")
    assert answer(server) == 2.0


def test_only_the_versions_that_the_policy_names_are_served(
    serve: Serve, base: Path, small_models: Path
) -> None:
    for number in (2, 3):
        models.publish(small_models / "half" / str(number), base, number)
    server = serve("specific { versions: 1 versions: 3 }")
    assert server.states("half") == {3: "AVAILABLE", 1: "AVAILABLE"}
    with pytest.raises(NotServed):
        answer(server, version=2)


def test_a_version_is_warmed_up_before_it_serves(
    serve: Serve, base: Path, small_models: Path, tmp_path: Path
) -> None:
    server = serve()
    good, bad = tmp_path / "good", tmp_path / "bad"
    for draft, name in ((good, "x"), (bad, "wrong")):
        shutil.copytree(small_models / "half" / "2", draft)
        models.write_warmup(draft, {name: X["x"]})
    bad.rename(base / "2")
    server.wait_for_state("half", 2, "END")
    assert server.states("half")[1] == "AVAILABLE"
    good.rename(base / "3")
    server.wait_for_state("half", 3, "AVAILABLE")


def test_a_base_path_that_vanishes_changes_nothing(serve: Serve, base: Path) -> None:
    server = serve()
    base.rename(base.with_name("away"))
    with pytest.raises(TimeoutError):
        server.wait_for_state("half", 1, "END", seconds=2.5)
    assert answer(server) == 2.0
    assert server.output().count(f"The base path {base} of servable half cannot be read") == 1


POLLED = ("--model_config_file_poll_wait_seconds=1",)
LABELS = "--allow_version_labels_for_unavailable_models=true"


def test_a_label_moves_when_the_configuration_is_edited(
    serve: Serve, base: Path, small_models: Path
) -> None:
    models.publish(small_models / "half" / "2", base, 2)
    stable = 'version_labels {{ key: "stable" value: {} }}'
    server = serve("all {}", stable.format(1), *POLLED, LABELS)
    assert answer(server, label="stable") == 2.0
    text = server.config_file.read_text()
    server.config_file.write_text(text.replace("value: 1", "value: 2"))
    for _ in range(100):
        if answer(server, label="stable") == 3.0:
            break
        threading.Event().wait(0.05)
    assert answer(server, label="stable") == 3.0


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ("model_config_list { config {", "Invalid protobuf file"),
        ("", "models.config is empty: Invalid argument"),
        (
            RELATIVE,
            "to have an absolute path or URI",
        ),
    ],
)
def test_a_broken_edit_keeps_the_last_good_configuration(
    serve: Serve, edit: str, reason: str
) -> None:
    server = serve("all {}", "", *POLLED)
    server.config_file.write_text(edit)
    server.wait_for_output("the last good one stays")
    assert reason in server.output()
    assert answer(server) == 2.0


def test_a_label_for_a_version_that_is_not_loaded_is_refused(serve: Serve) -> None:
    server = serve("all {}", "", *POLLED)
    text = server.config_file.read_text()
    label = 'version_labels { key: "canary" value: 9 } }\n}'
    server.config_file.write_text(text.rstrip()[: -len("}\n}")].rstrip() + label)
    server.wait_for_output("assign label canary to version 9 of model half")
    with pytest.raises(NotServed):
        answer(server, label="canary")
    assert answer(server) == 2.0
