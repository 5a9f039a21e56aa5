"""The report of a version: the terminal output, and a folder of files."""

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.training.evaluation.test_measures import SIX
from training.__main__ import main
from training.evaluation import model_card, plots, tables
from training.evaluation.measures import measures

PLOTS = {"architecture", "confusion", "learning", "reliability", "risk_coverage"}
PICTURE = re.compile(r"^\| ([^|]+/drawn-\d\.png) \|", re.MULTILINE)
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
    text = section(written, "Mistakes, the surest first")
    assert len(PICTURE.findall(text)) == wrong
    assert "(mistakes.jpg)" in text
    with Image.open(written / "mistakes.jpg") as sheet:
        assert sheet.width == 6 * 200


def test_every_unsure_answer_is_listed_and_all_answers_lie_beside(written: Path) -> None:
    with (written / "answers.csv").open(encoding="utf-8", newline="") as text:
        unsure = [row for row in csv.DictReader(text) if row["sure"] == "no"]
    assert unsure
    listed = PICTURE.findall(section(written, "Not sure, the least sure first"))
    assert sorted(listed) == sorted(row["file"] for row in unsure)


def section(folder: Path, title: str) -> str:
    """A section of the report."""
    _, _, rest = (folder / "report.md").read_text().partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def test_names_with_a_pipe_do_not_break_a_table() -> None:
    share = {"share": 0.5, "count": 1, "of": 2, "interval": [0.1, 0.9]}
    row = tables.table({"a|b": share}, "class").splitlines()[-1]
    assert row == "| a\\|b | 1 of 2 | 50.0 % | 10.0 to 90.0 % |"
    assert "| a\\|b | 3 |" in model_card._sources({"a|b": {"5": 3}}, ["5"])


def test_names_with_dollar_signs_are_no_formulas(tmp_path: Path) -> None:
    names = ["$x_$ and $y^$", "5"]
    found = {"confusion": {name: dict.fromkeys(names, 1) for name in names}}
    plots.save(plots.confusion(found), tmp_path / "confusion.svg")
    assert (tmp_path / "confusion.svg").is_file()


def test_a_plot_drawn_twice_is_the_same_file(written: Path, tmp_path: Path) -> None:
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
