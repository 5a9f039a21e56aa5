"""Requests that wait for a place get one in order of arrival, or are refused."""

import threading
import time

import pytest

from serving.concurrency import FairSemaphore


def line_up(
    places: FairSemaphore, order: list[int], number: int, seconds: float = 30
) -> threading.Thread:
    """Lets one more wait, and returns once it does; it notes its number when it is its turn."""

    def wait() -> None:
        assert places.acquire(seconds)
        order.append(number)
        places.release()

    waiting, thread = len(places._queue), threading.Thread(target=wait)
    thread.start()
    while len(places._queue) == waiting:
        time.sleep(0.001)
    return thread


def test_there_are_as_many_places_as_were_asked_for() -> None:
    places = FairSemaphore(2, max_waiting=0)
    assert [places.acquire(0), places.acquire(0), places.acquire(0)] == [True, True, False]
    places.release()
    assert places.acquire(0)


def test_the_request_that_has_waited_longest_is_next() -> None:
    places, order = FairSemaphore(1, max_waiting=5), list[int]()
    assert places.acquire(0)
    threads = [line_up(places, order, number) for number in range(5)]
    places.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_no_request_passes_those_that_wait() -> None:
    places = FairSemaphore(1, max_waiting=5)
    assert places.acquire(0)
    thread = line_up(places, [], 0)
    assert not places.acquire(0.01)
    places.release()
    thread.join()


def test_a_request_that_gives_up_loses_no_place() -> None:
    places = FairSemaphore(1, max_waiting=1)
    assert places.acquire(0)
    assert not places.acquire(0.01)
    places.release()
    assert places.acquire(0)


def test_the_line_has_an_end() -> None:
    places = FairSemaphore(1, max_waiting=1)
    assert places.acquire(0)
    thread = line_up(places, [], 0)
    started = time.monotonic()
    assert not places.acquire(30)
    assert time.monotonic() - started < 15
    places.release()
    thread.join()


def test_a_turn_that_comes_just_behind_the_time_out_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = FairSemaphore(1)
    assert places.acquire(0)

    def time_out(_turn: threading.Event, _seconds: float) -> bool:
        places.release()
        return False

    with monkeypatch.context() as patched:
        patched.setattr(threading.Event, "wait", time_out)
        assert places.acquire(1)
    assert not places.acquire(0)
    places.release()
    assert places.acquire(0)


def test_a_wait_longer_than_clocks_count_ends_with_a_place() -> None:
    places, order = FairSemaphore(1), list[int]()
    assert places.acquire(0)
    thread = line_up(places, order, 1, seconds=1e300)
    places.release()
    thread.join()
    assert order == [1]
