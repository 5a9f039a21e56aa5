"""The report of a version: what a terminal shows, and a folder to look at."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.training.test_measures import SIX
from training import tables
from training.__main__ import main
from training.measures import measures

PLOTS = {"architecture", "confusion", "learning", "reliability", "risk_coverage"}
FIGURES = {**measures(SIX), "pictures_per_second": 50.0}


@pytest.fixture(scope="module")
def written(
    small_version: Path,
    small_run: Path,
    drawn_photos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("report")
    arguments = ["--model", str(small_version), "--data", str(drawn_photos), "--slices"]
    where = ["--report", str(folder), "--run", str(small_run)]
    assert main(["evaluate", *arguments, *where]) == 0
    return folder


def test_the_report_holds_the_figures_for_machines(written: Path) -> None:
    figures = json.loads((written / "report.json").read_text())
    assert figures["photos"] == 24
    assert figures["pictures_per_second"] > 0
    assert figures["risk_coverage"][-1]["coverage"] == 1
    assert "turned by 330" in figures["slices"]


def test_the_report_shows_every_plot_it_names_and_each_is_a_picture(written: Path) -> None:
    text = (written / "report.md").read_text()
    shown = set(re.findall(r"!\[.*?\]\((\w+)\.svg\)", text))
    assert shown == PLOTS
    for name in shown:
        root = ElementTree.parse(written / f"{name}.svg").getroot()
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 5


def test_every_mistake_is_listed_and_the_surest_are_shown(written: Path) -> None:
    figures = json.loads((written / "report.json").read_text())
    wrong = figures["top_1"]["of"] - figures["top_1"]["count"]
    text = (written / "report.md").read_text()
    assert len(re.findall(r"^\| [^|]+/drawn-\d\.png \|", text, re.MULTILINE)) == wrong
    with Image.open(written / "mistakes.jpg") as sheet:
        assert sheet.width == 6 * 200


def test_a_plot_drawn_twice_is_the_same_file(written: Path, tmp_path: Path) -> None:
    from training import plots

    figures = json.loads((written / "report.json").read_text())
    plots.save(plots.confusion(figures), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (written / "confusion.svg").read_bytes()


def test_the_terminal_names_every_share_with_its_interval() -> None:
    line = next(line for line in tables.lines(FIGURES).splitlines() if "denomination first" in line)
    assert re.fullmatch(
        r"right denomination first +0\.5000  2 of 4, 95 % interval 0\.150 to 0\.850", line
    )


def test_a_share_of_nothing_is_said_to_be_unknown() -> None:
    none = {"share": None, "count": 0, "of": 0, "interval": [0.0, 1.0]}
    assert "none to judge" in tables.lines({**FIGURES, "bills_answered": none})
    assert tables.table({"bills": none}, "measure").count("\n") == 1
