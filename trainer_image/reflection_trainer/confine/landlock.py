"""Landlock: no file, no TCP, no signal to the outside, whatever the system call. A second lock, where the kernel has it.

The ruleset names every kind of access that the kernel's version knows and allows none.
"""

from __future__ import annotations

import ctypes
import os
import struct

from .kernel import syscall

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
"""The same numbers on every machine."""
_VERSION = 1

_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version knows, from its first bit on; version 5 added `ioctl`."""
_TCP = 0b11
_SCOPES = 0b11
"""Abstract sockets and signals."""


def version() -> int:
    """Landlock's version in this kernel; 0 where there is none or it is switched off."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def ruleset(abi: int) -> bytes:
    """`struct landlock_ruleset_attr` for a version, everything in it denied."""
    files = (1 << _FILES[min(abi, max(_FILES))]) - 1
    if abi < 4:
        return struct.pack("Q", files)
    return struct.pack("QQ", files, _TCP) if abi < 6 else struct.pack("QQQ", files, _TCP, _SCOPES)


def install() -> bool:
    """Put it on this process, which must have given up new privileges; False where the kernel has no Landlock."""
    abi = version()
    if not abi:
        return False
    attributes = ruleset(abi)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = syscall(_CREATE_RULESET, buffer, len(attributes), 0)
    try:
        syscall(_RESTRICT_SELF, descriptor, 0)
    finally:
        os.close(descriptor)
    return True
