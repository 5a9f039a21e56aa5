"""A compromised decoding process can compute and answer, but nothing else."""

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.webapp import fuzz
from webapp.decoding import sandbox

# Runs one attempt inside the confinement of a real decoding process, and prints its result.
_INSIDE = """
import os, socket, subprocess, sys, threading, ctypes
from webapp.decoding.worker import prepare
path = sys.argv[1]
lacking = prepare(1_200_000_000, 10)
assert not lacking, lacking
try:
    result = {attempt}
except OSError as error:
    print("refused", error.errno)
else:
    print("done", result)
"""

FORBIDDEN = {
    "write a file": "open(path, 'w')",
    "read a file": "open('/etc/passwd').read()",
    "list a folder": "os.listdir('/')",
    "delete a file": "os.unlink(path)",
    "rename a file": "os.rename(path, path + '2')",
    "make a folder": "os.mkdir(path + '2')",
    "make a socket": "socket.socket()",
    "make a socket pair": "socket.socketpair()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "start a process": "os.fork()",
    "start a program": "subprocess.run(['/bin/true'])",
    "send a signal": "os.kill(os.getppid(), 0)",
    "send a signal to a thread": "__import__('signal').pthread_kill(threading.get_ident(), 0)",
    "take less nice a priority": "os.setpriority(os.PRIO_PROCESS, 0, 0)",
    "duplicate a descriptor": "os.dup(2)",
    "make a file of memory": "os.memfd_create('x')",
    "become somebody": "os.setuid(1)",
    "change its limits": "__import__('resource').setrlimit(7, (16, 16))",
}
ALLOWED = {
    "compute": "sum(range(1000))",
    "take memory": "len(bytes(50_000_000))",
    "run a thread": "threading.Thread(target=print).start()",
}

filtered = pytest.mark.skipif(
    platform.machine() not in sandbox._ARCHITECTURES, reason="no filter for this machine"
)


@pytest.fixture
def inside(tmp_path: Path) -> Callable[[str], str]:
    """Evaluates an expression in the confinement of a decoding process."""
    file = tmp_path / "file"
    file.write_text("kept")

    def run(attempt: str) -> str:
        script = _INSIDE.format(attempt=attempt)
        done = subprocess.run(
            [sys.executable, "-c", script, str(file)], cwd=ROOT, capture_output=True, text=True
        )
        assert file.read_text() == "kept"
        assert [each.name for each in tmp_path.iterdir()] == ["file"]
        return done.stdout + done.stderr

    return run


@filtered
@pytest.mark.parametrize("what", FORBIDDEN)
def test_inside_it_is_refused_to(what: str, inside: Callable[[str], str]) -> None:
    assert inside(FORBIDDEN[what]).startswith("refused")


@filtered
@pytest.mark.parametrize("what", ALLOWED)
def test_inside_it_is_possible_to(what: str, inside: Callable[[str], str]) -> None:
    assert "done" in inside(ALLOWED[what])


@filtered
def test_inside_there_are_no_new_privileges_and_no_more_than_so_much_memory(
    inside: Callable[[str], str],
) -> None:
    # Read before: afterwards no file is.
    status = "ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)"
    assert "refused" in inside(status) or "-1" in inside(status)
    assert "MemoryError" in inside("len(bytes(1_300_000_000))")


@filtered
def test_every_format_is_read_inside_as_it_is_outside() -> None:
    script = """
import sys
from webapp.decoding.worker import prepare
from webapp.imaging.preprocessing import open_upright, to_square
files = [bytes.fromhex(line) for line in sys.stdin]
if sys.argv[1] == "inside":
    assert not prepare(1_200_000_000, 0)
for data in files:
    try:
        print(hash(to_square(open_upright(data)).tobytes()))
    except Exception as error:
        print(type(error).__name__, error)
"""
    files = [*fuzz._good_files(), b"no picture", b"\xff\xd8\xff\xe0 damaged"]
    text = "\n".join(data.hex() for data in files)
    inside, outside = (
        subprocess.run(
            [sys.executable, "-c", script, where],
            input=text,
            cwd=ROOT,
            env={"PYTHONHASHSEED": "0", "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for where in ("inside", "outside")
    )
    assert len(outside.splitlines()) == len(files)
    assert inside == outside
