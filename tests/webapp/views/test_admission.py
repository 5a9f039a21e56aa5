"""Admission counts the pictures of all requests and measures how fast they are answered."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from werkzeug.exceptions import TooManyRequests

from serving.concurrency import FairSemaphore
from webapp.timings import Timings
from webapp.views.admission import Admission


def admission(seconds: float = 4.0, places: int = 8) -> Admission:
    return Admission(FairSemaphore(places), seconds)


def admitted(door: Admission, sizes: list[int]) -> int:
    """How many requests are let in, all of them at once."""
    with ExitStack() as inside:
        for n, size in enumerate(sizes):
            try:
                inside.enter_context(door.admit(size, Timings()))
            except TooManyRequests:
                return n
    return len(sizes)


def answer(door: Admission, pictures: int, seconds: float) -> None:
    with door.admit(pictures, Timings()):
        time.sleep(seconds)


def answer_together(door: Admission, sizes: list[int], seconds: float) -> None:
    """Has requests within at the same time, which leave in the order in which they came."""
    requests = [door.admit(size, Timings()) for size in sizes]
    for request in requests:
        request.__enter__()
    time.sleep(seconds)
    for request in requests:
        request.__exit__(None, None, None)


def fail_late(door: Admission, pictures: int, seconds: float) -> None:
    with door.admit(pictures, Timings()):
        time.sleep(seconds)
        raise TimeoutError


def test_the_more_pictures_the_fewer_requests_are_let_in() -> None:
    ones, sixteens = admitted(admission(places=200), [1] * 200), admitted(admission(), [16] * 200)
    assert ones > 8 * sixteens > 0


def test_a_request_is_let_in_where_no_other_is_however_long_it_may_take() -> None:
    assert admitted(admission(seconds=0.1), [256]) == 1


def test_the_slower_pictures_are_answered_the_fewer_are_let_in() -> None:
    door = admission()
    before = admitted(door, [1] * 8)
    for _ in range(4):
        answer(door, pictures=1, seconds=1.0)
    assert before == 8
    assert admitted(door, [8] * 8) < 4


def test_the_faster_pictures_are_answered_the_more_are_let_in() -> None:
    door = admission(places=100)
    before = admitted(door, [16] * 100)
    for _ in range(20):
        answer(door, pictures=16, seconds=0.01)
    assert admitted(door, [16] * 100) > before


def test_a_refusal_says_how_long_the_others_take() -> None:
    door = admission(seconds=40.0)
    with door.admit(1000, Timings()), pytest.raises(TooManyRequests) as refused:
        door.admit(1000, Timings()).__enter__()
    headers = dict(refused.value.get_headers())
    assert int(headers["Retry-After"]) == 30


def test_a_request_that_releases_its_place_makes_room_and_does_not_change_the_pace() -> None:
    door = admission(places=1)
    with door.admit(100, Timings()) as place:
        place.release()
        assert admitted(door, [100]) == 1
    assert admitted(door, [100]) == 1


def test_a_released_place_is_taken_again_once_it_is_free() -> None:
    door = admission(places=1)
    with door.admit(100, Timings()) as first:
        first.release()
        with door.admit(1, Timings()), pytest.raises(TooManyRequests):
            first.acquire(time.monotonic() + 0.1)
        first.acquire(time.monotonic() + 0.1)
        # It counts once, and its pictures count again.
        first.acquire(time.monotonic() + 0.1)
        assert admitted(door, [100]) == 0
    assert admitted(door, [100]) == 1


def test_a_request_that_fails_makes_room() -> None:
    door = admission(places=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"), door.admit(100, Timings()):
            raise ValueError("bad")
    assert admitted(door, [100]) == 1


def test_a_request_that_waits_for_a_place_is_refused_while_there_is_time_for_another_try() -> None:
    door = admission(seconds=0.2, places=1)
    with ThreadPoolExecutor(1) as other, door.admit(1, Timings()):
        started = time.monotonic()
        waiting = other.submit(answer, door, 1, 0.0)
        assert isinstance(waiting.exception(), TooManyRequests)
        assert time.monotonic() - started < 2.0


def test_requests_that_are_answered_together_teach_the_pace_of_all() -> None:
    door = admission(seconds=16.0, places=100)
    for _ in range(4):
        answer_together(door, [8] * 4, seconds=2.0)
    # Alone, a request of eight pictures in two seconds would let 8 in.
    assert 12 <= admitted(door, [8] * 100) <= 20


def test_a_request_that_fails_for_lack_of_time_teaches_that_pictures_are_slow() -> None:
    door = admission(seconds=1.0)
    before = admitted(door, [4] * 8)
    with pytest.raises(TimeoutError):
        fail_late(door, pictures=4, seconds=2.0)
    assert admitted(door, [4] * 8) < before
