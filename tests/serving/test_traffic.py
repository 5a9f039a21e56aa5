"""The traffic file: exact shares, clients that keep their version, and errors for invalid files."""

import pytest

from serving.traffic import BUCKETS, NO_CANARY, Splits, Traffic, parse


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
    splits = Splits(
        {"us_bills": Traffic(2, 12.5, shadow=True), "count": Traffic(3, 1, by="request")}
    )
    assert parse(splits.text(), "us_bills") == splits
    assert parse(Splits().text(), "us_bills") == Splits()


def test_each_model_has_a_split_of_its_own() -> None:
    splits = Splits({"us_bills": Traffic(2, 10)}).changed("count", Traffic(7, 50))
    assert (splits.of("us_bills"), splits.of("count")) == (Traffic(2, 10), Traffic(7, 50))
    ended = splits.changed("us_bills", NO_CANARY)
    assert (ended.of("us_bills"), ended.of("count")) == (NO_CANARY, Traffic(7, 50))
    assert splits.of("another") == NO_CANARY


def test_a_file_of_before_there_were_several_models_is_about_the_first() -> None:
    splits = parse('{"canary": 2, "percent": 10}', "us_bills")
    assert (splits.of("us_bills"), splits.of("count")) == (Traffic(2, 10), NO_CANARY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expected JSON"),
        ('{"canary": 2, "perc', "Expected JSON"),
        ("[]", r"Expected an object with one for each model. Received: \[\]"),
        ('{"cannary": 2}', "Expected for us_bills an object with canary, percent, shadow, by"),
        ('{"count": {"x": 2}}', "Expected for count an object with canary, percent, shadow, by"),
        ('{"count": {}, "us_bills": 2}', "Expected for us_bills an object with canary, percent"),
        ('{"count": null, "us_bills": {}}', "Expected for count an object with canary, percent"),
        ('{"canary": "2"}', "Expected a version number as canary. Received: '2'"),
        ('{"count": {"canary": "2"}}', "Expected a version number as canary. Received: '2'"),
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
        parse(text, "us_bills")
