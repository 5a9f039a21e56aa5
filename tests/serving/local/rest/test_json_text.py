"""Which JSON text is accepted, which is refused, and how much memory its values may use."""

from __future__ import annotations

import gc
import math
from typing import Any

import pytest

from serving.local.deadline import Deadline
from serving.local.errors import Code, StatusError
from serving.local.rest.json_bodies import parsed
from serving.local.rest.request import HttpError
from tests.serving.local.rest.bodies import request_of


def parse(text: bytes) -> Any:
    with parsed(request_of(text, limit=100_000_000)) as value:
        return value


TAKEN: dict[bytes, Any] = {
    b'\xef\xbb\xbf {"a": [1, 2.5, true, null]}': {"a": [1, 2.5, True, None]},
    b'{"a": 1, "b": 2, "a": 3}': {"a": 1, "b": 2},
    b"[1] x": [1],
    b"[18446744073709551615, -9223372036854775808]": [2**64 - 1, -(2**63)],
    b"[Infinity, -Infinity]": [math.inf, -math.inf],
    b'"\xff"': "\udcff",
    b'"\\ud83d\\ude00"': "\U0001f600",
}


@pytest.mark.parametrize("text", TAKEN)
def test_it_is_taken(text: bytes) -> None:
    assert parse(text) == TAKEN[text]


def test_a_word_for_no_number_is_taken() -> None:
    assert math.isnan(parse(b"NaN"))


@pytest.mark.parametrize(
    "text",
    [b"", b"  ", b"{'a': 1}", b"[1,]", b'["a', b"[01]", b"nul", b"[" * 100_000, b"9" * 5_000],
    ids=lambda text: text[:10].decode() or "empty",
)
def test_it_is_refused(text: bytes) -> None:
    with pytest.raises(StatusError, match="JSON Parse error"):
        parse(text)


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'"ab",', b"300,", b'{"a":1},', "é,".encode()])
def test_text_whose_values_take_too_much_memory_is_not_parsed(unit: bytes) -> None:
    with pytest.raises(HttpError) as refusal:
        parse(b"[" + unit * (50_000_000 // len(unit)) + b"1]")
    assert refusal.value.status == 413


def test_a_long_string_of_wide_letters_is_counted_as_what_it_takes() -> None:
    text = '"' + "\U0001f600" + "a" * 45_000_000 + '"'
    with pytest.raises(HttpError) as refusal:
        parse(text.encode())
    assert refusal.value.status == 413


def test_the_search_for_cycles_goes_on_after_a_large_document() -> None:
    with parsed(request_of([1] * 1_000_001, limit=10_000_000)) as value:
        assert not gc.isenabled()
        assert len(value) == 1_000_001
    assert gc.isenabled()


def test_nothing_is_parsed_for_a_client_that_left_while_the_document_waited() -> None:
    request = request_of(b"no JSON", Deadline(is_cancelled=lambda: True))
    with pytest.raises(StatusError) as refusal, parsed(request):
        pass
    assert refusal.value.code == Code.CANCELLED
