"""Tests that a release has one version everywhere, and that files for other tools are valid."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.servers import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [
    file for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if file.stem != "config"
]
SCHEMAS: list[tuple[str, list[Path]]] = [
    ("github-workflows", WORKFLOWS),
    ("github-issue-forms", FORMS),
    ("github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
    ("dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ("citation-file-format", [ROOT / "CITATION.cff"]),
    ("compose-spec", [ROOT / "docker-compose.yml"]),
]


def test_the_api_says_the_version() -> None:
    api = json.loads((ROOT / "webapp" / "openapi.json").read_text(encoding="utf-8"))
    assert api["info"]["version"] == VERSION


def test_the_citation_says_version_and_date_of_the_changelog() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], str(citation["date-released"])) == releases()[0]


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    assert releases()[0][0] == VERSION


def test_production_runs_the_image_of_the_version() -> None:
    overlay = ROOT / "deploy" / "kubernetes" / "overlays" / "production" / "kustomization.yaml"
    images = {image["name"]: image for image in yaml.safe_load(overlay.read_text())["images"]}
    assert images["us-bills-web"]["newTag"] == VERSION


def test_the_version_is_supported() -> None:
    minor = VERSION.rpartition(".")[0]
    assert f"| {minor} | yes |" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("schema", "files"), SCHEMAS, ids=[name for name, _ in SCHEMAS])
def test_files_for_other_tools_keep_to_their_schema(schema: str, files: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    assert files
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_pins_its_actions_and_asks_for_few_rights(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        for action in (step["uses"] for step in job["steps"] if "uses" in step):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_the_tests_of_ci_run_on_every_python_that_the_project_supports() -> None:
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    low, high = re.findall(
        r"3\.(\d+)", (ROOT / "pyproject.toml").read_text().split("requires-python")[1]
    )[:2]
    wanted = [f"3.{minor}" for minor in range(int(low), int(high))]
    assert ci["jobs"]["test"]["strategy"]["matrix"]["python"] == wanted


def test_the_development_container_is_made_by_make() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].startswith("make ")


def test_each_tier_gets_a_bill_of_materials(tmp_path: Path) -> None:
    command = [str(ROOT / ".ci" / "sbom"), sys.executable, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for tier in ("serving", "training", "webapp"):
        bill = json.loads((tmp_path / f"us-bills-{tier}-{VERSION}.cdx.json").read_text())
        locked = re.findall(
            r"^[\w.-]+(?===)", (ROOT / "requirements" / f"{tier}.txt").read_text(), re.M
        )
        assert bill["metadata"]["component"]["version"] == VERSION
        assert {part["name"].lower() for part in bill["components"]} == set(locked)


def releases() -> list[tuple[str, str]]:
    """Returns version and date of each release in the changelog, newest first."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
