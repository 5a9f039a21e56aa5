"""Tests that the files, modules, links, rooms and commands in the documentation exist."""

import importlib
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.test_architecture import ARROWS, BETWEEN_TIERS, is_within

PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ]
)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DRAWING = ElementTree.parse(ROOT / "docs" / "architecture.svg")
CODE = ("bench", "serving", "tests", "training", "webapp")
FOLDERS = (*CODE, ".ci", ".devcontainer", ".github", "deploy", "docs", "models", "requirements")
# Files that the running system writes, and that are not part of a checkout.
WRITTEN_LATER = {
    "serving/config/traffic.json",
    "serving/config/rollouts.jsonl",
    "serving/config/rollout.lock",
    "serving/config/golden",
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def paths_in(text: str) -> set[str]:
    """Returns the paths in backticks that begin with one of the repository's folders."""
    folders = "|".join(map(re.escape, FOLDERS))
    return {path.rstrip("/") for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", text)}


def modules_in(text: str) -> set[str]:
    """Returns dotted names in backticks, and the modules of `python -m` commands."""
    roots = "|".join(CODE)
    named = re.findall(rf"`((?:{roots})(?:\.\w+)+)(?:\(\))?`", text)
    return {*named, *re.findall(rf"python -m ((?:{roots})\b(?:\.\w+)*)", text)}


def exists(dotted: str) -> bool:
    """Returns whether a dotted name is a folder or file of code, or a name inside a file."""
    file = ROOT / dotted.replace(".", "/")
    if file.is_dir() or file.with_suffix(".py").is_file():
        return True
    module, _, name = dotted.rpartition(".")
    inside = (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
    return inside and hasattr(importlib.import_module(module), name)


@each_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = paths_in(page.read_text(encoding="utf-8")) - WRITTEN_LATER
    assert not [path for path in named if not (ROOT / path).exists()]


@each_page
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    assert not [name for name in modules_in(page.read_text(encoding="utf-8")) if not exists(name)]


@each_page
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    files = [target for target in targets if not target.startswith(("http", "mailto:"))]
    assert not [target for target in files if not (page.parent / target).exists()]
    site = ROOT / "docs"
    assert page.parent == ROOT or all(
        (page.parent / f).resolve().is_relative_to(site) for f in files
    )


@each_page
def test_every_make_command_that_a_page_names_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text(encoding="utf-8"))) <= known


def test_a_page_that_names_what_is_not_there_would_be_found() -> None:
    text = "`webapp/nowhere.py`, `webapp.app.nothing` and `webapp.app.create_app`"
    assert paths_in(text) == {"webapp/nowhere.py"}
    assert {name for name in modules_in(text) if not exists(name)} == {"webapp.app.nothing"}


def test_the_table_of_rooms_is_the_one_that_imports_are_held_against() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| .+ \|$", ARCHITECTURE, re.MULTILINE)
    told = {room: set(re.findall(r"`([\w.]+)`", targets)) for room, targets in rows}
    assert told == ARROWS


def test_the_drawing_has_every_outer_room_but_those_that_measure() -> None:
    drawn = {group.get("id") for group in DRAWING.iter("{http://www.w3.org/2000/svg}g")}
    inner = {room for room in ARROWS if is_within(room, set(ARROWS) - {room})}
    assert drawn == {room for room in ARROWS if not room.startswith("bench.")} - inner


def test_every_import_of_the_drawing_may_exist() -> None:
    arrows = [path.get("data-arrow") for path in DRAWING.iter("{http://www.w3.org/2000/svg}path")]
    for room, to in (arrow.split() for arrow in arrows if arrow):
        allowed = ARROWS[room] | BETWEEN_TIERS[room.partition(".")[0]]
        assert is_within(to, allowed), f"{room} does not import {to}."


def test_every_decision_is_in_the_list_and_has_each_section() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "index.md").read_text())
    assert listed == sorted(file.name for file in folder.glob("0*.md"))
    for name in listed:
        assert re.search(r"^Status: \w", (folder / name).read_text(), re.MULTILINE), name


def test_every_page_of_the_documentation_is_in_the_sites_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = subprocess.check_output(["git", "ls-files", "docs/*.md"], cwd=ROOT, text=True).split()
    assert not [page for page in pages if page.removeprefix("docs/") not in navigation]
