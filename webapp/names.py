"""The value of each class, and the words for it.

Most labels are self-explanatory: `20` is 20 dollars, so is `20-2026` (a second design of it),
`Other` is none of the others, and `mug` is a mug. A version may state more in its model card:

    "names": {"ten-new": {"value": 10}, "mug": {"en": "a mug", "es": "una taza"}}

The training writes `names`, and the front end reads it, so that no client needs a list of classes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OTHER = "Other"
"""The class of everything that belongs to none of the other classes."""

_NUMBER = re.compile(r"(\d{1,9})(-.*)?", re.ASCII | re.DOTALL)
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
_LONGEST = 100
_MOST = 1e9


@dataclass(frozen=True)
class Name:
    """One class.

    Attributes:
        label: The name of the class in the model and the API.
        value: Dollars; None for a class that is not money.
        spoken: Its words by language, such as `en`; a language without words uses value or label.
    """

    label: str
    value: float | None = None
    spoken: Mapping[str, str] = field(default_factory=dict)

    def amount(self) -> str:
        """Return the value as text, such as `20` or `0.25`; empty for None."""
        return "" if self.value is None else f"{self.value:.10g}"


@dataclass(frozen=True)
class Names:
    """The classes of one version.

    Attributes:
        stated: The classes that the model card describes, by label.
    """

    stated: Mapping[str, Name] = field(default_factory=dict)

    def of(self, label: str) -> Name:
        """Return the name of a class; the label alone defines it if the card does not list it."""
        return self.stated.get(label) or Name(label, _value_of(label))


def parse(document: Any) -> Names:
    """Read the member `names` of a model card.

    Raises:
        ValueError: It has a wrong form; names the class, the expected and the received value.
    """
    if not isinstance(document, dict):
        raise ValueError(f"Expected an object of classes. Received {document!r:.60}.")
    return Names({label: _name(label, stated) for label, stated in document.items()})


def _name(label: str, stated: Any) -> Name:
    if not isinstance(stated, dict):
        raise ValueError(f"Class {label!r}: expected an object. Received {stated!r:.60}.")
    value = _value(label, stated["value"]) if "value" in stated else _value_of(label)
    spoken = {language: text for language, text in stated.items() if language != "value"}
    for language, text in spoken.items():
        _require_words(label, language, text)
    return Name(label, value, spoken)


def _value(label: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _MOST:
        expected = "a number of dollars above 0, up to a billion"
        raise ValueError(f"Class {label!r}: expected `value` to be {expected}. Received {value!r}.")
    return float(value) if value % 1 else int(value)


def _require_words(label: str, language: str, text: Any) -> None:
    if not _LANGUAGE.fullmatch(language):
        expected = "`value`, or languages such as `en`"
        raise ValueError(f"Class {label!r}: expected {expected}. Received {language!r}.")
    if not isinstance(text, str) or not 0 < len(text.strip()) <= _LONGEST:
        expected = f"`{language}` to be text of 1 to {_LONGEST} letters"
        raise ValueError(f"Class {label!r}: expected {expected}. Received {text!r:.60}.")


def _value_of(label: str) -> int | None:
    """Return the dollars of a label such as `20` or `20-2026`, or None."""
    number = _NUMBER.fullmatch(label)
    return int(number[1]) or None if number else None
