"""What counting costs is the time of the answer alone."""

import time
from typing import Any

import pytest

from bench.counting import _seconds


class Slowly:
    """A session whose replies take long to read as JSON."""

    def post(self, *_: object, **_more: object) -> "Slowly":
        return self

    def raise_for_status(self) -> None:
        """All is well."""

    def json(self) -> dict[str, Any]:
        time.sleep(0.5)
        return {"count": {"available": True}}


@pytest.mark.parametrize("count", ["0", "1"])
def test_reading_the_answer_is_not_timed(count: str) -> None:
    session: Any = Slowly()
    assert _seconds(session, "http://nowhere", b"", count) < 0.5
