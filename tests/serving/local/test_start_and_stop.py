"""How the server starts, refuses to start, and stops."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.client import Client, Prediction, ServingError, connect
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import HOST, ROOT, ModelServer, free_port

IMPORT = "import time:"
"""How a line begins by which Python tells of an import."""


def run(*flags: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs `python -m serving` to its end, which then has told what it imported."""
    command = [sys.executable, "-X", "importtime", "-m", "serving", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def said(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of its own that a process wrote to stderr."""
    return [line for line in ended.stderr.splitlines() if not line.startswith(IMPORT)]


def imported(ended: subprocess.CompletedProcess[str]) -> set[str]:
    """The modules that a process imported."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith(IMPORT)]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("flag", "purpose", "variable"),
    [("port", "gRPC", "US_BILLS_GRPC_PORT"), ("rest_api_port", "REST", "US_BILLS_REST_PORT")],
)
def test_a_busy_port_is_told_at_once_in_one_sentence(
    flag: str, purpose: str, variable: str
) -> None:
    other = "rest_api_port" if flag == "port" else "port"
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(f"--{flag}={port}", f"--{other}={free_port()}", "--model_base_path=/x")
    assert ended.returncode == 255
    assert "tensorflow" not in imported(ended)
    (line,) = said(ended)
    for part in (str(port), purpose, f"--{flag}", variable):
        assert part in line


def test_help_comes_without_tensorflow() -> None:
    ended = run("--help")
    assert "--model_config_file" in ended.stdout
    assert "serving.local.settings" in imported(ended)
    assert "tensorflow" not in imported(ended)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_server_runs_without_tensorflows_python_api(small_server: ModelServer) -> None:
    assert small_server.process is not None
    libraries = Path(f"/proc/{small_server.process.pid}/maps").read_text()
    assert "_pywrap_tf_session" in libraries
    # Of eager execution: `import tensorflow` never comes without it.
    assert "_pywrap_tfe" not in libraries


def test_the_version_names_whose_replies_are_given_and_the_library() -> None:
    told = run("--version").stdout
    assert "TensorFlow ModelServer: 2.17.1\n" in told
    assert f"TensorFlow Library: {metadata.version('tensorflow')}\n" in told


def test_a_number_out_of_range_ends_the_start_in_one_sentence() -> None:
    ended = run("--grpc_max_message_bytes=-1", "--model_base_path=/x")
    assert ended.returncode == 255
    (line,) = said(ended)
    assert "--grpc_max_message_bytes: expects a whole number from 1 to" in line


def test_nothing_to_serve_is_refused() -> None:
    ended = run()
    assert ended.returncode == 255
    assert "--model_config_file" in ended.stderr


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('model_config_list { config { name: "half" ', "Invalid protobuf file"),
        (
            'model_config_list { config { name: "half" base_path: "/x" } }',
            "Expected model half to have model_platform",
        ),
        (
            'model_config_list { config { name: "half" base_path: "/x" model_platform: "torch" } }',
            "got 'torch'",
        ),
        (CONFIG.format("/x"), "which is not currently available"),
    ],
)
def test_a_configuration_that_cannot_be_used_ends_the_start(
    tmp_path: Path, config: str, reason: str
) -> None:
    server = ModelServer(tmp_path, config=config)
    assert server.launch().wait(60) == 255
    assert reason in server.output()
    assert "Traceback" not in server.output()


def test_the_log_has_one_line_for_each_change_of_state_and_nothing_else(
    small_models: Path, tmp_path: Path
) -> None:
    flags = ["--model_name=strings", f"--model_base_path={small_models}/strings", "--nonsense=1"]
    with ModelServer(tmp_path, flags, wait_for=["strings"]) as server:
        assert server.stop() == 0
        lines = [line.removeprefix("serving: ") for line in server.output().splitlines()]
    assert lines[0].startswith("--nonsense=1 is no flag of this server and is ignored")
    states = ["START", "LOADING", "AVAILABLE"]
    assert lines[1:4] == [f"strings version 1: {state}" for state in states]
    assert lines[4] == f"listening, gRPC {HOST}:{server.grpc_port}, REST {HOST}:{server.rest_port}"
    assert lines[5] == "stopping"
    assert lines[6:] == ["strings version 1: UNLOADING", "strings version 1: END"]


@pytest.mark.parametrize("kind", ["grpc_url", "rest_url"])
def test_a_request_under_way_is_finished_before_the_server_stops(
    small_models: Path, tmp_path: Path, kind: str
) -> None:
    server = ModelServer(tmp_path, [LABELS], CONFIG.format(small_models), wait_for=["slow"])
    answers: list[Prediction] = []
    with server:
        client = connect(getattr(server, kind))
        rounds = {"n": np.array(400, np.int32)}
        client.predict("slow", {"n": np.array(1, np.int32)})
        ask = threading.Thread(target=lambda: answers.append(client.predict("slow", rounds)))
        ask.start()
        time.sleep(0.2)
        assert server.stop() == 0
        ask.join()
        client.close()
    assert answers[0].outputs["trace"] == 400.0


def test_a_request_without_end_does_not_keep_the_server_from_stopping(
    small_models: Path, tmp_path: Path
) -> None:
    with ModelServer(tmp_path, [LABELS], CONFIG.format(small_models), wait_for=["slow"]) as server:
        client = connect(server.grpc_url)
        endless = {"n": np.array(10_000_000, np.int32)}
        ask = threading.Thread(target=_ignore_failure, args=(client, endless))
        ask.start()
        time.sleep(0.5)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 12
        ask.join()
        client.close()


def _ignore_failure(client: Client, inputs: dict[str, Any]) -> None:
    with contextlib.suppress(ServingError):
        client.predict("slow", inputs, timeout=60)


def test_an_interrupt_while_it_starts_ends_it(small_models: Path, tmp_path: Path) -> None:
    server = ModelServer(tmp_path, [LABELS], CONFIG.format(small_models))
    process = server.launch()
    server.wait_for_output(": START")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert "Traceback" not in server.output()


def test_a_slow_model_does_not_hold_up_other_requests(small_server: ModelServer) -> None:
    client = connect(small_server.grpc_url)
    slow = {"n": np.array(3000, np.int32)}
    asking = [
        threading.Thread(target=client.predict, args=("slow", slow), kwargs={"timeout": 600})
        for _ in range(2)
    ]
    for thread in asking:
        thread.start()
    time.sleep(0.3)  # until both are under way
    client.status("half")
    assert all(thread.is_alive() for thread in asking)
    for thread in asking:
        thread.join()
    client.close()


def test_a_chunked_body_is_read(small_server: ModelServer) -> None:
    import requests

    pieces = iter([b'{"insta', b'nces": [1]}'])
    url = f"{small_server.rest_url}/v1/models/half:predict"
    assert requests.post(url, data=pieces, timeout=10).json() == {"predictions": [4.5]}


def test_garbage_for_json_leaves_the_connection_in_order(small_server: ModelServer) -> None:
    import requests

    with requests.Session() as session:
        url = f"{small_server.rest_url}/v1/models/half:predict"
        refused = session.post(url, data=b"\x00garbage{", timeout=10)
        assert refused.status_code == 400
        assert json.loads(refused.text)["error"].startswith("JSON Parse error: ")
        assert session.post(url, data=b'{"inputs": [1]}', timeout=10).json() == {"outputs": [4.5]}


def test_what_is_read_before_tensorflow_is_prepared_does_not_import_it() -> None:
    names = ["serving.local.main", "serving.local.lifecycle.config_files"]
    code = f"import {', '.join(names)}, sys; print('tensorflow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert shown.stdout == b"False\n"
