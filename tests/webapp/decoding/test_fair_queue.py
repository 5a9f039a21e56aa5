"""The client that got the least service is next, and the record of past service is bounded."""

import threading
import time

import pytest

from webapp.decoding import fair_queue
from webapp.decoding.fair_queue import FairQueue, QueueFull, ServiceTimes


def acquire_later(queue: FairQueue[str], client: str, order: list[str]) -> threading.Thread:
    """Has a thread wait in the queue, and note when it gets the resource."""

    def acquire() -> None:
        try:
            resource = queue.acquire(client, 10)
        except QueueFull:
            order.append(f"{client} refused")
            return
        order.append(client)
        queue.release(resource)

    thread = threading.Thread(target=acquire)
    thread.start()
    while client not in [waiting.client for waiting in queue._queue] and thread.is_alive():
        time.sleep(0.001)
    return thread


def test_a_free_resource_is_lent_at_once_and_the_last_used_first() -> None:
    queue = FairQueue(["cold", "warm"], ServiceTimes(), 1)
    assert queue.acquire("a", 0) == "warm"
    assert queue.acquire("a", 0) == "cold"


def test_the_client_with_least_service_is_next_and_equal_ones_in_their_order() -> None:
    service, order = ServiceTimes(), list[str]()
    service.add("slow", 10.0)
    service.add("middle", 1.0)
    queue = FairQueue(["it"], service, 10)
    resource = queue.acquire("other", 0)
    names = ("slow", "middle", "first", "second")
    threads = [acquire_later(queue, client, order) for client in names]
    queue.release(resource)
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second", "middle", "slow"]


def test_of_a_full_queue_the_client_with_most_service_is_refused() -> None:
    service, order = ServiceTimes(), list[str]()
    service.add("slow", 10.0)
    queue = FairQueue(["it"], service, 2)
    resource = queue.acquire("other", 0)
    threads = [acquire_later(queue, client, order) for client in ("slow", "a", "b")]
    threads[0].join(10)
    assert order == ["slow refused"]
    queue.release(resource)
    for thread in threads:
        thread.join(10)
    assert order == ["slow refused", "a", "b"]


def test_a_request_that_waits_in_vain_leaves_the_queue() -> None:
    queue = FairQueue(["it"], ServiceTimes(), 2)
    resource = queue.acquire("a", 0)
    with pytest.raises(TimeoutError):
        queue.acquire("b", 0.01)
    queue.release(resource)
    assert queue.acquire("c", 0) == "it"


def test_service_is_forgotten_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    service = ServiceTimes()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    service.add("a", 8.0)
    assert service.of("a") == 8.0
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * fair_queue.HALF_LIFE)
    assert service.of("a") == pytest.approx(2.0)
    service.add("a", 1.0)
    assert service.of("a") == pytest.approx(3.0)


def test_no_more_than_so_many_clients_are_remembered() -> None:
    service = ServiceTimes(most=3)
    for client in ("a", "b", "c", "a", "d"):
        service.add(client, 1.0)
    assert service.of("b") == 0.0
    assert all(service.of(client) > 0 for client in ("a", "c", "d"))
