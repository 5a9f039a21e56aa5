"""The value and the spoken name of a class: from its label, or as a model card states them."""

from typing import Any

import pytest

from webapp.names import Names, parse


@pytest.mark.parametrize(
    ("label", "value"),
    [
        *[("20", 20), ("20-2026", 20), ("100-old design", 100), ("5-", 5)],
        *[("Other", None), ("mug", None), ("20b", None), ("-20", None), ("٢٠", None)],
        *[("0", None), ("", None), ("9" * 5000, None)],
    ],
)
def test_a_label_that_begins_with_a_number_is_worth_it(label: str, value: float | None) -> None:
    assert Names().of(label).value == value


def test_a_class_is_worth_and_said_what_is_stated() -> None:
    names = parse({"ten-new": {"value": 10}, "coin": {"value": 0.25, "en": "a quarter"}})
    assert (names.of("ten-new").value, names.of("ten-new").amount()) == (10, "10")
    assert names.of("coin").amount() == "0.25"
    assert names.of("coin").spoken == {"en": "a quarter"}


def test_what_is_only_said_in_other_words_keeps_its_value() -> None:
    assert parse({"1": {"en": "a buck"}}).of("1").value == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"an object of classes. Received \[\]"),
        ({"mug": "a mug"}, "Class 'mug': expected an object. Received 'a mug'"),
        ({"mug": {"value": 0}}, "Class 'mug': expected `value` to be a number of dollars above 0"),
        ({"mug": {"value": True}}, "Received True"),
        ({"mug": {"value": float("nan")}}, "Received nan"),
        ({"mug": {"value": 1e300}}, "up to a billion"),
        ({"mug": {"english": "a mug"}}, "languages such as `en`. Received 'english'"),
        ({"mug": {"en": " "}}, "`en` to be text of 1 to 100 letters. Received ' '"),
        ({"mug": {"en": ["a mug"]}}, r"Received \['a mug'\]"),
    ],
)
def test_what_has_another_form_is_refused_with_what_was_expected(
    document: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parse(document)
