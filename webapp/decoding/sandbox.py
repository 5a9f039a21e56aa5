"""Confines a decoding process: it may only compute, and reply on the socket that it was given.

A system call filter (seccomp(2), mode filter) allows only memory, threads, clocks and the open
descriptors: the process cannot open files, create sockets, run programs, start or inspect other
processes. Resource limits bound memory and forbid core files, even where the kernel has no filter.
Neither needs a privilege or a library, so both work in containers without capabilities.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct

_NO_NEW_PRIVILEGES, _DUMPABLE, _PARENT_DEATH_SIGNAL, _SECCOMP = 38, 4, 1, 22
_MODE_FILTER = 2
_THREAD = 0x00010000
"""The flag of clone(2) that creates a thread instead of a process (linux/sched.h)."""

# AUDIT_ARCH of linux/audit.h, then the index in the tuples of numbers below.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE = (56, 220)
# Number on x86-64 and on arm64 (asm/unistd_64.h, asm-generic/unistd.h); -1 if the call is missing.
_ALLOWED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    # Pillow calls it when it writes a picture, even into memory.
    "getcwd": (79, 17),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "setitimer": (38, 103),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}

# Classic BPF: linux/filter.h and linux/seccomp.h. The offsets of a call's data: its number, its
# architecture, the low half of its first argument.
_LOAD, _IF_EQUAL, _IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW = 0x7FFF0000
# As if the kernel lacked the call: libraries then use another call, or fail as they should.
_DENY = 0x00050000 | errno.ENOSYS


def limit(memory: int) -> None:
    """Set the resource limits of the process; call this before it reads any data from a client.

    Sets no limit on threads, which HEIC needs: that limit counts all processes of the user.

    Args:
        memory: Most bytes of data that the process may allocate.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def confine() -> str:
    """Permanently drop all rights that decoding does not need; import all modules before.

    Returns:
        Why there is no system call filter; empty if the filter is active.
    """
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return "this system has no prctl"
    # Other processes of its user cannot inspect it; it ends with the thread that started it.
    prctl(_DUMPABLE, 0, 0, 0, 0)
    prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if platform.machine() not in _ARCHITECTURES:
        return f"there is none for {platform.machine()}"
    program = _filter(*_ARCHITECTURES[platform.machine()])
    instructions = ctypes.create_string_buffer(program, len(program))
    whole = _Program(len(program) // 8, ctypes.addressof(instructions))
    if prctl(_SECCOMP, _MODE_FILTER, ctypes.byref(whole), 0, 0):
        return f"the kernel refuses it ({os.strerror(ctypes.get_errno())})"
    return ""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _filter(architecture: int, column: int) -> bytes:
    """Assemble the filter: check the architecture, then compare each allowed call, clone last."""
    numbers = [each[column] for each in _ALLOWED.values() if each[column] >= 0]
    # The distance of each jump: the last two instructions deny and allow.
    count = len(numbers)
    checks = [
        _instruction(_IF_EQUAL, number, count - place + 3, 0)
        for place, number in enumerate(numbers)
    ]
    return b"".join(
        (
            _instruction(_LOAD, _ARCHITECTURE),
            _instruction(_IF_EQUAL, architecture, 0, count + 4),
            _instruction(_LOAD, _NUMBER),
            *checks,
            _instruction(_IF_EQUAL, _CLONE[column], 0, 2),
            _instruction(_LOAD, _FIRST_ARGUMENT),
            _instruction(_IF_BITS, _THREAD, 1, 0),
            _instruction(_RETURN, _DENY),
            _instruction(_RETURN, _ALLOW),
        )
    )


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
