"""The local server replies as a real TensorFlow Serving did.

The recordings lie beside the repository, in `../shared/tfserving`; without them nothing here runs.
Covered so far: predictions, status and metadata over both protocols, and HTTP's details.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.serving import replay
from tests.serving.replay import Case
from tests.support.servers import ModelServer

# Case numbers, by pattern: 010 to 160, 170 to 208, 220 to 278, 400 to 476, CORS, time-outs.
REST = r"0[1-5]\d|1[0-6]\d|1[7-9]\d|20\d|2[2-7]\d|31[56]|70\d|74[01]|750|86[789]|87[01]"
GRPC = r"4[0-7]\d|49[0134]|742"
REST_CASES = [c for c in replay.cases(REST) if c.record.get("protocol", "REST") == "REST"]
GRPC_CASES = replay.cases(GRPC)

pytestmark = pytest.mark.skipif(
    not replay.RECORDED.exists(), reason="the recordings (../shared/tfserving) are not here"
)

Start = Callable[[Case], ModelServer]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts one server for each distinct set of flags and models."""
    servers: dict[object, ModelServer] = {}

    def started(case: Case) -> ModelServer:
        if case.server not in servers:
            server = replay.launch(case, tmp_path_factory.mktemp("recorded"))
            servers[case.server] = server.start()
        return servers[case.server]

    yield started
    for server in servers.values():
        server.kill()


@pytest.mark.parametrize("case", REST_CASES, ids=lambda case: case.name)
def test_rest_replies_as_recorded(case: Case, start: Start) -> None:
    expected = replay.recorded_rest(case)
    reply = replay.ask_rest(case, start(case).rest_port)
    assert (reply.status, reply.content_type) == (expected.status, expected.content_type), reply
    if case.record["request"].get("method") == "HEAD":
        assert reply.body == b""
    elif expected.content_type != "application/json" or not expected.body:
        assert reply.body == expected.body
    elif reply.status == 200:
        assert replay.close_json(reply.body, expected.body), reply.body.decode(errors="replace")
    else:
        assert _race_apart(reply.body.decode()) == _race_apart(expected.body.decode())


@pytest.mark.parametrize("case", GRPC_CASES, ids=lambda case: case.name)
def test_grpc_replies_as_recorded(case: Case, start: Start) -> None:
    expected = replay.recorded_grpc(case)
    reply = replay.ask_grpc(case, start(case).grpc_port)
    assert (reply.code, _race_apart(reply.details)) == (
        expected.code,
        _race_apart(expected.details),
    )
    assert _text(reply.message) == _text(expected.message)
    ours, theirs = replay.numbers(reply.message), replay.numbers(expected.message)
    assert list(ours) == pytest.approx(list(theirs), rel=1e-5)


def _race_apart(details: str) -> str:
    """Of two ops that both fail, either may be the first to say so (case 449)."""
    return details.replace("{{node mul}}", "{{node add}}")


def _text(message: object) -> str:
    """A message's text without its numbers, which are compared with a tolerance."""
    return replay.without_numbers(str(message))
