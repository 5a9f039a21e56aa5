"""JSON is judged as RapidJSON judges it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from serving.local.errors import StatusError
from serving.local.json_literals import as_rapidjson_reads
from serving.local.json_members import members_of
from serving.local.json_numbers import float32_text, float64_text, string_text, value_text
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
    b'{"a": 0e309}': "Number too big to be stored in double. at offset: 6",
    b"[1, -1" + b"0" * 309 + b"]": "Number too big to be stored in double. at offset: 4",
    b"[18" + b"0" * 307 + b"]": "Number too big to be stored in double. at offset: 1",
    b"[0.12345678901234567890e326]": "Number too big to be stored in double. at offset: 1",
    b"[Infe]": "Miss exponent in number. at offset: 5",
    b"[Infinit]": "Invalid value. at offset: 8",
    b"[-Infx]": "Missing a comma or ']' after an array element. at offset: 5",
    b"[NaX]": "Invalid value. at offset: 3",
    b"[NaN.]": "Miss fraction part in number. at offset: 5",
    b"[-x]": "Invalid value. at offset: 2",
    b'["a\tb"]': "Invalid escape character in string. at offset: 3",
    b'["\\ud800\\u0041"]': "The surrogate pair in string is invalid. at offset: 2",
    b"\0{}": "The document is empty. at offset: 0",
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
        (b"[NInf, NaInf, -NaInfinity]", [math.inf, math.inf, -math.inf]),
        (b"[Infe5, -Infinity.5, NaN.25e1]", [0.0, -0.5, 2.5]),
        (b"[1" + b"0" * 308 + b", -17" + b"0" * 307 + b"]", [10**308, -17 * 10**307]),
        (b"[0.12345678901234567890e325]", [math.inf]),
        (b'["\\ud83d\\ude00", "\\u00e9\\n"]', ["\U0001f600", "é\n"]),
        (b"[1e300, 10, -0.5, true, null]", [1e300, 10, -0.5, True, None]),
        (b'\xef\xbb\xbf{"a": {}, "b": []}', {"a": {}, "b": []}),
        (b'["\xff"]', ["\udcff"]),
        (b'["\\udc00"]', [b"\xed\xb0\x80".decode("utf-8", "surrogateescape")]),
        (b"[2e308, -2e308, 1e-999, 0.1e0000000000002]", [math.inf, -math.inf, 0, 10]),
        (b'{}\0 {"what": "follows"}', {}),
    ],
)
def test_what_the_original_takes_is_taken(text: bytes, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("last", [b"4", b"1e000"], ids=["Python's parser", "our own"])
def test_every_member_of_an_object_is_kept(last: bytes) -> None:
    value = parse(b'{"a": 1, "b": 2, "a": 3, "a": %s}' % last)
    assert list(members_of(value)) == [("a", 1), ("b", 2), ("a", 3), ("a", float(last))]
    assert value["a"] == 1


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


def test_control_characters_have_upper_case_digits() -> None:
    assert string_text(b"\x1f\n\x7f\\u001f") == '"\\u001F\\n\x7f\\\\u001f"'


QUOTED = {
    b"0.1234567890123": "0.123456791",
    b"1e39": "1e+39",
    b"18446744073709551616": "1.84467441e+19",
    b"18446744073709551615": "18446744073709551615",
    b'{"a": 1, "a": 2}': '{\n    "a": 1,\n    "a": 2\n}',
    b"[]": "[]",
    b"[1e30, 1e-7, 0.00001, 1e16, 123456.25, -0.0]": "[\n    1e30,\n    1e-7,\n    0.00001,\n"
    "    10000000000000000.0,\n    123456.25,\n    -0.0\n]",
    b'{"a": [{}, "\\u001f"], "b": [true, null]}': '{\n    "a": [\n        {},\n        "\\u001F"\n'
    '    ],\n    "b": [\n        true,\n        null\n    ]\n}',
    b'{"a": [1, NaN, 2], "b": 3}': '{\n    "a": [\n        1,\n        ',
}


@pytest.mark.parametrize("text", QUOTED, ids=lambda text: text[:20].decode())
def test_an_error_quotes_a_value_as_rapidjson_writes_it(text: bytes) -> None:
    assert value_text(parse(text)) == QUOTED[text]


@pytest.mark.parametrize(
    ("exact", "read"),
    [
        (0.1, 0.1),
        (3.141592653589793, 3.141592653589793),
        (-698767.1519529522, -698767.1519529521),
        (7.581454333883297e-148, 7.581454333883296e-148),
        (1.7976931348623157e308, 1.7976931348623157e308),
        (5e-324, 5e-324),
        (-math.inf, -math.inf),
    ],
)
def test_a_double_of_17_digits_is_read_as_rapidjson_reads_it(exact: float, read: float) -> None:
    assert as_rapidjson_reads(exact) == read
