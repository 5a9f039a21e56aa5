"""One deadline covers both the wait and the run of a request."""

from __future__ import annotations

import math

import pytest

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError


def test_without_an_end_tensorflow_is_told_0() -> None:
    NO_DEADLINE.require()
    assert (NO_DEADLINE.seconds_left(), NO_DEADLINE.milliseconds_left()) == (None, 0)
    assert Deadline.after(0).end == Deadline.after(-1).end == math.inf


def test_a_time_that_is_over_leaves_the_least_that_is_not_for_ever() -> None:
    over = Deadline(0.0)
    assert (over.seconds_left(), over.milliseconds_left()) == (0.0, 1)
    with pytest.raises(StatusError) as refusal:
        over.require()
    assert refusal.value.code is Code.DEADLINE_EXCEEDED


def test_a_client_that_has_gone_is_told_before_the_time() -> None:
    with pytest.raises(StatusError) as refusal:
        Deadline(0.0, lambda: True).require()
    assert refusal.value.code is Code.CANCELLED


def test_milliseconds_are_what_is_left_and_fit_tensorflow() -> None:
    assert 9_000 < Deadline.after(10_000).milliseconds_left() <= 10_000
    assert Deadline.after(1e15).milliseconds_left() < 2**31
