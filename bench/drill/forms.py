"""Reads the forms of a page, and fills them in as a browser without JavaScript does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class Form:
    """One form.

    Attributes:
        address: the URL that the form is sent to.
        fields: the initial values of the fields, by name.
        choices: the values that a list, a checkbox or a button offers, by its name.
    """

    address: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def filled(self, **values: str) -> dict[str, str]:
        """Returns all fields, with these values chosen or typed.

        Raises:
            ValueError: the form has no such field, or does not offer the value.
        """
        for name, value in values.items():
            offered = self.choices.get(name)
            if (offered is None and name not in self.fields) or (offered and value not in offered):
                raise ValueError(
                    f"The form for {self.address} does not take {name}={value!r}. Expected one of"
                    f" {offered or list(self.fields)}."
                )
        return self.fields | values


def forms_of(page: str, address: str) -> list[Form]:
    """Returns the forms of an HTML page that was loaded from `address`."""
    reader = _Reader(address)
    reader.feed(page)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._select = ""
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            self.forms.append(Form(urljoin(self._address, given.get("action", ""))))
        elif tag == "select":
            self._select = name
        elif tag == "option":
            self._offer(self._select, value)
        elif tag == "button" or given.get("type") == "checkbox":
            self._offer(name, value)
        elif tag == "input" and name and self.forms:
            self.forms[-1].fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""

    def _offer(self, name: str, value: str) -> None:
        """Adds a choice; ignores an option of a list of suggestions, which has no field name."""
        if name and self.forms:
            self.forms[-1].choices.setdefault(name, []).append(value)
