"""Real photos, if they lie next to this checkout; otherwise the tests draw pictures."""

from pathlib import Path

import pytest

BILLS = Path(__file__).parents[2] / "shared" / "data" / "bills"


def real_photos(split: str = "validation") -> list[Path]:
    """Returns photos `<class>/<name>.jpg` of all classes in turn, or skips the test without any."""
    files = sorted((BILLS / split).glob("*/*.jpg"), key=lambda path: (path.name, path.parent.name))
    if not files:
        pytest.skip("no real photos next to this checkout")
    return files
