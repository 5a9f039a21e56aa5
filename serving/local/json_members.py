"""JSON objects in which a name comes more than once.

RapidJSON keeps every member. Where the original looks a name up, the first counts (recorded case
153); where it goes through the members, of a row or of an example, all do (`json_tensor.cc`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Repeated(dict[str, Any]):
    """An object with all its members, in order; to whoever looks a name up, the first counts."""

    def __init__(self, members: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self.members: list[tuple[str, Any]] = []
        for name, value in members:
            self.add(name, value)

    def add(self, name: str, value: Any) -> None:
        """Appends a member."""
        self.members.append((name, value))
        self.setdefault(name, value)


def object_of(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a plain one where no name comes twice."""
    values = dict(members)
    return values if len(values) == len(members) else Repeated(members)


def with_member(value: dict[str, Any], name: str, content: Any) -> dict[str, Any]:
    """The object, changed in place where possible, with one more member."""
    if name in value and not isinstance(value, Repeated):
        value = Repeated(value.items())
    if isinstance(value, Repeated):
        value.add(name, content)
    else:
        value[name] = content
    return value


def members_of(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """All members of an object, in order."""
    return value.members if isinstance(value, Repeated) else value.items()
