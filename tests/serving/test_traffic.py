"""The traffic file: exact shares, clients that stay, and sentences for what cannot be used."""

import pytest

from serving.traffic import BUCKETS, NO_CANARY, Traffic, parse


def takes(percent: float, version: int = 2) -> set[int]:
    traffic = Traffic(version, percent)
    return {bucket for bucket in range(BUCKETS) if traffic.takes(bucket)}


@pytest.mark.parametrize("percent", [0, 0.01, 10, 33.3, 50, 100])
def test_the_share_is_exact(percent: float) -> None:
    assert len(takes(percent)) == round(percent * BUCKETS / 100)


def test_a_client_in_a_small_share_stays_in_a_larger_one() -> None:
    assert takes(5) < takes(10) < takes(50)


def test_each_version_is_tried_by_other_clients() -> None:
    assert not takes(10, version=2) & takes(10, version=3)


def test_without_a_canary_nobody_tries_one() -> None:
    assert not any(NO_CANARY.takes(bucket) for bucket in range(BUCKETS))


def test_what_is_written_is_read() -> None:
    traffic = Traffic(2, 12.5, shadow=True)
    assert parse(traffic.text()) == traffic
    by_request = Traffic(2, 12.5, by="request")
    assert parse(by_request.text()) == by_request
    assert parse(NO_CANARY.text()) == NO_CANARY
    assert parse('{"canary": 2, "percent": 10}') == Traffic(2, 10)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expected JSON"),
        ('{"canary": 2, "perc', "Expected JSON"),
        ("[]", "Expected an object with canary, percent, shadow, by"),
        ('{"cannary": 2}', "Expected an object with canary, percent, shadow, by"),
        ('{"canary": "2"}', "Expected a version number as canary. Received: '2'"),
        ('{"canary": true}', "Expected a version number"),
        ('{"canary": 2, "percent": 101}', "Expected a percent from 0 to 100. Received: 101"),
        ('{"canary": 2, "percent": NaN}', "Expected a percent"),
        ('{"canary": 2, "by": "day"}', "Expected by to be client or request. Received: 'day'"),
        ('{"canary": 2, "by": []}', "Expected by to be client or request"),
        ('{"canary": 2, "shadow": 1}', "Expected true or false as shadow. Received: 1"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)
