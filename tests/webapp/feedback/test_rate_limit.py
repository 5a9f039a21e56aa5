"""How often one client may send a photo back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.feedback import rate_limit
from webapp.feedback.rate_limit import HOUR, RateLimit


def test_beyond_its_number_a_client_waits_and_others_do_not() -> None:
    limit = RateLimit(2)
    assert [limit.take("a"), limit.take("a")] == [0, 0]
    assert 0 < limit.take("a") <= HOUR
    assert limit.take("b") == 0


def test_after_an_hour_it_may_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("webapp.feedback.rate_limit.time.monotonic", lambda: now[0])
    limit = RateLimit(1)
    limit.take("a")
    now[0] += HOUR - 1
    assert limit.take("a") == 1
    now[0] += 1
    assert limit.take("a") == 0


def test_a_use_that_is_given_back_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("webapp.feedback.rate_limit.time.monotonic", lambda: now[0])
    limit = RateLimit(1)
    limit.take("a")
    limit.give_back("a")
    assert limit.take("a") == 0
    # In the next hour a use of the last one has nothing to be taken back from.
    now[0] += HOUR
    limit.take("b")
    limit.give_back("a")
    assert [limit.take("a"), limit.take("a")] == [0, HOUR]


def test_a_flood_of_addresses_takes_no_memory_and_no_rights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 3)
    limit = RateLimit(2)
    assert [limit.take(str(n)) > 0 for n in range(5)] == [False] * 3 + [True] * 2
    assert limit.take("0") == 0


def test_threads_together_get_no_more_than_one() -> None:
    limit, start = RateLimit(50), threading.Barrier(8)

    def take(_: int) -> int:
        start.wait()
        return sum(limit.take("a") == 0 for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 50
