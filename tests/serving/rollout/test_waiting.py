"""Which servers a step goes on without."""

from __future__ import annotations

import grpc

from serving.client import Unavailable
from serving.client.tls import NO_TLS
from serving.rollout.remote.server import ModelServer, client_of
from serving.rollout.remote.waiting import Wait
from tests.support.servers import HOST, free_port


class Refused(grpc.RpcError):
    """The error of a call to a port on which nothing listens."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def gone() -> Unavailable:
    error = Unavailable("connection refused")
    error.__cause__ = Refused()
    return error


def test_without_patience_only_a_server_that_does_not_listen_is_left_out() -> None:
    urls = [f"grpc://{HOST}:{free_port()}" for _ in range(3)]
    done, late, away = (ModelServer(url, "half", client_of(url, NO_TLS)) for url in urls)
    wait = Wait({})
    wait.take({done: None, late: "its state is LOADING", away: gone()})
    assert wait.left_out([done, late, away], patience=0).keys() == {away.url}
    assert wait.left_out([done, late, away], patience=60) == {}
    for server in (done, late, away):
        server.close()
