"""A keep-alive connection is not closed while its client sends another request."""

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from selectors import DefaultSelector

import pytest

from tests.support.servers import HOST, ModelServer
from tests.webapp.server import FrontEnd
from webapp.app import create_app
from webapp.runtime.connection import Connection
from webapp.runtime.server import Server
from webapp.runtime.waiting import WaitingConnections
from webapp.runtime.worker import KEPT, Worker
from webapp.settings import Settings

ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker whose turns the test takes, in place of gunicorn's loop."""
    server = Server(Settings())
    made = Worker(1, 0, [], server, 30, server.cfg, server.cfg.logger_class(server.cfg))
    made.settings, made.wsgi = server.settings, create_app(server.settings)
    made.prepare()
    made.poller, made.tpool = DefaultSelector(), ThreadPoolExecutor(1)
    made.waiting = WaitingConnections(made.poller)
    made.method_queue.init()
    yield made
    made.tpool.shutdown()
    made.poller.close()
    made.method_queue.close()
    made.tmp.close()


@contextmanager
def accepted(worker: Worker, seconds: float) -> Iterator[socket.socket]:
    """A client's end of a connection that is given up after some seconds."""
    here, there = socket.socketpair()
    worker.nr_conns += 1
    conn = Connection(
        *(worker.cfg, there, (HOST, 1), (HOST, 2)),
        budget=worker.wsgi.extensions["budget"],
        most_body=worker.settings.max_bytes,
    )
    worker._wait_for_request(conn, seconds)
    with here, there:
        here.settimeout(20)
        yield here


def test_a_request_that_comes_as_the_time_ends_is_answered(worker: Worker) -> None:
    with accepted(worker, 0.0) as client:
        client.sendall(ASK)
        worker.murder_pending()
        reply = http.client.HTTPResponse(client)
        reply.begin()
        assert reply.status == 200


@pytest.mark.parametrize("sent", [b"", b"GET /openapi"])
def test_a_client_that_sends_no_more_is_given_up(worker: Worker, sent: bytes) -> None:
    with accepted(worker, 0.0) as client:
        client.sendall(sent)
        worker.murder_pending()
        for conn in worker.waiting:
            conn.deadline = 0.0
        worker._next_look = 0.0
        worker.murder_pending()
        assert client.recv(1) == b""
        assert not worker.waiting


def test_a_connection_is_kept_for_longer_than_a_proxy_keeps_it(model_server: ModelServer) -> None:
    # Defaults: nginx and AWS's load balancers 60 s.
    assert KEPT > 60
    with FrontEnd(model_server.grpc_url) as running:
        connection = http.client.HTTPConnection(HOST, running.port, timeout=20)
        with closing(connection):
            for pause in (4, 0):
                connection.request("GET", "/openapi.json")
                assert connection.getresponse().read()
                before = connection.sock
                time.sleep(pause)
            # A connection that was closed would have been opened anew.
            assert connection.sock is before
