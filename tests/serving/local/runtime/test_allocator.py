"""The allocator that replaces the C library's, on Linux."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.local.runtime.allocator import can_be_preloaded, library
from tests.support.servers import ROOT, ModelServer

pytestmark = [
    pytest.mark.skipif(library() is None, reason="mimalloc is for Linux, and needs libatomic"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="LD_PRELOAD is set already"),
]

LOADED = "'libmimalloc' in open('/proc/self/maps').read()"
PRELOAD = "from serving.local.runtime import allocator; allocator.preload(); "
RESIDENT = "int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') // 10**6"


def python(code: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Runs code that preloads first; returns its process number and what it printed."""
    command = [sys.executable, "-X", "utf8", "-c", f"import os, sys; {PRELOAD}{code}", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return process.pid, said.strip()


def loaded_library() -> str:
    """A file that every Linux has."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(name for line in lines if (name := line.split()[-1]).endswith("/libm.so.6"))


def test_the_server_runs_with_it(small_server: ModelServer) -> None:
    assert small_server.process is not None
    assert "libmimalloc" in Path(f"/proc/{small_server.process.pid}/maps").read_text()


def test_the_program_starts_anew_with_its_number_its_arguments_and_pythons_flags() -> None:
    pid, said = python(
        f"print({LOADED}, os.getpid(), sys.argv[1:], sys.flags.utf8_mode)", "a b", "--c"
    )
    assert said == f"True {pid} ['a b', '--c'] 1"


def test_who_preloads_nothing_keeps_that() -> None:
    assert python(f"print({LOADED})", LD_PRELOAD="")[1] == "False"


def test_who_preloads_something_else_keeps_that() -> None:
    own = loaded_library()
    code = f"print({LOADED}, '{own}' in open('/proc/self/maps').read())"
    assert python(code, LD_PRELOAD=own)[1] == "False True"


def test_options_that_the_user_has_set_stay() -> None:
    code = f"print({LOADED}, os.environ['MIMALLOC_PURGE_DELAY'], os.environ['MIMALLOC_ALLOW_THP'])"
    assert python(code, MIMALLOC_PURGE_DELAY="7")[1] == "True 7 0"


@pytest.mark.parametrize(
    ("name", "possible"), [("good.so", True), ("a b.so", False), ("a:b.so", False)]
)
def test_a_name_that_would_be_read_as_two_is_left_out(
    tmp_path: Path, name: str, possible: bool
) -> None:
    assert can_be_preloaded(str(shutil.copy(loaded_library(), tmp_path / name))) is possible


def test_a_library_that_does_not_load_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.so").write_bytes(b"no library")
    assert not can_be_preloaded(str(tmp_path / "broken.so"))
    assert not can_be_preloaded(str(tmp_path / "lost.so"))


@pytest.mark.parametrize("environment", [{}, {"LD_PRELOAD": ""}], ids=["mimalloc", "glibc"])
def test_what_is_freed_goes_back_to_the_system(environment: dict[str, str]) -> None:
    _, said = python(
        f"before = {RESIDENT}; "
        # Under the size from which the C library gives each block back by itself.
        f"blocks = [b'x' * 100_000 for _ in range(2000)]; full = {RESIDENT}; "
        f"last = b'x' * 100_000; del blocks; allocator.return_freed(); "
        f"print(full - before, {RESIDENT} - before)",
        **environment,
    )
    taken, left = map(int, said.split())
    assert taken > 190
    assert left < 20
