"""Files are never partly written, and two simultaneous rollouts do not mix their changes."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.files import append, exclusive, read_lines, write_atomically
from tests.serving.rollout.conftest import where
from tests.support.servers import ROOT


def test_a_reader_sees_the_old_content_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    texts = {letter * 100_000 for letter in "ab"}
    write_atomically(file, min(texts))
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for text in sorted(texts) * 25:
        write_atomically(file, text)
    done.set()
    reader.join()
    assert seen <= texts
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_other_users_may_read_what_is_written(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    append(file, {"n": 1})
    with file.open("a") as raw:
        raw.write('{"n": 2, "te')
    assert list(read_lines(file)) == [{"n": 1}]


def test_the_line_after_one_that_was_cut_off_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text('{"n": 1, "te')
    append(file, {"n": 2})
    assert list(read_lines(file)) == [{"n": 2}]


def test_a_second_command_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        exclusive(lock, "`promote 2` by ann", 1),
        pytest.raises(Refused, match=r"Another rollout is under way: `promote 2` by ann\."),
        exclusive(lock, "`retire 1` by bob", 0.2),
    ):
        pass


def test_a_second_one_waits_for_a_short_one(tmp_path: Path) -> None:
    lock, entered = tmp_path / "lock", threading.Event()
    order: list[str] = []

    def second() -> None:
        entered.wait()
        with exclusive(lock, "second", 30):
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    with exclusive(lock, "first", 1):
        entered.set()
        waiting.join(0.3)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_process_that_is_killed_holds_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import os, pathlib; from serving.rollout.state.files import exclusive\n"
        f"with exclusive(pathlib.Path({str(lock)!r}), 'gone', 1): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    with exclusive(lock, "next", 0):
        assert lock.read_text() == "next"


def test_what_a_terminal_would_obey_is_shown_and_not_done(
    offline: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(offline.store.path(1), tmp_path / "source")
    (source / "\x1b[2K\r good").symlink_to("saved_model.pb")
    assert main([*where(offline), "publish", str(source)]) == 1
    said = capsys.readouterr().err
    assert "\\x1b[2K\\r good is a symbolic link" in said
    assert said.replace("\n", "").isprintable()


def test_a_history_that_somebody_fills_takes_little_time_and_memory(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("[" + "{}," * 100_000 + "{}]\n" + '{"n": 1}\n')
    assert list(read_lines(file)) == [{"n": 1}]
    file.write_text("{}\n" * 3_000_000)
    with pytest.raises(Refused, match="Remove its oldest lines"):
        list(read_lines(file))


def test_what_an_editor_keeps_beside_a_file_stays(offline: Deployment) -> None:
    folder = offline.config.file.parent
    kept = [folder / ".models.config.swp", folder / ".traffic.json.bak"]
    for file in kept:
        file.write_text("somebody's")
    with offline.exclusive("any command"):
        assert all(file.exists() for file in kept)


@pytest.mark.parametrize(
    "write",
    [lambda file: append(file, {"n": 1}), lambda file: write_atomically(file, "text")],
    ids=["append", "replace"],
)
def test_a_disk_that_is_full_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'file'}'"):
        write(tmp_path / "file")
