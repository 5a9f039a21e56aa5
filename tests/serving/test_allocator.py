"""The allocator that takes the C library's place, on Linux, where its package is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT, ModelServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")

LOADED = "'libmimalloc' in open('/proc/self/maps').read()"
PRELOAD = "from serving.local import allocator; allocator.preload(); "


def python(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    command = [sys.executable, "-c", PRELOAD + code]
    ended = subprocess.run(
        command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_server_runs_with_it(small_server: ModelServer) -> None:
    assert small_server.process is not None
    assert "libmimalloc" in Path(f"/proc/{small_server.process.pid}/maps").read_text()


def test_the_program_starts_anew_once_with_the_arguments_it_had() -> None:
    said = python(f"import sys; print({LOADED}, sys.argv, flush=True)")
    assert said == "True ['-c']"


@pytest.mark.parametrize("own", ["", "/usr/lib/libm.so.6"])
def test_who_preloads_something_else_or_nothing_keeps_that(own: str) -> None:
    assert python(f"print({LOADED})", LD_PRELOAD=own) == "False"


def test_options_that_the_user_has_set_stay() -> None:
    name = "MIMALLOC_PURGE_DELAY"
    assert python(f"import os; print(os.environ['{name}'])", MIMALLOC_PURGE_DELAY="7") == "7"


@pytest.mark.parametrize("environment", [{}, {"LD_PRELOAD": ""}], ids=["mimalloc", "glibc"])
def test_what_is_freed_goes_back_to_the_system(environment: dict[str, str]) -> None:
    resident = "int(open('/proc/self/statm').read().split()[1]) * 4096 // 10**6"
    said = python(
        f"from serving.local import memory; before = {resident}; "
        # Under the size from which the C library gives each block back by itself.
        f"blocks = [b'x' * 100_000 for _ in range(2000)]; full = {resident}; "
        f"last = b'x' * 100_000; del blocks; memory.return_freed(); "
        f"print(full - before, {resident} - before)",
        **environment,
    )
    taken, left = map(int, said.split())
    assert taken > 190
    assert left < 20
