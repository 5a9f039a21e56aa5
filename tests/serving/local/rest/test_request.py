"""The size of a body is bounded by itself, decompressed, and together with all other bodies."""

from __future__ import annotations

import gzip

import pytest

from serving.concurrency import ByteBudget
from serving.local.errors import Code, StatusError
from serving.local.rest.request import Body, HttpError
from tests.serving.local.rest.bodies import body_of


def test_pieces_are_put_together_and_given_once() -> None:
    body = body_of(b"abc")
    body.add(b"def")
    assert body.take() == b"abcdef"
    assert body.take() == b""


def test_a_compressed_body_is_opened() -> None:
    assert body_of(gzip.compress(b"abc" * 1000), gzip=True).take() == b"abc" * 1000


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"abc")[:-9], b"abc", gzip.compress(b"") + b"x"],
    ids=["cut", "no gzip", "more behind it"],
)
def test_what_is_not_one_whole_gzip_member_is_refused(packed: bytes) -> None:
    with pytest.raises(StatusError, match="gzip"):
        body_of(packed, gzip=True).take()


def test_the_limit_holds_for_what_is_announced_sent_and_opened() -> None:
    for refused in (
        lambda: body_of(b"").expect(1_000_001),
        lambda: body_of(b"a" * 1_000_001),
        lambda: body_of(gzip.compress(b"a" * 1_000_001), gzip=True).take(),
    ):
        with pytest.raises(HttpError, match="at most 1000000 bytes") as refusal:
            refused()
        assert refusal.value.status == 413


def test_a_body_leaves_as_much_free_as_it_holds() -> None:
    budget = ByteBudget(100_000)
    first, second = Body(budget, 100_000), Body(budget, 100_000)
    first.add(b"a" * 49_900)
    with pytest.raises(HttpError) as refusal:
        first.add(b"a" * 200)
    assert refusal.value.status == 503
    assert refusal.value.code == Code.UNAVAILABLE
    second.add(b"a" * 24_000)
    with pytest.raises(HttpError):
        second.add(b"a" * 2_000)


def test_what_is_released_is_free_again_and_only_once() -> None:
    budget = ByteBudget(100_000)
    first, second = Body(budget, 100_000), Body(budget, 100_000)
    first.add(b"a" * 49_900)
    first.release()
    first.release()
    second.add(b"a" * 49_900)
    with pytest.raises(HttpError):
        second.add(b"a" * 2_000)
