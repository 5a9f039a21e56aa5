"""Tests that each package imports only the packages and files that one table allows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIERS = ("bench", "serving", "training", "webapp")

# A package is a folder; files next to packages are named one by one, except those in `SHARED`,
# which all packages of a tier may import. An arrow leads from a package to what it may import.
SHARED = {
    "bench": {"names"},
    "serving.local": {"deadline", "errors", "metrics", "ports", "settings", "threads"},
    "serving.rollout": {"errors"},
    "serving": {"concurrency", "files", "spans", "tracing", "traffic"},
    "training": {"recipe", "schedule"},
    "webapp": {"allocator", "names", "settings", "timings"},
}
ARROWS = {
    "webapp.imaging": set(),
    "webapp.feedback": set(),
    "webapp.decoding": {"webapp.imaging"},
    "webapp.inference": {"webapp.decoding", "webapp.imaging", "serving.client", "serving.traffic"},
    "webapp.uploads": {"webapp.inference", "serving.concurrency"},
    "webapp.telemetry": {
        "webapp.inference",
        "serving.client",
        "serving.spans",
        "serving.tracing",
    },
    "webapp.views": {
        "webapp.feedback",
        "webapp.telemetry",
        "webapp.uploads",
        "webapp.inference",
        "webapp.decoding",
        "webapp.imaging",
        "serving.client",
        "serving.concurrency",
        "serving.tracing",
    },
    "webapp.runtime": {
        "webapp.app",
        "webapp.views",
        "webapp.telemetry",
        "webapp.uploads",
        "webapp.inference",
        "webapp.decoding",
        "serving.client",
    },
    "serving.wire": set(),
    "serving.client": {"serving.wire"},
    "serving.local.runtime": {"serving.wire"},
    "serving.signing": set(),
    "serving.local.lifecycle": {"serving.local.runtime", "serving.signing", "serving.wire"},
    "serving.local.inference": {
        "serving.local.lifecycle",
        "serving.local.runtime",
        "serving.signing",
        "serving.wire",
    },
    "serving.local.rest": {"serving.local.inference", "serving.local.lifecycle", "serving.wire"},
    "serving.local.grpc": {"serving.local.inference", "serving.local.lifecycle", "serving.wire"},
    "serving.rollout.remote": {"serving.client", "serving.wire"},
    # The local server's code reads the files, so that server and rollouts interpret them alike.
    "serving.rollout.state": {
        "serving.rollout.remote",
        "serving.client",
        "serving.local.lifecycle",
        "serving.local.errors",
        "serving.signing",
        "serving.wire",
    },
    "serving.rollout.checks": {
        "serving.rollout.state",
        "serving.rollout.remote",
        "serving.client",
        "serving.signing",
        "serving.wire",
        # Only for `check`, in a separate process.
        "serving.local.inference",
        "serving.local.runtime",
        "serving.local.errors",
    },
    "serving.rollout.analysis": {"serving.rollout.remote"},
    "serving.rollout.report": {
        "serving.rollout.analysis",
        "serving.rollout.checks",
        "serving.rollout.state",
        "serving.rollout.remote",
        "serving.client",
    },
    # Feedback that was not reviewed is refused.
    "training.data": {"serving.files", "webapp.feedback", "webapp.imaging"},
    "training.review": {"webapp.feedback"},
    "training.augmentation": {"training.data", "webapp.imaging"},
    "training.network": {"webapp.imaging"},
    "training.evaluation": {
        "training.data",
        "training.augmentation",
        "training.network",
        "webapp.imaging",
    },
    "training.rehearsal": {
        "training.fit",
        "training.recipe",
        "training.augmentation",
        "training.network",
        "training.data",
        "webapp.imaging",
    },
    "training.teaching": {
        "training.progress",
        "training.rehearsal",
        "training.export",
        "training.evaluation",
        "training.data",
    },
    "training.export": {
        "training.rehearsal",
        "training.fit",
        "training.evaluation",
        "training.augmentation",
        "training.network",
        "training.data",
        "webapp.imaging",
        "serving.wire",
    },
    "training.counting.scenes": {"training.augmentation", "training.data", "webapp.imaging"},
    "training.counting.detector": {
        "training.counting.scenes",
        "training.augmentation",
        "training.network",
    },
    "training.counting.graph": {
        "training.counting.detector",
        "training.augmentation",
        "training.data",
        "training.export",
        "webapp.imaging",
    },
    "training.counting.evaluation": {
        "training.counting.scenes",
        "training.augmentation",
        "training.data",
        "webapp.imaging",
    },
    "training.counting": {
        "training.checkpoint",
        "training.flags",
        "training.progress",
        "training.recipe",
        "training.run_folder",
        "training.teaching",
        "training.rehearsal",
        "training.export",
        "training.evaluation",
        "training.augmentation",
        "training.network",
        "training.data",
        "webapp.imaging",
    },
    "bench.drill": {
        "bench.rollout",
        "training.__main__",
        "training.augmentation",
        "training.data",
        "training.evaluation",
        "webapp.feedback",
    },
    "bench.load": {"serving.wire"},
    "bench.report": {"bench.load"},
    "bench.contenders": {
        "bench.load",
        "bench.photos",
        "serving.local.inference",
        "serving.local.runtime",
        "serving.local.threads",
        "serving.wire",
        "training.evaluation",
        "training.export",
        "training.rehearsal",
        "webapp.imaging",
    },
    # Whole rollouts, and the local server without its port.
    "bench.rollout": {"serving", "webapp.inference"},
}
# The imports that a whole tier may have of other tiers, files next to its packages included.
BETWEEN_TIERS = {
    "serving": set(),
    "webapp": {
        "serving.client",
        "serving.concurrency",
        "serving.files",
        "serving.spans",
        "serving.tracing",
        "serving.traffic",
    },
    "training": {
        "serving.files",
        "serving.wire",
        "webapp.feedback",
        "webapp.imaging.preprocessing",
        "webapp.names",
    },
    "bench": {"serving", "training", "webapp"},
}
NEEDS_NO_TENSORFLOW = (
    "webapp",
    "serving/client",
    "serving/wire",
    "serving/rollout",
    "serving/signing",
    "serving/concurrency.py",
    "serving/spans.py",
    "serving/tracing.py",
    "serving/files.py",
    "serving/traffic.py",
)


def files_of(path: str) -> list[Path]:
    """Returns the sources below a folder, or the one file."""
    found = ROOT / path
    files = [found] if found.is_file() else sorted(found.rglob("*.py"))
    return [file for file in files if "_pb2" not in file.name]


def imports_of(file: Path) -> Iterator[str]:
    """Yields the dotted names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports_of(file: Path) -> Iterator[str]:
    """Yields the dotted names that a file imports from this project."""
    return (name for name in imports_of(file) if name.split(".")[0] in TIERS)


def is_within(name: str, places: set[str]) -> bool:
    """Returns whether a dotted name is one of the places or is inside one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def shared_by(package: str) -> set[str]:
    """Returns the `SHARED` files that a package may import: of its tier and of outer tiers."""
    outer = [tier for tier in SHARED if package.startswith(f"{tier}.")]
    return {f"{tier}.{name}" for tier in outer for name in SHARED[tier]}


def test_every_package_is_in_the_table() -> None:
    folders = {file.parent for tier in TIERS for file in (ROOT / tier).rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert packages - {*TIERS, "serving.local", "serving.rollout"} == set(ARROWS)


@pytest.mark.parametrize("package", ARROWS)
def test_a_package_imports_what_the_table_allows_and_nothing_else(package: str) -> None:
    allowed = {package} | ARROWS[package] | shared_by(package)
    for file in files_of(package.replace(".", "/")):
        others = [name for name in own_imports_of(file) if not is_within(name, allowed)]
        assert not others, f"{file.relative_to(ROOT)} imports {others}; see ARROWS."


def test_no_arrow_of_the_table_runs_in_a_circle() -> None:
    left = {package: {to for to in arrows if to in ARROWS} for package, arrows in ARROWS.items()}
    while innermost := {package for package, arrows in left.items() if not arrows & set(left)}:
        left = {package: arrows for package, arrows in left.items() if package not in innermost}
    assert not left


@pytest.mark.parametrize("package", ARROWS)
def test_every_arrow_of_the_table_is_used(package: str) -> None:
    files = files_of(package.replace(".", "/"))
    used = {name for file in files for name in own_imports_of(file)}
    unused = {to for to in ARROWS[package] if not any(is_within(name, {to}) for name in used)}
    assert not unused


@pytest.mark.parametrize("tier", BETWEEN_TIERS)
def test_a_tier_imports_of_others_what_the_table_allows(tier: str) -> None:
    allowed = {tier} | BETWEEN_TIERS[tier]
    for file in files_of(tier):
        others = [name for name in own_imports_of(file) if not is_within(name, allowed)]
        assert not others, f"{file.relative_to(ROOT)} imports {others}."


def test_shared_files_import_no_package() -> None:
    for tier, names in SHARED.items():
        for name in names:
            (file,) = files_of(f"{tier.replace('.', '/')}/{name}.py")
            assert not [n for n in own_imports_of(file) if is_within(n, set(ARROWS))], file


@pytest.mark.parametrize(
    "file",
    # `check.py` of the rollouts loads a version, in a separate process.
    [f for path in NEEDS_NO_TENSORFLOW for f in files_of(path) if f.name != "check.py"],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_neither_front_end_nor_client_nor_rollouts_import_tensorflow(file: Path) -> None:
    assert not {name for name in imports_of(file) if name.split(".")[0] in {"tensorflow", "keras"}}


def test_of_the_local_server_only_the_runtime_imports_tensorflow() -> None:
    files = [file for file in files_of("serving") if file.parent.name != "runtime"]
    for file in files:
        assert not {name for name in imports_of(file) if name.split(".")[0] == "tensorflow"}, file


def test_every_room_says_what_it_is_for() -> None:
    for package in ARROWS:
        text = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
        said = ast.get_docstring(ast.parse(text))
        assert said, f"{package} has no docstring."
