"""The page shows the figures, and hand-written text on it is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.contenders.contender import Contender
from bench.load.generator import Target
from bench.report import page
from tests.support.servers import ROOT

PAGE = ROOT / "docs" / "performance.md"


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads((ROOT / "docs" / "performance" / "figures.json").read_text())


def test_the_page_has_the_tables_of_the_figures_beside_it(document: Any) -> None:
    assert page.tables(document) in PAGE.read_text()


def test_writing_it_anew_keeps_the_text_around_the_tables(document: Any, tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(f"Above\n{page.BEGIN}\nold\n{page.END}\nbelow\n")
    page.write(document, copy)
    assert copy.read_text() == f"Above\n{page.BEGIN}\n{page.tables(document)}\n{page.END}\nbelow\n"


def test_a_page_without_the_marks_is_refused(document: Any, tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text("Nothing to see here.\n")
    with pytest.raises(ValueError, match="needs the lines"):
        page.write(document, copy)


def test_processor_time_that_nobody_measured_is_a_dash(document: Any) -> None:
    away = Contender("elsewhere", [], Target("http://nowhere/", ""))
    rounds = [[1.0, 1.0, 1.0, 1.0, away.cpu(), 0, 9, 8]]
    served = {away.name: {str(clients): rounds for clients in page.CLIENTS}}
    shown = page.tables({**document, "served": document["served"] | served})
    assert "| elsewhere | - | - | - | 9 | 8 |" in shown
