"""The seccomp filter, run by an interpreter of the kernel's classic BPF: what it allows on both machines, and nothing else."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.confine import landlock, seccomp
from reflection_trainer.confine.seccomp import (
    ALLOW,
    ALLOWED,
    ARCHITECTURES,
    FAIL,
    KILL,
    WITHOUT_EXECUTE,
    program,
)

MACHINES = list(ARCHITECTURES)
INTEGERS = st.integers(0, 2**32 - 1)


def verdict(machine: str, number: int, arch: int | None = None, third: int = 0) -> int:
    data = {
        seccomp.NUMBER: number,
        seccomp.ARCH: ARCHITECTURES[machine] if arch is None else arch,
        seccomp.THIRD_ARGUMENT: third & 0xFFFFFFFF,
    }
    accumulator, at, code = 0, 0, program(machine)
    while True:
        operation, if_true, if_false, constant = code[at]
        at += 1
        if operation == seccomp.LOAD:
            accumulator = data[constant]
        elif operation == seccomp.EQUAL:
            at += if_true if accumulator == constant else if_false
        elif operation == seccomp.ANY_BIT:
            at += if_true if accumulator & constant else if_false
        else:
            assert operation == seccomp.RETURN
            return constant


def allowed(machine: str) -> set[int]:
    column = MACHINES.index(machine)
    return {numbers[column] for numbers in ALLOWED.values()}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_of_the_list_is_allowed(machine):
    assert {verdict(machine, number, third=7) for number in allowed(machine)} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_memory_is_given_but_never_to_execute(machine):
    for numbers in WITHOUT_EXECUTE.values():
        number = numbers[MACHINES.index(machine)]
        assert verdict(machine, number, third=3) == ALLOW
        assert {verdict(machine, number, third=third) for third in (4, 5, 7, 0x1000004)} == {FAIL}


@given(st.sampled_from(MACHINES), INTEGERS, INTEGERS)
def test_everything_else_fails(machine, number, third):
    column = MACHINES.index(machine)
    known = allowed(machine) | {numbers[column] for numbers in WITHOUT_EXECUTE.values()}
    if number not in known:
        assert verdict(machine, number, third=third) == FAIL


@given(st.sampled_from(MACHINES), INTEGERS, INTEGERS)
def test_a_call_of_another_architecture_kills(machine, number, arch):
    if arch != ARCHITECTURES[machine]:
        assert verdict(machine, number, arch) == KILL


def test_the_calls_of_x86_with_32_bit_pointers_are_none_of_ours():
    assert {verdict("x86_64", 0x40000000 | number) for number in allowed("x86_64")} == {FAIL}


@pytest.mark.parametrize(
    ("name", "x86_64", "aarch64"),
    [
        ("openat", 257, 56),
        ("socket", 41, 198),
        ("sendmsg", 46, 211),
        ("clone", 56, 220),
        ("execve", 59, 221),
        ("kill", 62, 129),
        ("tgkill", 234, 131),
        ("ptrace", 101, 117),
        ("prctl", 157, 167),
        ("setitimer", 38, 103),
        ("rt_sigaction", 13, 134),
        ("unshare", 272, 97),
        ("process_vm_writev", 311, 271),
        ("memfd_create", 319, 279),
        ("bpf", 321, 280),
        ("io_uring_setup", 425, 425),
        ("clone3", 435, 435),
        ("openat2", 437, 437),
    ],
)
def test_what_could_reach_outside_fails(name, x86_64, aarch64):
    assert verdict("x86_64", x86_64) == verdict("aarch64", aarch64) == FAIL
    assert FAIL & 0xFFFF == errno.EPERM


@pytest.mark.parametrize(
    ("version", "size"), [(1, 8), (2, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)]
)
def test_landlock_denies_all_that_a_version_knows(version, size):
    attributes = landlock.ruleset(version)
    assert len(attributes) == size
    assert int.from_bytes(attributes[:8], "little").bit_count() == {1: 13, 2: 14, 3: 15, 4: 15}.get(
        version, 16
    )
