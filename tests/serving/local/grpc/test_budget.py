"""The messages of all gRPC calls together are bounded in bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.local.grpc.admission import NO_ROOM
from serving.local.grpc.server import BUDGET_MESSAGES
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire.tensors import to_proto
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import ModelServer, wait_until

MEGABYTE = 2**20
LARGE = 1_000_000
CALLS = 2 * BUDGET_MESSAGES
FLAGS = [LABELS, f"--grpc_max_message_bytes={MEGABYTE}", f"--grpc_max_threads={CALLS + 4}"]


@pytest.fixture
def channel(small_models: Path, tmp_path: Path) -> Iterator[grpc.Channel]:
    """To a server that takes small messages, of many calls."""
    with (
        ModelServer(tmp_path, FLAGS, CONFIG.format(small_models), ["half", "slow"]) as server,
        grpc.insecure_channel(server.grpc_address) as made,
    ):
        yield made


def request(model: str, name: str, value: Any, padding: int = 0) -> bytes:
    """A prediction, with a field that no server knows: number 100, of that many bytes."""
    spec, inputs = pb.ModelSpec(name=model), {name: to_proto(value)}
    known = pb.PredictRequest(model_spec=spec, inputs=inputs).SerializeToString()
    length = bytes([padding & 127 | 128, padding >> 7 & 127 | 128, padding >> 14])
    return known + b"\xa2\x06" + length + bytes(padding)


def test_large_messages_share_a_budget_and_leave_room_for_small_ones(channel: grpc.Channel) -> None:
    call: Any = channel.unary_unary(methods.PREDICT)
    large = request("slow", "n", np.array(10**8, np.int32), LARGE)
    asked = [call.future(large, timeout=8) for _ in range(CALLS)]
    small = request("half", "x", np.array([1], np.float32))
    for _ in wait_until("a refusal", time.monotonic() + 30):
        if any(future.done() for future in asked):
            break
    call(small, timeout=30)
    refused = [future for future in asked if future.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert {future.details() for future in refused} == {NO_ROOM}
    assert CALLS - len(refused) <= BUDGET_MESSAGES
