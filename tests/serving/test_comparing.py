"""What counts as the recorded reply, and what does not."""

from __future__ import annotations

import pytest

from tests.serving.comparing import close_json


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b'{"a": [0.1, "x"], "b": 1}', b'{"b":1,"a":[0.1,"x"]}'),
        (b"0.333333", b"0.333334"),
        (b"[NaN, -Infinity]", b"[NaN,-Infinity]"),
    ],
)
def test_order_space_and_last_digits_may_differ(ours: bytes, theirs: bytes) -> None:
    assert close_json(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (b"0.100000001", b"0.1"),
        (b"1.0", b"1"),
        (b"-1", b"-1.0"),
        (b"1e2", b"100.0"),
        (b"0.3333", b"0.3334"),
        (b'"0.1"', b"0.1"),
        (b"[1, 2]", b"[1]"),
    ],
)
def test_another_text_of_one_number_is_another_reply(ours: bytes, theirs: bytes) -> None:
    assert not close_json(ours, theirs)
