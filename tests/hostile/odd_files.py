"""Irregular files: a process that simply opens and reads one hangs, runs out of memory or ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path


def fifo(place: Path) -> None:
    """Has nobody at its other end."""
    os.mkfifo(place)


def link_to_a_device(place: Path) -> None:
    """Never ends."""
    place.symlink_to("/dev/zero")


def link_to_a_fifo_beside_it(place: Path) -> None:
    """Stays in its folder, and waits there."""
    beside = place.with_name(f"{place.name}.pipe")
    os.mkfifo(beside)
    place.symlink_to(beside.name)


def link_to_itself(place: Path) -> None:
    """Leads nowhere."""
    place.symlink_to(place.name)


def link_out_of_its_folder(place: Path) -> None:
    """Leads to a file that its reader may see or write, and its writer may not."""
    outside = place.parent.parent / f"outside of {place.parent.name}"
    outside.write_text("a week's work")
    place.symlink_to(outside)


def unix_socket(place: Path) -> None:
    """Cannot be opened."""
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(place.parent, os.O_RDONLY)
        try:
            # The path of a test's folder is longer than a socket's may be.
            listener.bind(f"/proc/self/fd/{here}/{place.name}")
        finally:
            os.close(here)


def endless(place: Path) -> None:
    """A terabyte that takes no room on the disk."""
    place.touch()
    os.truncate(place, 2**40)


def folder(place: Path) -> None:
    """Has no bytes."""
    place.mkdir()


KINDS: list[Callable[[Path], None]] = [
    fifo,
    link_to_a_device,
    link_to_a_fifo_beside_it,
    link_to_itself,
    link_out_of_its_folder,
    unix_socket,
    endless,
    folder,
]
