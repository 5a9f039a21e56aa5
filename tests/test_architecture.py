"""Which package may import which: the arrows between the three tiers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIERS = {"serving", "training", "webapp"}
FRONT_END = [
    *(ROOT / "webapp").rglob("*.py"),
    *(ROOT / "serving" / name for name in ("client.py", "places.py", "traffic.py")),
]
# The one part of the rollouts that loads a version does so in a process of its own.
ROLLOUT = [f for f in (ROOT / "serving" / "rollout").glob("*.py") if f.name != "check.py"]


def imports_of(file: Path) -> set[str]:
    """Returns the dotted names that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports_between_tiers(tier: str, folder: str = "") -> set[str]:
    """Returns what the files of a tier import from the others, as `package.module`."""
    found = {name for file in (ROOT / tier / folder).rglob("*.py") for name in imports_of(file)}
    others = {name for name in found if name.split(".")[0] in TIERS - {tier}}
    return {".".join(name.split(".")[:2]) for name in others}


def test_the_front_end_imports_three_modules_of_serving_and_nothing_else() -> None:
    assert imports_between_tiers("webapp") == {
        "serving.client",
        "serving.places",
        "serving.traffic",
    }


def test_training_imports_preprocessing_and_the_wire_format_and_nothing_else() -> None:
    assert imports_between_tiers("training") == {"webapp.preprocessing", "serving.wire"}


def test_serving_imports_no_other_tier() -> None:
    assert imports_between_tiers("serving") == set()


def test_rollouts_share_with_the_local_server_how_files_are_read_and_nothing_that_serves() -> None:
    found = {name for file in ROLLOUT for name in imports_of(file)}
    modules = {".".join(n.split(".")[:3]) for n in found if n.startswith("serving.local")}
    assert modules == {f"serving.local.{name}" for name in ("config", "errors", "storage")}


@pytest.mark.parametrize(
    "file",
    [*FRONT_END, *ROLLOUT, *(ROOT / "serving" / "wire").glob("*.py")],
    ids=lambda file: file.name,
)
def test_neither_front_end_nor_client_nor_rollouts_import_tensorflow(file: Path) -> None:
    assert not {name for name in imports_of(file) if name.split(".")[0] in {"tensorflow", "keras"}}
