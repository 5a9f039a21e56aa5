"""Which replies count as equal to the recorded one, and which do not."""

from __future__ import annotations

import pytest

from tests.serving.exchanges.comparing import lost_names, same_json


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b'{"a": [0.1, "x"], "b": 1}', b'{"b":1,"a":[0.1,"x"]}'),
        (b"0.333333", b"0.333334"),
        (b"[NaN, -Infinity]", b"[NaN,-Infinity]"),
        (b"0.100000001", b"0.1"),
        (b"1", b"1.0"),
        (b"1e2", b"100.0"),
    ],
)
def test_order_space_last_digits_and_spelling_may_differ(ours: bytes, theirs: bytes) -> None:
    assert same_json(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b"9007199254740993", b"9007199254740992"),
        (b"0.3333", b"0.3334"),
        (b'"0.1"', b"0.1"),
        (b"true", b"1"),
        (b"true", b"1.0"),
        (b"null", b"0.0"),
        (b"Infinity", b"1e300"),
        (b"[1, 2]", b"[1]"),
        (b'{"a": 1}', b'{"a": 1, "b": 2}'),
    ],
)
def test_another_value_is_another_reply(ours: bytes, theirs: bytes) -> None:
    assert not same_json(ours, theirs)


RECORDED = 'JSON Value: {\n "size": 1.5\n} of key: depth is not of expected type: int64, [2,3]'


def test_an_error_must_name_what_the_recorded_one_names() -> None:
    assert lost_names("no", RECORDED, {"depth", "size"}) == {"depth", "int64", "[2,3]"}


def test_words_and_echoed_values_may_differ() -> None:
    assert lost_names("depth wants int64 of shape [2,3]", RECORDED, {"depth", "size"}) == set()


def test_of_json_that_cannot_be_parsed_the_words_are_free() -> None:
    recorded = "JSON Parse error: Invalid value of string x. at offset: 0"
    assert lost_names("Expecting value", recorded, {"x"}) == set()
