"""gRPC's limits on simultaneous calls and their duration, and the health service's stream."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from serving.client import Client, Unavailable, connect
from serving.local.grpc.server import MAX_WATCHERS
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations
from serving.wire.tensors import to_proto
from tests.serving import models
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import ModelServer, wait_until

ONE = np.array([1], np.float32)
FLAGS = [LABELS, "--grpc_max_threads=1", "--enable_grpc_healthcheck_service=true"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of a model whose only signature classifies, slowly."""
    base = tmp_path_factory.mktemp("classifier")
    models.save_classifier(models.SlowClassifier(), base / "1")
    return base


@pytest.fixture
def server(small_models: Path, classifier: Path, tmp_path: Path) -> Iterator[ModelServer]:
    """A server with one place for gRPC calls, and the health service."""
    entry = (
        f'config {{ name: "classifier" base_path: "{classifier}" model_platform: "tensorflow" }}'
    )
    config = CONFIG.format(small_models).rstrip().removesuffix("}") + entry + "\n}\n"
    names = ["half", "slow", "classifier"]
    with ModelServer(tmp_path / "server", FLAGS, config, names) as made:
        yield made


@pytest.fixture
def client(server: ModelServer) -> Iterator[Client]:
    """A client of `server`."""
    made = connect(server.grpc_url)
    yield made
    made.close()


def watch(server: ModelServer, service: str = "") -> Any:
    """A call that gives the states of a service as they come."""
    channel = grpc.insecure_channel(server.grpc_address)
    call = channel.unary_stream(
        methods.HEALTH_WATCH,
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    return call(HealthCheckRequest(service=service))


def test_who_watches_the_health_hears_that_the_server_leaves(server: ModelServer) -> None:
    states = watch(server)
    assert next(states).status == HealthCheckResponse.SERVING
    stopped = threading.Thread(target=server.stop)
    stopped.start()
    assert next(states).status == HealthCheckResponse.NOT_SERVING
    assert list(states) == []
    stopped.join()


def test_a_service_that_is_not_there_is_watched_as_unknown(server: ModelServer) -> None:
    assert next(watch(server, "nonsense")).status == HealthCheckResponse.SERVICE_UNKNOWN


def test_a_model_is_watched_by_its_name(server: ModelServer) -> None:
    states = watch(server, "slow")
    assert next(states).status == HealthCheckResponse.SERVING
    every, one = operations.ReloadConfigRequest(), operations.ReloadConfigRequest()
    text_format.Parse(server.config_file.read_text(), every.config)
    one.config.model_config_list.config.append(every.config.model_config_list.config[0])
    call(server, methods.RELOAD_CONFIG, one, timeout=30).result()
    assert next(states).status == HealthCheckResponse.NOT_SERVING
    call(server, methods.RELOAD_CONFIG, every, timeout=30).result()
    assert next(states).status == HealthCheckResponse.SERVING


def _serialized(request: Message) -> bytes:
    return request.SerializeToString()


def call(server: ModelServer, method: str, request: Message, timeout: float) -> Any:
    """A call that takes the only place; its outcome may be asked for."""
    channel = grpc.insecure_channel(server.grpc_address)
    # Else a client that connects sooner may have the place first, and this call be refused.
    grpc.channel_ready_future(channel).result(timeout=30)
    made: Any = channel.unary_unary(method, request_serializer=_serialized)
    return made.future(request, timeout=timeout)


def wait_until_full(client: Client) -> None:
    for _ in wait_until("the place to be taken", time.monotonic() + 30):
        try:
            client.status("half")
        except Unavailable as error:
            if "Server Threadpool Exhausted" in str(error):
                return


def wait_until_served(client: Client) -> None:
    for _ in wait_until("a place", time.monotonic() + 30):
        with contextlib.suppress(Unavailable):
            assert client.predict("half", {"x": ONE}).outputs["y"] == [4.5]
            return


def test_who_watches_the_health_takes_no_place_from_calls_and_watchers_are_bounded(
    server: ModelServer, client: Client
) -> None:
    watching = [watch(server) for _ in range(MAX_WATCHERS)]
    for states in watching:
        assert next(states).status == HealthCheckResponse.SERVING
    assert client.predict("half", {"x": ONE}).outputs["y"] == [4.5]
    with pytest.raises(grpc.RpcError, match="Server Threadpool Exhausted"):
        next(watch(server))
    for states in watching:
        states.cancel()


def test_probes_that_come_together_all_hear_that_the_server_is_well(server: ModelServer) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        check = channel.unary_unary(
            methods.HEALTH_CHECK,
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        for _ in range(20):
            asked = [check.future(HealthCheckRequest(), timeout=30) for _ in range(8)]
            assert {one.result().status for one in asked} == {HealthCheckResponse.SERVING}


CLASSIFIER = pb.ModelSpec(name="classifier")
EXAMPLES = pb.Input(example_list=pb.ExampleList(examples=[pb.Example()]))
WITHOUT_END: dict[str, Message] = {
    methods.PREDICT: pb.PredictRequest(
        model_spec=pb.ModelSpec(name="slow"), inputs={"n": to_proto(np.array(10**8, np.int32))}
    ),
    methods.CLASSIFY: pb.ClassificationRequest(model_spec=CLASSIFIER, input=EXAMPLES),
    methods.MULTI_INFERENCE: pb.MultiInferenceRequest(
        tasks=[pb.InferenceTask(model_spec=CLASSIFIER, method_name=methods.CLASSIFY_METHOD)],
        input=EXAMPLES,
    ),
}


@pytest.fixture(params=[*WITHOUT_END, methods.RELOAD_CONFIG], ids=lambda method: method[-15:])
def without_end(
    request: pytest.FixtureRequest, server: ModelServer, small_models: Path, tmp_path: Path
) -> tuple[str, Message]:
    """A method and a request that takes hours."""
    if request.param in WITHOUT_END:
        return request.param, WITHOUT_END[request.param]
    loading = models.publish(small_models / "slow" / "1", tmp_path / "loading", 1)
    models.write_warmup(loading, {"n": np.array(10_000_000, np.int32)})
    wanted = operations.ReloadConfigRequest()
    text_format.Parse(server.config_file.read_text(), wanted.config)
    wanted.config.model_config_list.config.add(
        name="loading", base_path=str(loading.parent), model_platform="tensorflow"
    )
    return request.param, wanted


def test_calls_beyond_grpc_max_threads_are_refused_until_there_is_a_place(
    server: ModelServer, client: Client
) -> None:
    busy = call(server, methods.PREDICT, WITHOUT_END[methods.PREDICT], timeout=5.0)
    wait_until_full(client)
    assert busy.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until_served(client)


def test_a_call_whose_deadline_is_over_gives_its_place_back(
    server: ModelServer, client: Client, without_end: tuple[str, Message]
) -> None:
    late = call(server, *without_end, timeout=1.0)
    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until_served(client)
