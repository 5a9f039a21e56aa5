"""A command says whether another version fits into memory before the version is loaded."""

from pathlib import Path

import pytest

from serving.rollout.checks.memory import free_bytes, require_room
from serving.rollout.errors import Refused

MB = 1_000_000
MEMINFO = "MemTotal:       16000000 kB\nMemFree:  10 kB\nMemAvailable:    2000000 kB\n"


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path / "meminfo"


def test_what_fits_is_told_with_its_size() -> None:
    assert require_room(500 * MB, 2000 * MB) == "needs 500 MB, 2,000 MB are free"


def test_what_does_not_fit_with_a_margin_is_refused() -> None:
    with pytest.raises(Refused, match=r"needs about 500 MB, and 520 MB are free.*--force"):
        require_room(500 * MB, 520 * MB)


def test_what_is_forced_is_not_compared() -> None:
    told = require_room(500 * MB, 520 * MB, force=True)
    assert told == "needs 500 MB; not compared with what is free (--force)"


def test_where_it_cannot_be_told_nothing_is_refused() -> None:
    assert "cannot be told" in require_room(500 * MB, None)


def test_free_is_what_the_machine_has_available(meminfo: Path, tmp_path: Path) -> None:
    assert free_bytes(meminfo, tmp_path / "no cgroup") == 2_000_000 * 1024


def test_a_containers_limit_counts_where_it_is_less(meminfo: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50000000\n")
    assert free_bytes(meminfo, tmp_path) == 150 * MB
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(meminfo, tmp_path) == 2_000_000 * 1024


def test_a_system_that_tells_nothing_is_taken_as_it_is(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "none", tmp_path / "none") is None
