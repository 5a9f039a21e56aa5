"""JSON is judged as RapidJSON judges it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from serving.local.errors import StatusError
from serving.local.json_numbers import float32_text, float64_text, string_text
from serving.local.json_text import parse

REFUSED = {
    b'{"a": 01}': "Missing a comma or '}' after an object member. at offset: 7",
    b'{"a" 1}': "Missing a colon after a name of object member. at offset: 5",
    b'{"a": 1,}': "Missing a name for object member. at offset: 8",
    b'{"a": 1.}': "Miss fraction part in number. at offset: 8",
    b'{"a": 1e}': "Miss exponent in number. at offset: 8",
    b'{"a": nul}': "Invalid value. at offset: 9",
    b'{"a": "\\x"}': "Invalid escape character in string. at offset: 7",
    b'{"a": "\\u12G4"}': "Incorrect hex digit after \\u escape in string. at offset: 7",
    b'{"a": "\\ud800"}': "The surrogate pair in string is invalid. at offset: 7",
    b'{"a": "b': "Missing a closing quotation mark in string. at offset: 8",
    b'{"a": 1e999}': "Number too big to be stored in double. at offset: 6",
    b"{} {}": "The document root must not be followed by other values. at offset: 3",
    b"[" * 1_000_000: "Nested deeper than 200000 levels. at offset: 200001",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20].decode())
def test_a_fault_is_named_with_its_offset(text: bytes) -> None:
    with pytest.raises(StatusError) as refusal:
        parse(text)
    assert refusal.value.message == f"JSON Parse error: {REFUSED[text]}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1, "a": 2}', {"a": 1}),
        (b"[Inf, -Infinity, Infinity]", [math.inf, -math.inf, math.inf]),
        (b'["\\ud83d\\ude00", "\\u00e9\\n"]', ["\U0001f600", "é\n"]),
        (b"[1e300, 10, -0.5, true, null]", [1e300, 10, -0.5, True, None]),
        (b'\xef\xbb\xbf{"a": {}, "b": []}', {"a": {}, "b": []}),
        (b'["\xff"]', ["\udcff"]),
    ],
)
def test_what_the_original_takes_is_taken(text: bytes, value: Any) -> None:
    assert parse(text) == value


def test_deep_nesting_is_read() -> None:
    value = parse(b"[" * 200_000 + b"]" * 200_000)
    depth = 0
    while value:
        (value,) = value
        depth += 1
    assert depth == 199_999


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0"), (0.1, "0.1"), (0.316227764, "0.316227764"), (123456792, "123456792.0"),
     (1e30, "1e+30"), (math.nan, "NaN"), (-math.inf, "-Infinity"), (1e-30, "1e-30")],
)  # fmt: skip
def test_a_float32_has_six_digits_where_they_suffice(value: float, text: str) -> None:
    import numpy as np

    assert float32_text(float(np.float32(value))) == text


def test_a_float64_has_seventeen_digits_where_six_do_not_suffice() -> None:
    assert float64_text(1 / 3) == "0.33333333333333331"
    assert float64_text(0.5) == "0.5"


def test_bytes_that_are_no_text_pass_through_a_string() -> None:
    text = string_text(b'\x00"\xff')
    assert text.encode("utf-8", "surrogateescape") == b'"\\u0000\\"\xff"'
