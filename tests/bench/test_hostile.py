"""The load of hostile clients: what counts as an answer, and the clients' addresses."""

import argparse
import re
from ipaddress import IPv4Address

import pytest

from bench.hostile import Client, _address, _describe
from tests.support.servers import HOST, free_port


def test_requests_without_an_answer_are_counted_and_not_timed() -> None:
    options = argparse.Namespace(url=f"http://{HOST}:{free_port()}", seconds=0.3)
    client = Client(options, HOST, 0.05, [b"photo"])
    client.run()
    assert set(client.statuses) == {0}
    assert not client.seconds
    assert re.fullmatch(r"[1-9]\d* requests, 0 answers, \{0: \d+\}", _describe([client]))


@pytest.mark.parametrize("number", [0, 249, 250, 1000])
def test_each_of_many_clients_has_an_address_of_its_own(number: int) -> None:
    ordinary, hostile = (IPv4Address(_address(network, number)) for network in ("127.0", "127.1"))
    assert ordinary.is_loopback
    assert hostile.is_loopback
    assert (
        len({_address(network, n) for network in ("127.0", "127.1") for n in range(1001)}) == 2002
    )
