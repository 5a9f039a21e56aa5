"""Who waits for a place gets one in turn, or is told that there is none."""

import threading
import time

import pytest

from serving.places import Places


def line_up(places: Places, order: list[int], number: int, seconds: float = 30) -> threading.Thread:
    """Lets one more wait, and returns once it does; it notes its number when it is its turn."""

    def wait() -> None:
        assert places.take(seconds)
        order.append(number)
        places.give_back()

    waiting, thread = len(places._line), threading.Thread(target=wait)
    thread.start()
    while len(places._line) == waiting:
        time.sleep(0.001)
    return thread


def test_there_are_as_many_places_as_were_asked_for() -> None:
    places = Places(2, longest_line=0)
    assert [places.take(0), places.take(0), places.take(0)] == [True, True, False]
    places.give_back()
    assert places.take(0)


def test_who_has_waited_longest_is_next() -> None:
    places, order = Places(1, longest_line=5), list[int]()
    assert places.take(0)
    threads = [line_up(places, order, number) for number in range(5)]
    places.give_back()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_nobody_passes_those_in_line() -> None:
    places = Places(1, longest_line=5)
    assert places.take(0)
    thread = line_up(places, [], 0)
    assert not places.take(0.01)
    places.give_back()
    thread.join()


def test_who_gives_up_loses_no_place() -> None:
    places = Places(1, longest_line=1)
    assert places.take(0)
    assert not places.take(0.01)
    places.give_back()
    assert places.take(0)


def test_the_line_has_an_end() -> None:
    places = Places(1, longest_line=1)
    assert places.take(0)
    thread = line_up(places, [], 0)
    started = time.monotonic()
    assert not places.take(30)
    assert time.monotonic() - started < 15
    places.give_back()
    thread.join()


def test_a_turn_that_comes_just_behind_the_time_out_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = Places(1)
    assert places.take(0)

    def time_out(_turn: threading.Event, _seconds: float) -> bool:
        places.give_back()
        return False

    with monkeypatch.context() as patched:
        patched.setattr(threading.Event, "wait", time_out)
        assert places.take(1)
    assert not places.take(0)
    places.give_back()
    assert places.take(0)


def test_who_would_wait_for_longer_than_clocks_count_waits_for_his_turn() -> None:
    places, order = Places(1), list[int]()
    assert places.take(0)
    thread = line_up(places, order, 1, seconds=1e300)
    places.give_back()
    thread.join()
    assert order == [1]
