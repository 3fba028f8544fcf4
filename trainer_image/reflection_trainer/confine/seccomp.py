"""The system calls that a locked-down child keeps, as a seccomp filter put together by hand.

The list says what is allowed; everything else fails with EPERM, which Python turns into PermissionError.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator

from .kernel import prctl, syscall

# Numbers of x86_64 and of aarch64 (asm/unistd_64.h, asm-generic/unistd.h).
ALLOWED: dict[str, tuple[int, int]] = {
    "read": (0, 63), "readv": (19, 65), "write": (1, 64), "writev": (20, 66), "close": (3, 57), "fstat": (5, 80),
    "lseek": (8, 62), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214),
    "futex": (202, 98), "membarrier": (324, 283), "rseq": (334, 293), "sched_yield": (24, 124),
    "rt_sigreturn": (15, 139), "restart_syscall": (219, 128), "getpid": (39, 172), "gettid": (186, 178),
    "uname": (63, 160), "sysinfo": (99, 179), "getrandom": (318, 278), "getrusage": (98, 165), "times": (100, 153),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
WITHOUT_EXECUTE: dict[str, tuple[int, int]] = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed unless they ask for memory that can be executed (bit 4 of the third argument)."""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""How the kernel names them in `seccomp_data.arch`: a 32-bit call on a 64-bit machine has another one."""

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_PR_SET_NO_NEW_PRIVS = 38

KILL, FAIL, ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, ARCH, THIRD_ARGUMENT = 0, 4, 32
"""Offsets in `seccomp_data`: six 64-bit arguments begin at 16. Both machines are little-endian: low half first."""
_EXECUTE = 4

Instruction = tuple[int, int, int, int]
"""Code, how many to skip if true, how many if false, constant."""


class NoSeccomp(OSError):
    """This machine cannot lock a process down."""


def program(machine: str) -> list[Instruction]:
    """The filter for a machine, in the kernel's classic BPF."""
    column = list(ARCHITECTURES).index(machine)
    return [
        (LOAD, 0, 0, ARCH),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        *_rules(column),
        (RETURN, 0, 0, FAIL),
    ]


def _rules(column: int) -> Iterator[Instruction]:
    for numbers in ALLOWED.values():
        yield EQUAL, 0, 1, numbers[column]
        yield RETURN, 0, 0, ALLOW
    for numbers in WITHOUT_EXECUTE.values():
        yield EQUAL, 0, 4, numbers[column]
        yield LOAD, 0, 0, THIRD_ARGUMENT
        yield ANY_BIT, 0, 1, _EXECUTE
        yield RETURN, 0, 0, FAIL
        yield RETURN, 0, 0, ALLOW


def install() -> None:
    """Put the filter on this process, for good.

    Raises:
        NoSeccomp: the machine is another one, or the kernel refuses.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise NoSeccomp(errno.ENOSYS, f"no filter for {machine}: known are {', '.join(ARCHITECTURES)}")
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program(machine))
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HP", len(code) // 8, ctypes.addressof(instructions))
    try:
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        syscall(_SECCOMP[machine], _SET_MODE_FILTER, 0, ctypes.create_string_buffer(header, len(header)))
    except OSError as error:
        raise NoSeccomp(error.errno, f"the kernel refuses a seccomp filter: {error.strerror}") from error
